"""insightface's nets: their keys and shapes, written here from the layout alone, and what the weights say."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, linear, prelu

from facedistill.backbones import build_backbone, embed_crops, load_backbone, save_backbone
from facedistill.errors import FacedistillError, UsageError
from facedistill.teachers import load_teacher
from facedistill.teachers.start import load_start

UNITS = {"iresnet50": (3, 4, 14, 3), "iresnet100": (3, 13, 30, 3)}
POSITIONS = {(112, 112): 49, (112, 96): 42}


def norm(name, channels):
    return {
        f"{name}.weight": (channels,),
        f"{name}.bias": (channels,),
        f"{name}.running_mean": (channels,),
        f"{name}.running_var": (channels,),
        f"{name}.num_batches_tracked": (),
    }


def arcface_shapes(name, embedding=512, size=(112, 112)):
    """Key -> shape of arcface_torch's `backbone.pth`."""
    shapes = {"conv1.weight": (64, 3, 3, 3), **norm("bn1", 64), "prelu.weight": (64,)}
    inside = 64
    for layer, count in enumerate(UNITS[name], start=1):
        channels = 32 * 2**layer
        for unit in range(count):
            at = f"layer{layer}.{unit}"
            shapes |= {
                **norm(f"{at}.bn1", inside),
                f"{at}.conv1.weight": (channels, inside, 3, 3),
                **norm(f"{at}.bn2", channels),
                f"{at}.prelu.weight": (channels,),
                f"{at}.conv2.weight": (channels, channels, 3, 3),
                **norm(f"{at}.bn3", channels),
            }
            if unit == 0:
                shapes |= {
                    f"{at}.downsample.0.weight": (channels, inside, 1, 1),
                    **norm(f"{at}.downsample.1", channels),
                }
            inside = channels
    features = 512 * POSITIONS[size]
    shapes |= {**norm("bn2", 512), "fc.weight": (embedding, features), "fc.bias": (embedding,)}
    return shapes | norm("features", embedding)


