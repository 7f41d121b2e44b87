"""Protocols: how a model is judged on whatever lies on disk, one protocol a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from facedistill.errors import UsageError
from facedistill.evaluation.protocols import bins, face_set, ijb, lfw, megaface, orl, scface, survface, tinyface, ytf
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.sweep import Embed
from facedistill.registry import check_options, look_up

__all__ = ["PROTOCOLS", "Protocol", "evaluate", "result_tables"]

# Called as NAME:PATH.
PROTOCOLS: dict[str, Protocol] = {
    "lfw": lfw.PROTOCOL,
    "ytf": ytf.PROTOCOL,
    "ijbb": ijb.IJBB,
    "ijbc": ijb.IJBC,
    "megaface": megaface.PROTOCOL,
    "scface": scface.PROTOCOL,
    "tinyface": tinyface.PROTOCOL,
    "survface": survface.PROTOCOL,
}


def evaluate(
    embed: Embed, on: str | Path = orl.NAME, size: tuple[int, int] = (112, 96), **options: object
) -> dict[str, Figures]:
    """Judges a model by the protocol that `on` names.

    Args:
        embed: uint8 [B, height, width, 3] -> [B, D], of any length but zero.
        on: "orl" (all 40 people, aligned from the native pictures), a face set's folder, a `.bin` file, or NAME:PATH
            with a name from `PROTOCOLS` and the folder of its data.
        size: (height, width) of the crops the model takes; aligned pictures of another crop convention are cropped
            anew.
        options: The protocol's own, see its `run`.

    Returns:
        {name of the set: figures}, JSON-able. Orl, face sets and `.bin` files give what `sweep` or `sweep_pairs`
        gives; what the others give is said in their modules. Pictures that cannot be read or in which no face was
        found are counted, never dropped silently.

    Raises:
        UsageError: There is no such protocol, path or option, or the pictures are of no crop convention.
        FacedistillError: The set is damaged, or too little of it is left to measure anything.
    """
    name, protocol, path = _choose(on)
    check_options("protocol", name, protocol.run, options, fixed=3)
    return {name: protocol.run(embed, path, size, **options)}


def result_tables(model: str, on: str | Path, results: Mapping[str, Any]) -> list[Table]:
    """What `evaluate` gave on `on`, for `rich.print`.

    Raises:
        UsageError: As for `evaluate`.
    """
    name, protocol, _path = _choose(on)
    return protocol.tables(f"{model} on {name}", results[name])


def _choose(on: str | Path) -> tuple[str, Protocol, Path]:
    """The name of the results, the protocol and the path of its data."""
    if on == orl.NAME:
        return orl.NAME, orl.PROTOCOL, Path()
    if isinstance(on, str) and on in PROTOCOLS:
        raise UsageError(f"the protocol {on} needs the folder of its data; call it as {on}:FOLDER")
    path = Path(on)
    if isinstance(on, str) and ":" in on and not path.exists():
        name, _colon, rest = on.partition(":")
        protocol, path = look_up("protocol", PROTOCOLS, name), Path(rest)
        if not rest or not path.exists():
            raise UsageError(f"{rest or 'the path'} does not exist; call the protocol as {name}:FOLDER")
        return name, protocol, path
    if not path.exists():
        known = ", ".join(f"{name}:FOLDER" for name in sorted(PROTOCOLS))
        raise UsageError(f"{path} does not exist; name {orl.NAME}, a face set's folder, a .bin file, or one of {known}")
    if path.suffix == bins.SUFFIX:
        return path.stem, bins.PROTOCOL, path
    return path.resolve().name, face_set.PROTOCOL, path
