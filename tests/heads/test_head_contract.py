"""What every registered head guarantees: its state, its options, what it refuses."""

import inspect
import json

import pytest
import torch
from tests.heads.head_oracles import CLASSES, LABELS, NAMES, SIZE, made

from facedistill.errors import UsageError
from facedistill.heads import HEADS, build_head


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
