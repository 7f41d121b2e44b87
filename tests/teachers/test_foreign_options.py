"""The options for foreign ONNX files, in each command and in recipes."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from tests.conftest import draw_toy_people
from tests.foreign_nets import LOGITS, NHWC, expected, mean_colours, node, plain_crops

from facedistill.cli import main
from facedistill.datasets import FaceList, write_face_set
from facedistill.errors import FacedistillError
from facedistill.export.cost import file_cost, latencies_ms, write_closed
from facedistill.pipelines.model_file import teacher_model_files
from facedistill.recipe import TeacherRecipe
from facedistill.recipe.fields import digested
from facedistill.teachers import load_teacher, load_teachers
from facedistill.teachers.onnx_teacher import OnnxTeacher


@pytest.fixture(scope="module")
def few_people(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "set"
    people = draw_toy_people(4, 2)
    write_face_set(folder, FaceList([people[place] for place in range(len(people))]), extension=".png")
    return folder


def test_eval_takes_the_options_and_tells_what_is_assumed(opaque, few_people, capsys) -> None:
    call = ["eval", str(opaque), "--on", str(few_people), "--resolutions", "[16]"]
    assert main(call) == 2
    assert "give --mean 0 --std 1 --channels rgb" in capsys.readouterr().err
    assert main([*call, "--mean", "0", "--std", "1"]) == 0
    assert "RGB, (x - 0) / 1 (as stated); output" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_info_takes_the_options_and_tells_what_is_assumed(opaque, tmp_path, capsys) -> None:
    assert main(["info", str(opaque)]) == 0, "its cost is known even so"
    assert "none: teacher" in capsys.readouterr().out
    assert main(["info", str(opaque), "--mean", "0", "--std", "1"]) == 0
    told = capsys.readouterr().out
    assert "RGB, (x - 0) / 1 (as stated)" in told
    assert "output embedding, 256 numbers" in told
    mean_colours(
        tmp_path / "open.onnx",
        ("n", "h", "w", 3),
        last=LOGITS["last"],
        outputs=LOGITS["outputs"],
        constants=LOGITS["constants"],
        **NHWC,
    )
    size = ["--size", "160x160", "--layout", "nhwc", "--output", "e", "--channels", "bgr"]
    assert main(["info", str(tmp_path / "open.onnx"), *size]) == 0
    told = capsys.readouterr().out
    assert "faces of 112x112, resized to 160x160; BGR, (x - 127.5) / 127.5" in told
    assert "output e, 32 numbers" in told


@pytest.mark.parametrize("net", ["slim-m", "slim"], ids=["a model of ours", "a name"])
def test_options_for_foreign_files_are_refused_elsewhere(net, capsys) -> None:
    assert main(["info", net, "--channels", "bgr"]) == 2
    assert "carries its own preprocessing; leave channels out" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_a_recipe_takes_the_same(tmp_path) -> None:
    path = mean_colours(
        tmp_path / "net.onnx",
        ("n", "c", "h", "w"),
        last=LOGITS["last"],
        outputs=LOGITS["outputs"],
        constants=LOGITS["constants"],
    )
    section = TeacherRecipe(str(path), mean=0.0, std=255.0, channels="bgr", size=(160, 160), layout="nchw", output="e")
    teacher = load_teachers([section])
    crops = plain_crops((112, 112))
    np.testing.assert_allclose(teacher.embed(crops), expected(crops, 0, 255, bgr=True), atol=1e-4)


def test_recipes_of_before_keep_their_digest() -> None:
    """They held the preprocessing that was assumed."""
    before = TeacherRecipe(mean=127.5, std=127.5, channels="rgb")
    assert digested(TeacherRecipe()) == digested(before)
    assert digested(TeacherRecipe(mean=0.0)) != digested(before)
    assert not {"size", "layout", "output"} & digested(before).keys()


@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_a_teacher_of_open_sides_is_measured_at_those_it_is_used_with(tmp_path) -> None:
    weights = [("w", np.ones((3, 3, 1, 1), np.float32))]
    path = mean_colours(
        tmp_path / "net.onnx", ("n", 3, "h", "w"), first=[node("Conv", ["x", "w"], ["t"])], constants=weights
    )
    with pytest.raises(FacedistillError, match="cannot be inferred; give --size"):
        file_cost(path)
    teacher = load_teacher(path, size=(112, 96))
    assert isinstance(teacher, OnnxTeacher)
    assert file_cost(path, teacher.entry.shape).macs == 9 * 112 * 96 + 3 * 32
    (measured,) = teacher_model_files(teacher, tmp_path / "run", faces=None)  # type: ignore[arg-type]
    assert file_cost(measured).macs == 9 * 112 * 96 + 3 * 32
    assert latencies_ms({"net": measured}, rounds=1)["net"] > 0


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8])
def test_the_time_of_each_type_is_measured(tmp_path, kind) -> None:
    path = mean_colours(tmp_path / "net.onnx", (1, 3, 112, 96), kind=kind)
    assert latencies_ms({"net": path}, rounds=1)["net"] > 0
    closed = write_closed(path, (1, 3, 112, 96), tmp_path / "closed.onnx")
    assert latencies_ms({"net": closed}, rounds=1)["net"] > 0
