"""Teachers on a device: they say what they say on the CPU, and a net that cannot be there says so."""

import numpy as np
import onnxruntime
import pytest
import torch

from facedistill.backbones import build_backbone, embed_crops, save_backbone
from facedistill.errors import FacedistillWarning
from facedistill.faces import recrop
from facedistill.model_file import ModelMetadata
from facedistill.recipe import TeacherRecipe
from facedistill.teachers import load_teacher, load_teachers
from facedistill.teachers.dlib_on_device import DlibOnDevice

OURS = ModelMetadata("tiny", (112, 96), 16).to_map()


@pytest.fixture(scope="module")
def dlib():
    return DlibOnDevice("cpu")


def test_dlibs_net_in_torch_is_the_teacher_that_it_is_in_onnx(dlib, crops):
    known = load_teacher("dlib")
    assert (dlib.digest, dlib.name, dlib.input_size) == (known.digest, known.name, known.input_size), (
        "caches serve both"
    )
    for size in ((150, 150), (112, 96)):  # its own crop, and one that it cuts anew
        faces = crops(3, size)
        np.testing.assert_allclose(dlib.embed(faces), known.embed(faces), atol=1e-4)


def test_what_lies_on_the_device_is_embedded_there(dlib, crops):
    faces = np.stack([recrop(crop, (150, 150)) for crop in crops(3)])
    embeddings = dlib.embed_tensor(torch.from_numpy(faces))
    assert not embeddings.requires_grad
    np.testing.assert_allclose(embeddings.numpy(), dlib.embed(faces), atol=1e-5)


def test_a_surrounding_autocast_does_not_reach_a_teacher(dlib, crops):
    """The student's half precision is not the teacher's: on the CPU it keeps 32 bits."""
    faces = crops(2, (150, 150))
    alone = dlib.embed(faces)
    with torch.autocast("cpu", torch.bfloat16):
        assert (dlib.embed(faces) == alone).all()


def test_a_checkpoint_on_a_device(tmp_path, crops):
    net = build_backbone("slim", 8, width=0.25)
    save_backbone(tmp_path / "net.pt", net)
    teacher = load_teacher(tmp_path / "net.pt", device="cpu")
    assert teacher.device == torch.device("cpu")
    np.testing.assert_allclose(teacher.embed(crops(3)), embed_crops(net, crops(3)), atol=1e-5)


def test_a_net_in_onnx_that_cannot_use_the_device_runs_on_the_cpu_and_gives_its_rate(tiny_net, crops, monkeypatch):
    net = tiny_net()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.warns(FacedistillWarning, match=r"tiny.onnx runs on the CPU at \d+ faces/s, not on cuda; install"):
        teacher = load_teacher(net.path, device="cuda")
    np.testing.assert_allclose(teacher.embed(crops(3)), net.embed(crops(3)), rtol=1e-4, atol=1e-4)


def test_the_best_device_there_is_needs_no_warning(tiny_net, recwarn):
    load_teacher(tiny_net(metadata=OURS).path, device="auto")
    assert not recwarn.list


def test_each_of_several_teachers_gets_the_device(tiny_net):
    one = TeacherRecipe(spec=str(tiny_net(metadata=OURS).path))
    with pytest.warns(FacedistillWarning) as given:
        load_teachers([one, one], device="mps")
    assert len(given) == 2
