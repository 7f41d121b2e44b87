"""Each head against its formula in float64 numpy, its gradient, and the calls it refuses."""

import inspect
import json
from functools import partial

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


class ASoftmaxOracle:
    def __init__(self, margin=4, base=1000.0, ease=0.12, least=5.0):
        self.margin, self.base, self.ease, self.least, self.batches = margin, base, ease, least, 0

    def __call__(self, embedding, weight, labels):
        self.batches += 1
        plain = max(self.least, self.base / (1 + self.ease * self.batches))
        logits = embedding @ unit(weight).T
        for row, label in enumerate(labels):
            length = np.linalg.norm(embedding[row])
            theta = np.arccos(logits[row, label] / length)
            k = min(int(self.margin * theta / np.pi), self.margin - 1)
            falling = (-1) ** k * np.cos(self.margin * theta) - 2 * k
            logits[row, label] = length * (plain * np.cos(theta) + falling) / (1 + plain)
        return logits


class CurricularFaceOracle:
    def __init__(self, scale=64.0, margin=0.5, momentum=0.01):
        self.scale, self.margin, self.momentum, self.t = scale, margin, momentum, 0.0

    def __call__(self, embedding, weight, labels):
        cosine = unit(embedding) @ unit(weight).T
        rows = np.arange(len(labels))
        self.t = self.momentum * cosine[rows, labels].mean() + (1 - self.momentum) * self.t
        own = arcface_oracle(embedding, weight, labels, 1.0, self.margin)[rows, labels]
        logits = np.where(cosine >= own[:, None], cosine * (self.t + cosine), cosine)
        logits[rows, labels] = own
        return self.scale * logits


def magface_oracle(embedding, weight, labels, scale=64.0, least=0.45, most=0.8, shortest=10.0, longest=110.0):
    logits = unit(embedding) @ unit(weight).T
    for row, label in enumerate(labels):
        a = np.clip(np.linalg.norm(embedding[row]), shortest, longest)
        m = (most - least) / (longest - shortest) * (a - shortest) + least
        logits[row, label] = arcface_oracle(embedding[[row]], weight, [label], 1.0, m)[0, label]
    return scale * logits


class AdaFaceOracle:
    def __init__(self, scale=64.0, margin=0.4, concentration=0.333, momentum=0.01):
        self.scale, self.margin, self.h, self.momentum = scale, margin, concentration, momentum
        self.mean, self.spread = 20.0, 100.0

    def __call__(self, embedding, weight, labels):
        lengths = np.clip(np.linalg.norm(embedding, axis=1), 1e-3, 100)
        self.mean = self.momentum * lengths.mean() + (1 - self.momentum) * self.mean
        self.spread = self.momentum * lengths.std(ddof=1) + (1 - self.momentum) * self.spread
        q = np.clip(self.h * (lengths - self.mean) / (self.spread + 1e-3), -1, 1)
        logits = unit(embedding) @ unit(weight).T
        for row, label in enumerate(labels):
            theta, angle = np.arccos(logits[row, label]), -self.margin * q[row]
            moved = 1.0 if theta + angle < 0 else np.cos(theta + angle)
            if theta + angle > np.pi:
                moved = np.cos(theta) - angle * np.sin(angle)
            logits[row, label] = moved - self.margin * (1 + q[row])
        return self.scale * logits


ORACLES = {
    "softmax": softmax_oracle,
    "amsoftmax": amsoftmax_oracle,
    "arcface": arcface_oracle,
    "asoftmax": ASoftmaxOracle,
    "curricularface": CurricularFaceOracle,
    "magface": magface_oracle,
    "adaface": AdaFaceOracle,
}
NAMES = sorted(ORACLES)
BATCHES = [LABELS, torch.tensor([3, 3, 0, 1, 1, 2]), torch.tensor([2, 0, 0, 0, 1, 3])]


def made(name, dtype=torch.float64, **options):
    torch.manual_seed(1)
    head = build_head(name, SIZE, CLASSES, **options).to(dtype)
    return head, torch.randn(BATCH, SIZE, dtype=dtype, requires_grad=True)


