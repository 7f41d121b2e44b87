"""Views: what teacher and student are shown, drawn anew each time a picture is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.variance.checks import Crop, check_crop
from facedistill.views.checks import (
    check_partner,
    checked_displacement,
    checked_extremes,
    checked_furthest,
    checked_matrix,
    checked_picture,
    checked_share,
)
from facedistill.views.cut import Cut, Matrix, points
from facedistill.views.part import Context, Geometry, Picture, PixelPart, ViewPart, Warp

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_FACE = 0.5
_SIDE = 112  # of the picture on which it is checked that a face is left


class Draws(NamedTuple):
    """What is drawn for one picture.

    Attributes:
        size: (height, width) of the picture that it is drawn for.
        matrix: float64 [3, 3], the geometry, from pixels (x, y, 1) of the picture to those of the viewed one; landmarks
            follow it unless the view has a warp.
        parts: What each part of the view has drawn, in its order; None where it leaves the picture as it is.
        share: Share of the first face in what is shown: 1 for one face; above 1 where it is extrapolated.
        needs_partner: Whether a second face is needed.
    """

    size: tuple[int, int]
    matrix: Matrix
    parts: tuple[Any, ...]
    share: float
    needs_partner: bool


class View(NamedTuple):
    """One view.

    Attributes:
        picture: uint8 [h, w, 3].
        share: As in `Draws`.
    """

    picture: Crop
    share: float


class ViewBatch(NamedTuple):
    """Views of a batch.

    Attributes:
        pictures: [B, 3, h, w], of the type that was given, in whole grey levels.
        share: float32 [B], as in `Draws`.
    """

    pictures: "Tensor"
    share: "Tensor"


@dataclass(frozen=True)
class Views:
    """Shows pictures in other ways; the same draws give the same view on numpy and on torch.

    All geometry is one matrix, and warps act in the same interpolation. What changes pixels comes after it, in its
    order. A crop may be cut out of the viewed picture in the very interpolation, so that nets of several crops are
    shown one view.

    The two versions are at most 2 grey levels apart where neighbouring pixels differ by 4 at most: OpenCV may find
    places to a 32nd pixel only, and contrast and gamma stretch what that makes.

    Attributes:
        parts: Geometry, warps and what changes pixels; none at all shows the pictures as they are.

    Raises:
        UsageError: A part is none, a kind of geometry is there twice, or geometry and warps at their ends leave less
            than half of the face in the picture.
    """

    parts: Sequence[ViewPart[Any]] = ()

    def __post_init__(self) -> None:
        for part in self.parts:
            if not isinstance(part, Geometry | Warp | PixelPart):
                raise UsageError(f"views: {part!r} is no part; derive it from Geometry, Warp or PixelPart")
        geometry = [part for part in self.parts if isinstance(part, Geometry)]
        names = [type(part).__name__.lower() for part in geometry]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"views: {twice[0]} is there twice; name it once")
        warps = [part for part in self.parts if isinstance(part, Warp)]
        displaced = sum(checked_furthest(warp) for warp in warps)
        ends = product(*(checked_extremes(part, part.extremes(_SIDE, _SIDE)) for part in geometry))
        left = min(_face_left(_product(matrices), displaced) for matrices in ends)
        if left < _LEAST_FACE:
            names += [type(warp).__name__.lower() for warp in warps]
            raise UsageError(
                f"views: {', '.join(names)} together may leave {left:.0%} of the face in the picture, and at least "
                f"{_LEAST_FACE:.0%} is needed; narrow their ranges"
            )

    @property
    def needs_partner(self) -> bool:
        """Whether some of the views need a second face."""
        return any(part.needs_partner for part in self.parts)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Draws:
        """Draws a view of a picture of `height` x `width` pixels; each part draws in its turn."""
        drawn = tuple(part.draw(rng, height, width) for part in self.parts)
        matrices, share, needs_partner = [], 1.0, False
        for part, value in zip(self.parts, drawn, strict=True):
            if value is None:
                continue
            needs_partner |= part.needs_partner
            if isinstance(part, Geometry):
                matrices.append(checked_matrix(part, value, "draws"))
            elif isinstance(part, PixelPart):
                share *= checked_share(part, part.share(value))
        return Draws((height, width), _product(matrices), drawn, float(share), needs_partner)

    def apply(self, picture: Crop, partner: Crop | None, draws: Draws, cut: Cut | None = None) -> View:
        """The view of one picture.

        Args:
            picture: uint8 [H, W, 3].
            partner: uint8 [H, W, 3], a second face; None where `draws` need none.
            draws: What `draw` gave for this size.
            cut: What is cut out of the viewed picture; None is all of it.

        Raises:
            UsageError: A picture is none or of another size than the draws, or a partner is needed and missing.
        """
        check_crop(picture)
        if draws.needs_partner:
            check_partner(None if partner is None else partner.shape, picture.shape)
        height, width = picture.shape[:2]
        check_size([draws], height, width)
        cut = cut or Cut.whole(height, width)
        first = self._cut_out(picture, draws, cut)
        second = None if partner is None or not draws.needs_partner else self._cut_out(partner, draws, cut)
        context = Context(second, cut, height, width)
        for part, drawn in zip(self.parts, draws.parts, strict=True):
            if isinstance(part, PixelPart) and drawn is not None:
                first = checked_picture(part, part.change(first, drawn, context), first.shape).clip(0, 255)
        return View(np.rint(first).clip(0, 255).astype(np.uint8), draws.share)

    def apply_batch(
        self, pictures: "Tensor", partners: "Tensor | None", draws: Sequence[Draws], cut: Cut | None = None
    ) -> ViewBatch:
        """The views of a batch, on the device where the pictures are.

        Args:
            pictures: uint8 or float32 [B, 3, H, W], 0..255, RGB.
            partners: The same of second faces; what lies where the draws need none is not used. None where none do.
            draws: What `draw` gave for each.
            cut: What is cut out of each viewed picture; None is all of it.

        Raises:
            UsageError: A batch is none or has another size than the draws, there are not as many draws as pictures, or
                partners are missing.
        """
        import torch

        from facedistill.variance.batched import check_crops, grey_levels
        from facedistill.views import batched

        check_crops(pictures)
        if len(draws) != len(pictures):
            raise UsageError(f"{len(pictures)} pictures need as many draws, got {len(draws)}")
        blended = [place for place, drawn in enumerate(draws) if drawn.needs_partner]
        if blended:
            check_partner(None if partners is None else partners.shape, pictures.shape)
        height, width = pictures.shape[2:]
        check_size(draws, height, width)
        cut = cut or Cut.whole(height, width)
        with torch.no_grad(), torch.autocast(pictures.device.type, enabled=False):
            first = self._cut_out_batch(pictures.float(), draws, cut)
            second = None
            if partners is not None and blended:
                index = torch.tensor(blended, device=pictures.device)
                seconds = self._cut_out_batch(partners[index].float(), [draws[place] for place in blended], cut)
                second = torch.zeros_like(first).index_copy_(0, index, seconds)
            context: Context[Tensor] = Context(None, cut, height, width)
            for place, part in enumerate(self.parts):
                if isinstance(part, PixelPart):
                    own = [drawn.parts[place] for drawn in draws]
                    first = batched.change_pixels(first, part, own, second, context)
            share = torch.tensor([drawn.share for drawn in draws], dtype=torch.float32, device=pictures.device)
            return ViewBatch(grey_levels(first).to(pictures.dtype), share)

    def _warps(self, parts: Sequence[Any]) -> list[tuple[Warp[Any], Any]]:
        pairs = zip(self.parts, parts, strict=True)
        return [(part, drawn) for part, drawn in pairs if isinstance(part, Warp) and drawn is not None]

    def _cut_out(self, picture: Crop, draws: Draws, cut: Cut) -> Picture:
        height, width = picture.shape[:2]
        values = picture.astype(np.float32, order="C")
        border = cv2.BORDER_REPLICATE
        if not (warps := self._warps(draws.parts)):
            matrix = cut.matrix @ draws.matrix
            if cut.is_whole(height, width) and (matrix == np.eye(3)).all():
                return values
            size = (cut.width, cut.height)
            return np.asarray(
                cv2.warpAffine(values, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=border), np.float32
            )
        places = points(cut, height, width)
        moved = [checked_displacement(warp, warp.displace(places, drawn), places.shape) for warp, drawn in warps]
        places = places + sum(moved)
        back = np.linalg.inv(draws.matrix)
        pixels = ((places * (width, height) - 0.5) @ back[:2, :2].T + back[:2, 2]).astype(np.float32)
        x, y = np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])
        return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=border), np.float32)

    def _cut_out_batch(self, pictures: "Tensor", draws: Sequence[Draws], cut: Cut) -> "Tensor":
        from facedistill.views import batched

        warps = [
            (part, [drawn.parts[place] for drawn in draws])
            for place, part in enumerate(self.parts)
            if isinstance(part, Warp)
        ]
        matrices = [drawn.matrix for drawn in draws]
        unmoved = not warps and all((matrix == np.eye(3)).all() for matrix in matrices)
        if unmoved and cut.is_whole(*pictures.shape[2:]):
            return pictures.clone()
        return batched.cut_out(pictures, matrices, warps, cut)


def check_size(draws: Sequence[Draws], height: int, width: int) -> None:
    """Raises UsageError unless all are drawn for pictures of this size."""
    other = next((drawn.size for drawn in draws if drawn.size != (height, width)), None)
    if other is not None:
        raise UsageError(f"a view drawn for {other[0]}x{other[1]} (height x width) cannot be of {height}x{width}")


def _product(matrices: Sequence[Matrix]) -> Matrix:
    """Geometry in its order as one matrix."""
    product_: Matrix = np.eye(3)
    for matrix in matrices:
        product_ = matrix @ product_
    return product_


def _face_left(matrix: Matrix, displaced: float) -> float:
    """The part of the picture's middle half, where the face is, that stays in the picture; 0..1.

    Args:
        matrix: The geometry.
        displaced: How far places may be displaced besides, a fraction of the picture's sides; the worst direction
            counts.
    """
    ends: NDArray[np.float64] = np.linspace(0.25, 0.75, 21) * _SIDE - 0.5
    x, y = np.meshgrid(ends, ends)
    moved = matrix[:2] @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    corners = displaced * _SIDE * np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])[:, :, None]
    inside = (moved + corners >= -0.5) & (moved + corners <= _SIDE - 0.5)
    return float(inside.all(axis=1).mean(axis=1).min())
