"""The search itself: what it tries, what it spares, how it goes on, and when it stops.

Nets learn three colours for a few steps. What a net costs is made up from its width, and model files are empty, since
an export takes longer than all trials together.
"""

import html
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.class_pictures import draw_classes

from facedistill.errors import FacedistillError, UsageError
from facedistill.pipelines.classifier_workload import ClassifierWorkload
from facedistill.recipe import (
    ClassificationRecipe,
    DataRecipe,
    HeadRecipe,
    LossTerm,
    NetRecipe,
    OptimiserRecipe,
    Recipe,
    SearchRange,
)
from facedistill.search import search
from facedistill.search.report import describe_values
from facedistill.training import InterruptedRunError

SIZE = (32, 32)
EASY, IMPOSSIBLE = "pictures@native.accuracy >= 0", "pictures@native.accuracy >= 1"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_classes(tmp_path_factory.mktemp("data") / "pictures", pictures=12, noise=400)


@pytest.fixture
def recipe(pictures, tmp_path):
    return Recipe(
        name="colours",
        out=str(tmp_path / "search"),
        classification=ClassificationRecipe(
            str(pictures), 0.25, 0.25, NetRecipe(module="tests.class_pictures:linear", input_size=SIZE), 2
        ),
        data=DataRecipe(mirror=False),
        student=NetRecipe(module="tests.class_pictures:linear", input_size=SIZE),
        head=HeadRecipe("softmax"),
        losses={"hard": LossTerm(), "soft": LossTerm()},
        variance=[],
        optimiser=OptimiserRecipe(warmup=0),
        steps=4,
        batch_size=8,
        validate_every=2,
        workers=0,
        device="cpu",
        precision="32",
        search={
            "losses.soft.options.temperature": SearchRange(1, 8, log=True),
            "optimiser.learning_rate": SearchRange(0.01, 0.3, log=True),
        },
    )


@pytest.fixture(autouse=True)
def cheap_files(monkeypatch):
    monkeypatch.setattr("facedistill.search.run.untrained_costs", lambda task, *_: made_up(width_of(task)))
    monkeypatch.setattr(ClassifierWorkload, "write_best", lambda _self, _recipe, path: path.write_bytes(bytes(300_000)))
    monkeypatch.setattr(ClassifierWorkload, "test", lambda *_: {"accuracy": 0.5})


def width_of(task):
    return task.backbone.spec.get("width", 0.03)


def made_up(width):
    return {"size_mb": 10 * width, "latency_ms": 100 * width, "params": 1000 * width, "macs": 1e6 * width}


def written(recipe):
    return json.loads((recipe.folder / "search.json").read_text())


def tried(report):
    return [(trial.values, trial.outcome, trial.figures) for trial in report.trials]


def test_it_stops_at_the_first_net_that_meets_the_standard(recipe):
    lines = []
    report = search(recipe, f"{EASY}, size_mb <= 1", trials=9, log=lines.append)
    assert report.met
    assert len(report.trials) == 1
    found = written(recipe)
    assert found["met"]
    assert found["winner"] == 0
    assert [(bound["bound"], bound["met"]) for bound in found["bounds"]] == [
        ("pictures@native.accuracy >= 0", True),
        ("size_mb <= 1", True),
    ]
    assert (recipe.folder / "student.onnx").exists()
    assert found["bounds"][1]["value"] == 0.3  # its own file's
    assert (recipe.folder / "trials/0000/best.pt").exists()
    assert not (recipe.folder / "trials/0000/last.pt").exists()
    assert "trial 0: trained; pictures@native.accuracy" in lines[-1]


def test_a_spent_budget_tells_what_is_missed_by_how_much(recipe):
    report = search(recipe, IMPOSSIBLE, trials=3)
    assert not report.met
    found = written(recipe)
    assert sum(found["outcomes"].values()) == len(found["trials"]) == 3
    best = max(trial["figures"]["pictures@native.accuracy"] for trial in found["trials"])
    (bound,) = found["bounds"]
    assert (bound["value"], bound["met"], bound["missed_by"]) == (best, False, pytest.approx(1 - best))
    assert set(recipe.search) == set(found["trials"][0]["values"])