def follows(name, options):
    """The oracle with its options: a new memory for those that have one."""
    oracle = ORACLES[name]
    return oracle(**options) if isinstance(oracle, type) else partial(oracle, **options)


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


@pytest.mark.parametrize("name", sorted(HEADS))
def test_attributes_rebuild_the_head(name):
    head = build_head(name, SIZE, CLASSES)
    assert head.weight.shape == (CLASSES, SIZE)
    again = build_head(head.name, head.embedding_size, head.classes, **json.loads(json.dumps(head.options)))
    again.load_state_dict(head.state_dict())
    assert again.options == head.options
    assert set(head.options) == set(list(inspect.signature(HEADS[name]).parameters)[2:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"name": "sphereface"},
            "known: adaface, amsoftmax, arcface, asoftmax, curricularface, magface, softmax",
            id="an unknown name",
        ),
        pytest.param({"name": "arcface", "marginn": 0.1}, "'marginn'.*scale, margin", id="a misspelt option"),
        pytest.param({"name": "softmax", "scale": 30.0}, "'scale'.*bias", id="another head's option"),
        pytest.param({"name": "softmax", "bias": "no"}, "bias", id="bias is text"),
        pytest.param({"name": "arcface", "scale": 0}, "scale", id="no scale"),
        pytest.param({"name": "arcface", "scale": True}, "scale", id="a truth for a number"),
        pytest.param({"name": "amsoftmax", "margin": float("nan")}, "margin", id="margin is no number"),
        pytest.param({"name": "amsoftmax", "margin": "0.3"}, "margin", id="margin is text"),
        pytest.param({"name": "asoftmax", "margin": 2.5}, "margin", id="a broken multiplier"),
        pytest.param({"name": "asoftmax", "ease": 0}, "ease", id="never eased"),
        pytest.param({"name": "curricularface", "momentum": 1.5}, "momentum .* at most 1", id="a momentum above 1"),
        pytest.param({"name": "magface", "most": 0.4}, "most .* above least", id="margins the wrong way round"),
        pytest.param({"name": "magface", "longest": 5}, "longest .* above shortest", id="lengths the wrong way round"),
        pytest.param({"name": "adaface", "concentration": -1}, "concentration", id="a negative concentration"),
        pytest.param({"name": "amsoftmax", "classes": 0}, "classes", id="no classes"),
        pytest.param({"name": "amsoftmax", "classes": 2.0}, "classes", id="broken classes"),
        pytest.param({"name": "amsoftmax", "embedding_size": -1}, "embedding_size", id="negative size"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        build_head(**{"embedding_size": SIZE, "classes": CLASSES, **arguments})


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize(
    ("embedding", "labels", "message"),
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
def test_wrong_batches_are_refused_by_name(name, embedding, labels, message):
    with pytest.raises(UsageError, match=message) as caught:
        build_head(name, SIZE, CLASSES)(embedding, labels)
    assert name in str(caught.value)


# ---- what a head remembers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["asoftmax", "curricularface", "adaface"])
def test_memory_moves_in_training_only_and_goes_on_from_a_state_dict(name):
    head, embedding = made(name)
    fresh = {key: value.clone() for key, value in head.state_dict().items()}
    head.eval()
    head(embedding, LABELS)
    assert all(torch.equal(value, fresh[key]) for key, value in head.state_dict().items())
    head.train()
    head(embedding, LABELS)
    assert any(not torch.equal(value, fresh[key]) for key, value in head.state_dict().items())
    again = build_head(name, SIZE, CLASSES).double()
    again.load_state_dict(head.state_dict())
    assert torch.equal(head(embedding, LABELS), again(embedding, LABELS))


@pytest.mark.parametrize("name", NAMES)
def test_one_face_is_a_batch(name):
    head, embedding = made(name)
    head.loss(embedding[:1], LABELS[:1]).backward()
    assert all(torch.isfinite(value).all() for value in head.state_dict().values())
