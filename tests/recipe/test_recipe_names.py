"""Names that no recipe has: one line with their place and the nearest name, in a file and on the command line."""

import pytest
import yaml

from facedistill.cli import main
from facedistill.errors import UsageError
from facedistill.recipe.files import check_options, read_recipe

MISSPELT = [
    ("losess: {soft: {weight: 1}}", "a recipe has no 'losess'; did you mean 'losses'?", "a section"),
    ("teacher: {inptu: view}", "teacher has no 'inptu'; did you mean 'input'?", "a field"),
    ("losses: {hard: {wieght: 1}}", "losses.hard has no 'wieght'; did you mean 'weight'?", "a field of a loss"),
    ("views: [{nmae: turn}]", "views.0 has no 'nmae'; did you mean 'name'?", "a field of a view"),
    ("variance: [{name: noise}, {name: jpeg, option: {}}]", "variance.1 has no 'option'", "a field of a variance"),
    ("data: {synth: {identites: 3}}", "data.synth has no 'identites'; did you mean 'identities'?", "a section within"),
    (
        "classification: {teacher: {bakbone: slim}}",
        "classification.teacher has no 'bakbone'; did you",
        "an optional one",
    ),
    ("search: {steps: {hgih: 3}}", "search.steps has no 'hgih'; did you mean 'high'?", "a range"),
    ("teachers: [{spce: dlib}]", "teachers.0 has no 'spce'; did you mean 'spec'?", "a field of another teacher"),
    ("student: {qqq: 1}", "student has no 'qqq'; it has: backbone, width", "nothing near it"),
    ("views: [turn]", "views.0 is 'turn', where names and values stand (name, options)", "a bare name"),
    ("views: [{options: {}}]", "views.0 has no 'name'; give it one", "a view without a name"),
    ("views: [{name: 3}]", 'Parser key "views": Parser key "name": Expected a <class \'str\'>', "a number for a name"),
]


@pytest.mark.parametrize(("text", "reason", "why"), MISSPELT, ids=[row[2] for row in MISSPELT])
def test_a_name_that_no_recipe_has_is_one_line(tmp_path, text, reason, why):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_recipe(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "facedistill.recipe" not in str(refused.value), "a class is no section"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--losess.soft.weight", "a recipe has no 'losess'; did you mean 'losses'?"),
        ("--teacher.inptu=view", "--teacher.inptu: teacher has no 'inptu'; did you mean 'input'?"),
        ("--losses.mk_mmd@logits.wieght", "losses.mk_mmd@logits has no 'wieght'; did you mean 'weight'?"),
        ("--data.synth.imagse", "data.synth has no 'imagse'; did you mean 'images'?"),
    ],
)
def test_an_option_that_no_recipe_has_is_one_line(option, reason):
    with pytest.raises(UsageError) as refused:
        check_options([option, "1"])
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "option",
    [
        "--print_config",
        "--config",
        "--teacher.views",
        "--views+",
        "--losses.soft.options.temperature",
        "--student.start",
    ],
)
def test_options_that_there_are_pass(option):
    check_options([option, "x"])


@pytest.mark.parametrize(("finished", "told"), [(False, True), (True, False)])
def test_going_on_with_a_run_that_has_nothing_saved_is_told(tmp_path, capsys, finished, told):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"steps": -1}))  # so that it goes no further
    if finished:
        (tmp_path / "summary.json").write_text("{}")
    assert main(["distill", "--resume", str(tmp_path)]) == 2
    assert ("has no last.pt, so nothing was saved before it stopped; it begins at step 0" in _told(capsys)) == told
    (tmp_path / "student" / "0").mkdir(parents=True)
    (tmp_path / "student" / "0" / "last.pt").touch()
    main(["distill", "--resume", str(tmp_path)])
    assert "has no last.pt" not in _told(capsys)


def _told(capsys):
    return " ".join(capsys.readouterr().err.split())