def test_a_net_that_costs_too_much_is_not_trained(recipe):
    settings = {"student.width": SearchRange(choices=[0.03, 0.06, 0.12])}
    student = NetRecipe(width=0.03, embedding_size=8, input_size=SIZE)
    until = f"{IMPOSSIBLE}, size_mb <= 0.5, latency_ms <= 9"
    report = search(replace(recipe, search=settings, student=student), until, trials=6)
    costly = [trial for trial in report.trials if trial.outcome == "not trained: costs too much"]
    assert costly
    for trial in report.trials:
        assert (trial in costly) == (trial.values["student.width"] != 0.03)
        assert (recipe.folder / "trials" / f"{trial.number:04d}").exists() == (trial not in costly)
    assert report.stopped_by["size_mb <= 0.5"] == len(costly)
    assert all(trial.figures == {} for trial in costly)
    assert "size_mb is 0.6 (size_mb <= 0.5)" in costly[0].why or "size_mb is 1.2 (size_mb <= 0.5)" in costly[0].why


@pytest.mark.parametrize("stop", [1, 2])
def test_a_search_that_is_gone_on_with_tries_the_same(recipe, tmp_path, stop):
    whole = search(replace(recipe, out=str(tmp_path / "whole")), IMPOSSIBLE, trials=4)
    search(recipe, IMPOSSIBLE, trials=stop)
    assert tried(search(recipe, IMPOSSIBLE, trials=4)) == tried(whole)


def test_a_trial_that_was_broken_off_is_gone_on_with(recipe, tmp_path, monkeypatch):
    whole = search(replace(recipe, out=str(tmp_path / "whole")), IMPOSSIBLE, trials=2)
    measure, calls = ClassifierWorkload.cells, []

    def presses_ctrl_c(self, *given):
        calls.append(0)
        if len(calls) == 4:  # one untrained net, the two validations of trial 0, the first of trial 1
            os.kill(os.getpid(), signal.SIGINT)
        return measure(self, *given)

    monkeypatch.setattr(ClassifierWorkload, "cells", presses_ctrl_c)
    with pytest.raises(InterruptedRunError, match="step 2 of 4"):
        search(recipe, IMPOSSIBLE, trials=2)
    monkeypatch.setattr(ClassifierWorkload, "cells", measure)
    assert tried(search(recipe, IMPOSSIBLE, trials=2)) == tried(whole)


def test_another_seed_tries_others(recipe, tmp_path):
    first = search(recipe, IMPOSSIBLE, trials=1)
    other = search(replace(recipe, seed=1, out=str(tmp_path / "other")), IMPOSSIBLE, trials=1)
    assert first.trials[0].values != other.trials[0].values


@pytest.mark.parametrize(
    ("change", "until", "reason"),
    [
        pytest.param({"steps": 5}, EASY, "steps was 4, now it is 5", id="another length"),
        pytest.param({"student": NetRecipe(width=0.5, input_size=SIZE)}, EASY, "student.width was 1.0", id="a net"),
        pytest.param(
            {"search": {"optimiser.learning_rate": SearchRange(0.01, 0.2, log=True)}},
            EASY,
            "search.optimiser.learning_rate.high was 0.3",
            id="another range",
        ),
        pytest.param({}, IMPOSSIBLE, "--until is now 'pictures@native.accuracy >= 1'", id="another standard"),
    ],
)
def test_the_study_of_another_search_is_refused_with_what_differs(recipe, change, until, reason):
    search(recipe, EASY, trials=1)
    if "search" in change:
        change = {"search": recipe.search | change["search"]}
    with pytest.raises(UsageError) as refused:
        search(replace(recipe, **change), until, trials=2)
    assert reason in str(refused.value)


