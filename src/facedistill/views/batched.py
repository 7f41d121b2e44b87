"""Views of a batch on any device. Loads torch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from facedistill.errors import UsageError
from facedistill.variance.batched import sample
from facedistill.views.cut import Cut, Matrix, points_on
from facedistill.views.part import Context, PixelPart, ViewPart, Warp

D = TypeVar("D")


def cut_out(
    pictures: Tensor, matrices: Sequence[Matrix], warps: Sequence[tuple[Warp[Any], Sequence[Any]]], cut: Cut
) -> Tensor:
    """Moves, warps and cuts pictures in one bilinear interpolation; the border is repeated outwards.

    Args:
        pictures: float32 [N, C, H, W].
        matrices: N matrices, each picture's whole geometry.
        warps: Warps, each with N draws; None where it does not warp a picture.
        cut: What is cut out of each.

    Returns:
        float32 [N, C, cut.height, cut.width].
    """
    height, width = pictures.shape[2:]
    device = pictures.device
    places = points_on(cut, height, width, device)
    displaced = places.repeat(len(pictures), 1, 1, 1)
    for warp, draws in warps:
        index, drawn = _drawn(draws, device)
        if drawn:
            moved = warp.displace_batch(places, drawn)
            displaced.index_add_(0, index, _checked(warp, moved, (len(drawn), *places.shape)))
    back = torch.tensor(np.linalg.inv(np.stack(matrices))[:, :2], dtype=torch.float32, device=device)
    pixels = displaced * torch.tensor([width, height], device=device) - 0.5
    return sample(pictures, pixels @ back[:, None, :, :2].mT + back[:, None, None, :, 2])


def change_pixels(
    pictures: Tensor, part: PixelPart[Any], draws: Sequence[Any], partners: Tensor | None, context: Context[Tensor]
) -> Tensor:
    """Changes those pictures that something is drawn for, and cuts off at 0 and 255.

    Args:
        pictures: float32 [N, 3, h, w]; overwritten.
        part: What changes them.
        draws: N draws or None.
        partners: float32 [N, 3, h, w], crops of second faces; used only where the part needs them.
        context: The context without a second face.
    """
    index, drawn = _drawn(draws, pictures.device)
    if not drawn:
        return pictures
    if part.needs_partner and partners is not None:
        context = replace(context, second=partners[index])
    changed = part.change_batch(pictures[index], drawn, context)
    return pictures.index_copy_(0, index, _checked(part, changed, (len(drawn), *pictures.shape[1:])).clamp(0, 255))


def _checked(part: ViewPart[Any], given: Any, shape: tuple[int, ...]) -> Tensor:
    """Refuses what a part of another package may give; ours are not waited for to look for what is not finite."""
    foreign = not type(part).__module__.startswith("facedistill.")
    right = isinstance(given, Tensor) and given.shape == shape and given.is_floating_point()
    if isinstance(given, Tensor) and right and not (foreign and not torch.isfinite(given.sum())):
        return given
    found = f"{given.dtype} {list(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
    raise UsageError(f"views: {type(part).__name__} gives {found} for a batch, not {list(shape)} of finite numbers")


def _drawn(draws: Sequence[D | None], device: torch.device) -> tuple[Tensor, list[D]]:
    """The places where something is drawn, int64 [n], and what."""
    places = [place for place, drawn in enumerate(draws) if drawn is not None]
    return torch.tensor(places, device=device), [drawn for drawn in draws if drawn is not None]
