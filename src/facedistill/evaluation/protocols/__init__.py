"""Protocols: how a model is evaluated on labelled faces, one protocol a file. Importing one here registers it."""

from pathlib import Path

from facedistill.checks import check_size
from facedistill.datasets.sources import ORL, TESTABLE, parse_source
from facedistill.errors import UsageError
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.protocols.bins import Bins as Bins
from facedistill.evaluation.protocols.face_set import FaceSetProtocol as FaceSetProtocol
from facedistill.evaluation.protocols.ijb import Ijbb as Ijbb
from facedistill.evaluation.protocols.ijb import Ijbc as Ijbc
from facedistill.evaluation.protocols.lfw import Lfw as Lfw
from facedistill.evaluation.protocols.megaface import Megaface as Megaface
from facedistill.evaluation.protocols.orl import Orl as Orl
from facedistill.evaluation.protocols.protocol import PROTOCOLS, SETS, Protocol
from facedistill.evaluation.protocols.scface import Scface as Scface
from facedistill.evaluation.protocols.survface import Survface as Survface
from facedistill.evaluation.protocols.tinyface import Tinyface as Tinyface
from facedistill.evaluation.protocols.ytf import Ytf as Ytf
from facedistill.evaluation.results import Result
from facedistill.evaluation.sweep import check_rows
from facedistill.foreign import SEPARATOR, foreign_errors

__all__ = ["PROTOCOLS", "Protocol", "Result", "evaluate"]


def evaluate(
    embed: Embed, on: str | Path = ORL, size: tuple[int, int] = (112, 96), **options: object
) -> dict[str, Result]:
    """Evaluates a model by the protocol that `on` names.

    Args:
        embed: uint8 [B, height, width, 3] -> [B, D], of any length but zero.
        on: "orl" (all 40 people, aligned from the native pictures), a face set's folder, a `.bin` file, NAME:FOLDER
            with a name from `PROTOCOLS` and the folder of its data, or `package.module:Class` or
            `package.module:Class:FOLDER` with a protocol of another package, which is imported.
        size: (height, width) of the crops the model takes; aligned pictures of another crop convention are cropped
            anew.
        options: The protocol's own: the fields of its class.

    Returns:
        {name of the set: result}. Pictures that cannot be read or in which no face was found are counted, never
        dropped silently.

    Raises:
        UsageError: There is no such protocol, path or option, a class of another package is no protocol, or the
            pictures are of no crop convention.
        FacedistillError: The set is damaged, or too little of it is left to measure anything.
    """
    check_size("size", size)
    source = parse_source(on, (*TESTABLE, "protocol"), PROTOCOLS)
    name = source.protocol or source.kind
    if SEPARATOR not in name:  # one of another package may mean something else by these names
        check_rows(options.get("resolutions", ()), options.get("seed", 0))
    protocol = (PROTOCOLS if source.protocol else SETS).build(name, **options)
    _require(protocol, f"the protocol {name!r}", "run")
    with foreign_errors(f"the protocol {name!r} fails", name):
        result = protocol.run(embed, source.path, size)
    _require(result, f"the result of the protocol {name!r}", "to_json", "tables")
    return {source.title: result}


def _require(found: object, what: str, *methods: str) -> None:
    """Raises UsageError unless `found` has the methods: a class of another package may be anything."""
    if lacking := [method for method in methods if not callable(getattr(found, method, None))]:
        raise UsageError(
            f"{what} is of type {type(found).__name__}, which has no method {lacking[0]}; "
            "see facedistill.evaluation.protocols.Protocol and Result"
        )
