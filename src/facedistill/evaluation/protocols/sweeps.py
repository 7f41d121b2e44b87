"""What the protocols that sweep over the resolutions share."""

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from facedistill.evaluation.groups import GROUPS, groups_table
from facedistill.evaluation.protocols.protocol import Figures
from facedistill.evaluation.sweep import Embed
from facedistill.faces import recrop
from facedistill.report import sweep_table


def fitted(embed: Embed, size: tuple[int, int]) -> Embed:
    """`embed` for crops of every convention: those of another size than the model's are cropped anew."""

    def embed_any(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return embed(crops if crops.shape[1:3] == size else np.stack([recrop(crop, size) for crop in crops]))

    return embed_any


def sweep_tables(title: str, figures: Figures) -> list[Table]:
    """The table of a sweep, and that of its groups where there are any."""
    tables = [sweep_table(title, {name: cell for name, cell in figures.items() if name != GROUPS})]
    return [*tables, groups_table(f"{title}, by group", figures[GROUPS])] if GROUPS in figures else tables
