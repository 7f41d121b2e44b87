"""What every registered backbone owes its users."""

import itertools
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, interpolate

from facedistill.backbones import (
    ACTIVATIONS,
    BACKBONES,
    build_backbone,
    count_macs,
    count_parameters,
    embed_crops,
    normalise_crops,
)
from facedistill.errors import UsageError
from facedistill.export import OnnxFace
from facedistill.model_file import ModelMetadata

NAMES = sorted(BACKBONES)
FOLDING = [name for name in NAMES if not name.startswith("iresnet")]  # insightface's units begin with a norm
DEEPER_TWINS = ("resnet36", "resnet64", "iresnet100")
THIN = 0.125
STAGES = 4
DLIB = ("dlibresnet", "dliblowrank", "twobranch")
HALVED = {"slimhalf": 1}  # times before the first stage
DLIB_MAPS = [(35, 35), (17, 17), (8, 8), (2, 2)]  # of dlib's own 150x150 window, which pads nothing


def crops(batch: int, height: int = 112, width: int = 96) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("size", "se", "activation"),
    [
        pytest.param((112, 96), False, "relu", id="the default crop"),
        pytest.param((112, 112), True, "prelu", id="the square crop, with all extras"),
        pytest.param((33, 47), True, "relu6", id="odd sides just above the least"),
        pytest.param((32, 32), False, "relu", id="the least sides"),
    ],
)
def test_shapes(name, size, se, activation):
    if name in DLIB and size[0] < 112:
        with pytest.raises(UsageError, match="no crop convention"):
            build_backbone(name, input_size=size)
        return
    net = build_backbone(name, 24, input_size=size, width=THIN, se=se, activation=activation)
    outputs = net(crops(2, *size))
    assert outputs.embedding.shape == (2, 24)
    assert outputs.logits is None
    before = HALVED.get(name, 0)
    expected = [tuple(int(np.ceil(side / 2 ** (before + n))) for side in size) for n in range(1, STAGES + 1)]
    assert [tuple(maps.shape[2:]) for maps in outputs.features] == (DLIB_MAPS if name in DLIB else expected)
    assert (net.embedding_size, net.input_size) == (24, size)


