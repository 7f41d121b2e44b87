"""Each head against its formula in float64 numpy, its gradient, and the calls it refuses."""

import inspect
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import UsageError
from facedistill.heads import HEADS, build_head

BATCH, SIZE, CLASSES = 6, 5, 4
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax_oracle(embedding, weight, labels, bias=0.0):
    return embedding @ weight.T + bias


def amsoftmax_oracle(embedding, weight, labels, scale=30.0, margin=0.35):
    cosine = unit(embedding) @ unit(weight).T
    cosine[np.arange(len(labels)), labels] -= margin
    return scale * cosine


def arcface_oracle(embedding, weight, labels, scale=64.0, margin=0.5):
    cosine = unit(embedding) @ unit(weight).T
    for row, label in enumerate(labels):
        theta = np.arccos(cosine[row, label])
        past = theta + margin > np.pi
        cosine[row, label] = np.cos(theta) - margin * np.sin(margin) if past else np.cos(theta + margin)
    return scale * cosine


ORACLES = {"softmax": softmax_oracle, "amsoftmax": amsoftmax_oracle, "arcface": arcface_oracle}


def made(name, dtype=torch.float64, **options):
    torch.manual_seed(1)
    head = build_head(name, SIZE, CLASSES, **options).to(dtype)
    return head, torch.randn(BATCH, SIZE, dtype=dtype, requires_grad=True)


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
    ],
)
def test_against_the_oracle(name, options):
    head, embedding = made(name, **options)
    expected = ORACLES[name](embedding.detach().numpy(), head.weight.detach().numpy(), LABELS.numpy(), **options)
    np.testing.assert_allclose(head(embedding, LABELS).detach().numpy(), expected, atol=1e-9)


def test_softmax_with_bias():
    head, embedding = made("softmax", bias=True)
    torch.nn.init.normal_(head.bias)
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    expected = softmax_oracle(embedding.detach().numpy(), weight, None, bias)
    np.testing.assert_allclose(head(embedding, LABELS).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_scores_are_the_logits_without_margin(name):
    head, embedding = made(name)
    scores, logits = head.scores(embedding), head(embedding, LABELS)
    others = torch.ones_like(scores, dtype=torch.bool).scatter(1, LABELS[:, None], False)
    assert torch.equal(scores[others], logits[others])
    if name != "softmax":
        without = build_head(name, SIZE, CLASSES, margin=0.0).double()
        without.load_state_dict(head.state_dict())
        torch.testing.assert_close(without(embedding, LABELS), scores)
        assert (logits[~others] < scores[~others]).all()


@pytest.mark.parametrize("name", sorted(HEADS))
def test_gradient(name):
    head, embedding = made(name)
    parameters = tuple(head.parameters())

    def call(embedding, *_parameters):
        return head(embedding, LABELS)

    assert torch.autograd.gradcheck(call, (embedding, *parameters))


@pytest.mark.parametrize("margin", [0.2, 0.5, 1.0])
def test_arcface_keeps_falling_beyond_pi(margin):
    """Further from the own class is never rewarded, even where cos(theta + m) would rise again."""
    theta = torch.linspace(0, torch.pi, 400, dtype=torch.float64)
    head = build_head("arcface", 2, 1, scale=1.0, margin=margin).double()
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0]]))
    own = head(torch.stack((theta.cos(), theta.sin()), dim=1), torch.zeros(400, dtype=torch.int64))
    assert (own.detach().diff(dim=0) <= 0).all()


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computed_in_float32_under_autocast(name, dtype):
    head, embedding = made(name, torch.float32)
    expected = head(embedding, LABELS)
    with torch.autocast("cpu", dtype=dtype):
        inside = head(embedding, LABELS)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, expected)
    short = head(embedding.to(dtype), LABELS)
    assert short.dtype == torch.float32


@pytest.mark.parametrize("name", ["amsoftmax", "arcface"])
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e15])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_is_finite_on_the_centre_opposite_it_and_at_zero(name, scale, sign):
    head = build_head(name, SIZE, CLASSES)
    embedding = (sign * scale * head.weight.detach()[LABELS]).requires_grad_()
    torch.nn.functional.cross_entropy(head(embedding, LABELS), LABELS).backward()
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


@pytest.mark.parametrize("name", sorted(HEADS))
def test_attributes_rebuild_the_head(name):
    head = build_head(name, SIZE, CLASSES)
    assert head.weight.shape == (CLASSES, SIZE)
    again = build_head(head.name, head.embedding_size, head.classes, **json.loads(json.dumps(head.options)))
    again.load_state_dict(head.state_dict())
    assert again.options == head.options
    assert set(head.options) == set(list(inspect.signature(HEADS[name]).parameters)[2:])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"name": "sphereface"}, "known: amsoftmax, arcface, softmax", id="an unknown name"),
        pytest.param({"name": "arcface", "marginn": 0.1}, "'marginn'.*scale, margin", id="a misspelt option"),
        pytest.param({"name": "softmax", "scale": 30.0}, "'scale'.*bias", id="another head's option"),
        pytest.param({"name": "softmax", "bias": "no"}, "bias", id="bias is text"),
        pytest.param({"name": "arcface", "scale": 0}, "scale", id="no scale"),
        pytest.param({"name": "arcface", "scale": True}, "scale", id="a truth for a number"),
        pytest.param({"name": "amsoftmax", "margin": float("nan")}, "margin", id="margin is no number"),
        pytest.param({"name": "amsoftmax", "margin": "0.3"}, "margin", id="margin is text"),
        pytest.param({"name": "amsoftmax", "classes": 0}, "classes", id="no classes"),
        pytest.param({"name": "amsoftmax", "classes": 2.0}, "classes", id="broken classes"),
        pytest.param({"name": "amsoftmax", "embedding_size": -1}, "embedding_size", id="negative size"),
    ],
)
def test_wrong_arguments_are_refused(arguments, said):
    with pytest.raises(UsageError, match=said):
        build_head(**{"embedding_size": SIZE, "classes": CLASSES, **arguments})


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize(
    ("embedding", "labels", "said"),
    [
        pytest.param(torch.zeros(2, 4), torch.tensor([0, 1]), r"embedding must be \[B, 5\], not \[2, 4\]", id="size"),
        pytest.param(torch.zeros(5), torch.tensor([0]), "embedding must be|labels must be", id="no batch"),
        pytest.param(torch.zeros(2, 5), torch.tensor([0]), r"labels must be int64 \[2\]", id="too few labels"),
        pytest.param(torch.zeros(2, 5), torch.zeros(2, 1, dtype=torch.int64), "labels", id="labels as a column"),
        pytest.param(torch.zeros(2, 5), torch.zeros(2), "not float32", id="labels as fractions"),
        pytest.param(torch.zeros(2, 5), torch.tensor([0, 4]), r"label 4 is not one of its classes 0\.\.3", id="above"),
        pytest.param(torch.zeros(2, 5), torch.tensor([-1, 0]), "label -1", id="below"),
    ],
)
def test_wrong_batches_are_refused_by_name(name, embedding, labels, said):
    with pytest.raises(UsageError, match=said) as caught:
        build_head(name, SIZE, CLASSES)(embedding, labels)
    assert name in str(caught.value)
