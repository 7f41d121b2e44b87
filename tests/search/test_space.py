"""What a search may set: checked on the recipe before anything is loaded."""

from dataclasses import replace

import optuna
import pytest
from optuna.trial import FixedTrial

from facedistill.errors import UsageError
from facedistill.recipe import LossTerm, Recipe, SearchRange
from facedistill.search.space import check_space, draw, recipe_with

BASE = Recipe(losses={"hard": LossTerm(), "soft": LossTerm(1.0, {"temperature": 4}), "cosine": LossTerm(2.0)})


def searching(**ranges):
    return replace(BASE, search={path.replace("__", "."): allowed for path, allowed in ranges.items()})


def test_every_kind_of_field_can_be_searched():
    check_space(
        searching(
            losses__soft__options__temperature=SearchRange(1, 16, log=True),
            losses__cosine__weight=SearchRange(choices=[0, 1, 8]),
            head__name=SearchRange(choices=["amsoftmax", "arcface"]),
            head__options__margin=SearchRange(0.1, 0.4),
            student__backbone=SearchRange(choices=["resnet20", "resnet36"]),
            student__width=SearchRange(0.125, 0.5),
            student__se=SearchRange(choices=[True, False]),
            student__embedding_size=SearchRange(32, 128),
            optimiser__learning_rate=SearchRange(0.01, 0.3, log=True),
            batch_size=SearchRange(8, 64),
            teacher__centred=SearchRange(choices=[True, False]),
        )
    )


LOW, WORD = SearchRange(0.1, 0.2), SearchRange(choices=["a", "b"])


@pytest.mark.parametrize(
    ("path", "allowed", "reason"),
    [
        pytest.param("student.wdth", LOW, "student has no 'wdth'; known: backbone, width", id="a misspelt field"),
        pytest.param("losses.sotf.weight", LOW, "losses has no 'sotf'; known: hard, soft", id="a term not there"),
        pytest.param("losses.soft.options.heat", LOW, "no option 'heat'", id="an option the loss does not take"),
        pytest.param("head.options.cold", LOW, "no option 'cold'", id="an option the head does not take"),
        pytest.param("student.width.more", LOW, "student.width has no 'more'", id="below a value"),
        pytest.param("student", LOW, "no single value", id="a whole section"),
        pytest.param("losses.soft.options", LOW, "no single value", id="a whole mapping"),
        pytest.param("data.faces", WORD, "the same for all trials", id="other faces"),
        pytest.param("test", WORD, "the same for all trials", id="the test set"),
        pytest.param("seed", SearchRange(0, 9), "the same for all trials", id="luck"),
        pytest.param("student.input_size", SearchRange(choices=[1]), "the same for all trials", id="other crops"),
        pytest.param("teacher.spec", WORD, "the same for all trials", id="another teacher"),
        pytest.param("student.width", SearchRange(-1, 1), "-1 cannot work", id="a width below 0"),
        pytest.param("student.backbone", WORD, "'a' cannot work", id="no such net"),
        pytest.param("student.width", WORD, "'a' cannot work", id="a word for a number"),
        pytest.param("losses.soft.options.temperature", SearchRange(0, 4), "0 cannot work", id="an impossible end"),
        pytest.param("batch_size", SearchRange(1, 8), "1 cannot work", id="too small a batch"),
        pytest.param("batch_size", SearchRange(8.5, 9), "whole numbers", id="half a face"),
        pytest.param("student.width", SearchRange(0.5, 0.25), "low must be the lesser", id="the wrong way round"),
        pytest.param("student.width", SearchRange(0.5, float("inf")), "low must be the lesser", id="no end"),
        pytest.param("student.width", SearchRange(0.5), "needs choices, or low and high", id="no high"),
        pytest.param("student.width", SearchRange(), "needs choices, or low and high", id="nothing"),
        pytest.param("student.width", SearchRange(0, 1, log=True), "no logarithm", id="the logarithm of 0"),
        pytest.param("student.se", SearchRange(0, 1), "give choices", id="a range of yes and no"),
        pytest.param("student.width", SearchRange(0.1, 0.2, choices=[1]), "left out", id="choices and a range"),
        pytest.param("student.width", SearchRange(choices=[]), "must be a list", id="no choices"),
        pytest.param("student.width", SearchRange(choices=[[1]]), "must be a list", id="a list as a choice"),
        pytest.param("student.width", SearchRange(choices=[1, 1]), "twice", id="a choice twice"),
    ],
)
def test_what_no_trial_could_use_is_refused_with_the_field(path, allowed, reason):
    with pytest.raises(UsageError) as refused:
        check_space(replace(BASE, search={path: allowed}))
    assert f"search.{path}" in str(refused.value)
    assert reason in str(refused.value)


def test_nothing_to_search_is_refused():
    with pytest.raises(UsageError, match="search is empty"):
        check_space(BASE)


def test_a_weight_of_0_leaves_the_term_out():
    recipe = recipe_with(BASE, {"losses.cosine.weight": 0, "losses.soft.weight": 3})
    assert recipe.losses == {"hard": LossTerm(), "soft": LossTerm(3.0, {"temperature": 4})}


def test_a_trials_recipe_is_the_base_but_for_its_values():
    changed = recipe_with(searching(student__width=LOW), {"student.width": 0.5, "head.options.margin": 0.2})
    assert changed.student == replace(BASE.student, width=0.5)
    assert changed.head.options == {"margin": 0.2}
    same = replace(changed, student=BASE.student, head=BASE.head, control=True)
    assert same == BASE


def test_counted_fields_are_drawn_whole():
    recipe = searching(batch_size=SearchRange(8, 9), student__width=SearchRange(0.25, 0.5))
    values = draw(FixedTrial({"batch_size": 9, "student.width": 0.3}), recipe)
    assert values == {"batch_size": 9, "student.width": 0.3}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert all(isinstance(draw(study.ask(), recipe)["batch_size"], int) for _ in range(5))