def test_a_damaged_study_is_one_clear_line(recipe):
    search(recipe, EASY, trials=1)
    (recipe.folder / "study.db").write_bytes(b"no database, but long enough to look at" * 9)
    with pytest.raises(FacedistillError, match=r"study\.db is damaged"):
        search(recipe, EASY, trials=2)


def test_a_folder_with_other_things_is_left_alone(recipe):
    recipe.folder.mkdir()
    (recipe.folder / "holiday.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="not empty"):
        search(recipe, EASY, trials=1)


def test_a_trial_behind_the_others_is_stopped_and_counted(recipe, monkeypatch):
    accuracies = iter([0.5, *[0.5, 0.6] * 4, 0.1, 0.9, 0.9])  # an untrained net, four whole trials, two more

    monkeypatch.setattr(ClassifierWorkload, "cells", lambda *_: {"native": {"accuracy": next(accuracies)}})
    report = search(recipe, IMPOSSIBLE, trials=6)
    assert [trial.outcome for trial in report.trials] == ["trained"] * 4 + ["stopped: behind the others", "trained"]
    assert report.trials[4].why == "at step 2 of 4 behind the median of the others"
    assert report.trials[4].figures == {"pictures@native.accuracy": 0.1}
    assert report.winner.number == 5
    assert written(recipe)["outcomes"] == {"trained": 5, "stopped: behind the others": 1}


def test_a_trial_that_diverges_ends_itself_not_the_search(recipe):
    settings = {"optimiser.learning_rate": SearchRange(choices=[0.1, 1e3])}
    # A step takes learning rate x decay of the weights away: of so much more than there is, eight steps make infinity.
    wild = replace(recipe, steps=8, search=settings, optimiser=OptimiserRecipe(warmup=0, weight_decay=1e3))
    report = search(wild, IMPOSSIBLE, trials=5)
    assert {(trial.outcome, trial.values["optimiser.learning_rate"]) for trial in report.trials} == {
        ("trained", 0.1),
        ("diverged", 1e3),
    }


def test_values_that_only_together_cannot_work_cost_nothing(recipe):
    settings = {"losses.soft.weight": SearchRange(choices=[0, 1]), "losses.hard.weight": SearchRange(choices=[0, 1])}
    report = search(replace(recipe, search=settings), IMPOSSIBLE, trials=8)
    nothing = {"losses.soft.weight": 0, "losses.hard.weight": 0}
    assert nothing in [trial.values for trial in report.trials]
    for trial in report.trials:
        assert (trial.outcome == "not trained: values that do not go together") == (trial.values == nothing)


def test_no_trial_is_begun_after_the_time_is_over(recipe):
    report = search(recipe, EASY, trials=3, minutes=1e-9)
    assert report.trials == ()
    assert written(recipe)["winner"] is None


def test_a_file_that_grew_too_large_does_not_meet_the_standard(recipe, monkeypatch):
    monkeypatch.setattr(ClassifierWorkload, "write_best", lambda _self, _recipe, path: path.write_bytes(bytes(400_000)))
    report = search(recipe, f"{EASY}, size_mb <= 0.35", trials=1)
    assert not report.met
    assert written(recipe)["bounds"][1] == {
        "bound": "size_mb <= 0.35",
        "value": 0.4,
        "met": False,
        "missed_by": pytest.approx(0.05),
    }
    again = search(recipe, f"{EASY}, size_mb <= 0.35", trials=2)  # the next one is tried, and grows likewise
    assert [trial.file_mb for trial in again.trials] == [0.4, 0.4]
    assert not again.met


def test_the_front_holds_the_nets_that_no_other_beats(recipe, monkeypatch):
    accuracies = iter([0.5, *[0.4, 0.4], *[0.9, 0.9], *[0.8, 0.8], *[0.4, 0.4]])
    monkeypatch.setattr(ClassifierWorkload, "cells", lambda *_: {"native": {"accuracy": next(accuracies)}})
    widths = iter([0.03, 0.06, 0.12, 0.06])
    monkeypatch.setattr("facedistill.search.run.untrained_costs", lambda *_: made_up(next(widths)))
    report = search(recipe, IMPOSSIBLE, trials=4)
    # 2 is worse and larger than 1, 3 as good as 0 but larger; 0 is smaller than 1.
    assert [trial.number for trial in report.front] == [1, 0]


def test_the_test_set_is_looked_at_once_and_closes_the_search(recipe, monkeypatch):
    looks = []
    monkeypatch.setattr(ClassifierWorkload, "test", lambda *_: looks.append(0) or {"accuracy": 0.5})
    search(recipe, IMPOSSIBLE, trials=2)
    assert looks == []
    for _ in range(2):
        report = search(recipe, IMPOSSIBLE, trials=2, test=True)
        assert report.test == {"trial": report.winner.number, "figures": {"accuracy": 0.5}}
    assert looks == [0]
    with pytest.raises(UsageError, match="closes its search"):
        search(recipe, IMPOSSIBLE, trials=3)


@pytest.mark.parametrize(
    ("change", "until", "budget", "reason"),
    [
        pytest.param({"search": {}}, EASY, {}, "search is empty", id="nothing to try"),
        pytest.param({}, "size_mb <= 1", {}, "no recognition figure", id="nothing to learn"),
        pytest.param({}, "orl@native.accuracy >= 0.5", {}, "pictures@", id="another set"),
        pytest.param({}, "pictures@16.accuracy >= 0.5", {}, "native.accuracy", id="a resolution for a classifier"),
        pytest.param({}, "pictures@native.eer <= 0.5", {}, "native.accuracy", id="faces' metric for a classifier"),
        pytest.param({}, EASY, {"trials": 0}, "trials must be a whole number of at least 1, not 0", id="no trials"),
        pytest.param({}, EASY, {"minutes": 0.0}, "minutes must be a number above 0, not 0.0", id="no time"),
        pytest.param({"batch_size": 1}, EASY, {}, "batch_size", id="a recipe that cannot work"),
        pytest.param(
            {"classification": None, "data": DataRecipe(faces="nowhere", validation_identities=0)},
            "validation@16.eer <= 0.5",
            {},
            "validation_identities is 0",
            id="nobody to judge on",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(recipe, change, until, budget, reason):
    if "classification" in change:
        change = {**change, "student": NetRecipe(width=0.125)}
    with pytest.raises(UsageError) as refused:
        search(replace(recipe, **change), until, **{"trials": 1, **budget})
    assert reason in str(refused.value)
    assert not recipe.folder.exists()


def test_pictures_are_parted_once_and_the_teacher_trained_once_for_all_trials(recipe):
    search(recipe, IMPOSSIBLE, trials=2)
    checkpoint = recipe.folder / "teacher" / "best.pt"
    before = checkpoint.stat().st_mtime_ns
    search(recipe, IMPOSSIBLE, trials=3)
    assert checkpoint.stat().st_mtime_ns == before
    assert {path.name for path in Path(recipe.folder / "trials").iterdir()} == {"0000", "0001", "0002"}


def test_a_search_leaves_a_page_with_every_trial(recipe, tmp_path):
    """The page is made of the report's templates: self-contained, escaped, with the verdict and each trial's end."""
    report = search(replace(recipe, name="<b>nets"), f"{EASY}, size_mb <= 1e-6", trials=2)
    source = (recipe.folder / "search.html").read_text()
    assert "The standard is not met after 2 trials" in source
    assert source.count("not trained: costs too much") >= 2
    assert all(describe_values(trial.values) in html.unescape(source) for trial in report.trials)
    assert "<script" not in source
    assert "http" not in source.replace("http://www.w3.org", "")
