"""The meta files of IJB-B and IJB-C."""

from pathlib import Path

from facedistill.datasets.ijb import read_ijb
from tests.fuzz.reader import Files, Reader

POINTS = b" 46.1 62.3 87.5 60.2 68.4 88.0 50.7 110.2 84.3 108.9 0.999\n"


def goldens() -> list[Files]:
    names = (b"1.jpg", b"2.jpg", b"3.jpg", b"4.jpg")
    return [
        {
            "ijbb_face_tid_mid.txt": b"".join(
                b"%s %d %d\n" % (name, place + 1, place) for place, name in enumerate(names)
            ),
            "ijbb_name_5pts_score.txt": b"".join(name + POINTS for name in names),
            "ijbb_template_pair_label.txt": b"1 2 1\n1 3 0\n2 4 0\n",
            "ijbb_1N_gallery_G1.csv": b"TEMPLATE_ID,SUBJECT_ID\n1,1\n",
            "ijbb_1N_gallery_G2.csv": b"TEMPLATE_ID,SUBJECT_ID,FILENAME\n2,2,img/2.jpg\n",
            "ijbb_1N_probe_mixed.csv": b"TEMPLATE_ID;SUBJECT_ID\n3;1\n4;2\n",
        }
    ]


def assemble(parts: Files) -> Files:
    return {**parts, **{f"loose_crop/{number}.jpg": b"" for number in range(1, 5)}}


def read(folder: Path) -> object:
    return read_ijb(folder, "ijbb")


READER = Reader(
    goldens, read, assemble, (b" ", b"\n", b",", b'"', b"1 2 1\n", b"1,1\n", b"\0", b"../", b"1.jpg" + POINTS)
)
