"""The reference's table of backbones tells what `facedistill info` tells."""

from pathlib import Path

import pytest

from facedistill.backbones import BACKBONES
from facedistill.export.info import net_info

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_figures_are_those_of_the_net(name):
    (line,) = [line for line in REFERENCE.splitlines() if line.startswith(f"| `{name}` |")]
    info = net_info(name)
    sizes = " / ".join(f"{info.size_mb[bits]:.2f}" for bits in (32, 16, 8))
    written = [cell.strip() for cell in line.strip("|").split(" | ")][1:5]
    assert written == [f"{info.parameters / 1e6:.2f}", f"{info.macs / 1e6:.0f}", sizes, str(info.receptive_field)]
