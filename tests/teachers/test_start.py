"""A student that begins with its teacher's weights: dlib's net in torch, thinned, and trained further."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import draw_toy_people

from facedistill.backbones import build_backbone, embed_crops, load_backbone, normalise_crops, save_backbone
from facedistill.backbones.dliblowrank import LowRankConvolution
from facedistill.datasets import write_face_set
from facedistill.errors import UsageError
from facedistill.faces import recrop
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import Recipe
from facedistill.recipe.files import read_recipe
from facedistill.recipe.validate import validate
from facedistill.teachers import load_teacher
from facedistill.teachers.start import dlib_backbone, load_start, thinned
from facedistill.training import BEST, train
from facedistill.training.build import build_task

RECIPE = Path(__file__).parents[2] / "recipes" / "teacher_start.yaml"
WIDTHS = [16, 32, 64, 128]


@pytest.fixture(scope="module")
def full():
    return dlib_backbone((150, 150))


@pytest.fixture(scope="module")
def dlib():
    return load_teacher("dlib")


def noise(count, size):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_it_says_what_the_teacher_says(full, dlib):
    assert np.abs(embed_crops(full, noise(4, (150, 150))) - dlib.embed(noise(4, (150, 150)))).max() < 1e-4


@pytest.mark.parametrize("size", [(112, 96), (112, 112)])
def test_it_cuts_dlibs_window_out_of_other_crops(dlib, size):
    """Equal but for the rounding to whole grey levels in `recrop`."""
    faces = np.stack([face.image for face in draw_toy_people(2, 1, size).faces])
    net = build_backbone("dlibresnet", 128, size)
    load_start(net, "dlib")
    assert cosines(embed_crops(net, faces), dlib.embed(faces)).min() > 0.9999
    with torch.no_grad():
        pixels = torch.from_numpy(faces[:1]).permute(0, 3, 1, 2).float()
        cut = net.stages[0][0](pixels)[0].permute(1, 2, 0).numpy()
    assert np.abs(cut - recrop(faces[0], (150, 150))).mean() < 0.6
    assert np.abs(cut - recrop(faces[0], (150, 150))).max() < 10  # OpenCV counts places in 1/32 of a pixel


def units(weights):
    """(stage, name) of the residual units, read off the keys."""
    names = {key.rsplit(".", 2)[0] for key in weights if ".first." in key}
    return sorted((int(name.split(".")[1]), int(name.split(".")[2]), name) for name in names)


def rows_in(part, whole):
    """Where each number of `part` stands in `whole`."""
    (places,) = np.nonzero(np.isin(whole, part))
    assert len(places) == len(part), "the biases tell the channels apart"
    return [int(np.flatnonzero(whole == value)[0]) for value in part]


def test_a_thinner_net_is_the_full_one_with_the_other_channels_silenced(full):
    weights = {key: value.clone() for key, value in full.state_dict().items()}
    thin = build_backbone("dlibresnet", 128, (150, 150), width=0.5)
    thin.load_state_dict(thinned(weights, WIDTHS))
    small = thin.state_dict()

    def silence(name):
        gone = np.ones(len(weights[f"{name}.bias"]), bool)
        kept = rows_in(small[f"{name}.bias"].numpy(), weights[f"{name}.bias"].numpy())
        gone[kept] = False
        weights[f"{name}.weight"][gone] = 0
        weights[f"{name}.bias"][gone] = 0
        return kept

    streams = [silence("stages.0.1")]
    for _, _, name in units(small):
        silence(f"{name}.first")
        streams.append(silence(f"{name}.second"))
    for before, after in itertools.pairwise(streams):
        assert after[: len(before)] == before, "channels go on as the first ones of the next stage"
    full_again = build_backbone("dlibresnet", 128, (150, 150))
    full_again.load_state_dict(weights)
    faces = noise(3, (150, 150))
    np.testing.assert_allclose(embed_crops(thin, faces), embed_crops(full_again, faces), atol=1e-5)


def test_the_channels_that_matter_most_are_kept(full):
    """By the documented criterion, with plain loops: norm of all that writes a channel, times all that reads it."""
    weights = {key: value.double().numpy() for key, value in full.state_dict().items()}
    result = thinned(full.state_dict(), WIDTHS)
    written, read = np.zeros(32), np.zeros(32)
    for channel in range(32):
        written[channel] += (weights["stages.0.1.weight"][channel] ** 2).sum()
        for _, _, name in units(weights):
            written[channel] += (weights[f"{name}.second.weight"][channel] ** 2).sum()
            read[channel] += (weights[f"{name}.first.weight"][:, channel] ** 2).sum()
        read[channel] += (weights["neck.2.weight"][:, channel] ** 2).sum()
    best = sorted(np.argsort(-np.sqrt(written * read))[:16])
    assert rows_in(result["stages.0.1.bias"].numpy(), full.state_dict()["stages.0.1.bias"].numpy()) == best

    name = units(weights)[5][2]
    first, second = weights[f"{name}.first.weight"], weights[f"{name}.second.weight"]
    importance = [np.linalg.norm(first[c]) * np.linalg.norm(second[:, c]) for c in range(64)]
    expected = full.state_dict()[f"{name}.first.bias"].numpy()[sorted(np.argsort(importance)[::-1][:32])]
    np.testing.assert_array_equal(result[f"{name}.first.bias"].numpy(), expected)


def test_at_full_width_nothing_changes(full):
    same = thinned(full.state_dict(), [32, 64, 128, 256])
    assert list(same) == [key for key in full.state_dict() if key in same]
    assert all(torch.equal(value, same[key]) for key, value in full.state_dict().items())


def test_a_thinner_net_starts_from_what_it_knows(dlib):
    faces = np.stack([face.image for face in draw_toy_people(4, 1).faces])
    expected = dlib.embed(faces)
    kept = {}
    for width in (0.75, 0.5):
        net = build_backbone("dlibresnet", 128, width=width)
        load_start(net, "dlib")
        kept[width] = cosines(embed_crops(net, faces), expected).mean()
    assert kept[0.75] > kept[0.5] > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"name": "resnet20"}, "name dlibresnet instead of resnet20", id="another net"),
        pytest.param({"embedding_size": 64}, "embedding_size 128 instead of 64", id="another embedding"),
        pytest.param({"width": 2.0}, r"width 1\.0 instead of 2\.0", id="wider"),
        pytest.param({"se": True, "width": 0.5}, "se False instead of True", id="gates that dlib has not"),
    ],
)
def test_weights_of_another_net_are_refused(changes, message):
    net = build_backbone(**{"name": "dlibresnet", "embedding_size": 128, **changes})
    with pytest.raises(UsageError, match=message) as caught:
        load_start(net, "dlib")
    assert "student.start" in str(caught.value)


def test_any_net_starts_from_a_checkpoint_of_its_own(tmp_path):
    torch.manual_seed(0)
    source = build_backbone("slim", 8, width=0.25)
    save_backbone(tmp_path / "net.pt", source)
    net = build_backbone("slim", 8, width=0.25)
    load_start(net, str(tmp_path / "net.pt"))
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in source.state_dict().items())
    with pytest.raises(UsageError, match=r"width 0\.25 instead of 0\.5"):
        load_start(build_backbone("slim", 8, width=0.5), str(tmp_path / "net.pt"))


def start_recipe(folder: Path, **student) -> Recipe:
    """The shipped recipe on drawn faces, a few steps of it."""
    write_face_set(folder / "faces", draw_toy_people(8, 3), extension=".png")
    settings = read_recipe(RECIPE)
    return replace(
        settings,
        data=replace(settings.data, faces=str(folder / "faces"), validation_identities=0),
        student=replace(settings.student, width=0.25, **student),
        losses={**settings.losses, "l2": replace(settings.losses["cosine"], weight=0.5)},
        optimiser=replace(settings.optimiser, warmup=0, learning_rate=0.05),  # a quarter of the net is soon mended
        steps=6,
        batch_size=8,
        validate_every=6,
        workers=0,
        device="cpu",
        precision="32",
        out=str(folder / "run"),
    )


def test_the_recipe_brings_a_thinned_net_nearer_to_its_teacher_at_low_resolution(tmp_path, dlib):
    recipe = start_recipe(tmp_path)
    validate(recipe)
    workload = open_face_workload(recipe, tmp_path / "teacher")
    recipe = workload.resolved(recipe)
    assert recipe.student.embedding_size == 128
    faces = np.stack([workload.pictures[i].image for i in range(len(workload.pictures))])
    expected = dlib.embed(faces)
    task = build_task(recipe, 8)
    before = cosines(embed_crops(task.backbone, faces), expected).mean()
    train(workload, recipe, task)
    net = load_backbone(tmp_path / "run" / BEST)
    assert net.spec["name"] == "dlibresnet"
    assert cosines(embed_crops(net, faces), expected).mean() > before + 0.02

    thinner = build_backbone("dlibresnet", 128, width=0.125)
    load_start(thinner, str(tmp_path / "run" / BEST))  # what was learned can be thinned again


@pytest.mark.parametrize(
    ("student", "message"),
    [
        pytest.param({"backbone": "resnet20"}, "student.backbone must be dlibresnet or dliblowrank", id="another net"),
        pytest.param({"width": 1.5}, "student.width must be at most 1", id="wider than dlib's"),
        pytest.param({"se": True}, "student.se must be False", id="gates"),
        pytest.param({"activation": "prelu"}, "student.activation must be relu", id="slopes"),
        pytest.param({"embedding_size": 512}, "student.embedding_size must be 128", id="another embedding"),
        pytest.param({"start": "nowhere.pt"}, "student.start is nowhere.pt, which is no file", id="no such file"),
        pytest.param({"input_size": (96, 112)}, "student.input_size: no crop convention", id="no crop convention"),
    ],
)
def test_a_recipe_that_cannot_start_is_refused_before_anything_is_loaded(student, message):
    recipe = read_recipe(RECIPE)
    with pytest.raises(UsageError, match=message):
        validate(replace(recipe, student=replace(recipe.student, **student)))


def people_as_faces(count, size=(150, 150)):
    return draw_toy_people(count, 3, size)


def test_a_factorised_net_of_all_ranks_is_dlibs_net_less_its_mean(full):
    faces = people_as_faces(6)
    net = build_backbone("dliblowrank", 128, (150, 150))
    load_start(net, "dlib", faces)
    crops = np.stack([face.image for face in faces.faces])
    theirs = embed_crops(full, crops).astype(np.float64)
    lengths = np.linalg.norm(theirs, axis=1, keepdims=True)
    expected = theirs / lengths.mean() - (theirs / lengths).mean(axis=0)
    assert np.abs(embed_crops(net, crops) - expected).max() < 1e-4


def test_a_factorised_convolution_is_the_best_of_its_rank(full):
    """The oracle projects the maps themselves, at float64: no projection of that rank leaves less of their variance."""
    faces = people_as_faces(6)
    net = build_backbone("dliblowrank", 128, (150, 150), width=0.75)
    load_start(net, "dlib", faces)
    name = "stages.3.0.first"  # 128 channels, all kept, to 256, of which 160 directions are
    layer, factors = full.get_submodule(name), net.get_submodule(name)
    seen = []
    handle = layer.register_forward_hook(
        lambda _layer, inputs, output: seen.append((inputs[0].clone(), output.clone()))
    )
    crops = normalise_crops(torch.from_numpy(np.stack([face.image for face in faces.faces])))
    with torch.no_grad():
        full(crops)
        handle.remove()
        maps = seen[0][1].transpose(0, 1).flatten(1).double().numpy()
        ours = factors(seen[0][0]).transpose(0, 1).flatten(1).double().numpy()
    centred = maps - maps.mean(axis=1, keepdims=True)
    least = (np.linalg.svd(centred, compute_uv=False)[160:] ** 2).sum()
    assert factors.ranks == (128, 160)
    assert ((ours - maps) ** 2).sum() == pytest.approx(least, rel=1e-3)


def test_fewer_directions_keep_less_and_more_than_thinning_does(dlib):
    faces = people_as_faces(8, (112, 96))
    crops = np.stack([face.image for face in faces.faces])
    expected = dlib.embed(crops)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    kept = {}
    for width in (0.53125, 0.25):
        net = build_backbone("dliblowrank", 128, width=width)
        load_start(net, "dlib", faces)
        kept[width] = cosines(embed_crops(net, crops), expected - expected.mean(axis=0)).mean()
    assert kept[0.53125] > 0.9 > kept[0.25] > 0.3


def test_the_1x1_factors_have_directions_of_unit_length():
    """A step of Adam is as long for small weights as for large ones: small factors do not survive the first steps."""
    net = build_backbone("dliblowrank", 128, (150, 150), width=0.25)
    load_start(net, "dlib", people_as_faces(6))
    layers = dict(net.named_modules())
    factors = [module for module in layers.values() if isinstance(module, LowRankConvolution) and len(module) == 3]
    assert factors
    for reduce, _, restore in factors:
        assert torch.allclose(reduce.weight.flatten(1).norm(dim=1), torch.ones(len(reduce.weight)), atol=1e-4)
        assert torch.allclose(restore.weight.flatten(1).norm(dim=0), torch.ones(reduce.weight.shape[0]), atol=1e-4)


def test_a_factorised_start_needs_faces():
    with pytest.raises(UsageError, match="needs faces"):
        load_start(build_backbone("dliblowrank", 128, width=0.25), "dlib")
