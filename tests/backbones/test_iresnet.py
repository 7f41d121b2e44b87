"""insightface's nets: their keys and shapes, written here from the layout alone, and what the weights say."""

import numpy as np
import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, linear, prelu

from facedistill.backbones import build_backbone, embed_crops, load_backbone
from facedistill.errors import FacedistillError
from facedistill.teachers import load_teacher

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
        pytest.param(
            lambda w: {f"module.{key}": value for key, value in w.items()}, "no checkpoint", id="wrapped by DDP"
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_line(weights, tmp_path, change, message):
    torch.save(change(weights), tmp_path / "backbone.pth")
    with pytest.raises(FacedistillError, match=message) as caught:
        load_backbone(tmp_path / "backbone.pth")
    assert "\n" not in str(caught.value)
    assert "backbone.pth" in str(caught.value)
