"""A margin that grows with the embedding's length, and a pull that lengthens the embeddings of good pictures."""

from torch import Tensor

from facedistill.checks import check_number
from facedistill.errors import UsageError
from facedistill.heads.base import lengths, register
from facedistill.heads.margins import CosineHead, add_angle


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
        given = {"least": least, "most": most, "shortest": shortest, "longest": longest}
        given["weight_of_length"] = weight_of_length
        options = {key: check_number(f"{key} of the head 'magface'", value, above=0) for key, value in given.items()}
        for low, high in (("least", "most"), ("shortest", "longest")):
            smaller, larger = options[low], options[high]
            if larger <= smaller:
                raise UsageError(f"{high} of the head 'magface' is {larger}; it must be above {low}, {smaller}")
        super().__init__(embedding_size, classes, scale, **options)
        self.least, self.most, self.shortest, self.longest, self.weight_of_length = options.values()

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """cos(theta + m(a)), or its continuation beyond pi."""
        share = (length.clamp(self.shortest, self.longest) - self.shortest) / (self.longest - self.shortest)
        return add_angle(cosine, self.least + share * (self.most - self.least))

    def regulariser(self, embedding: Tensor) -> Tensor | None:
        """weight_of_length * mean g(a)."""
        length = lengths(embedding).clamp(self.shortest, self.longest)
        return self.weight_of_length * (1 / length + length / self.longest**2).mean()
