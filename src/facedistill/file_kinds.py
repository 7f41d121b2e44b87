"""What a file is by its first bytes, so that an error can name the true cause and the way out."""

from pathlib import Path
from typing import NamedTuple

TORCH, PICKLE = "a checkpoint of torch (a zip archive)", "a pickle"

_READ = 1 << 10
_TAR_AT = 257


class FileKind(NamedTuple):
    """A kind of file.

    Attributes:
        name: What it is, such as "a web page"; completes "X is ...".
        mend: What to do about it.
    """

    name: str
    mend: str


_WEB_PAGE = FileKind("a web page", "the download went wrong, fetch it again")
_PICTURE = FileKind("a picture", "name the file that was meant")
_UNPACK = "unpack it and give what is in it"
_TO_ONNX = "export its net to ONNX by the program that wrote it"

# (where, bytes, kind); the first that fits.
_SIGNATURES = (
    (0, b"PK\x03\x04", FileKind(TORCH, "give a file of the kind that is wanted")),
    (0, b"version https://git-lfs", FileKind("a Git LFS pointer", "run `git lfs pull`")),
    (0, b"\x1f\x8b", FileKind("packed by gzip", _UNPACK + ": gunzip FILE")),
    (0, b"BZh", FileKind("packed by bzip2", _UNPACK + ": bunzip2 FILE")),
    (0, b"\xfd7zXZ\0", FileKind("packed by xz", _UNPACK + ": unxz FILE")),
    (0, b"\x28\xb5\x2f\xfd", FileKind("packed by zstd", _UNPACK + ": unzstd FILE")),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind("a 7z archive", _UNPACK)),
    (0, b"Rar!", FileKind("a RAR archive", _UNPACK)),
    (_TAR_AT, b"ustar", FileKind("a tar archive", _UNPACK + ": tar xf FILE")),
    (0, b"\x89HDF\r\n\x1a\n", FileKind("an HDF5 file (Keras, MATLAB 7.3)", _TO_ONNX)),
    (0, b"\x93NUMPY", FileKind("an array of numpy", "give a file of the kind that is wanted")),
    (4, b"TFL3", FileKind("a TFLite net", "export the net it was made from to ONNX")),
    (0, b"\x12\x01" + bytes(6), FileKind("a file of MXNet's weights", "convert it to ONNX by mx.onnx.export_model")),
    (8, b'{"', FileKind("a safetensors file", "torch.save(safetensors.torch.load_file('IN'), 'OUT.pt')")),
    (0, b"SQLite format 3", FileKind("a database", "name the file that was meant")),
    (0, b"%PDF", FileKind("a PDF document", "name the file that was meant")),
    (0, b"\xff\xd8\xff", _PICTURE),
    (0, b"\x89PNG", _PICTURE),
    (0, b"GIF8", _PICTURE),
    *(
        (0, bytes([0x80, protocol]), FileKind(PICKLE, "give a file of the kind that is wanted"))
        for protocol in range(2, 6)
    ),
)


def file_kind(path: Path) -> FileKind | None:
    """What a file is, of the kinds that are often given in place of another; None for all others.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_READ)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!", b"<html", b"<?xml")):
        return _WEB_PAGE
    return next((kind for at, mark, kind in _SIGNATURES if head[at : at + len(mark)] == mark), None)