@pytest.mark.parametrize("name", NAMES)
def test_spec_is_json_and_rebuilds_the_net(name):
    net = build_backbone(name, 16, input_size=(112, 112), width=THIN, se=True, activation="prelu")
    again = build_backbone(**json.loads(json.dumps(net.spec)))
    assert again.spec == net.spec
    assert [tuple(p.shape) for p in again.parameters()] == [tuple(p.shape) for p in net.parameters()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_channels_are_multiples_of_eight_at_any_width(name, activation):
    net = build_backbone(name, 8, width=0.3, se=True, activation=activation)
    convs = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(conv.out_channels % 8 == 0 and conv.out_channels >= 8 for conv in convs)


@pytest.mark.parametrize("name", NAMES)
def test_options_change_the_net(name):
    plain, wide, gated, sloped = (
        count_parameters(build_backbone(name, 16, **options))
        for options in (
            {"width": 0.25},
            {"width": 0.5},
            {"width": 0.25, "se": True},
            {"width": 0.25, "activation": "prelu"},
        )
    )
    assert plain < sloped < wide
    assert plain < gated


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_fixes_the_weights(name):
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in build_backbone(name, 16, width=THIN, se=True).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_start_at_a_sane_size(name):
    """Freshly drawn, the net neither explodes nor dies on the way down."""
    torch.manual_seed(0)
    with torch.no_grad():
        features = build_backbone(name, 16, width=THIN)(crops(4)).features
    assert all(0.05 < float(maps.std()) < 50 for maps in features)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in DEEPER_TWINS else ()) for name in NAMES]
)
def test_training_lowers_a_loss(name):
    torch.manual_seed(0)
    size, rate = ((112, 96), 0.2) if name in DLIB else ((48, 48), 0.02)  # without norms gradients are small
    net = build_backbone(name, 16, input_size=size, width=THIN, se=True)
    optimiser = torch.optim.SGD(net.parameters(), lr=rate)
    people = interpolate(crops(8, 4, 4), size, mode="bilinear")
    faces, labels = torch.cat([people, people.flip(3)]), torch.arange(8).repeat(2)
    losses = []
    for _ in range(8):
        loss = cross_entropy(net(faces).embedding, labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert all(p.grad is not None for p in net.parameters())
    assert min(losses[-3:]) < 0.9 * losses[0]


def test_every_norm_follows_a_convolution_or_linear():
    """Only then does it fold away in an exported file."""
    for name in FOLDING:
        order = [m for m in build_backbone(name, 16, width=THIN, se=True).modules() if not list(m.children())]
        for before, module in itertools.pairwise(order):
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                assert isinstance(before, torch.nn.Conv2d | torch.nn.Linear)
                assert before.bias is None


def test_macs_and_parameters_against_a_hand_count():
    """resnet20, width 1/8, 112x96: stages of 8-16-32-64 channels with 1-2-4-1 units, 16 numbers out."""
    height, width, inside, macs, parameters = 112, 96, 3, 0, 0
    for channels, units in ((8, 1), (16, 2), (32, 4), (64, 1)):
        height, width = height // 2, width // 2
        layers = [9 * inside * channels] + 2 * units * [9 * channels * channels]
        macs += height * width * sum(layers)
        parameters += sum(layers) + 2 * channels * len(layers)
        inside = channels
    linear = 64 * 7 * 6 * 16
    net = build_backbone("resnet20", 16, width=0.125)
    assert count_macs(net) == macs + linear
    assert count_parameters(net) == parameters + linear + 2 * 16


def test_macs_of_a_depthwise_net():
    """MobileFaceNet at 112x112 with 128 numbers out has the 221 M of its paper, give or take a per cent."""
    net = build_backbone("mobilefacenet", 128, input_size=(112, 112))
    assert count_macs(net) == pytest.approx(221e6, rel=0.01)
    assert count_parameters(net) == pytest.approx(0.99e6, rel=0.02)


def test_counting_leaves_the_net_alone():
    net = build_backbone("mobilefacenet", 8, width=THIN)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    count_macs(net)
    assert net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"name": "resnet21"}, "resnet20", id="an unknown name lists the known"),
        pytest.param({"activation": "gelu"}, "prelu", id="an unknown activation lists the known"),
        pytest.param({"width": 0}, "width", id="no channels"),
        pytest.param({"width": -1.0}, "width", id="negative width"),
        pytest.param({"width": float("nan")}, "width", id="width is no number"),
        pytest.param({"width": "wide"}, "width", id="width is text"),
        pytest.param({"embedding_size": 0}, "embedding_size", id="empty embedding"),
        pytest.param({"embedding_size": 12.5}, "embedding_size", id="broken embedding size"),
        pytest.param({"input_size": (112, 31)}, "whole number from 32", id="side too short"),
        pytest.param({"input_size": (112,)}, r"\(height, width\)", id="one side only"),
        pytest.param({"input_size": 112}, r"\(height, width\)", id="a number instead of two"),
        pytest.param({"se": "yes"}, "se must be", id="se is text"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        build_backbone(**{"name": "resnet20", "width": THIN, **arguments})
    assert "\n" not in str(caught.value)


def test_normalise_crops():
    pixels = torch.arange(2 * 4 * 3 * 3, dtype=torch.uint8).reshape(2, 4, 3, 3)
    expected = (pixels.numpy().astype(np.float64).transpose(0, 3, 1, 2) - 127.5) / 128
    result = normalise_crops(pixels)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("crops", "message"),
    [
        pytest.param(torch.zeros(1, 8, 8, 3), "uint8", id="already floating"),
        pytest.param(torch.zeros(8, 8, 3, dtype=torch.uint8), r"\[8, 8, 3\]", id="no batch"),
        pytest.param(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"\[1, 3, 8, 8\]", id="channels first"),
        pytest.param(torch.zeros(1, 8, 8, 1, dtype=torch.uint8), r"\[1, 8, 8, 1\]", id="grey"),
    ],
)
def test_normalise_refuses(crops, message):
    with pytest.raises(UsageError, match=message):
        normalise_crops(crops)


def test_embed_crops_splits_batches_and_keeps_the_mode():
    net = build_backbone("resnet20", 8, input_size=(32, 32), width=THIN)
    faces = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    whole, parts = embed_crops(net, faces), embed_crops(net, faces, batch=2)
    assert net.training
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    assert embed_crops(net, faces[:0]).shape == (0, 8)


@pytest.mark.slow  # 6 s a net
@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_gives_the_embeddings_of_the_net(name, tmp_path):
    """Which `OnnxFace` checks; for a batch size that it was not traced with."""
    torch.manual_seed(0)
    net = build_backbone(name, 16, width=THIN, se=True, activation="prelu")
    with torch.no_grad():  # a step in training mode makes the norms' statistics worth folding
        net(crops(4))
    faces = np.random.default_rng(0).integers(0, 256, (5, 112, 96, 3), dtype=np.uint8)
    metadata = ModelMetadata(name, (112, 96), 16)
    assert OnnxFace().write(net, tmp_path / "net.onnx", metadata, faces).max_difference < 1e-4
