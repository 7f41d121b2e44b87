"""What every head is: class centres, and a rule that turns an embedding into class scores."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from facedistill.checks import check_count
from facedistill.errors import UsageError
from facedistill.numerics import at_least_float32
from facedistill.processes import all_gather
from facedistill.registry import Registry


class Head(nn.Module):
    """Embedding [B, D] and labels [B] -> logits [B, C], scaled and with the margin: ready for cross-entropy.

    Always computed in float32 (or float64), also under autocast: a margin of 0.35 on a cosine
    and a scale of 64 do not survive bfloat16's eight bits.

    A head is written in parts, each of which needs but some of the classes, so that `sharded` can part them among
    processes: `plain_scores`, then `own_logit` for the face's own class and `other_logits` for the rest; `observe`
    sees the whole batch of all processes, in training mode only.

    Attributes:
        name: The head's name in the registry, or the `package.module:Class` it was built by.
        classes: Number of classes C.
        embedding_size: Length D of the embedding.
        options: The other arguments that rebuild it.
        weight: The class centres, [C, D].
    """

    name: str

    def __init__(self, embedding_size: int, classes: int, **options: Any) -> None:
        super().__init__()
        self.embedding_size = check_count("embedding_size", embedding_size)
        self.classes = check_count("classes", classes)
        self.options = options
        self.weight = nn.Parameter(torch.empty(classes, embedding_size))
        nn.init.xavier_normal_(self.weight)

    def forward(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The training logits [B, C]: the scores, with each row's own class moved by the margin.

        Raises:
            UsageError: A shape is wrong or a label is not in 0..C-1.
        """
        self.check_labels(embedding, labels)
        scores = self.scores(embedding)
        own = labels.unsqueeze(1)
        with torch.autocast(embedding.device.type, enabled=False):
            own_score, length = scores.gather(1, own), lengths(embedding)
            if self.training:
                self.observe(all_gather(own_score), all_gather(length))
            own_logit = self.own_logit(own_score, length)
            return self.other_logits(scores, own_logit.detach()).scatter(1, own, own_logit)

    def loss(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The hard loss: cross-entropy of the training logits, mean over the batch, and what the head itself adds.

        Raises:
            UsageError: See `forward`.
        """
        return self._with_regulariser(cross_entropy(self(embedding, labels), labels), embedding)

    def weighted_loss(
        self,
        embedding: Tensor,
        labels: Tensor,
        mixture: tuple[Tensor, Tensor] | None = None,
        face_weights: Tensor | None = None,
    ) -> Tensor:
        """The hard loss where faces count unequally, or pictures are mixtures of two faces.

        A mixture has both labels' cross-entropies by their shares (Zhang et al., ICLR 2018,
        https://arxiv.org/abs/1710.09412).

        Args:
            embedding: [B, D].
            labels: int64 [B].
            mixture: int64 [B], the second label, the first one itself where there is no second face; and float [B],
                0..1, the share of the first face. None where there are no mixtures.
            face_weights: float [B], what each face's cross-entropy is multiplied by; None weighs all alike.

        Raises:
            UsageError: See `forward`.
        """
        losses = cross_entropy(self(embedding, labels), labels, reduction="none")
        if mixture is not None:
            second_labels, shares = mixture
            second = cross_entropy(self(embedding, second_labels), second_labels, reduction="none")
            losses = shares * losses + (1 - shares) * second
        return self._with_regulariser((losses if face_weights is None else face_weights * losses).mean(), embedding)

    def _with_regulariser(self, loss: Tensor, embedding: Tensor) -> Tensor:
        added = self.regulariser(embedding)
        return loss if added is None else loss + added

    def scores(self, embedding: Tensor) -> Tensor:
        """The logits [B, C] without margin: what a soft-label loss compares.

        Raises:
            UsageError: The embedding is not [B, D].
        """
        self.check_embedding(embedding)
        with torch.autocast(embedding.device.type, enabled=False):
            return self.plain_scores(at_least_float32(embedding), at_least_float32(self.weight))

    def plain_scores(self, embedding: Tensor, weight: Tensor) -> Tensor:
        """The scores of a checked embedding [B, D] against centres [C, D], both at least float32."""
        raise NotImplementedError

    def observe(self, own_score: Tensor, length: Tensor) -> None:
        """Updates what the head remembers, from all processes' own scores and embedding lengths, [N, 1] each."""

    def own_logit(self, own_score: Tensor, length: Tensor) -> Tensor:
        """The logit of the own class, [B, 1], from its score and the embedding's length, [B, 1] each."""
        del length
        return own_score

    def other_logits(self, scores: Tensor, own_logit: Tensor) -> Tensor:
        """The logits of the other classes, [B, any number], from their scores and the own class's logit [B, 1]."""
        del own_logit
        return scores

    def regulariser(self, embedding: Tensor) -> Tensor | None:
        """What the head adds to the cross-entropy: a scalar, or None for nothing."""
        del embedding
        return None

    if TYPE_CHECKING:

        def __call__(self, embedding: Tensor, labels: Tensor) -> Tensor:
            """`forward`, typed."""

    def check_embedding(self, embedding: Tensor) -> None:
        """Refuses what is no embedding of this head.

        Raises:
            UsageError: It is not [B, D].
        """
        if embedding.ndim != 2 or embedding.shape[1] != self.embedding_size:
            raise UsageError(
                f"head {self.name!r}: embedding must be [B, {self.embedding_size}], not {list(embedding.shape)}"
            )

    def check_labels(self, embedding: Tensor, labels: Tensor) -> None:
        """Refuses labels that do not fit the embedding or the classes.

        Raises:
            UsageError: They are not int64 [B], or not in 0..C-1.
        """
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


def lengths(embedding: Tensor) -> Tensor:
    """The rows' lengths, [B, 1], at least float32; a zero row has a gradient of zero."""
    length: Tensor = torch.linalg.vector_norm(at_least_float32(embedding), dim=1, keepdim=True)
    return length


HEADS: Registry[Head] = Registry("head", fixed=2, base=Head)

H = TypeVar("H", bound=Head)


def register(name: str) -> Callable[[type[H]], type[H]]:
    """Class decorator: registers a head under `name`, which becomes its class's `name`."""

    def enter(head: type[H]) -> type[H]:
        head.name = name
        return HEADS.register(name)(head)

    return enter
