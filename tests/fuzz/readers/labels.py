"""Labels of a face set: CSV and Parquet."""

import io
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from facedistill.evaluation.labels import attributes_of, read_labels
from tests.fuzz.reader import Files, Reader

KEYS = {f"{person}/{picture}.png": 2 * person + picture for person in range(2) for picture in range(2)}
PEOPLE = np.array([0, 0, 1, 1])
CSV = b"key,age,glasses\n0/0.png,30,none\n0/1.png,31,none\n1/0.png,50,worn\n1/1.png,,worn\n"
NUMBERS = ("age", "gender", "ancestry_african", "ancestry_asian", "ancestry_european", "skin_tone", "yaw")


def goldens() -> list[Files]:
    columns = {"identity": PEOPLE.tolist(), **{name: [0.1, 0.2, 0.3, 0.4] for name in NUMBERS}}
    columns |= {"light": ["day"] * 4, "glasses": ["none", "none", "thin", "thin"], "occlusion": ["none"] * 4}
    packed = []
    for codec in ("none", "snappy", "zstd"):
        file = io.BytesIO()
        parquet.write_table(pyarrow.table(columns), file, compression=codec)
        packed.append(file.getvalue())
    texts = [CSV, b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n")]
    return [*({"labels.csv": text} for text in texts), *({"labels.parquet": data} for data in packed)]


def read(folder: Path) -> object:
    path = next(path for path in folder.iterdir() if path.name.startswith("labels"))
    return attributes_of(read_labels(path, KEYS, PEOPLE), PEOPLE)


READER = Reader(
    goldens, read, tokens=(b",", b'"', b"\n", b"nan", b"1e999", b"PAR1", b"\0", b"0/0.png,30,none\n", b"\x15\x04")
)
