"""Teachers from files: what they say, how they are known, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from facedistill.backbones import build_backbone, embed_crops, save_backbone
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import recrop
from facedistill.model_file import ModelMetadata
from facedistill.teachers import load_teacher


def metadata(name: str = "slim", crop_size: tuple[int, int] = (112, 96)) -> dict[str, str]:
    return ModelMetadata(name=name, crop_size=crop_size, embedding_size=16).to_map()


# ONNX ------------------------------------------------------------------------------------------------------------


def test_our_own_model_file(tiny_net, crops) -> None:
    net = tiny_net(metadata=metadata("slim"))
    teacher = load_teacher(net.path)
    assert (teacher.name, teacher.input_size, teacher.embedding_size) == ("slim", (112, 96), 16)
    assert "inside" in teacher.normalisation
    faces = crops(5)
    embeddings = teacher.embed(faces)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, net.embed(faces), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3, 32, 33, 70])
@pytest.mark.parametrize("batch", ["batch", 1, 4], ids=["dynamic", "fixed at 1", "fixed at 4"])
def test_any_number_of_crops(tiny_net, crops, batch, count: int) -> None:
    net = tiny_net(batch=batch, size=(112, 112), uint8=False)
    net.mean, net.std = 127.5, 127.5
    faces = crops(count, (112, 112))
    embeddings = load_teacher(net.path).embed(faces)
    assert embeddings.shape == (count, 16)
    np.testing.assert_allclose(embeddings, net.embed(faces), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("mean", "std", "channels"), [(127.5, 127.5, "rgb"), (127.5, 128.0, "rgb"), (0.0, 255.0, "bgr")]
)
def test_foreign_normalisation(tiny_net, crops, mean: float, std: float, channels: str) -> None:
    net = tiny_net(uint8=False)
    net.mean, net.std, net.bgr = mean, std, channels == "bgr"
    teacher = load_teacher(net.path, mean=mean, std=std, channels=channels)
    assert teacher.normalisation == f"{channels.upper()}, (x - {mean:g}) / {std:g}"
    np.testing.assert_allclose(teacher.embed(crops(3)), net.embed(crops(3)), rtol=1e-4, atol=1e-5)


def test_the_digest_follows_weights_and_preprocessing(tiny_net) -> None:
    foreign = tiny_net("a.onnx", uint8=False).path
    digests = [
        load_teacher(foreign).digest,
        load_teacher(foreign, mean=0.0).digest,
        load_teacher(foreign, std=128.0).digest,
        load_teacher(foreign, channels="bgr").digest,
        load_teacher(tiny_net("b.onnx", uint8=False, seed=1).path).digest,
    ]
    assert len(set(digests)) == 5
    assert load_teacher(tiny_net("c.onnx", uint8=False).path).digest == digests[0], "the file's name is no matter"


def test_the_digest_sees_weights_in_a_file_beside(tiny_net) -> None:
    path = tiny_net().path
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = load_teacher(path).digest
    data = bytearray((path.parent / "weights.bin").read_bytes())
    data[0] ^= 1
    (path.parent / "weights.bin").write_bytes(data)
    assert load_teacher(path).digest != before


@pytest.mark.parametrize("given", [(112, 112), (150, 150)])
def test_crops_of_other_conventions_are_cut_anew(tiny_net, crops, given: tuple[int, int]) -> None:
    net = tiny_net()
    faces = crops(3, given)
    expected = net.embed(np.stack([recrop(face, (112, 96)) for face in faces]))
    np.testing.assert_allclose(load_teacher(net.path).embed(faces), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        pytest.param(np.zeros((2, 112, 96, 3), np.float32), "float32", id="floats"),
        pytest.param(np.zeros((112, 96, 3), np.uint8), r"\[112, 96, 3\]", id="one crop without a batch"),
        pytest.param(np.zeros((2, 3, 112, 96), np.uint8), r"\[2, 3, 112, 96\]", id="channels first"),
        pytest.param(
            np.zeros((2, 96, 112, 3), np.uint8), "no crop convention is 96x112", id="height and width swapped"
        ),
    ],
)
def test_other_crops_are_refused_by_name(tiny_net, faces, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_teacher(tiny_net().path).embed(faces)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"extra_output": "flat"}, "give --output NAME, such as --output embedding", id="two embeddings"),
        pytest.param({"dimension": 1}, "no face embedder", id="a score"),
        pytest.param(
            {"uint8": False, "free_size": True}, "pictures of any size; give --size HEIGHTxWIDTH", id="no fixed size"
        ),
        pytest.param({"metadata": {"facedistill": "{"}}, "metadata is damaged", id="damaged metadata"),
        pytest.param({"metadata": metadata(crop_size=(112, 112))}, "metadata does not fit", id="another size promised"),
        pytest.param({"size": (224, 224)}, "no crop convention is 224x224", id="an ImageNet net"),
    ],
)
def test_a_net_that_is_no_face_embedder_is_refused(tiny_net, options, message: str) -> None:
    with pytest.raises(FacedistillError, match=message):
        load_teacher(tiny_net(**options).path)


def test_own_preprocessing_cannot_be_overruled(tiny_net) -> None:
    with pytest.raises(UsageError, match="carries its own preprocessing"):
        load_teacher(tiny_net().path, mean=0.0)


@pytest.mark.parametrize(
    "options", [{"std": 0.0}, {"std": -1.0}, {"mean": float("nan")}, {"std": float("inf")}, {"channels": "grb"}]
)
def test_impossible_normalisation_is_refused(tiny_net, options) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        load_teacher(tiny_net(uint8=False).path, **options)


# Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("t.onnx", None, "does not exist", id="missing"),
        pytest.param("t.pt", None, "does not exist", id="missing checkpoint"),
        pytest.param("t.onnx", b"", "is empty", id="empty"),
        pytest.param("t.pt", b"", "is empty", id="empty checkpoint"),
        pytest.param("t.onnx", b"\n<!DOCTYPE html><html>", "web page", id="HTML saved as ONNX"),
        pytest.param("t.pt", b"<html><body>404", "web page", id="HTML saved as a checkpoint"),
        pytest.param("t.onnx", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="LFS pointer"),
        pytest.param("t.onnx", b"PK\x03\x04rest", "rename it to .pt", id="renamed checkpoint"),
        pytest.param("t.pt", b"\x08\x08\x12\x00rest", "rename it to .onnx", id="renamed ONNX"),
        pytest.param("t.onnx", bytes(range(256)) * 9, "no intact ONNX file", id="random bytes"),
        pytest.param("t.pt", b"PK\x03\x04" + bytes(500), "no checkpoint", id="no real zip"),
        pytest.param("t.caffemodel", b"1", r"neither \.onnx nor \.pt", id="wrong type"),
    ],
)
def test_what_cannot_be_loaded_is_an_error(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FacedistillError, match=message) as caught:
        load_teacher(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_teacher(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        load_teacher(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_onnx_file_is_refused(tiny_net, share: float) -> None:
    path = tiny_net().path
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FacedistillError, match=r"tiny\.onnx is no intact ONNX file"):
        load_teacher(path)


# Checkpoints -----------------------------------------------------------------------------------------------------


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return build_backbone("resnet20", embedding_size=16, input_size=(112, 96), width=0.1).eval()


def test_a_checkpoint(backbone, crops, tmp_path: Path) -> None:
    save_backbone(tmp_path / "best.pt", backbone)
    teacher = load_teacher(tmp_path / "best.pt")
    assert (teacher.input_size, teacher.embedding_size) == ((112, 96), 16)
    np.testing.assert_allclose(teacher.embed(crops(3)), embed_crops(backbone, crops(3)), rtol=1e-4, atol=1e-5)


def test_a_checkpoints_digest_follows_its_weights_alone(backbone, tmp_path: Path) -> None:
    save_backbone(tmp_path / "a.pt", backbone)
    save_backbone(tmp_path / "b.pt", backbone)
    with torch.no_grad():
        next(backbone.parameters()).view(-1)[0] += 1
    save_backbone(tmp_path / "c.pt", backbone)
    a, b, c = (load_teacher(tmp_path / name).digest for name in ("a.pt", "b.pt", "c.pt"))
    assert a == b != c


def _drop(content, key):
    del content["weights"][key]


def _add(content, key):
    content["weights"]["stray.weight"] = torch.zeros(1)


def _reshape(content, key):
    content["weights"][key] = content["weights"][key][:1]


def _other_format(content, key):
    content["format"] = "facedistill-training-1"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(_drop, "missing {key}", id="a layer is missing"),
        pytest.param(_add, r"unexpected stray\.weight", id="a layer too many"),
        pytest.param(_reshape, "mis-shaped {key}", id="a layer of another shape"),
        pytest.param(_other_format, "no checkpoint of the format", id="the state of a training run"),
    ],
)
def test_a_checkpoint_that_does_not_match_is_refused(backbone, tmp_path: Path, damage, message: str) -> None:
    path = tmp_path / "best.pt"
    save_backbone(path, backbone)
    content = torch.load(path, weights_only=True)
    key = next(iter(content["weights"]))
    damage(content, key)
    torch.save(content, path)
    with pytest.raises(FacedistillError, match=message.format(key=key)):
        load_teacher(path)


def test_onnx_teachers_need_no_torch(tiny_net) -> None:
    code = (
        "import sys; from facedistill.teachers import load_teacher; "
        f"load_teacher({str(tiny_net().path)!r}); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
