"""ONNX files: opened to run them, without telemetry, or read as a graph; and the true cause where neither works.

All sessions of onnxruntime are made here. Its official builds since 1.29 send usage data to their maker, and keep a
device identifier and an event queue below the home folder, unless `ORT_DISABLE_TELEMETRY=1` is set before it is
imported (https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md); `facedistill/__init__.py` sets it. Where
a program has imported onnxruntime before facedistill, the events that can still be suppressed are, here.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime

from facedistill.errors import FacedistillError
from facedistill.file_kinds import TORCH, file_kind
from facedistill.printable import is_utf8

if TYPE_CHECKING:
    import onnx

CPU = "CPUExecutionProvider"

_SILENT = 4  # fatal only: onnxruntime would print what stands in the error
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:)?")
_NEWER = (
    (re.compile(r"Opset (\d+) is under development.*is till opset (\d+)"), "opset {} of ONNX"),
    (re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)"), "IR version {} of ONNX"),
)
_UNKNOWN_OPERATOR = re.compile(r"Fatal error: (\S+?)\(-?\d+\) is not a registered|No Op registered for (\S+)")
_NO_KERNEL = re.compile(r"Could not find an implementation for (\w+)")


def open_session(
    path: Path,
    what: str,
    mend: str,
    threads: int | None = None,
    providers: Sequence[str] = (CPU,),
    mem_pattern: bool = True,
) -> onnxruntime.InferenceSession:
    """Opens an ONNX file to run it.

    Args:
        path: The file.
        what: Names it in messages, such as "teacher net.onnx".
        mend: What to do where the file is damaged, such as "export it again".
        threads: Threads of one inference; None lets onnxruntime decide.
        providers: Where it runs; the first that can.
        mem_pattern: Plan the memory for inputs of one shape.

    Raises:
        FacedistillError: The file does not open; the message gives the true cause.
    """
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.enable_mem_pattern = mem_pattern
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # It takes a path as UTF-8 alone; a file in a folder of another name is given by its content.
        source = str(path) if is_utf8(str(path)) else path.read_bytes()
        return onnxruntime.InferenceSession(source, options, providers=list(providers))
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise FacedistillError(f"{what} {_cause(path, error, mend)}") from error


def load_graph(path: Path, what: str, mend: str) -> "onnx.ModelProto":
    """Reads an ONNX file with all its weights.

    Args:
        path: The file.
        what: As for `open_session`.
        mend: As for `open_session`.

    Raises:
        FacedistillError: The file is damaged, or weights that it keeps in another file are missing.
    """
    import onnx  # takes longer to import than what recognises faces

    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's and onnx's errors share no base class
        raise FacedistillError(f"{what} {_cause(path, error, mend)}") from error
    if not model.graph.node:
        raise FacedistillError(f"{what} is no intact ONNX file (it holds no graph); {mend}")
    return model


def run_failure(error: Exception) -> str:
    """What onnxruntime reports, in one line and whole."""
    return " ".join(_PREFIX.sub("", str(error)).split()) or type(error).__name__


def weight_files(path: Path) -> list[str]:
    """The names of the files that an ONNX file keeps weights in, as it gives them; in order, each once.

    Raises:
        Exception: Of protobuf, where the file is damaged.
    """
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    graph = onnx.load(path, load_external_data=False).graph
    return sorted({ExternalDataInfo(tensor).location for tensor in graph.initializer if uses_external_data(tensor)})


def _cause(path: Path, error: Exception, mend: str) -> str:
    """Why a file does not open, and what to do: the rest of a sentence."""
    message = run_failure(error)
    try:
        beside = weight_files(path)
    except OSError as unreadable:
        return f"cannot be read ({unreadable.strerror or unreadable}); check its permissions"
    except Exception:  # protobuf's errors: it is no ONNX
        kind = file_kind(path)
        if kind is not None and kind.name == TORCH:
            return f"is {TORCH}, not a model file; `facedistill export RUN OUT.onnx` makes the model file of a run"
        if kind is not None:
            return f"is {kind.name}, not a model file; {kind.mend}"
        return f"is no intact ONNX file ({message}); {mend}"
    if outside := [name for name in beside if Path(name).is_absolute() or ".." in Path(name).parts]:
        return (
            f"keeps weights in {', '.join(outside)}, outside its own folder, where none are read; "
            "save the net with its weights inside, or beside it"
        )
    if lost := [name for name in beside if not (path.parent / name).is_file()]:
        return f"keeps weights in {', '.join(lost)}, which is not beside it; copy that file too, under that name"
    version = f"onnxruntime {onnxruntime.__version__}"
    for pattern, feature in _NEWER:
        if found := pattern.search(message):
            return (
                f"uses {feature.format(found[1])}, but {version} reads up to {found[2]}; "
                "pip install --upgrade onnxruntime, or export the net with an older one"
            )
    if found := _UNKNOWN_OPERATOR.search(message):
        return (
            f"uses the operator {found[1] or found[2]}, which {version} does not know; "
            "pip install --upgrade onnxruntime, or export the net with standard operators"
        )
    if found := _NO_KERNEL.search(message):
        return f"computes {found[1]} in a type that {version} cannot; export the net in float32"
    if "No graph was found" in message:
        return f"is no intact ONNX file ({message}); {mend}"
    return f"cannot be loaded by {version} ({message}); {mend}"
