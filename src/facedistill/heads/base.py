"""What every head is: class centres, and a rule that turns an embedding into class scores."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from facedistill.errors import UsageError
from facedistill.numerics import at_least_float32
from facedistill.registry import check_count


class Head(nn.Module):
    """Embedding [B, D] and labels [B] -> logits [B, C], scaled and with the margin: ready for cross-entropy.

    Always computed in float32 (or float64), whatever autocast says: a margin of 0.35 on a cosine
    and a scale of 64 do not survive bfloat16's eight bits.

    Attributes:
        name: The head's name in the registry.
        classes: Number of classes C.
        embedding_size: Length D of the embedding.
        options: The other arguments that rebuild it.
        weight: The class centres, [C, D].
    """

    name: ClassVar[str]

    def __init__(self, embedding_size: int, classes: int, **options: Any) -> None:
        super().__init__()
        self.embedding_size = check_count("embedding_size", embedding_size)
        self.classes = check_count("classes", classes)
        self.options = options
        self.weight = nn.Parameter(torch.empty(classes, embedding_size))
        nn.init.xavier_normal_(self.weight)

    def forward(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The training logits [B, C]; here those without margin.

        Raises:
            UsageError: A shape is wrong or a label is not in 0..C-1.
        """
        self._check_labels(embedding, labels)
        return self.scores(embedding)

    def scores(self, embedding: Tensor) -> Tensor:
        """The logits [B, C] without margin: what a soft-label loss compares.

        Raises:
            UsageError: The embedding is not [B, D].
        """
        if embedding.ndim != 2 or embedding.shape[1] != self.embedding_size:
            raise UsageError(
                f"head {self.name!r}: embedding must be [B, {self.embedding_size}], not {list(embedding.shape)}"
            )
        with torch.autocast(embedding.device.type, enabled=False):
            return self.plain_scores(at_least_float32(embedding), at_least_float32(self.weight))

    def plain_scores(self, embedding: Tensor, weight: Tensor) -> Tensor:
        """The scores of a checked embedding [B, D] against centres [C, D], both at least float32."""
        raise NotImplementedError

    if TYPE_CHECKING:

        def __call__(self, embedding: Tensor, labels: Tensor) -> Tensor:
            """`forward`, typed."""

    def _check_labels(self, embedding: Tensor, labels: Tensor) -> None:
        if labels.ndim != 1 or labels.shape[0] != embedding.shape[0] or labels.dtype != torch.int64:
            raise UsageError(
                f"head {self.name!r}: labels must be int64 [{embedding.shape[0]}], "
                f"not {str(labels.dtype).removeprefix('torch.')} {list(labels.shape)}"
            )
        if len(labels):
            # One pass over B numbers; on a GPU one small copy, far clearer than its assertion on bad indices.
            least, most = torch.stack(labels.aminmax()).tolist()
            if least < 0 or most >= self.classes:
                wrong = least if least < 0 else most
                raise UsageError(f"head {self.name!r}: label {wrong} is not one of its classes 0..{self.classes - 1}")


HEADS: dict[str, type[Head]] = {}

H = TypeVar("H", bound=Head)


def register(name: str) -> Callable[[type[H]], type[H]]:
    """Class decorator: enters a head in the registry under `name`."""

    def enter(head: type[H]) -> type[H]:
        head.name = name
        HEADS[name] = head
        return head

    return enter
