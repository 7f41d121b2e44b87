"""Packed runs: the files within, with digests that fit, and the archive itself."""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

from facedistill.recipe.files import read_recipe
from facedistill.training.pack import FORMAT, unpack_run
from tests.fuzz.reader import Files, Reader
from tests.fuzz.readers.torch_archive import saved

PACK = "run.fdpack"
RECIPE = Path(__file__).parents[3] / "recipes" / "quickstart.yaml"


def goldens() -> list[Files]:
    digest = read_recipe(RECIPE).digest
    parts = {
        "format": FORMAT.encode(),
        "recipe.yaml": f"# digest: {digest}\n".encode() + RECIPE.read_bytes(),
        "last.pt": saved({"format": "facedistill-training-1", "recipe": digest}),
        "metrics.jsonl": b'{"step": 1}\n',
    }
    return [parts, assemble(parts)]


def assemble(parts: Files) -> Files:
    if PACK in parts:
        return parts
    files = {name: content for name, content in parts.items() if name != "format"}
    first = parts["recipe.yaml"].decode("utf-8", "replace").partition("\n")[0].removeprefix("# digest: ").strip()
    manifest = {
        "format": parts["format"].decode("latin-1"),
        "recipe": first,
        "light": False,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("pack.json", json.dumps(manifest))
        for name, content in files.items():
            archive.writestr(name, content)
    return {PACK: buffer.getvalue()}


def read(folder: Path) -> None:
    shutil.rmtree(folder / "run", ignore_errors=True)
    unpack_run(folder / PACK, folder / "run")


READER = Reader(
    goldens,
    read,
    assemble,
    (b"[", b"{", b"&a [*a]", b"a: ", b"\n", b"PK\x01\x02", b"- ", b"!!python/object:os.system", b"\xff"),
)
