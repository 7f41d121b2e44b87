"""A device out of memory, as a task that takes only so many faces at once."""

from dataclasses import dataclass

import pytest
import torch
from test_loop import recipe

from facedistill.datasets import FaceList
from facedistill.errors import FacedistillError
from facedistill.recipe import HARD, LossTerm
from facedistill.training import train
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces


@dataclass
class LabelsAlone:
    """A workload without a teacher and without validation."""

    pictures: FaceList

    def augmented(self, settings):
        return AugmentedFaces(self.pictures, (), False, settings.seed)

    def observer(self, settings, task):
        return None

    def validator(self, task):
        return None


CASES = [
    pytest.param(6, 3, "with batch_size 6; give at most 3, with which a step was tried and fits", id="half fits"),
    pytest.param(24, 7, "with batch_size 24; give at most 6, with which", id="half of a half"),
    pytest.param(6, 1, "with batch_size 6, and with any other; give a smaller student or teacher", id="none fits"),
]


@pytest.mark.parametrize(("size", "room", "reason"), CASES)
def test_it_names_a_batch_size_that_was_tried(tmp_path, toy_people, size, room, reason):
    settings = recipe(losses={HARD: LossTerm()}, batch_size=size, out=str(tmp_path / "run"))
    task = build_task(settings, toy_people.classes)

    def refuse(_net, given):
        if len(given[0]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    task.backbone.register_forward_pre_hook(refuse)
    with pytest.raises(FacedistillError, match=reason) as caught:
        train(LabelsAlone(toy_people), settings, task)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
