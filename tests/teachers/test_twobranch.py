"""A net of two branches, started from two nets that were trained apart."""

import numpy as np
import pytest
import torch
from tests.conftest import draw_toy_people

from facedistill.backbones import build_backbone, embed_crops, load_backbone, save_backbone
from facedistill.errors import UsageError
from facedistill.recipe import Recipe
from facedistill.recipe.sections import NetRecipe
from facedistill.recipe.validate import validate
from facedistill.teachers.start import load_start

SIZE = (150, 150)
WIDTH, SMALL_WIDTH = 0.4375, 0.75  # (8 * 0.4375 + 1) / 6


@pytest.fixture(scope="module")
def faces():
    return draw_toy_people(3, 2, SIZE)


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    """The two checkpoints, sharp and small."""
    torch.manual_seed(3)
    paths = []
    for name, width in {"dliblowrank": WIDTH, "slimhalf": SMALL_WIDTH}.items():
        paths.append(tmp_path_factory.mktemp("branches") / f"{name}.pt")
        save_backbone(paths[-1], build_backbone(name, 8, SIZE, width=width))
    return paths


@pytest.fixture(scope="module")
def joined(branches, faces):
    net = build_backbone("twobranch", 16, SIZE, width=WIDTH)
    load_start(net, "+".join(str(path) for path in branches), faces)
    return net


def test_the_embedding_is_both_branches_one_after_the_other(joined, branches, faces):
    """The small half of length 1; the sharp one as its branch makes it, times one number for all faces."""
    crops = np.stack([face.image for face in faces.faces])
    embeddings = embed_crops(joined, crops).astype(np.float64)
    sharp, small = (embed_crops(load_backbone(path), crops).astype(np.float64) for path in branches)
    np.testing.assert_allclose(embeddings[:, 8:], small / np.linalg.norm(small, axis=1, keepdims=True), atol=1e-5)
    factors = embeddings[:, :8] / sharp
    np.testing.assert_allclose(factors, factors[0, 0], rtol=1e-3)


def test_the_sharp_branch_has_four_fifths_of_a_sharp_faces_similarity(joined, faces):
    crops = np.stack([face.image for face in faces.faces])
    lengths = np.linalg.norm(embed_crops(joined, crops)[:, :8].astype(np.float64), axis=1)
    assert (lengths**2).mean() / ((lengths**2).mean() + 1) == pytest.approx(0.8, abs=1e-4)


def test_fresh_branches_are_drawn_as_they_are_alone():
    """Units of the sharp branch add nothing at first, or 14 of them without norms would make the maps grow."""
    net = build_backbone("twobranch", 16, SIZE, width=WIDTH)
    lasts = [weight for name, weight in net.named_parameters() if name.endswith("second.weight")]
    assert lasts
    assert not any(weight.any() for weight in lasts)


@pytest.mark.parametrize(
    ("starts", "named"),
    [
        pytest.param([0], "takes|another net", id="one branch alone"),
        pytest.param([0, 1, 1], "SHARP\\+SMALL", id="three branches"),
        pytest.param([1, 0], "dliblowrank", id="the wrong way round"),
    ],
)
def test_starts_that_do_not_fit(branches, faces, starts, named):
    net = build_backbone("twobranch", 16, SIZE, width=WIDTH)
    with pytest.raises(UsageError, match=named):
        load_start(net, "+".join(str(branches[place]) for place in starts), faces)


def test_two_starts_are_for_a_net_of_two_branches(branches, faces):
    net = build_backbone("slim", 8, SIZE, width=0.25)
    with pytest.raises(UsageError, match="slim, which takes one start"):
        load_start(net, "+".join(str(path) for path in branches), faces)


@pytest.mark.parametrize(
    ("student", "named"),
    [
        pytest.param({"start": "dlib+missing.pt"}, "missing.pt, which is no file", id="a branch that is not there"),
        pytest.param({"embedding_size": 15}, "must be even, .* not 15", id="an embedding that has no half"),
    ],
)
def test_recipes_that_cannot_work_are_refused_before_anything_is_loaded(student, named):
    net = NetRecipe("twobranch", **{"width": WIDTH, "embedding_size": 16, "input_size": SIZE, **student})
    with pytest.raises(UsageError, match=named):
        validate(Recipe(student=net).labels_only())
