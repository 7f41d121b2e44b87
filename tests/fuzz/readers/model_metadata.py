"""What a model file keeps beside its net."""

from pathlib import Path

import onnx

from facedistill.model_file import ModelMetadata
from facedistill.models import shipped_models
from tests.fuzz.reader import Files, Reader


def goldens() -> list[Files]:
    kept = [onnx.load(path).metadata_props for path in shipped_models().values()]
    texts = [{entry.key: entry.value for entry in entries}["facedistill"] for entries in kept]
    return [{"metadata": text.encode()} for text in texts]


def read(folder: Path) -> object:
    text = (folder / "metadata").read_bytes().decode("utf-8", "replace")
    return ModelMetadata.from_map({"facedistill": text}, "model.onnx")


READER = Reader(
    goldens, read, tokens=(b"[", b"{", b'{"a":', b"]", b"}", b",", b'"', b"1e999", b"-1", b"NaN", b"null", b"9" * 5000)
)
