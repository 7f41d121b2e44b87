"""Reading the head that a checkpoint carries."""

from pathlib import Path

from facedistill.backbones.checkpoint import read_checkpoint, rebuild, require_imported
from facedistill.errors import FacedistillError
from facedistill.heads.base import HEADS, Head
from facedistill.heads.build import build_head


def load_head(path: Path) -> Head | None:
    """The head of a checkpoint, on the CPU, in evaluation mode; None if it carries none.

    Raises:
        FacedistillError: The file is missing, damaged, no checkpoint, or its weights do not fit.
    """
    content = read_checkpoint(path)
    entry = content["head"]
    if entry is None:
        return None
    try:
        name, classes, options, weights = (entry[key] for key in ("name", "classes", "options", "weights"))
        embedding_size = content["backbone"]["embedding_size"]
        arguments, weights = dict(options), dict(weights)
    except (KeyError, TypeError, ValueError) as error:
        raise FacedistillError(f"{path}: its head is damaged ({error}); train or copy it again") from error
    require_imported(path, HEADS, name)
    return rebuild(path, "head", lambda: build_head(name, embedding_size, classes, **arguments), weights)
