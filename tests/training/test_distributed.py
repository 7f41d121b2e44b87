"""Several processes train as one, and one goes on where several stopped.

In 64 bits, because a rectifier that falls to the other side for a rounding in 32 changes a run of so few faces within
a few steps as much as another seed would.
"""

import copy
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from tests.batches import batch_of, run_loop
from tests.conftest import draw_toy_people
from tests.training.distributed import in_processes

from facedistill.backbones import build_backbone
from facedistill.datasets import open_face_set, write_face_set
from facedistill.errors import UsageError
from facedistill.heads import build_head
from facedistill.losses import LOSSES, build_loss
from facedistill.outputs import Outputs
from facedistill.recipe import HARD, DataRecipe, HeadRecipe, LossTerm, NetRecipe, Recipe, VarianceStep
from facedistill.recipe.validate import validate
from facedistill.training import LAST, InterruptedRunError
from facedistill.training.data import AugmentedFaces
from facedistill.training.launch import check_processes
from facedistill.training.log import TIMING, read_lines
from facedistill.training.synced_norm import synchronise_norms
from facedistill.training.targets import CachedTargets, CombinedTargets

PEOPLE, PICTURES, SIZE, STEPS = 8, 6, 8, 6


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Recipe:
    folder = tmp_path_factory.mktemp("faces")
    write_face_set(folder, draw_toy_people(PEOPLE, PICTURES), extension=".png")
    return Recipe(
        data=DataRecipe(faces=str(folder), validation_identities=0),
        student=NetRecipe("slim", width=0.25, embedding_size=SIZE),
        losses={
            HARD: LossTerm(),
            "mk_mmd": LossTerm(),
            "soft": LossTerm(0.1),
            "fitnets": LossTerm(1, {"on": "embedding"}),
        },
        variance=[VarianceStep("low_resolution", {"size": 16})],
        steps=STEPS,
        batch_size=24,
        validate_every=STEPS,
        workers=0,
        device="cpu",
        precision="32",
    )


# ---- the gradient -------------------------------------------------------------------------------------------------


def teacher_outputs(faces, classes):
    generator = torch.Generator().manual_seed(1)
    embedding = torch.randn(faces, SIZE, generator=generator, dtype=torch.float64)
    logits = torch.randn(faces, classes, generator=generator, dtype=torch.float64)
    return embedding, logits


def loss_of(net, head, loss, crops, labels, message):
    """The hard loss and one distillation loss, of a slice of the batch."""
    seen = net(crops)
    total = head.loss(seen.embedding, labels)
    embedding, logits = message
    ours = Outputs(seen.embedding, head.scores(seen.embedding), seen.features[-2:-1])
    return total + loss(
        ours, Outputs(embedding, logits, tuple(each.detach().roll(1, 2) for each in ours.features)), labels
    )


