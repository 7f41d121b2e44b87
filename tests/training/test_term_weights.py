"""Weights of the loss's terms: over the run, and by how many rows are left of a face."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import recipe
from tests.batches import batch_of, figures, run_loop
from torch import nn

from facedistill.backbones import build_backbone, normalise_crops
from facedistill.errors import UsageError
from facedistill.heads import build_head
from facedistill.losses import CheckedLoss, build_loss
from facedistill.outputs import Outputs
from facedistill.recipe import HARD, HeadRecipe, LossTerm, VarianceStep
from facedistill.recipe.validate import validate
from facedistill.training.data import AugmentedFaces
from facedistill.training.targets import CachedTargets
from facedistill.training.task import Task
from facedistill.variance import build_variance

FACTORS = [
    (LossTerm(2.0), 500, 1.0, "without an end"),
    (LossTerm(2.0, end=1.0, end_images=1000), 0, 1.0, "at the beginning"),
    (LossTerm(2.0, end=1.0, end_images=1000), 500, 0.75, "half way along a line"),
    (LossTerm(2.0, end=1.0, end_images=1000), 5000, 0.5, "after the end"),
    (LossTerm(2.0, end=0.0, end_images=1000), 1000, 0.0, "to nothing"),
    (LossTerm(1.0, end=3.0, end_images=1000, shape="cosine"), 250, 1 + 2 * (1 - math.cos(math.pi / 4)) / 2, "a cosine"),
]


@pytest.mark.parametrize(("term", "images", "factor", "why"), FACTORS, ids=[row[3] for row in FACTORS])
def test_a_weight_goes_along_its_shape(term, images, factor, why):
    assert term.factor(images) == pytest.approx(factor, rel=1e-12, abs=1e-12)


ROWS = [(4, 0.25), (8, 0.25), (44, 1.0), (112, 1.0), (math.sqrt(8 * 44), 0.625)]


@pytest.mark.parametrize("loss", ["cosine", "l2", HARD])
def test_a_face_weighs_by_what_is_left_of_it(loss):
    """The loss is the mean of each face's own loss times its weight."""
    torch.manual_seed(0)
    rows = torch.tensor([row for row, _ in ROWS])
    head = build_head("amsoftmax", 5, 3)
    backbone = build_backbone("slim", 5, (32, 32), width=0.25).eval()
    losses = {} if loss == HARD else {loss: build_loss(loss)}
    task = Task(backbone, head, losses, {loss: LossTerm(4.0, small=1.0)})
    embeddings = np.random.default_rng(0).normal(size=(5, 2, 5)).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1])
    task.targets = CachedTargets(embeddings, labels, 3, False, None)
    crops = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8)
    batch = batch_of(range(5), [False] * 5, crops)._replace(rows=rows, labels=torch.from_numpy(labels))
    (found,) = task(batch).values()
    embedding = backbone(normalise_crops(crops)).embedding
    expected = 0.0
    for place, (_, weight) in enumerate(ROWS):
        one, label = embedding[place : place + 1], batch.labels[place : place + 1]
        target = Outputs(torch.from_numpy(embeddings[place : place + 1, 0]))
        alone = head.loss(one, label) if loss == HARD else losses[loss](Outputs(one), target, label)
        expected += 4.0 * weight * float(alone) / len(ROWS)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["infonce", "seed", "cosine", "l2"])
def test_equal_weights_are_no_weights(name):
    torch.manual_seed(0)
    student, teacher = Outputs(torch.randn(6, 5, requires_grad=True)), Outputs(torch.randn(6, 5))
    labels = torch.arange(6)
    plain = build_loss(name)(student, teacher, labels)
    weighted = build_loss(name)(student, teacher, labels, torch.full((6,), 2.0))
    assert float(weighted) == pytest.approx(2 * float(plain), rel=1e-6)


class PerFace(nn.Module):
    needs = ("embedding",)

    def __init__(self, values):
        super().__init__()
        self.values = values

    def per_face(self, student, teacher, labels):
        return self.values(student.embedding)


@pytest.mark.parametrize(
    ("values", "found"),
    [(lambda e: e.sum(), r"\[\]"), (lambda e: e[:, :1], r"\[6, 1\]"), (lambda e: None, "NoneType")],
)
def test_what_is_no_value_for_each_face_is_refused(values, found):
    loss = CheckedLoss(PerFace(values), "mine")
    outputs = Outputs(torch.randn(6, 5, requires_grad=True))
    with pytest.raises(UsageError, match=rf"loss 'mine': per_face gives {found}, not \[6\]"):
        loss(outputs, Outputs(torch.randn(6, 5)), torch.arange(6), torch.ones(6))


def test_the_rows_of_a_face_are_those_of_its_smallest_picture(toy_people):
    steps = [
        build_variance("low_resolution", size=20, probability=1),
        build_variance("low_resolution", size=16, probability=1),
    ]
    assert {AugmentedFaces(toy_people, steps, True, 0)[place, 0].rows for place in range(4)} == {16}
    assert AugmentedFaces(toy_people, (), True, 0)[0, 0].rows == 112
    drawn = {AugmentedFaces(toy_people, [build_variance("camera")], True, 0)[place, 0].rows for place in range(40)}
    assert {112} < drawn <= {112, *range(7, 45)}


def test_a_run_logs_what_its_weights_made_of_the_terms(tmp_path, toy_people):
    variance = [VarianceStep("low_resolution", {"size": [8, 16, 44]})]
    plain = recipe(losses={HARD: LossTerm(), "cosine": LossTerm(2.0)}, variance=variance, steps=4)
    plain = replace(plain, optimiser=replace(plain.optimiser, learning_rate=1e-6))  # both runs keep the same net
    small = {HARD: LossTerm(1.0, small=1.0), "cosine": LossTerm(2.0, end=1.0, end_images=18)}
    run_loop(tmp_path / "plain", toy_people, plain)
    run_loop(tmp_path / "weighted", toy_people, replace(plain, losses=small))
    one, other = figures(tmp_path / "plain")[0], figures(tmp_path / "weighted")[0]
    assert one["hard"] == pytest.approx(other["hard"], rel=1e-3), "all faces weigh 1"
    assert other["cosine"] / one["cosine"] == pytest.approx(0.75, rel=0.02), "the mean of 1, 5/6, 4/6 and 3/6"


REFUSED = [
    ({"mk_mmd": LossTerm(small=0.5)}, "losses.mk_mmd.small is given, but the loss has no value for each face"),
    ({"cosine": LossTerm(small=-1)}, "losses.cosine.small must be a number of at least 0, not -1"),
    ({"cosine": LossTerm(end=1)}, "losses.cosine.end_images must be a whole number of at least 1, not 0"),
    ({"cosine": LossTerm(end_images=5)}, "without losses.cosine.end"),
]


@pytest.mark.parametrize(("losses", "reason"), REFUSED)
def test_what_cannot_work_is_refused(losses, reason):
    with pytest.raises(UsageError, match=reason):
        validate(recipe(losses={HARD: LossTerm(), **losses}))


def test_a_sharded_head_weighs_all_faces_alike():
    with pytest.raises(UsageError, match=r"losses.hard.small is given, but head.sharded"):
        validate(recipe(losses={HARD: LossTerm(small=0.5)}, head=HeadRecipe(sharded=True)))
