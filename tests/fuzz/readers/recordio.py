"""Record sets: records, index and property; the labels and every picture are read."""

from pathlib import Path

from facedistill.recordio import RecordFile
from tests.datasets.record_files import GOLDEN_RECORDS, MAGIC, image
from tests.fuzz.reader import Files, Reader


def laid_out(records: list[bytes], prop: bytes) -> Files:
    offsets = [sum(map(len, records[:place])) for place in range(len(records))]
    index = b"".join(b"%d\t%d\n" % pair for pair in enumerate(offsets))
    return {"train.rec": b"".join(records), "train.idx": index, "property": prop}


def goldens() -> list[Files]:
    plain = [image(number % 2, bytes([number]) * 5) for number in range(5)]
    several = [image(0, b"picture", 1.0, 2.0), image(0, b"", 0.0, 5.0, 6.0)]
    return [laid_out(list(GOLDEN_RECORDS), b"2,4,3\n"), laid_out(plain, b"2,4,3\n"), laid_out(several, b"9,4,3\n")]


def read(folder: Path) -> None:
    records = RecordFile(folder)
    records.labels  # noqa: B018 - reads them
    for index in range(min(len(records), 2000)):
        records[index]


READER = Reader(
    goldens, read, tokens=(MAGIC, MAGIC + b"\0\0\0\x20", MAGIC + b"\0\0\0\x40", b"1\t0\n", b"\t", b",", b"\n")
)
