"""What a face run validates by: the people kept for it, compared as the product compares them."""

import numpy as np
import pytest
from test_loop import recipe
from tests.conftest import draw_toy_people

from facedistill.datasets import write_face_set
from facedistill.evaluation import sweep
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import DataRecipe
from facedistill.training.build import build_task


def test_small_faces_are_validated_with_both_pictures_at_their_resolution(tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(10, 4), extension=".png")
    settings = recipe(data=DataRecipe(faces=str(tmp_path / "people"), validation_identities=8)).labels_only()
    workload = open_face_workload(settings, tmp_path / "cache")
    validate = workload.validator(build_task(settings, workload.pictures.classes))

    def embed(crops):
        """Three grey levels beside the sharpness, which a small picture lacks: it differs from its own large one."""
        grey = crops.mean(axis=3)
        sharpness = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
        return np.stack([grey[:, 40, 30], grey[:, 60, 50], grey[:, 80, 70], 20 * sharpness], axis=1) + 1

    cells = sweep(embed, workload.faces.validation, (16,), bootstrap=0)
    figures = validate(embed)
    assert figures == pytest.approx(
        {"eer_native": cells.one_side["native"].eer, "eer_matched_16": cells.both["16"].eer}
    )
    assert cells.both["16"].eer != cells.one_side["16"].eer, "or the test would hold for a native gallery too"