def check_gradient(rank, count):
    """With every loss, in float64: the mean of all processes' gradients is the whole batch's gradient."""
    torch.manual_seed(0)
    net = build_backbone("slim", embedding_size=SIZE, input_size=(32, 32), width=0.25).double()
    crops, labels = torch.randn(8, 3, 32, 32, dtype=torch.float64), torch.arange(8) % 3
    teacher = teacher_outputs(8, 3)
    own = slice(rank * 8 // count, (rank + 1) * 8 // count)
    for name in sorted(LOSSES):
        torch.manual_seed(1)
        options = {"maps": "spatial"} if name == "attention_similarity" else {}
        alone, shared = (
            [copy.deepcopy(net), build_head("adaface", SIZE, 3).double(), build_loss(name, **options)] for _ in "12"
        )
        shared[1].load_state_dict(alone[1].state_dict())
        # One process with the whole batch, which must not gather again.
        initialised, dist.is_initialized = dist.is_initialized, lambda: False
        torch.manual_seed(2)
        expected = loss_of(*alone, crops, labels, teacher)
        dist.is_initialized = initialised
        expected.backward()
        synchronise_norms(shared[0], torch.device("cpu"))
        torch.manual_seed(2)
        value = loss_of(*shared, crops[own], labels[own], tuple(each[own] for each in teacher))
        value.backward()
        dist.all_reduce(value)
        torch.testing.assert_close(value / count, expected, rtol=1e-9, atol=1e-9, msg=name)
        for one, all_of_them in zip(shared, alone, strict=True):
            for (key, ours), theirs in zip(one.named_parameters(), all_of_them.parameters(), strict=True):
                dist.all_reduce(ours.grad)
                torch.testing.assert_close(ours.grad / count, theirs.grad, rtol=1e-6, atol=1e-8, msg=f"{name}: {key}")
            for (key, ours), theirs in zip(one.named_buffers(), all_of_them.buffers(), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9, msg=f"{name}: {key}")


@pytest.mark.slow
def test_with_every_loss_two_processes_have_the_gradient_of_one(small):
    in_processes(2, small, check_gradient)


# ---- the run ------------------------------------------------------------------------------------------------------


def run(folder, recipe, augmented=AugmentedFaces):
    """In float64, so that what differs is not rounding."""
    faces = open_face_set(recipe.data.faces)
    return run_loop(folder, faces, recipe, augmented=augmented, made=lambda task: task.double(), size=SIZE)


class StopsRankOne(AugmentedFaces):
    """Presses Ctrl-C, but on process 1 alone, in the third step."""

    def __getitem__(self, place):
        if place[0] == 3 * 24 - 1:  # the last face of that batch, which is in the second share
            assert os.environ["RANK"] == "1"
            os.kill(os.getpid(), signal.SIGINT)
        return super().__getitem__(place)


def variants(recipe):
    sharded = HeadRecipe("curricularface", sharded=True)
    balanced = replace(recipe.data, sampling="balanced")
    queues = {"infonce": LossTerm(0.1, {"queue": 30}), "seed": LossTerm(0.1)}
    return {
        "relations": recipe,
        "no hard loss": replace(recipe, losses={"ekd": LossTerm(), "rkd": LossTerm(0.1)} | queues, control=False),
        "sharded": replace(recipe, losses={HARD: LossTerm(), "cosine": LossTerm()}, head=sharded, data=balanced),
    }


def check_runs(rank, count, folder, recipe):
    recipes = variants(recipe)
    run(folder / "no hard loss", recipes["no hard loss"])
    for name in ("relations", "sharded"):
        with pytest.raises(InterruptedRunError, match="step 3 of 6"):
            run(folder / name, recipes[name], StopsRankOne)


def curve(folder):
    (line,) = [line for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "train"]
    return {name: value for name, value in line.items() if name not in (TIMING, "kind")}


def test_two_processes_train_as_one_and_one_goes_on_where_two_stopped(tmp_path, small):
    recipe = replace(small, optimiser=replace(small.optimiser, learning_rate=0.01))
    two, one = tmp_path / "two", tmp_path / "one"
    two.mkdir()
    one.mkdir()
    in_processes(2, recipe, check_runs, two, recipe)
    parts = sorted(path.name for path in (two / "sharded").glob("head-*"))
    assert parts == [f"head-{rank}-of-2-step-3.pt" for rank in range(2)]
    for name, variant in variants(recipe).items():
        run(one / name, variant)
        run(two / name, variant)  # by one process, what is left to do
        assert curve(two / name) == pytest.approx(curve(one / name), rel=1e-6), name
        states = [torch.load(folder / name / LAST, weights_only=True)["task"] for folder in (one, two)]
        torch.testing.assert_close(states[0], states[1], rtol=1e-5, atol=1e-6)


# ---- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "count", "message"),
    [
        pytest.param({"batch_size": 9}, 2, "batch_size is 9.*multiple of 2", id="an odd batch"),
        pytest.param({"batch_size": 90}, 9, "9, more processes than the 8 identities", id="too few people"),
        pytest.param({"device": "mps"}, 2, "device is mps", id="one GPU at most"),
        pytest.param({"devices": 0}, 1, "devices must be a whole number from 1", id="no device"),
        pytest.param({"head": HeadRecipe(sample_rate=0.5)}, 1, "needs head.sharded", id="a sample of a whole head"),
        pytest.param({"head": HeadRecipe(sharded=True, sample_rate=1.5)}, 1, "at most 1", id="more than all centres"),
    ],
)
def test_what_processes_cannot_share_is_refused(small, changes, count, message):
    with pytest.raises(UsageError, match=message):
        check_processes(replace(small, **changes), count)


@pytest.mark.parametrize(
    ("losses", "options", "message"),
    [
        pytest.param(
            {"soft": LossTerm()},
            {},
            "losses.soft compares logits, which a sharded head does not give",
            id="soft labels",
        ),
        pytest.param({}, {"bias": True}, "cannot be sharded with a bias", id="a bias"),
        pytest.param({}, {"margins": 1}, "has no option 'margins'", id="an unknown option"),
    ],
)
def test_what_a_sharded_head_cannot_do_is_refused_before_anything_is_loaded(small, losses, options, message):
    name = "softmax" if "bias" in options else "arcface"
    recipe = replace(small, losses={HARD: LossTerm(), **losses}, head=HeadRecipe(name, options, sharded=True))
    with pytest.raises(UsageError, match=message):
        validate(recipe)


def test_neither_the_digest_nor_the_recipe_of_a_run_depends_on_the_number_of_processes(small):
    assert replace(small, devices=4, nodes=2).digest == small.digest
    assert replace(small, data=replace(small.data, sampling="balanced")).digest != small.digest


def test_beside_a_sharded_head_the_teacher_makes_no_class_centres():
    embeddings = np.random.default_rng(0).normal(size=(4, 2, SIZE)).astype(np.float32)
    alone = CachedTargets(embeddings, np.arange(4), classes=10**9, centred=True, scale=None)
    for targets in (alone, CombinedTargets([alone, alone], [1, 3])):
        outputs = targets.for_batch(batch_of([0, 1], [False, True]))
        assert outputs.logits is None
        torch.testing.assert_close(outputs.embedding.norm(dim=1), torch.ones(2))
