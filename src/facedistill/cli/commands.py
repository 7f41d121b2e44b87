"""Commands, each one function, whose arguments are the command's: from photos to reports on finished runs."""

import os
from pathlib import Path
from typing import Literal

from facedistill.cli.screen import console, show, warn
from facedistill.cli.values import check_outputs, crop_size, write_figures, write_json
from facedistill.errors import FacedistillError, UsageError
from facedistill.foreign import SEPARATOR, foreign_errors
from facedistill.recipe import Recipe


def prepare(
    photos: str,
    out: str,
    size: str = "112x96",
    min_face: int = 40,
    min_sharpness: float = 0.004,
    workers: int | None = None,
    clean: bool = False,
    teacher: str = "slim-m",
) -> None:
    """Turns a folder of photos into a face set: finds, aligns and packs the faces.

    Args:
        photos: A folder tree, person/photo.jpg at any depth; the folder of a photo names the person.
        out: Where the face set (RecordIO) and `rejects.csv` are written. Run again to go on where it stopped.
        size: Crop, height x width: 112x96, 112x112, or 128x112, which holds all crops.
        min_face: Least shorter side of a face, in pixels of the photo.
        min_sharpness: Least detail of a crop; 0.004 is about that of 25 rows, 0 takes all.
        workers: Processes; by default one per core.
        clean: Propose in OUT/clean.csv which pictures to drop: the same one under two people, the same one again, and
            those unlike the person's others. Edit the list; the same call again drops what it names.
        teacher: With clean: what tells people apart, a model as for `eval`.
    """
    from facedistill.faces.prepare import prepare as prepare_photos

    done = prepare_photos(Path(photos), Path(out), crop_size(size), min_face, min_sharpness, workers)
    rejected = ", ".join(f"{count} {reason}" for reason, count in sorted(done.rejected.items())) or "none"
    before = " (done before)" if done.already_done else ""
    show(f"{out}: {done.faces} faces of {done.people} people; rejected: {rejected}{before}")
    if clean:
        _clean(Path(out), teacher)
    elif not done.already_done:
        from facedistill.pipelines.clean import contradictions

        if sentence := contradictions(Path(out)):
            warn(sentence)


def _clean(out: Path, teacher: str) -> None:
    """Proposes what to drop from a prepared set, or drops it."""
    from facedistill.pipelines.clean import PROPOSED, clean

    done = clean(out, teacher)
    if done.proposed is None:
        show(f"{out}: {done.dropped} dropped; {done.faces} faces of {done.people} people are left")
        return
    found = ", ".join(f"{count} {reason}" for reason, count in sorted(done.proposed.items())) or "nothing"
    show(f"{out / PROPOSED}: proposed to drop: {found}; set drop to no where it is wrong, and call again to drop them")


def synth(
    out: str,
    identities: int = 300,
    images: int = 12,
    seed: int = 0,
    size: str = "112x96",
    workers: int | None = None,
    same_day: bool = False,
    exaggeration: float = 1.0,
    variety: float = 1.0,
    preview: bool = False,
) -> None:
    """Renders a labelled face set of synthetic people.

    Args:
        out: Where the face set (RecordIO) and `labels.parquet` are written. Run again to go on where it stopped.
        identities: Number of people.
        images: Pictures of each.
        seed: Another seed, other people.
        size: Crop, height x width: 112x96, 112x112, or 128x112, which holds all crops.
        workers: Processes; by default one per core. The pictures do not depend on it.
        same_day: Keep hair, clothes, glasses and make-up the same in all pictures of a person.
        exaggeration: 1..1.75: people are caricatures, up to so many times as far from the mean of all people.
        variety: 1..2: light, tint, distance and sensor are so many times as far from their means.
        preview: Also write a contact sheet, OUT/preview.png.
    """
    from facedistill.datasets import open_face_set
    from facedistill.synth.dataset import write_synthetic
    from facedistill.synth.preview import write_preview

    done = write_synthetic(
        Path(out), identities, images, seed, crop_size(size), workers, same_day, exaggeration, variety
    )
    speed = f", {done.images_per_second:.0f} images/s" if done.images_per_second else " (done before)"
    show(f"{out}: {done.faces} pictures of {done.people} people; the detector found {done.detected:.1%}{speed}")
    if preview:
        faces = open_face_set(out)
        write_preview(Path(out) / "preview.png", lambda index: faces[index].image, faces.labels)


def train(recipe: Recipe) -> None:
    """Trains a net by labels alone: a teacher, or the control of a student."""
    _run(recipe.labels_only())


def distill(recipe: Recipe) -> None:
    """Distils a teacher into a student, trains the control beside it, exports and tests both."""
    if not recipe.distils:
        raise UsageError("recipe: losses names no distillation loss; add one, or use `facedistill train`")
    _run(recipe)


