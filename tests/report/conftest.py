"""Reports made of scores drawn at random."""

import numpy as np
import pytest
from tests.conftest import draw_toy_people

from facedistill.model_file import Logistic
from facedistill.report import Model, Report
from facedistill.report.figures import TITLES, Card, Training
from facedistill.report.scores import compare_groups, face_set_pictures, summarise

RESOLUTIONS = ("native", "30", "20", "16", "12", "8")
SCORED = ("native", "16")


def cell(accuracy, interval=0.02):
    bounds = {"accuracy": [accuracy - interval, accuracy + interval], "eer": [0.01, 0.05]} if interval else {}
    return {
        "accuracy": accuracy,
        "accuracy_std": 0.01,
        "eer": 1 - accuracy,
        "auc": 0.9,
        "tar_at_far": {"0.1": 0.9},
        "rank1": None,
        "fte": 0.0125,
        "ci": bounds,
    }


def measure(best, **changes):
    """A model as a run's summary has it."""
    sweep = {name: cell(best - 0.03 * step) for step, name in enumerate(RESOLUTIONS)}
    sweep["both"] = {name: cell(best - 0.04 * step) for step, name in enumerate(RESOLUTIONS)}
    costs = {"size_mb": 3.14, "parameters": 812_345, "macs": 133_000_000, "latency_ms": 2.44}
    return {"name": "net", "sweep": sweep} | costs | changes


@pytest.fixture(scope="package")
def pictures():
    """Twelve people, three pictures each; every other picture is dark."""
    faces = draw_toy_people(12, 3)
    return face_set_pictures(faces, {"light": [("dark", "bright")[index % 2] for index in range(len(faces))]})


def draw_scores(pictures, resolution, seed):
    trial = pictures.trial
    random = np.random.default_rng([seed, len(resolution)])
    return np.clip(random.normal(0.5 * trial.same, 0.25), -1, 1)


@pytest.fixture(scope="package")
def models(pictures):
    """Teacher, student and control with scores."""
    made = {}
    for seed, (role, best) in enumerate((("teacher", 0.99), ("student", 0.97), ("control", 0.9))):
        scores = {at: draw_scores(pictures, at, seed) for at in SCORED}
        probability = {} if role == "teacher" else dict.fromkeys(("native", "both 16"), Logistic(8.0, -2.0))
        groups = {at: compare_groups(values, pictures) for at, values in scores.items()}
        calibrated = "on 16 pictures of 4 people"
        card = Card(
            {"trained on": f"{role} <b>pictures</b>", "calibrated": calibrated, "file SHA-256": "a" * 64},
            ["Anything"],
            {},
        )
        scored = summarise(scores, pictures, probability)
        made[role] = Model(TITLES[role], role, [0], measure(best), scored, groups, card)
    return made


def make_report(models, **changes):
    contents = {
        "title": "quickstart",
        "test": {"set": "orl", "identities": 10, "pictures": 100, "note": "none of them trained on"},
        "models": list(models),
        "comparisons": [],
        "training": [Training("student", {"hard": [[1, 2.0], [2, 1.0]]}, {"eer_16": [[2, 0.2]]})],
        "settings": [
            {
                "seed": 7,
                "recipe": "recipes/quickstart.yaml",
                "versions": {"numpy": "2.4"},
                "train_identities": 25,
                "seconds": {"student": 140.2},
            }
        ],
        "notes": [],
        "picture_rights": "Show them to nobody.",
    }
    return Report(**contents | changes)


@pytest.fixture
def report(models):
    return make_report(models.values())
