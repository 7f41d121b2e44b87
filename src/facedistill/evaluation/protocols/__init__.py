"""Evaluation on whatever lies on disk: the ORL faces, a face set, a verification file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import align_faces, load_orl, open_face_set, read_bin
from facedistill.evaluation.sweep import Crop, Embed, SweepResult, readable, sweep, sweep_pairs
from facedistill.faces import recrop

ORL = "orl"


def evaluate(embed: Embed, on: str | Path = ORL, size: tuple[int, int] = (112, 96)) -> dict[str, SweepResult]:
    """Sweeps a model over the resolutions, on a named set or a path.

    Args:
        embed: uint8 [B, height, width, 3] -> [B, D].
        on: "orl" (all 40 people, aligned from the native pictures), a face set's folder, or a `.bin` file, whose
            pairs keep their order and 10 folds while the second picture of each is degraded.
        size: (height, width) of the crops the model takes; pictures of another crop convention are cropped anew.

    Returns:
        {name of the set: what `sweep` or `sweep_pairs` gives}. Pictures that cannot be read or in which no face was
        found are left out and counted in `fte`; of a `.bin` file, the pairs that hold one.

    Raises:
        UsageError: There is no such set, or its pictures are of no crop convention.
        FacedistillError: The set is damaged, or too little of it is left to measure anything.
    """
    if on == ORL:
        aligned = align_faces(load_orl(), size)
        return {ORL: sweep(embed, aligned.faces, failed=len(aligned.failed))}

    def embed_any(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        fitting = crops if crops.shape[1:3] == size else np.stack([recrop(crop, size) for crop in crops])
        return embed(fitting)

    path = Path(on)
    if path.suffix == ".bin":
        return {path.stem: _evaluate_bin(embed_any, path)}
    return {path.resolve().name: sweep(embed_any, open_face_set(path))}


def _evaluate_bin(embed: Embed, path: Path) -> SweepResult:
    pairs = read_bin(path)

    def pair(index: int) -> tuple[Crop, Crop, bool]:
        return pairs.image(int(pairs.first[index])), pairs.image(int(pairs.second[index])), bool(pairs.same[index])

    first, second, same = zip(*readable(pair, len(pairs), str(path)), strict=True)
    return sweep_pairs(embed, first, second, np.array(same), failed=len(pairs) - len(same))
