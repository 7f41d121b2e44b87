"""Valid calls of everything public that takes numbers, into which a test puts one bad number after the other."""

from typing import Any

import numpy as np
import torch

from facedistill import (
    backbones,
    datasets,
    evaluation,
    export,
    faces,
    heads,
    pictures,
    recordio,
    search,
    teachers,
    variance,
)
from facedistill.datasets import Face, FaceList
from facedistill.recipe import Recipe, SearchRange
from facedistill.runtime import Recognizer
from facedistill.runtime.templates import Templates
from facedistill.teachers import load_teacher
from facedistill.training.average import make_average

FACES = FaceList([Face(np.full((112, 96, 3), 9 * n, np.uint8), n // 2, str(n)) for n in range(8)])
ROWS, PEOPLE = np.eye(8, 4) + 0.1, np.arange(8) // 2
SAME, SCORES = np.tile([True, True, False, False], 10), np.linspace(0, 1, 40)
EACH = np.array([True, False] * 4)
CROP = FACES[0].image


def embed(crops: Any) -> Any:
    return np.asarray(crops, np.float32).mean(axis=(1, 2)) + 1


def scored() -> Any:
    metric = evaluation.VerificationMetric()
    metric.update(SCORES, SAME)
    return metric


def searched() -> Any:
    searches = evaluation.SearchMetric(ROWS, PEOPLE)
    searches.update(ROWS[::2], PEOPLE[::2])
    searches.update(np.repeat(ROWS[:1], 4, axis=0), [99] * 4)
    return searches


class Double(torch.nn.Module):
    def forward(self, crops):
        return 2.0 * crops


LONG = {  # calls that would open photos, another net, a missing set or a search; a bad number is refused before that
    "datasets.align_faces",
    "evaluation.evaluate",
    "export.class_scores",
    "runtime.Recognizer.compare",
    "runtime.Recognizer.verify",
    "search.search",
    "teachers.load_teacher",
}


def valid_calls(slim, folder) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """room.name -> (what takes the numbers in their order, numbers that it takes)."""
    size = Recognizer(slim).metadata.embedding_size
    template = Templates({"native": np.ones(size, np.float32) / 8}, 100.0)
    recognizer, teacher = Recognizer(slim), load_teacher(slim)
    net = backbones.build_backbone("slim", 16, width=0.125)
    records = [(0, b"x"), (1, b"x")]
    recipe = Recipe(search={"student.width": SearchRange(0.1, 0.2)}, out=str(folder / "search"))
    return {
        "backbones.BackboneSpec": (
            lambda embedding_size, input_size, width: backbones.BackboneSpec(
                "slim", embedding_size, input_size, width, False, "relu"
            ),
            (16, (112, 96), 0.5),
        ),
        "backbones.build_backbone": (
            lambda embedding_size, input_size, width: backbones.build_backbone(
                "slim", embedding_size, input_size, width
            ),
            (16, (112, 96), 0.125),
        ),
        "backbones.embed_crops": (lambda batch: backbones.embed_crops(net, CROP[None], batch), (1,)),
        "datasets.RecroppedFaces": (lambda size: datasets.RecroppedFaces(FACES, size), ((112, 96),)),
        "datasets.align_faces": (
            lambda size: datasets.align_faces(datasets.FaceList(FACES.faces[:1]), size),
            ((112, 96),),
        ),
        "datasets.split_identities": (lambda parts, seed: datasets.split_identities(FACES, parts, seed), ((1, 2), 0)),
        "datasets.write_face_set": (
            lambda size, quality: datasets.write_face_set(folder / "set", FACES, size, quality=quality),
            ((112, 96), 90),
        ),
        "recordio.write_records": (
            lambda size, classes: recordio.write_records(folder / "records", iter(records), size, classes),
            ((112, 96), 2),
        ),
        "evaluation.sweep": (
            lambda resolutions, failed, bootstrap, seed: evaluation.sweep(
                embed, FACES, resolutions, failed, bootstrap, seed
            ),
            ((16,), 0, 2, 0),
        ),
        "evaluation.calibrate": (
            lambda resolutions, bootstrap, seed: evaluation.calibrate(embed, FACES, resolutions, bootstrap, seed),
            ((16,), 2, 0),
        ),
        "evaluation.cached_embeddings": (
            lambda rows: evaluation.cached_embeddings(embed, FACES, "0" * 64, folder, rows),
            (16,),
        ),
        "evaluation.failure_rate": (evaluation.failure_rate, (0, 3)),
        "evaluation.generalised_fmr": (lambda failures: evaluation.generalised_fmr([0.5], failures), (0.5,)),
        "evaluation.generalised_fnmr": (lambda failures: evaluation.generalised_fnmr([0.5], failures), (0.5,)),
        "evaluation.identify": (lambda ranks: evaluation.identify(ROWS, PEOPLE, ROWS, PEOPLE, ranks), ((1, 2),)),
        "evaluation.score_all_pairs": (
            lambda threads: evaluation.score_all_pairs(ROWS, PEOPLE, scored(), threads),
            (1,),
        ),
        "evaluation.score_cross": (
            lambda threads: evaluation.score_cross(ROWS, PEOPLE, ROWS, PEOPLE, scored(), threads),
            (1,),
        ),
        "evaluation.evaluate": (lambda size: evaluation.evaluate(embed, "missing", size), ((112, 96),)),
        "evaluation.SearchFigures.rank_k": (lambda k: searched().compute().rank_k(k), (1,)),
        "evaluation.SearchFigures.fpir": (lambda threshold: searched().compute().fpir(threshold), (0.5,)),
        "evaluation.SearchFigures.fnir": (lambda rank, threshold: searched().compute().fnir(rank, threshold), (1, 0.5)),
        "evaluation.SearchFigures.tpir": (lambda rank, threshold: searched().compute().tpir(rank, threshold), (1, 0.5)),
        "evaluation.SearchMetric": (lambda ranks: evaluation.SearchMetric(ROWS, PEOPLE, ranks), ((1, 2),)),
        "evaluation.SearchMetric.update_failed": (
            lambda mated, unmated: searched().update_failed(mated, unmated),
            (1, 1),
        ),
        "evaluation.SearchMetric.compute": (lambda fpirs: searched().compute(fpirs), ((0.5, 0.9),)),
        "evaluation.VerificationMetric": (lambda bins: evaluation.VerificationMetric(bins=bins), (4,)),
        "evaluation.VerificationMetric.compute": (lambda fmrs: scored().compute(fmrs), ((0.5, 0.9),)),
        "evaluation.bootstrap": (
            lambda statistic, draws, seed: evaluation.bootstrap(
                SCORES, SAME, None, statistic=statistic, draws=draws, seed=seed
            ),
            (("tar", 0.5), 2, 0),
        ),
        "evaluation.compare": (
            lambda statistic, draws, seed: evaluation.compare(
                SCORES, SCORES, SAME, None, statistic=statistic, draws=draws, seed=seed
            ),
            (("tar", 0.5), 2, 0),
        ),
        "evaluation.verify_pairs": (lambda folds: evaluation.verify_pairs(ROWS, ROWS[::-1], EACH, folds), (4,)),
        "export.latencies_ms": (lambda rounds: export.latencies_ms({"slim": slim}, rounds), (1,)),
        "export.class_scores": (lambda batch: export.class_scores(slim, CROP[None], batch), (1,)),
        "faces.Detector": (faces.Detector, (20, (0.6, 0.7, 0.7), 1)),
        "faces.align": (lambda size: faces.align(CROP, faces.crop_convention((112, 96)).template, size), ((112, 96),)),
        "faces.check_least_face": (faces.check_least_face, (20,)),
        "faces.crop_convention": (faces.crop_convention, ((112, 96),)),
        "faces.crop_matrix": (faces.crop_matrix, ((112, 96), (112, 96))),
        "faces.recrop": (lambda size: faces.recrop(CROP, size), ((112, 96),)),
        "faces.shown_rows": (lambda size: faces.shown_rows(size), ((112, 96),)),
        "faces.shown_share": (faces.shown_share, ((112, 96), (112, 96))),
        "pictures.encode_picture": (lambda quality: pictures.encode_picture(CROP, ".jpg", quality), (90,)),
        "runtime.Recognizer": (lambda min_face, threads: Recognizer(slim, min_face, threads), (20, 1)),
        "runtime.Recognizer.verify": (lambda fmr: recognizer.verify(CROP, CROP, fmr), (0.1,)),
        "runtime.Recognizer.compare": (lambda fmr: recognizer.compare(template, CROP, fmr), (0.1,)),
        "runtime.Recognizer.decide": (
            lambda similarity, fmr: recognizer.decide(similarity, fmr=fmr),
            (0.5, 0.01),
        ),
        "runtime.Templates": (lambda rows: Templates(template.embeddings, rows), (20.0,)),
        "runtime.Templates.seen_at": (template.seen_at, (100.0,)),
        "search.search": (lambda trials, minutes: search.search(recipe, "16.eer <= .05", trials, minutes), (1, 1.0)),
        "teachers.load_teacher": (
            lambda mean, std, size: load_teacher(slim, mean, std, size=size),
            (127.5, 127.5, (112, 96)),
        ),
        "teachers.JointTeacher": (lambda weights: teachers.JointTeacher([teacher] * 2, weights), ((1.0, 2.0),)),
        "variance.at_face_rows": (lambda rows: variance.at_face_rows(CROP, rows, variance.degrade), (16,)),
        "variance.degrade": (lambda rows: variance.degrade(CROP, rows), (16,)),
        "variance.degrade_face": (lambda rows: variance.degrade_face(CROP, rows), (16,)),
        "variance.degrade_batch": (lambda rows: variance.degrade_batch(torch.zeros(2, 3, 112, 96), rows), ((16, 8),)),
        "variance.matching": (variance.matching, (100.0, 16.0)),
        "variance.rungs_of": (variance.rungs_of, (100.0,)),
        "export.prove": (
            lambda most: export.prove(
                slim, Double(), lambda crops: 2.0 * crops, CROP[None], runtime="", version="", max_difference=most
            ),
            (0.1,),
        ),
        "training.make_average": (lambda decay: make_average(net, decay), (0.5,)),
        "heads.build_head": (lambda size, classes: heads.build_head("arcface", size, classes), (8, 4)),
        "heads.ShardedHead": (lambda *numbers: heads.ShardedHead("arcface", *numbers), (8, 4, 0.5)),
    }