def arcface_weights(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(key, shape):
        if key.endswith("num_batches_tracked"):
            return torch.tensor(7)
        if len(shape) > 1:
            fan_in = np.prod(shape[1:])
            return torch.randn(shape, generator=generator) / fan_in**0.5
        return torch.rand(shape, generator=generator) * 0.5 + (0.0 if key.endswith(("mean", "bias")) else 0.6)

    return {key: draw(key, shape) for key, shape in shapes.items()}


def reference(weights, crops):
    """arcface_torch's forward on uint8 crops, written as plain functions."""

    def bn(x, name):
        w = [weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return batch_norm(x, *w, training=False, eps=1e-5)

    x = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    x = prelu(bn(conv2d(x, weights["conv1.weight"], padding=1), "bn1"), weights["prelu.weight"])
    for layer in range(1, 5):
        unit = 0
        while f"layer{layer}.{unit}.conv1.weight" in weights:
            at, stride = f"layer{layer}.{unit}", 2 if unit == 0 else 1
            y = conv2d(bn(x, f"{at}.bn1"), weights[f"{at}.conv1.weight"], padding=1)
            y = prelu(bn(y, f"{at}.bn2"), weights[f"{at}.prelu.weight"])
            y = bn(conv2d(y, weights[f"{at}.conv2.weight"], stride=stride, padding=1), f"{at}.bn3")
            if stride == 2:
                x = bn(conv2d(x, weights[f"{at}.downsample.0.weight"], stride=2), f"{at}.downsample.1")
            x = x + y
            unit += 1
    x = linear(bn(x, "bn2").flatten(1), weights["fc.weight"], weights["fc.bias"])
    return bn(x, "features").numpy()


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("size", POSITIONS, ids=str)
def test_keys_and_shapes_are_arcfaces(name, size):
    with torch.device("meta"):
        net = build_backbone(name, 512, input_size=size, activation="prelu")
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == arcface_shapes(name, 512, size)


@pytest.fixture(scope="module")
def weights():
    return arcface_weights(arcface_shapes("iresnet50", embedding=16))


def test_a_checkpoint_of_arcface_torch_loads_and_says_the_same(weights, tmp_path):
    torch.save(weights, tmp_path / "backbone.pth")
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    net = load_backbone(tmp_path / "backbone.pth")
    assert (net.spec["name"], net.input_size, net.embedding_size) == ("iresnet50", (112, 112), 16)
    expected = reference(weights, crops)
    np.testing.assert_allclose(embed_crops(net, crops), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    teacher = load_teacher(tmp_path / "backbone.pth")
    assert (teacher.name, teacher.input_size, teacher.embedding_size) == ("backbone", (112, 112), 16)


def without(key):
    return lambda weights: {name: value for name, value in weights.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(without("layer3.5.bn2.weight"), "missing layer3.5.bn2.weight", id="a missing key"),
        pytest.param(without("fc.weight"), "missing fc.weight", id="no embedding"),
        pytest.param(lambda w: w | {"extra.weight": torch.zeros(3)}, "unexpected extra.weight", id="a key too many"),
        pytest.param(
            lambda w: w | {"layer1.0.conv1.weight": torch.zeros(64, 32, 3, 3)},
            r"mis-shaped layer1.0.conv1.weight \(\[64, 32, 3, 3\], not \[64, 64, 3, 3\]\)",
            id="a wrong shape",
        ),
        pytest.param(
            lambda w: w | {"fc.weight": torch.zeros(16, 8)}, r"mis-shaped fc.weight \(\[16, 8\]", id="another crop"
        ),
        pytest.param(
            lambda w: {key: value for key, value in w.items() if not key.startswith("layer3.13.")},
            r"3-4-13-3 units; known are iresnet50 \(3-4-14-3\)",
            id="another depth",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_line(weights, tmp_path, change, message):
    torch.save(change(weights), tmp_path / "backbone.pth")
    with pytest.raises(FacedistillError, match=message) as caught:
        load_backbone(tmp_path / "backbone.pth")
    assert "\n" not in str(caught.value)
    assert "backbone.pth" in str(caught.value)


def adaface_names(weights):
    """The weights of arcface_torch's net under AdaFace's names; without what AdaFace's net does not have."""
    parts = {"bn1": 0, "conv1": 1, "bn2": 2, "prelu": 3, "conv2": 4, "bn3": 5}
    outer = {"conv1": "input_layer.0", "bn1": "input_layer.1", "prelu": "input_layer.2", "bn2": "output_layer.0"}
    outer |= {"fc": "output_layer.3", "features": "output_layer.4"}
    starts = {"layer1": 0, "layer2": 3, "layer3": 7, "layer4": 21}
    renamed = {}
    for key, value in weights.items():
        first, *rest = key.split(".")
        if first not in starts:
            renamed[".".join([outer[first], *rest])] = value
        else:
            unit = f"body.{starts[first] + int(rest[0])}"
            part = f"shortcut_layer.{rest[2]}" if rest[1] == "downsample" else f"res_layer.{parts[rest[1]]}"
            renamed[f"{unit}.{part}.{rest[-1]}"] = value
    no_shortcut = {key for key in renamed if key.startswith("body.0.shortcut_layer")}
    return {k: v for k, v in renamed.items() if k not in {*no_shortcut, "output_layer.4.weight", "output_layer.4.bias"}}


def adaface_reference(weights, crops):
    """AdaFace's net differs in its first unit, which takes every other pixel, and in its last norm, without a scale."""
    changed = dict(weights) | {"features.weight": torch.ones(16), "features.bias": torch.zeros(16)}
    changed["layer1.0.downsample.0.weight"] = torch.eye(64)[:, :, None, None]
    ones, zeros = torch.ones(64), torch.zeros(64)
    changed |= {f"layer1.0.downsample.1.{part}": ones for part in ("weight", "running_var")}
    changed |= {f"layer1.0.downsample.1.{part}": zeros for part in ("bias", "running_mean")}
    return reference(changed, np.ascontiguousarray(crops[..., ::-1]))


def magface_reference(weights, crops):
    """OpenCV's channel order, pixels / 255: reference() takes 2 x - 1, so it is given what becomes x."""
    pixels = (crops[..., ::-1].astype(np.float32) / 255 + 1) / 2 * 255
    return reference(weights, np.ascontiguousarray(pixels))


def under(prefix, weights):
    return {prefix + key: value for key, value in weights.items()}


HEAD = {"fc.weight": torch.zeros(16, 3), "module.fc.weight": torch.zeros(16, 3), "head.kernel": torch.zeros(16, 3)}


class Trainer:
    """An object that a trainer saves beside the weights."""

    def __init__(self):
        self.best = 0.5


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        pytest.param(lambda w: under("module.", w), reference, id="wrapped by DataParallel"),
        pytest.param(lambda w: {"state_dict": w, "epoch": 1}, reference, id="in state_dict"),
        pytest.param(
            lambda w: {"epoch": 1, "state_dict_backbone": w, "state_dict_softmax_fc": {"weight": HEAD["fc.weight"]}},
            reference,
            id="arcface_torch's checkpoint_gpu_0.pt",
        ),
        pytest.param(lambda w: {"model": under("backbone.", w) | HEAD}, reference, id="in model, beside a head"),
        pytest.param(lambda w: {"net": under("module.backbone.", w), "best": np.float64(0.5)}, reference, id="numpy's"),
        pytest.param(lambda w: OrderedDict(w), reference, id="an OrderedDict"),
        pytest.param(
            lambda w: {k: v for k, v in w.items() if "num_batches" not in k}, reference, id="torch 0.4: no batch counts"
        ),
        pytest.param(
            lambda w: {"state_dict": under("features.module.", w) | {"fc.weight": HEAD["fc.weight"]}, "arch": "i50"},
            magface_reference,
            id="MagFace's",
        ),
        pytest.param(
            lambda w: {
                "state_dict": under("model.", adaface_names(w)) | {"head.kernel": HEAD["head.kernel"]},
                "callbacks": {Trainer: Trainer()},
                "hyper_parameters": Trainer(),
            },
            adaface_reference,
            id="AdaFace's, with what Lightning saves beside",
        ),
        pytest.param(adaface_names, adaface_reference, id="AdaFace's, bare"),
    ],
)
def test_public_checkpoints_load_and_embed_alike(save, expected, weights, tmp_path):
    torch.save(save(weights), tmp_path / "public.pth")
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    wanted = expected(weights, crops)
    teacher = load_teacher(tmp_path / "public.pth")
    np.testing.assert_allclose(teacher.embed(crops), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
    assert (
        teacher.normalisation
        == {
            reference: "RGB, (x - 127.5) / 127.5",
            magface_reference: "BGR, (x - 0) / 255",
            adaface_reference: "BGR, (x - 127.5) / 127.5",
        }[expected]
    )


def test_the_preprocessing_of_a_public_checkpoint_can_be_given(weights, tmp_path):
    torch.save(weights, tmp_path / "public.pth")
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    wanted = magface_reference(weights, crops)
    teacher = load_teacher(tmp_path / "public.pth", mean=0, std=255, channels="bgr")
    np.testing.assert_allclose(teacher.embed(crops), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
    assert teacher.digest != load_teacher(tmp_path / "public.pth").digest
    other = load_teacher(tmp_path / "public.pth", mean=10, std=255, channels="bgr")
    assert teacher.digest != other.digest, "the mean is no part of the weights"


def test_a_net_of_another_mean_is_saved_and_started_from_by_nobody(weights, tmp_path):
    torch.save({"state_dict": under("features.module.", weights)}, tmp_path / "magface.pth")
    net = load_backbone(tmp_path / "magface.pth")
    with pytest.raises(UsageError, match=r"BGR, \(x - 0\) / 255"):
        save_backbone(tmp_path / "ours.pt", net)
    student = build_backbone("iresnet50", 16, input_size=(112, 112), activation="prelu")
    with pytest.raises(UsageError, match=r"BGR, \(x - 0\) / 255"):
        load_start(student, str(tmp_path / "magface.pth"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            lambda w: {"student": w, "ema": w}, r"several nets \(student: \*, ema: \*\)", id="two nets, none preferred"
        ),
        pytest.param(
            lambda w: {"layer1.0.conv1.weight": torch.zeros(1), "conv1.weight": torch.zeros(1)},
            r"not known here \(layer1\.0\.conv1\.weight, conv1\.weight\).*torch\.onnx\.export",
            id="another resnet",
        ),
        pytest.param(
            lambda w: {"state_dict": {"a\x1b[2J": torch.zeros(1)}}, r"not known here \(a\\x1b\[2J\)", id="escape codes"
        ),
        pytest.param(
            lambda w: {k: v for k, v in adaface_names(w).items() if k != "body.7.res_layer.4.weight"},
            r"body\.7 has 0 channels",
            id="AdaFace's, without a convolution",
        ),
        pytest.param(
            lambda w: adaface_names(w) | {"body.3.res_layer.6.fc1.weight": torch.zeros(1)},
            r"unexpected body\.3\.res_layer\.6",
            id="AdaFace's with squeeze-and-excitation",
        ),
    ],
)
def test_public_checkpoints_that_are_not_known_are_one_line(content, message, weights, tmp_path):
    torch.save(content(weights), tmp_path / "public.pth")
    with pytest.raises(FacedistillError, match=message) as caught:
        load_backbone(tmp_path / "public.pth")
    assert "\n" not in str(caught.value)
