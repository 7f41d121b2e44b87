"""A net of one's own: it is trained and restored like any other, and a wrong one is refused in a line."""

import pytest
import torch

from facedistill.backbones import normalise_crops
from facedistill.errors import UsageError
from facedistill.outputs import Outputs
from facedistill.recipe import HARD, ClassificationRecipe, LossTerm, NetRecipe, Recipe
from facedistill.recipe.validate import validate
from facedistill.training.build import build_task
from facedistill.training.custom_module import CustomModule
from facedistill.training.data import Batch

SIZE = (9, 7)


def recipe(module="tests.class_pictures:convolutional", **losses):
    net = NetRecipe(module=module, embedding_size=3, input_size=SIZE)
    terms = {HARD: LossTerm()} | {name: LossTerm() for name in losses}
    return Recipe(classification=ClassificationRecipe(teacher=net), student=net, losses=terms, control=False)


class Given:
    """Teacher targets that are the same for every batch."""

    def __init__(self, outputs):
        self.outputs = outputs

    def for_batch(self, batch):
        return self.outputs


def test_its_scores_are_what_the_losses_compare():
    task = build_task(recipe(soft=True), classes=3).eval()
    crops = torch.randint(0, 256, (4, *SIZE, 3), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 0])
    with torch.no_grad():
        scores = task.backbone.module(normalise_crops(crops))
        task.targets = Given(Outputs(scores, scores))
        terms = task(Batch(crops, labels, labels, labels > 0, ("",) * 4))
    assert terms[HARD] == pytest.approx(torch.nn.functional.cross_entropy(scores, labels).item())
    assert terms["soft"] == pytest.approx(0, abs=1e-6)


def test_its_own_initial_weights_are_kept_and_follow_from_the_seed():
    first, again = (build_task(recipe(), classes=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert "backbone.module.1.running_mean" in first
    assert CustomModule("tests.class_pictures:convolutional", 3, SIZE).module.training


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("tests.class_pictures", "not of the form package.module:Class", id="no function"),
        pytest.param("tests.class_pictures:", "not of the form package.module:Class", id="an empty function"),
        pytest.param("no_such_package.nets:net", "No module named 'no_such_package'", id="no package"),
        pytest.param("tests.class_pictures:no_such_net", "no_such_net", id="no such function"),
        pytest.param("tests.class_pictures:CLASSES", "neither a class nor a function", id="something else"),
        pytest.param("tests.class_pictures:failing", "ValueError: no such file", id="it fails"),
        pytest.param("tests.class_pictures:without_parameters", "has no parameters", id="nothing to train"),
        pytest.param("tests.class_pictures:no_module", "gives a str, no torch module", id="no module"),
        pytest.param("tests.class_pictures:unseeing", "cannot take pictures [2, 3, 9, 7]", id="other pictures"),
        pytest.param("tests.class_pictures:transposed", "gives [2, 3, 1]", id="scores of another shape"),
    ],
)
def test_a_wrong_module_is_refused_in_one_line(path, reason):
    with pytest.raises(UsageError) as refused:
        build_task(recipe(path), classes=3)
    assert path in str(refused.value)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param(recipe("nowhere:net"), "nowhere", id="a module that is not there"),
        pytest.param(recipe(cosine=True), "losses.cosine compares embeddings", id="embeddings that it does not give"),
        pytest.param(recipe(attention=True), "losses.attention compares feature maps", id="maps that are not stored"),
        pytest.param(
            Recipe(student=NetRecipe(module="tests.class_pictures:linear")), "needs a section", id="for faces"
        ),
    ],
)
def test_what_it_cannot_do_is_refused_before_it_is_built(wrong, reason):
    with pytest.raises(UsageError, match=reason):
        validate(wrong)
