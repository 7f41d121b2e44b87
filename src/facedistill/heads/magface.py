"""A margin that grows with the embedding's length, and a pull that lengthens the embeddings of good pictures."""

from torch import Tensor

from facedistill.errors import UsageError
from facedistill.heads.base import lengths, register
from facedistill.heads.margins import CosineHead, add_angle
from facedistill.registry import check_number


@register("magface")
class MagFace(CosineHead):
    """MagFace (Meng et al. 2021): cos(theta + m(a)), a = |e| held within shortest..longest; plus weight * mean g(a).

    m(a) rises linearly from least to most; g(a) = 1 / a + a / longest^2. The guard beyond pi is ArcFace's; the
    authors' code leaves the margin out where cos(theta) < 0. Outside shortest..longest neither term moves the length.
    The defaults are the authors' for MS1MV2.

    Args:
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        scale: s, above 0.
        least: The margin at `shortest`, in radians, above 0.
        most: The margin at `longest`, above `least`.
        shortest: Least length that counts, above 0.
        longest: Greatest length that counts, above `shortest`.
        weight_of_length: Weight of g, above 0.
    """

    def __init__(
        self,
        embedding_size: int,
        classes: int,
        scale: float = 64.0,
        least: float = 0.45,
        most: float = 0.8,
        shortest: float = 10.0,
        longest: float = 110.0,
        weight_of_length: float = 35.0,
    ) -> None:
        self.least = check_number("least of the head 'magface'", least, above=0)
        self.most = check_number("most of the head 'magface'", most, above=0)
        self.shortest = check_number("shortest of the head 'magface'", shortest, above=0)
        self.longest = check_number("longest of the head 'magface'", longest, above=0)
        self.weight_of_length = check_number("weight_of_length of the head 'magface'", weight_of_length, above=0)
        for low, high in (("least", "most"), ("shortest", "longest")):
            smaller, larger = getattr(self, low), getattr(self, high)
            if larger <= smaller:
                raise UsageError(f"{high} of the head 'magface' is {larger}; it must be above {low}, {smaller}")
        super().__init__(
            embedding_size,
            classes,
            scale,
            least=self.least,
            most=self.most,
            shortest=self.shortest,
            longest=self.longest,
            weight_of_length=self.weight_of_length,
        )

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """cos(theta + m(a)), or its continuation beyond pi."""
        share = (length.clamp(self.shortest, self.longest) - self.shortest) / (self.longest - self.shortest)
        return add_angle(cosine, self.least + share * (self.most - self.least))

    def regulariser(self, embedding: Tensor) -> Tensor | None:
        """weight_of_length * mean g(a)."""
        length = lengths(embedding).clamp(self.shortest, self.longest)
        return self.weight_of_length * (1 / length + length / self.longest**2).mean()
