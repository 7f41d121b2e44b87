"""What the batched variances share: which crops of a batch are changed, and warps. Loads torch."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - as everybody calls it

from facedistill.errors import UsageError
from facedistill.variance.checks import LUMA, Crop

D = TypeVar("D")
T = TypeVar("T")


def check_crops(crops: Tensor) -> None:
    """Raises UsageError unless `crops` is uint8 or float32 [B, 3, H, W] and its crops are not empty."""
    if not isinstance(crops, Tensor):
        raise UsageError(f"a batch of crops must be a tensor [B, 3, H, W], got {type(crops).__name__}")
    fits = crops.ndim == 4 and crops.shape[1] == 3 and crops.shape[2] and crops.shape[3]
    if crops.dtype not in (torch.uint8, torch.float32) or not fits:
        raise UsageError(
            f"a batch of crops must be uint8 or float32 [B, 3, H, W], got {crops.dtype} {list(crops.shape)}"
        )


def grey_levels(pictures: Tensor) -> Tensor:
    """Rounds to whole numbers, halves to even ones, and cuts off at 0 and 255."""
    return pictures.round().clamp(0, 255)


def without_colour(pictures: Tensor) -> Tensor:
    """The brightness of [N, 3, H, W] in all three channels."""
    red, green, blue = pictures.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)[:, None].expand_as(pictures)


@torch.no_grad()
def change_drawn(crops: Tensor, draws: Sequence[D | None], change: Callable[[Tensor, Sequence[D]], Tensor]) -> Tensor:
    """The batch with those crops changed that something is drawn for.

    Args:
        crops: uint8 or float32 [B, 3, H, W].
        draws: One a crop, or None.
        change: From float32 [N, 3, H, W] and its N draws to the changed crops in fractions of grey levels.

    Returns:
        [B, 3, H, W] of the same type; `crops` itself where nothing is drawn.

    Raises:
        UsageError: `crops` is no such batch, or there are not as many draws as crops.
    """
    check_crops(crops)
    if len(draws) != len(crops):
        raise UsageError(f"{len(crops)} crops need as many draws, got {len(draws)}")
    places = [place for place, drawn in enumerate(draws) if drawn is not None]
    if not places:
        return crops
    index = torch.tensor(places, device=crops.device)
    # Half precision has no 256 grey levels: a surrounding autocast must not reach in here.
    with torch.autocast(crops.device.type, enabled=False):
        changed = change(crops[index].float().contiguous(), [drawn for drawn in draws if drawn is not None])
    return crops.index_copy(0, index, grey_levels(changed).to(crops.dtype))


def column(values: Sequence[float] | NDArray[np.float64], like: Tensor) -> Tensor:
    """One number a crop as float32 [N, 1, 1, 1] on the device of `like`."""
    return torch.tensor(np.asarray(values, dtype=np.float32), device=like.device)[:, None, None, None]


def on_cpu(crops: Tensor, changes: Sequence[Callable[[Crop], Crop]]) -> Tensor:
    """Each crop through its own function of uint8 [H, W, 3]; float32 [N, 3, H, W] on the device of `crops`."""
    pictures = grey_levels(crops).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    changed = np.stack(in_threads(lambda change, picture: change(picture), changes, pictures))
    return torch.from_numpy(changed).to(crops.device).permute(0, 3, 1, 2).float()


def in_threads(work: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """What `work` gives for each of the arguments, in their order; for OpenCV, which lets other threads run."""
    # Anew each time: threads that are kept would be missing in a process that is forked later.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return list(threads.map(work, *arguments))


def warp(crops: Tensor, matrices: NDArray[np.float64], height: int, width: int) -> Tensor:
    """Moves each crop by a matrix, bilinearly; the border is repeated outwards.

    Args:
        crops: float32 [N, 3, H, W].
        matrices: float64 [N, 2, 3]; from pixels (x, y) of the crop to those of the answer, centres at whole numbers.
        height: Rows of the answer.
        width: Columns of the answer.

    Returns:
        float32 [N, 3, height, width].
    """
    whole = np.concatenate([matrices, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(matrices), 1, 3))], axis=1)
    back = torch.tensor(np.linalg.inv(whole)[:, :2], dtype=torch.float32, device=crops.device)  # [N, 2, 3]
    y = torch.arange(height, dtype=torch.float32, device=crops.device)[:, None]
    x = torch.arange(width, dtype=torch.float32, device=crops.device)
    across, down, offset = (back[:, :, column][:, None, None] for column in range(3))  # [N, 1, 1, 2] each
    return sample(crops, across * x[:, None] + down * y[..., None] + offset)


def sample(crops: Tensor, points: Tensor) -> Tensor:
    """The crops' values at points, bilinearly; the border is repeated outwards.

    Args:
        crops: float32 [N, C, H, W].
        points: float32 [N, h, w, 2], (x, y) in pixels of the crop, centres at whole numbers.

    Returns:
        float32 [N, C, h, w].
    """
    size = torch.tensor(crops.shape[:1:-1], dtype=torch.float32, device=crops.device)  # (W, H)
    return F.grid_sample(crops, (2 * points + 1) / size - 1, padding_mode="border", align_corners=False)