def search(
    recipe: str,
    until: str = "",
    trials: int = 20,
    minutes: float | None = None,
    out: str | None = None,
    test: bool = False,
) -> None:
    """Tries recipes until a student meets a standard or the budget is spent, evaluated on validation people alone.

    Args:
        recipe: A recipe file whose section `search` says what may be tried.
        until: The standard, such as "synth@matched 16.eer <= 0.05, size_mb <= 1, latency_ms <= 2"; "16" alone leaves
            the gallery native.
        trials: Most trials; those of former calls and those that cost too much to be trained count.
        minutes: After so many no new trial is begun.
        out: Where the search is kept, runs/NAME-search by default. The same command goes on where it stopped.
        test: Test the winner on the recipe's test set, once; afterwards the search is closed.
    """
    from dataclasses import replace

    from facedistill.recipe.files import read_recipe
    from facedistill.search import front_table, verdict
    from facedistill.search import search as search_until

    base = read_recipe(Path(recipe))
    if base.devices * base.nodes > 1:
        raise UsageError("recipe: devices and nodes are more than 1, but a search trains in one process; give 1")
    folder = out or f"{base.folder}-search"
    report = search_until(replace(base, out=folder), until, trials, minutes, test, log=show)
    if report.front:
        console().print(front_table(report))
    for line in verdict(report):
        show(line)
    show(f"{folder}: search.json, search.html" + (", student.onnx" if report.winner else ""))
    if not report.met:
        tried = len(report.trials)
        raise FacedistillError(f"the standard is not met after {tried} trials; give more --trials, or lower it")


def evaluate(
    model: str,
    on: str = "orl",
    json: str | None = None,
    resolutions: list[int] | None = None,
    testing: int | None = None,
    seed: int | None = None,
    groups: str | None = None,
    exact: bool = False,
    camera: bool = False,
    mean: float | None = None,
    std: float | None = None,
    channels: Literal["rgb", "bgr"] | None = None,
    size: str | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    output: str | None = None,
) -> None:
    """Tests a model by a protocol of the field, or at native size and 30, 20, 16, 12 and 8 rows, matched and not.

    Args:
        model: A model file, a shipped model's name, a checkpoint, a foreign ONNX file, or `dlib`.
        on: `orl`, a face set's folder, a .bin file, or NAME:FOLDER with NAME one of lfw, ytf, ijbb, ijbc, megaface,
            scface, tinyface, survface; or another package's package.module:Class, with :FOLDER where it needs one.
        json: Also write the figures here; - is the screen.
        resolutions: Rows to which pictures are degraded, such as [24,12]; the protocol's own by default.
        testing: People to test with, for scface; 50 where the other 80 were trained with. All by default.
        seed: Draws them, and what the camera does.
        groups: For a face set, also give the errors by group and condition: a CSV with a column `key` or `index` and
            labels, or `auto` for the set's own labels.parquet or labels.csv.
        exact: For megaface: keep every impostor score, where millions would else be counted in a histogram.
        camera: For orl, a face set or a .bin file: each probe is shown as a camera sees a small face (misaligned,
            blurred, exposed, with noise and JPEG); the other picture is native, or degraded to the same rows.
        mean: For a foreign net: subtracted from each pixel, 0..255.
        std: For a foreign net: what the difference is divided by.
        channels: For a foreign net: the channel order it was trained with.
        size: For a foreign ONNX file: crop, height x width, where the file leaves it open or it is no convention's.
        layout: For a foreign ONNX file: where the file leaves it open.
        output: For a foreign ONNX file: the embedding's name, where several outputs may be it.
    """
    from facedistill.evaluation import evaluate as evaluate_on
    from facedistill.evaluation.protocols import PROTOCOLS
    from facedistill.teachers import load_teacher

    check_outputs(json)
    taken = None if size is None else crop_size(size)
    net = load_teacher(model, mean, std, channels, "auto", taken, layout, output)
    # "N rows" means rows of the 112-high window, so a net with another window is shown crops of that one.
    shown = net.input_size if net.input_size[0] == 112 else (112, 96)
    given = {"resolutions": resolutions, "testing": testing, "seed": seed, "groups": groups}
    given |= {"exact": exact or None, "camera": camera or None}
    results = evaluate_on(net.embed, on, shown, **{name: value for name, value in given.items() if value is not None})
    with foreign_errors(f"the result of {on} fails", *(() if on.partition(SEPARATOR)[0] in PROTOCOLS else (on,))):
        if json:
            write_json(json, {name: result.to_json() for name, result in results.items()})
        for name, result in results.items():
            for table in result.tables(f"{model} on {name}"):
                console().print(table)


def report(runs: list[str], out: str = "report.html", json: str | None = None, markdown: str | None = None) -> None:
    """Writes one self-contained page about finished runs; runs that differ by their seed alone become means.

    Args:
        runs: Run folders that were tested on the same pictures.
        out: The page.
        json: Also write all its figures here; - is the screen.
        markdown: Also write the table of its figures here; - is the screen.
    """
    from facedistill.pipelines.finished_run import report_runs
    from facedistill.report import markdown_table, write_report

    check_outputs(out, json, markdown)
    figures = report_runs([Path(run) for run in runs])
    write_report(Path(out), figures)
    if json:
        write_json(json, figures.to_json())
    if markdown:
        write_figures(markdown, markdown_table(figures))
    for note in figures.notes:
        warn(note)
    show(f"{out}: {len(figures.models)} models, {Path(out).stat().st_size / 1e6:.1f} MB; it shows people's pictures")


def _run(recipe: Recipe) -> None:
    """Runs a recipe and shows what came of it."""
    if recipe.classification is not None:
        from facedistill.pipelines.classifier import classes_table, run_classifier

        console().print(classes_table(run_classifier(recipe)))
        show(f"{recipe.folder}: student.onnx, summary.json")
        return
    from facedistill.pipelines.faces import run_faces
    from facedistill.report import summary_table

    summary = run_faces(recipe)
    if os.environ.get("RANK", "0") == "0":
        console().print(summary_table(summary))
        show(f"{recipe.folder}: student.onnx, summary.json, report.html")
