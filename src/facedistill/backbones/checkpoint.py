"""The checkpoint file: a backbone, and the head it was trained with, in one file that is safe to open.

`{"format": "facedistill-checkpoint-1", "backbone": spec, "weights": state_dict,
"head": None | {"name", "classes", "options", "weights"}}`, read with `weights_only=True`.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from facedistill.backbones.arcface import adopt_preprocessing, arcface_spec, find_weights
from facedistill.backbones.base import Backbone
from facedistill.backbones.build import BACKBONES, build_backbone
from facedistill.backbones.preprocessing import OUR_MEAN, Preprocessing
from facedistill.backbones.torch_archive import read_archive, refuse_other_formats, refuse_whole_model
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import write_bytes
from facedistill.foreign import SEPARATOR
from facedistill.pickles import PickleError
from facedistill.printable import printable
from facedistill.registry import Registry

FORMAT = "facedistill-checkpoint-1"
_SHOWN_KEYS, _SHOWN_REASON = 3, 200

M = TypeVar("M", bound=nn.Module)


class SavedHead(Protocol):
    """The attributes of a head that are saved; `facedistill.heads.Head` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102 - the head's name in the registry

    classes: int
    embedding_size: int
    options: dict[str, Any]

    def state_dict(self) -> dict[str, Any]:
        """Its weights."""


