"""What a camera does to a small face: all of it at the low resolution, before the picture is enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number, check_range
from facedistill.errors import UsageError
from facedistill.pictures import encode_picture
from facedistill.variance.checks import Crop, as_crop
from facedistill.variance.drawn import DrawnVariance
from facedistill.variance.placement import Placement, move
from facedistill.variance.resample import SmallSize, columns_of, enlarge, enlarge_batch, shrink, shrink_batch

if TYPE_CHECKING:
    from torch import Tensor

_MOTION = (0.5, 2.0)  # length in low-resolution pixels
_TAPS = 7  # places on the way of a motion; a third of a low-resolution pixel apart at most, whose area smooths them
_SIGMA_STEP = 0.05  # widths are drawn in steps, so that a batch finds their matrices made


class Shot(NamedTuple):
    """What is drawn for one crop.

    Attributes:
        size: Rows and columns of the small picture, and width of the blur.
        placement: How the face is misaligned, or None.
        motion: float64 [2], the way in x and y during the exposure, in low-resolution pixels; None without.
        exposure: Factor on all levels.
        noise: float32 [rows, columns, 3], in grey levels.
        quality: Of JPEG, 1..100.
    """

    size: SmallSize
    placement: Placement | None
    motion: NDArray[np.float64] | None
    exposure: float
    noise: NDArray[np.float32]
    quality: int


@dataclass(frozen=True)
class Camera(DrawnVariance[Shot]):
    """Shows a share of the crops as a camera sees a small face.

    In this order: landmarks that are off, blur by defocus or by motion, shrinking by area, exposure, noise, 8 bits,
    JPEG of the small picture, bicubic enlarging.

    Attributes:
        rows: (least, most) rows of the small picture, drawn uniformly in their logarithm; at most the crop's own.
            Columns follow in proportion, rounded.
        probability: Share of the crops that are changed.
        sigma: (least, most) width of the Gaussian blur in low-resolution pixels, drawn uniformly.
        motion: Share of the changed crops that are blurred along a line of .5..2 low-resolution pixels instead.
        misaligned: Share of the changed crops that are misaligned.
        angle: Their turn is drawn from -angle..angle; degrees.
        scale: Their scale is drawn from 1 - scale..1 + scale.
        shift: Their shift in x and in y is drawn from -shift..shift; a fraction of the crop's width and height.
        exposure: (least, most) factor on all levels, drawn uniformly.
        noise: (least, most) standard deviation of Gaussian noise in grey levels, drawn uniformly.
        quality: (least, most) JPEG quality, whole numbers in 1..100, each as likely as the others.
    """

    rows: Sequence[int] = (7, 44)
    probability: float = 0.65
    sigma: Sequence[float] = (0.1, 0.9)
    motion: float = 0.25
    misaligned: float = 0.5
    angle: float = 3.0
    scale: float = 0.03
    shift: float = 0.022
    exposure: Sequence[float] = (0.6, 1.2)
    noise: Sequence[float] = (0.0, 8.0)
    quality: Sequence[int] = (45, 95)

    def __post_init__(self) -> None:
        check_range("camera: rows", self.rows, 1, 10_000)
        check_range("camera: quality", self.quality, 1, 100)
        for name in ("rows", "quality"):
            if not all(isinstance(end, int) for end in getattr(self, name)):
                raise UsageError(f"camera: {name} must be two whole numbers, got {getattr(self, name)!r}")
        for name in ("probability", "motion", "misaligned"):
            check_number(f"camera: {name}", getattr(self, name), 0, 1)
        check_range("camera: sigma", self.sigma, 0, 10)
        check_number("camera: angle", self.angle, 0, 180)
        check_number("camera: scale", self.scale, 0, 0.9)
        check_number("camera: shift", self.shift, 0, 0.5)
        check_range("camera: exposure", self.exposure, 0.05, 20)
        check_range("camera: noise", self.noise, 0, 255)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Shot | None:
        """Draws everything for a crop of `height` x `width` pixels."""
        if rng.random() >= self.probability:
            return None
        rows = int(np.exp(rng.uniform(np.log(self.rows[0]), np.log(self.rows[1] + 1))))
        rows = min(max(rows, self.rows[0]), self.rows[1], height)
        size = SmallSize(rows, columns_of(rows, height, width), self._draw_sigma(rng))
        motion = self._draw_motion(rng)
        if motion is not None:
            size = size._replace(sigma=0.0)
        placement = self._draw_placement(rng)
        exposure = rng.uniform(self.exposure[0], self.exposure[1])
        level = np.float32(rng.uniform(self.noise[0], self.noise[1]))
        noise = level * rng.standard_normal((size.rows, size.columns, 3), dtype=np.float32)
        quality = int(rng.integers(self.quality[0], self.quality[1], endpoint=True))
        return Shot(size, placement, motion, exposure, noise, quality)

    def rows_left(self, draws: Shot) -> int:
        """Those of the small picture."""
        return draws.size.rows

    def change(self, crop: Crop, draws: Shot) -> Crop:
        """Photographs uint8 [H, W, 3]."""
        height, width = crop.shape[:2]
        picture = crop.astype(np.float32, order="C")  # OpenCV cannot write into the order that a view may have
        if draws.placement is not None or draws.motion is not None:
            taps = [move(picture, matrix) for matrix in _taps(draws, height, width)]
            picture = sum(taps[1:], start=taps[0]) / np.float32(len(taps))
        small = np.float32(draws.exposure) * shrink(picture, draws.size) + draws.noise
        levels = np.rint(small).clip(0, 255).astype(np.uint8)
        return enlarge(compress_small(levels, draws.quality), height, width)

    def change_batch(self, crops: "Tensor", draws: Sequence[Shot]) -> "Tensor":
        """Photographs float32 [N, 3, H, W]; JPEG runs on the CPU.

        Within one grey level of `change` in 99.8 % of all values where neighbouring pixels differ by 4 at most. Where a
        value of the small picture is rounded otherwise, JPEG may move its whole block; and OpenCV may find the places
        of a misaligned face to a 32nd pixel only.
        """
        from facedistill.variance.batched import column, grey_levels

        height, width = crops.shape[2:]
        sizes = [drawn.size for drawn in draws]
        small = shrink_batch(_moved(crops, draws), sizes) * column([drawn.exposure for drawn in draws], crops)
        small = grey_levels(small + _noise(draws, small))
        return enlarge_batch(_compressed(small, draws), sizes, height, width)

    def _draw_sigma(self, rng: np.random.Generator) -> float:
        drawn = rng.uniform(self.sigma[0], self.sigma[1])
        return float(np.clip(round(drawn / _SIGMA_STEP) * _SIGMA_STEP, self.sigma[0], self.sigma[1]))

    def _draw_motion(self, rng: np.random.Generator) -> NDArray[np.float64] | None:
        moves, length, turn = rng.random() < self.motion, rng.uniform(*_MOTION), rng.uniform(0, np.pi)
        return length * np.array([np.cos(turn), np.sin(turn)]) if moves else None

    def _draw_placement(self, rng: np.random.Generator) -> Placement | None:
        if rng.random() >= self.misaligned:
            return None
        angle = rng.uniform(-self.angle, self.angle)
        scale = rng.uniform(1 - self.scale, 1 + self.scale)
        return Placement(angle, scale, rng.uniform(-self.shift, self.shift, 2))


def compress_small(picture: Crop, quality: int) -> Crop:
    """uint8 [h, w, 3] after JPEG; our own bytes need not be decoded as safely, and so slowly, as a stranger's."""
    coded = np.frombuffer(encode_picture(picture, ".jpg", quality), dtype=np.uint8)
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None, "JPEG that OpenCV has just written"
    return as_crop(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def _taps(draws: Shot, height: int, width: int) -> NDArray[np.float64]:
    """Where the face is during the exposure: float64 [1 or `_TAPS`, 2, 3], matrices on pixels of the crop."""
    matrix = np.eye(3)[:2] if draws.placement is None else draws.placement.matrix(height, width)
    if draws.motion is None:
        return matrix[None]
    way = draws.motion * (width / draws.size.columns, height / draws.size.rows)
    taps = np.repeat(matrix[None], _TAPS, axis=0)
    taps[:, :, 2] += ((np.arange(_TAPS) + 0.5) / _TAPS - 0.5)[:, None] * way
    return taps


def _moved(crops: "Tensor", draws: Sequence[Shot]) -> "Tensor":
    """The crops as the small picture sees them: misaligned and in motion, float32 [N, 3, H, W]."""
    import torch

    from facedistill.variance.batched import warp

    height, width = crops.shape[2:]
    # Misaligned faces have one place, those in motion several; each kind is one warp.
    for still in (True, False):
        places = [
            place
            for place, drawn in enumerate(draws)
            if (drawn.motion is None) == still and not (still and drawn.placement is None)
        ]
        if not places:
            continue
        index = torch.tensor(places, device=crops.device)
        taps = np.stack([_taps(draws[place], height, width) for place in places])
        picked = crops[index].repeat_interleave(taps.shape[1], dim=0)
        moved = warp(picked, taps.reshape(-1, 2, 3), height, width)
        crops = crops.index_copy(0, index, moved.view(*taps.shape[:2], *crops.shape[1:]).mean(1))
    return crops


def _noise(draws: Sequence[Shot], small: "Tensor") -> "Tensor":
    """The noise of each in its corner of `small`, [N, 3, R, C]."""
    import torch

    noise = np.zeros((len(draws), *small.shape[2:], 3), dtype=np.float32)
    for own, drawn in zip(noise, draws, strict=True):
        own[: drawn.size.rows, : drawn.size.columns] = drawn.noise
    return torch.from_numpy(noise).to(small.device).permute(0, 3, 1, 2)


def _compressed(small: "Tensor", draws: Sequence[Shot]) -> "Tensor":
    """Each small picture, in its corner of [N, 3, R, C], after JPEG."""
    import torch

    from facedistill.variance.batched import in_threads

    pictures = np.ascontiguousarray(small.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())

    def compress(picture: Crop, drawn: Shot) -> None:
        own = picture[: drawn.size.rows, : drawn.size.columns]
        own[:] = compress_small(own, drawn.quality)

    in_threads(compress, pictures, draws)
    return torch.from_numpy(pictures).to(small.device).permute(0, 3, 1, 2).float()
