"""What results write: the same keys in the same order, and the same figures, as at all times before."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import generated_sets
import low_resolution_sets
import numpy as np
import pytest
from drawn_people import Painter, embed, figures_of
from rich.console import Console
from slow_oracles import flat

from facedistill.datasets import Face, FaceList, write_bin, write_face_set
from facedistill.evaluation import Cell, SweepResult
from facedistill.pictures import encode_picture

GOLDEN = json.loads((Path(__file__).parent / "golden_results.json").read_text())


def write_people(root):
    """A face set of twelve people with labels."""
    painter = Painter(1)
    write_face_set(root, FaceList(Face(painter.draw(i // 3), i // 3, str(i)) for i in range(36)), extension=".png")
    rows = [f"{index},{'ab'[index // 3 % 2]},[red]{index % 3}" for index in range(36)]
    (root / "labels.csv").write_text("\n".join(["index,town,take", *rows]))
    return painter


def write_mini(path):
    painter = write_people(path.parent / "people")
    pictures = [painter.draw(place // 2 if place % 4 < 2 else place) for place in range(80)]
    write_bin(path, [encode_picture(picture, ".png") for picture in pictures], np.arange(40) % 2 == 0)


SETS = [
    ("lfw", generated_sets.write_lfw, {"resolutions": (20, 8), "bootstrap": 5}),
    ("ytf", generated_sets.write_ytf, {"resolutions": (12, 8)}),
    ("ijbb", generated_sets.write_ijb, {"resolutions": (10,)}),
    ("megaface", generated_sets.write_megaface, {"resolutions": (10, 7), "exact": True}),
    ("scface", low_resolution_sets.write_scface, {"testing": 5, "seed": 3, "resolutions": (16,)}),
    ("tinyface", low_resolution_sets.write_tinyface, {}),
    ("survface", low_resolution_sets.write_survface, {}),
    ("people", write_people, {"groups": "auto", "resolutions": (8,)}),
    ("mini.bin", write_mini, {}),
]


def leaves(figures):
    """`flat`, of lists too."""

    def without_lists(value):
        items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else None
        return value if items is None else {key: without_lists(item) for key, item in items}

    return flat(without_lists(figures))


@pytest.mark.parametrize(("name", "write", "options"), SETS, ids=[row[0] for row in SETS])
def test_the_json_written_is_that_of_before(name, write, options, tmp_path):
    write(tmp_path / name)
    is_file = name in ("people", "mini.bin")
    found = figures_of(embed, tmp_path / name if is_file else f"{name}:{tmp_path / name}", **options)
    expected = GOLDEN[name.removesuffix(".bin")]
    assert json.loads(json.dumps(found)) == found
    assert list(leaves(found)) == list(leaves(expected))
    assert leaves(found) == pytest.approx(leaves(expected), abs=1e-9)


def test_the_table_of_a_sweep_fits_80_columns():
    cell = Cell(0.88, 0.01, 0.1, 0.95, {"0.1": 0.9}, {"accuracy": [0.86, 0.9]}, None, 0.0123)
    cells = {"native": cell, "8": cell, "16": cell}
    matched = cells | {"8": replace(cell, accuracy=0.91, ci={})}
    (table,) = SweepResult(cells, matched).tables("net")
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(table)
    text = console.file.getvalue()
    assert "88.0 (86.0-90.0)" in text
    assert text.index("matched") < text.index("gallery native")
    assert re.search(r"8 px[^\d]+91\.0[^\d]+88\.0 \(86\.0-90\.0\)", text)
    assert "failed to enrol: 1.2 %" in text
    assert "n/a" in text
    assert text.index("16 px") < text.index("8 px")
    assert "\u2026" not in text