def save_backbone(path: Path, backbone: Backbone, head: SavedHead | None = None) -> None:
    """Writes a checkpoint, whole or not at all.

    Raises:
        UsageError: The head is for another embedding size, or the net was trained on pixels of another mean.
        FacedistillError: The file cannot be written.
    """
    if backbone.preprocessing.mean != OUR_MEAN:
        raise UsageError(
            f"a net that was trained on {backbone.preprocessing} cannot be saved as a checkpoint of ours; keep its file"
        )
    if head is not None and head.embedding_size != backbone.embedding_size:
        raise UsageError(
            f"the head {head.name!r} takes embeddings of {head.embedding_size}, the backbone gives "
            f"{backbone.embedding_size}; save them apart or build the head anew"
        )
    saved = None
    if head is not None:
        weights = _plain(head.state_dict())
        saved = {"name": head.name, "classes": head.classes, "options": head.options, "weights": weights}
    weights = _plain(backbone.state_dict())
    content = {"format": FORMAT, "backbone": backbone.spec, "weights": weights, "head": saved}
    # Through memory: torch's own writer turns a full disk into a RuntimeError that does not say so.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def load_backbone(path: Path, preprocessing: Preprocessing | None = None) -> Backbone:
    """The backbone of a checkpoint of ours, or an iresnet that others trained (see `find_weights`).

    Args:
        path: The checkpoint.
        preprocessing: What a net of others was trained on; None takes what its origin uses.

    Returns:
        The net, on the CPU, in evaluation mode; its attribute `preprocessing` is what its weights were trained on.

    Raises:
        UsageError: `preprocessing` is given for a checkpoint of ours.
        FacedistillError: The file is missing, damaged, no checkpoint, or its weights do not fit its spec.
    """
    content = load_plain(path)
    if not _is_ours(content) and (foreign := find_weights(path, content)):
        spec = arcface_spec(path, foreign.weights)
        net = rebuild(path, "backbone", lambda: build_backbone(**spec), foreign.weights)
        net.preprocessing = preprocessing or foreign.preprocessing
        adopt_preprocessing(net, net.preprocessing)
        return net
    _check_fields(path, content)
    if preprocessing is not None:
        raise UsageError(f"{path} carries its own preprocessing; leave mean, std and channels out")
    spec = content["backbone"]
    require_imported(path, BACKBONES, spec.get("name"))
    return rebuild(path, "backbone", lambda: build_backbone(**spec), content["weights"])


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, checked for its outer shape only.

    Raises:
        FacedistillError: The file is missing, damaged or no checkpoint.
    """
    content: dict[str, Any] = load_plain(path)
    _check_fields(path, content)
    return content


def load_plain(path: Path, mapped: bool = False) -> Any:
    """Whatever torch wrote to a file, plain types only; see `read_archive`.

    Args:
        path: The file.
        mapped: Map the tensors' numbers instead of reading them; the file must stay as it is.

    Raises:
        FacedistillError: The file is missing, damaged, not written by torch, or by a way of torch's that is not read.
    """
    path = Path(path)
    try:
        refuse_other_formats(path)
        content = read_archive(path, mapped)
    except FacedistillError:
        raise
    except OSError as error:
        raise FacedistillError(f"cannot read the checkpoint {path}: {error.strerror or error}") from error
    except PickleError as error:
        raise FacedistillError(f"{path} is no checkpoint: {error}; take it from a source that you trust") from error
    except Exception as error:  # foreign bytes make the unpickler raise nearly anything
        reason = " ".join(str(error).split())[:_SHOWN_REASON]
        raise FacedistillError(
            f"{path} is no checkpoint, or is damaged ({type(error).__name__}: {reason}); train or copy it again"
        ) from error
    refuse_whole_model(path, content)
    return content


def _is_ours(content: Any) -> bool:
    return isinstance(content, dict) and "format" in content


def _check_fields(path: Path, content: Any) -> None:
    if isinstance(content, dict) and not _is_ours(content) and (keys := _weight_keys(content)):
        raise FacedistillError(
            f"{path} is no checkpoint of ours: it holds the weights of a net that is not known here ({keys}); known "
            "are arcface_torch's iresnet50 and iresnet100, under its names, MagFace's and AdaFace's; export any other "
            "net by torch.onnx.export, and give that file"
        )
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise FacedistillError(
            f"{path} is no checkpoint of the format {FORMAT} (found: {printable(str(found)[:40])}); "
            "give a file that `facedistill train` or `facedistill distill` wrote, or arcface_torch's backbone.pth"
        )
    for field, kind in {"backbone": dict, "weights": dict, "head": dict | None}.items():
        if field not in content or not isinstance(content[field], kind):
            raise FacedistillError(f"{path}: its entry {field!r} is missing or damaged; train or copy it again")


def _weight_keys(content: Mapping[Any, Any]) -> str:
    """The first names of tensors in a file, at its top or in an entry; empty where there are none."""
    for weights in (content, *content.values()):
        if isinstance(weights, Mapping):
            keys = [printable(str(key)[:40]) for key, value in weights.items() if isinstance(value, Tensor)]
            if keys:
                return ", ".join(keys[:_SHOWN_KEYS]) + (", ..." if len(keys) > _SHOWN_KEYS else "")
    return ""


def require_imported(path: Path, registry: Registry[Any], name: object) -> None:
    """Refuses a part of another package that a checkpoint names but nobody has imported: a file may not run code.

    Raises:
        FacedistillError: Names the file and the part.
    """
    if isinstance(name, str) and SEPARATOR in name:
        try:
            registry.find(name, importing=False)
        except UsageError as error:
            raise FacedistillError(f"{path}: {error}") from error


def rebuild(path: Path, part: str, build: Callable[[], M], weights: Mapping[str, Any]) -> M:
    """Builds a module and fills it with a checkpoint's weights; every key and shape must fit.

    Args:
        path: The checkpoint, for messages.
        part: What is rebuilt, for messages: "backbone", "head".
        build: Makes the module from the checkpoint's description.
        weights: Its state dict.

    Raises:
        FacedistillError: The description is damaged, or a key is missing, unexpected or mis-shaped.
    """
    try:
        # On the meta device nothing is allocated, so a damaged description cannot exhaust the memory.
        with torch.device("meta"):
            module = build()
    except (FacedistillError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = str(error).split("\n", 1)[0]
        raise FacedistillError(f"{path}: the description of its {part} is damaged ({reason})") from error
    expected = module.state_dict()
    faults = [f"missing {key}" for key in expected if key not in weights]
    faults += [f"unexpected {key}" for key in weights if key not in expected]
    faults += [fault for key in expected if key in weights and (fault := _misfit(key, expected[key], weights[key]))]
    if faults:
        more = f" and {len(faults) - _SHOWN_KEYS} more" if len(faults) > _SHOWN_KEYS else ""
        raise FacedistillError(
            f"{path}: the weights of its {part} do not fit its description: {', '.join(faults[:_SHOWN_KEYS])}{more}"
        )
    module = module.to_empty(device="cpu")
    module.load_state_dict(weights)
    return module.eval()


def _plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Own, contiguous CPU memory: a view into a larger tensor would be saved with all of it.
    return {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in weights.items()}


def _misfit(key: str, expected: Tensor, found: object) -> str | None:
    if not isinstance(found, Tensor):
        return f"{key} is no tensor"
    if found.shape != expected.shape:
        return f"mis-shaped {key} ({list(found.shape)}, not {list(expected.shape)})"
    if found.is_meta or not found.is_contiguous() or found.is_floating_point() != expected.is_floating_point():
        return f"{key} holds no plain numbers"
    return None
