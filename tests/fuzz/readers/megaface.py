"""The lists of a MegaFace devkit."""

from pathlib import Path

from facedistill.datasets.megaface import read_megaface
from tests.fuzz.reader import Files, Reader


def goldens() -> list[Files]:
    return [
        {
            "facescrub_features_list.json": b'{"path": ["a/1.png", "a/2.png", "b/1.png"], "id": ["a", "a", "b"]}',
            "megaface_features_list.json_2_1": b'{"path": ["d/1.jpg", "d/2.jpg"]}',
        }
    ]


def assemble(parts: Files) -> Files:
    pictures = ("facescrub/a/1.png", "facescrub/a/2.png", "facescrub/b/1.png", "megaface/d/1.jpg", "megaface/d/2.jpg")
    return {**parts, **dict.fromkeys(pictures, b"")}


def read(folder: Path) -> object:
    return read_megaface(folder)


READER = Reader(
    goldens, read, assemble, (b"[", b"{", b'"', b",", b'{"a":', b"]", b"1e999", b"9" * 5000, b"\\u0000", b"NaN")
)
