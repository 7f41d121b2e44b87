"""What torch.save writes: the pickle within the archive, with checksums that fit, and the archive itself."""

import io
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

from facedistill.backbones import build_backbone, load_backbone, save_backbone
from facedistill.backbones.checkpoint import load_plain
from facedistill.errors import FacedistillError
from facedistill.heads import build_head, load_head
from tests.fuzz.reader import Files, Reader

ARCHIVE = "net.pt"


def parts_of(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
        root = archive.namelist()[0].partition("/")[0]
        return {name: archive.read(f"{root}/{name}") for name in names}


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def goldens() -> list[Files]:
    shared = torch.arange(24.0).reshape(4, 6)
    several = {
        "a": shared,
        "b": shared[1:, ::2].half(),
        "c": torch.tensor([True]),
        "d": OrderedDict(e=torch.ones(2).double()),
    }
    net = build_backbone("resnet20", embedding_size=8, input_size=(32, 32), width=0.125)
    names = [f"layer1.{unit}.prelu.weight" for unit in range(3)]
    foreign = {"state_dict": {f"module.{name}": torch.ones(64) for name in names}, "epoch": 3}
    path = Path(f"/dev/shm/golden-{id(net)}.pt")
    save_backbone(path, net, build_head("softmax", 8, 5))
    whole = path.read_bytes()
    path.unlink()
    return [*(parts_of(saved(content)) for content in (several, foreign)), parts_of(whole), {ARCHIVE: saved(several)}]


def assemble(parts: Files) -> Files:
    if ARCHIVE in parts:
        return parts
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(f"net/{name}", content)
    return {ARCHIVE: buffer.getvalue()}


def read(folder: Path) -> None:
    failures = []
    for load in (load_plain, load_backbone, load_head):
        try:
            load(folder / ARCHIVE)
        except FacedistillError as error:
            failures.append(error)
    if failures:
        raise failures[0]


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x18tQ"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x04K\x06\x86K\x06K\x01\x86\x89NtR"
TOKENS = (
    STORAGE,
    TENSOR,
    b"ccollections\nOrderedDict\n",
    b"cos\nsystem\n",
    b")R",
    b"N\x85",
    b"}",
    b"]",
    b"(",
    b"u",
    b"t",
    b"0",
)
NUMBERS = tuple(b"J" + struct.pack("<i", number) for number in (-1, 0, 1, 2**31 - 1))
READER = Reader(
    goldens, read, assemble, (*TOKENS, *NUMBERS, b"\x8a\x09" + b"\xff" * 8 + b"\x00", b"PK\x03\x04", b"PK\x01\x02")
)
