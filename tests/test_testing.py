"""The checks for parts of other packages: ours pass them, and each kind of broken part is caught."""

import numpy as np
import pytest
import torch
from torch import nn

from facedistill.backbones import BACKBONES, Backbone, BackboneSpec, build_backbone
from facedistill.errors import UsageError
from facedistill.heads import HEADS, Head, build_head
from facedistill.losses import LOSSES, build_loss
from facedistill.testing import check_backbone, check_head, check_loss, check_variance
from facedistill.variance import VARIANCES, build_variance


@pytest.mark.parametrize("name", LOSSES)
def test_our_losses_pass(name):
    check_loss(build_loss(name))


@pytest.mark.parametrize("name", HEADS)
def test_our_heads_pass(name):
    check_head(build_head(name, 5, 4))


@pytest.mark.parametrize("name", BACKBONES)
def test_our_backbones_pass(name):
    # Of 8 channels, oneDNN's backward of a strided 1x1 convolution writes outside its memory on some AVX-512 CPUs.
    check_backbone(build_backbone(name, embedding_size=16, width=0.25))


@pytest.mark.parametrize("name", VARIANCES)
def test_our_variances_pass(name):
    check_variance(build_variance(name))


class Distance(nn.Module):
    """A sound loss on two fields; the broken ones below change one thing of it."""

    needs = ("embedding", "logits")

    def forward(self, student, teacher, labels):
        difference = (student.embedding - teacher.embedding).square().sum(1)
        return (difference + (student.logits - teacher.logits).abs().sum(1)).mean()


class OneFieldUnread(Distance):
    def forward(self, student, teacher, labels):
        return (student.embedding - teacher.embedding).square().mean()


class UndeclaredField(Distance):
    needs = ("embedding",)


class NoMean(Distance):
    def forward(self, student, teacher, labels):
        return (student.embedding - teacher.embedding).square().mean(1)


class NotANumber(Distance):
    def forward(self, student, teacher, labels):
        return super().forward(student, teacher, labels) * float("nan")


class NoGradient(Distance):
    def forward(self, student, teacher, labels):
        return super().forward(student, teacher, labels).detach()


class OrderMatters(Distance):
    def forward(self, student, teacher, labels):
        weights = torch.arange(len(labels), dtype=torch.float32)
        return (weights * (student.embedding - teacher.embedding + student.logits.sum()).square().mean(1)).mean()


class ChangesInEvaluation(Distance):
    def __init__(self):
        super().__init__()
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, student, teacher, labels):
        self.batches = self.batches + 1
        return super().forward(student, teacher, labels)


class HalfPrecision(Distance):
    def forward(self, student, teacher, labels):
        return super().forward(student, teacher, labels).bfloat16()


BROKEN_LOSSES = [
    (OneFieldUnread, AssertionError, "a field in its needs has no gradient"),
    (UndeclaredField, UsageError, "reads logits, which its `needs` does not name"),
    (NoMean, UsageError, r"gives a tensor \[6\], not a scalar"),
    (NotANumber, AssertionError, "the result is nan"),
    (NoGradient, UsageError, "has no gradient"),
    (OrderMatters, AssertionError, "the order of the faces changes the result"),
    (ChangesInEvaluation, AssertionError, "changes its state in evaluation mode"),
    (HalfPrecision, AssertionError, "not float32"),
]


def test_a_sound_loss_of_two_fields_passes():
    check_loss(Distance())


@pytest.mark.parametrize(("loss", "error", "reason"), BROKEN_LOSSES)
def test_a_broken_loss_is_caught(loss, error, reason):
    with pytest.raises(error, match=reason):
        check_loss(loss())


NO_LOSSES = [
    (object(), "derive it from torch.nn.Module"),
    (nn.Linear(2, 2), "must have an attribute `needs`"),
    (type("Empty", (Distance,), {"needs": ()})(), r"not \(\)"),
    (type("Listed", (Distance,), {"needs": ["embedding"]})(), "a tuple of fields out of embedding, logits, features"),
    (type("Unknown", (Distance,), {"needs": ("embeddings",)})(), r"not \('embeddings',\)"),
]


@pytest.mark.parametrize(("loss", "reason"), NO_LOSSES)
def test_what_is_no_loss_is_refused(loss, reason):
    with pytest.raises(UsageError, match=reason):
        check_loss(loss)


class Linear(Head):
    name = "linear"

    def plain_scores(self, embedding, weight):
        return embedding @ weight.T


class ForgetsOption(Linear):
    def __init__(self, embedding_size, classes, scale=2.0):
        super().__init__(embedding_size, classes)
        self.scale = scale

    def plain_scores(self, embedding, weight):
        return self.scale * super().plain_scores(embedding, weight)


class Infinite(Linear):
    def plain_scores(self, embedding, weight):
        return super().plain_scores(embedding, weight) / 0


class Detached(Linear):
    def plain_scores(self, embedding, weight):
        return super().plain_scores(embedding, weight.detach())


def test_a_sound_head_passes():
    check_head(Linear(5, 4))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (lambda: nn.Linear(5, 4), "a Linear is no head"),
        (lambda: Linear(5, 3), "at least 4 classes"),
        (lambda: ForgetsOption(5, 4, 3.0), "restored from options and state dict it gives other logits"),
        (lambda: Infinite(5, 4), "NaN or infinite"),
        (lambda: Detached(5, 4), "no gradient reaches the class centres"),
    ],
)
def test_a_broken_head_is_caught(head, reason):
    with pytest.raises(AssertionError, match=reason):
        check_head(head())


def net(neck):
    spec = BackboneSpec("own", 8, (32, 32), 1.0, se=False, activation="relu")
    return Backbone(spec, [nn.Conv2d(3, 4, 3, 4)], neck)


class AcrossTheBatch(nn.Linear):
    def forward(self, rows):
        return super().forward(rows) - rows.mean()


@pytest.mark.parametrize(
    ("backbone", "reason"),
    [
        (lambda: nn.Conv2d(3, 4, 3), "a Conv2d is no backbone"),
        (lambda: net(nn.Sequential(nn.Flatten(), nn.Linear(256, 7))), r"its embedding is \[4, 7\], not \[4, 8\]"),
        (lambda: net(nn.Sequential(nn.Flatten(), AcrossTheBatch(256, 8))), "depends on the other faces of the batch"),
    ],
)
def test_a_broken_backbone_is_caught(backbone, reason):
    with pytest.raises(AssertionError, match=reason):
        check_backbone(backbone())


@pytest.mark.parametrize(
    ("variance", "reason"),
    [
        (lambda crop, rng: crop.astype(np.float32), "it gives float32, not uint8"),
        (lambda crop, rng: crop[:-1], "for a crop"),
        (lambda crop, rng: crop[::-1], "a view of the given crop"),
        (lambda crop, rng: crop, "never changes a crop"),
        (lambda crop, rng: np.random.default_rng().permutation(crop), "take all random numbers from `rng`"),
        (lambda crop, rng: list(crop), "it gives a list, no array"),
    ],
)
def test_a_broken_variance_is_caught(variance, reason):
    with pytest.raises(AssertionError, match=reason):
        check_variance(variance)


def test_a_variance_that_writes_into_the_crop_is_caught():
    def writes(crop, rng):
        crop[0] = 0
        return crop

    with pytest.raises(ValueError, match="read-only"):
        check_variance(writes)
