"""Each head's formula against a float64 oracle, its gradient and its limits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.heads.head_oracles import (
    BATCH,
    BATCHES,
    CLASSES,
    LABELS,
    NAMES,
    ORACLES,
    SIZE,
    follows,
    made,
    softmax_oracle,
)

from facedistill.heads import HEADS, build_head


def test_every_head_has_an_oracle():
    assert set(ORACLES) == set(HEADS)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("softmax", {}),
        ("amsoftmax", {}),
        ("amsoftmax", {"scale": 64.0, "margin": 0.2}),
        ("arcface", {}),
        ("arcface", {"scale": 10.0, "margin": 1.2}),
        ("asoftmax", {}),
        ("asoftmax", {"margin": 1}),
        ("asoftmax", {"margin": 3, "base": 10.0, "ease": 1.0, "least": 4.0}),
        ("curricularface", {}),
        ("curricularface", {"scale": 5.0, "margin": 0.1, "momentum": 0.9}),
        ("magface", {}),
        ("magface", {"shortest": 1.0, "longest": 3.0, "least": 0.1, "most": 1.5}),
        ("adaface", {}),
        ("adaface", {"momentum": 1.0, "margin": 0.9, "concentration": 2.0}),
    ],
)
def test_against_the_oracle_over_three_batches(name, options):
    """Three batches, because some heads remember; lengths from 0.5 to 60, because some look at them."""
    head, _ = made(name, **options)
    expected = follows(name, options)
    generator = torch.Generator().manual_seed(0)
    for labels in BATCHES:
        embedding = torch.randn(BATCH, SIZE, dtype=torch.float64, generator=generator)
        embedding *= torch.logspace(-0.5, 1.5, BATCH, dtype=torch.float64)[:, None]
        wanted = expected(embedding.numpy(), head.weight.detach().numpy(), labels.numpy())
        np.testing.assert_allclose(head(embedding, labels).detach().numpy(), wanted, atol=1e-5)


def test_magface_adds_its_pull_on_the_length():
    head, embedding = made("magface")
    lengths = np.clip(np.linalg.norm(12 * embedding.detach().numpy(), axis=1), 10, 110)
    logits = head(12 * embedding, LABELS)
    expected = torch.nn.functional.cross_entropy(logits, LABELS).item() + 35 * np.mean(1 / lengths + lengths / 110**2)
    assert head.loss(12 * embedding, LABELS).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "magface"])
def test_the_hard_loss_of_the_others_is_the_cross_entropy(name):
    head, embedding = made(name)
    head.eval()
    expected = torch.nn.functional.cross_entropy(head(embedding, LABELS), LABELS)
    assert torch.equal(head.loss(embedding, LABELS), expected)


def test_softmax_with_bias():
    head, embedding = made("softmax", bias=True)
    torch.nn.init.normal_(head.bias)
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    expected = softmax_oracle(embedding.detach().numpy(), weight, None, bias)
    np.testing.assert_allclose(head(embedding, LABELS).detach().numpy(), expected, atol=1e-12)


WITHOUT_MARGIN = {
    "amsoftmax": {"margin": 0.0},
    "arcface": {"margin": 0.0},
    "asoftmax": {"margin": 1},
    "adaface": {"margin": 0.0},
}


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_logits_without_margin(name):
    head, embedding = made(name)
    scores, logits = head.scores(embedding), head(embedding, LABELS)
    others = torch.ones_like(scores, dtype=torch.bool).scatter(1, LABELS[:, None], False)
    if name != "curricularface":  # which moves the hard ones of the others too
        assert torch.equal(scores[others], logits[others])
    if name != "softmax":
        assert (logits[~others] < scores[~others]).all()
    if name in WITHOUT_MARGIN:
        without = build_head(name, SIZE, CLASSES, **WITHOUT_MARGIN[name]).double()
        without.load_state_dict(head.state_dict())
        torch.testing.assert_close(without(embedding, LABELS), scores)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1.0, 12.0])
def test_gradient(name, length):
    # AdaFace's quality follows the length without a gradient, which finite differences would see: held at -1 or 1.
    head, embedding = made(name, **({"concentration": 1e6} if name == "adaface" else {}))
    embedding = (length * embedding.detach()).requires_grad_()
    head(embedding, LABELS)
    head.eval()  # so that what it remembers stands still
    parameters = tuple(head.parameters())

    def call(embedding, *_parameters):
        return head.loss(embedding, LABELS)

    assert torch.autograd.gradcheck(call, (embedding, *parameters), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "length"),
    [
        ("arcface", {"margin": 0.2}, 1.0),
        ("arcface", {"margin": 1.0}, 1.0),
        ("curricularface", {}, 1.0),
        ("magface", {}, 1.0),
        ("magface", {}, 200.0),
        ("adaface", {"concentration": 5.0}, 0.1),  # poor pictures: the margin is added to theta
        ("adaface", {"concentration": 5.0}, 100.0),  # good ones: it is taken away
        ("asoftmax", {"base": 1e-3, "least": 1e-3}, 1.0),
        ("asoftmax", {"margin": 3}, 5.0),
    ],
)
def test_the_own_logit_never_rises_with_the_angle(name, options, length):
    """Further from the own class is never rewarded, even where cos(theta + m) would rise again."""
    theta = torch.linspace(0, torch.pi, 400, dtype=torch.float64)
    head = build_head(name, 2, 1, **options).double().eval()
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0]]))
    rows = length * torch.stack((theta.cos(), theta.sin()), dim=1)
    own = head(rows, torch.zeros(400, dtype=torch.int64))
    assert (own.detach().diff(dim=0) <= 1e-9).all()


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computed_in_float32_under_autocast(name, dtype):
    head, embedding = made(name, torch.float32)
    head.eval()
    expected = head(embedding, LABELS)
    with torch.autocast("cpu", dtype=dtype):
        inside = head(embedding, LABELS)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, expected)
    short = head(embedding.to(dtype), LABELS)
    assert short.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e15])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_is_finite_on_the_centre_opposite_it_and_at_zero(name, scale, sign):
    head = build_head(name, SIZE, CLASSES)
    embedding = (sign * scale * head.weight.detach()[LABELS]).requires_grad_()
    head.loss(embedding, LABELS).backward()
    assert torch.isfinite(embedding.grad).all()
    assert torch.isfinite(head.weight.grad).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["amsoftmax", "arcface"]))
@settings(max_examples=25, deadline=None)
def test_logits_stay_within_the_scale(seed, name):
    torch.manual_seed(seed)
    head = build_head(name, SIZE, CLASSES)
    logits = head(torch.randn(BATCH, SIZE), LABELS) / head.scale
    assert logits.max() <= 1 + 1e-6
    assert logits.min() >= -1 - head.margin - 1e-6
