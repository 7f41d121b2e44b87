"""Class centres parted among processes, of which each step takes a sample: a million identities fit (Partial FC).

An et al. 2021 and 2022. Each process holds a part of the centres and scores everybody's faces against it; the softmax
over all classes needs only each row's maximum and sum to be exchanged.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from facedistill.checks import check_count, check_share
from facedistill.errors import UsageError
from facedistill.heads.base import Head, lengths
from facedistill.heads.build import build_head
from facedistill.numerics import at_least_float32
from facedistill.processes import all_gather, all_reduce_max, all_reduce_sum, process_count, process_rank

_BLOCK = 4096  # classes whose first centres are drawn together, so that these do not depend on who holds them


class ShardedHead(nn.Module):
    """A head's hard loss, its classes parted among the processes of the run; with one process, all are its own.

    `loss` is the mean over all processes' faces, the same number everywhere. Of the own classes each step scores the
    share `rate`, and always those of the faces at hand, so the loss is that of a softmax over fewer classes; with
    rate 1 it is the plain head's, and so are the gradients.

    Its parameters belong to this process: keep them out of DDP and of the clipping of other gradients' common norm.
    The embedding's gradient is what DDP expects, which averages over the processes. All processes must call it
    together, with as many faces each.

    Args:
        name: A name in `HEADS`.
        embedding_size: Length D of the embedding.
        classes: Number of classes C of all processes together, at least one for each.
        rate: Share of the own classes to score, above 0 and at most 1.
        **options: The head's own.

    Raises:
        UsageError: A name, option or number is wrong, or there are more processes than classes.

    Attributes:
        first: The first of the classes held here.
        end: The class after the last of them.
        head: The plain head of the classes held here.
    """

    def __init__(self, name: str, embedding_size: int, classes: int, rate: float = 1.0, **options: Any) -> None:
        super().__init__()
        self.name = name
        self.embedding_size = check_count("embedding_size", embedding_size)
        self.classes = check_count("classes", classes)
        self.rate = check_share("rate of the sharded head", rate)
        if options.get("bias"):
            raise UsageError(f"the head {name!r} cannot be sharded with a bias; leave the option out")
        if process_count() > classes:
            raise UsageError(f"the head has {classes} classes, fewer than processes ({process_count()}); start fewer")
        self.first, self.end = part_of(process_rank(), process_count(), classes)
        with torch.device("meta"):
            self.head: Head = build_head(name, embedding_size, self.end - self.first, **options)
        self.head.weight = nn.Parameter(torch.empty(self.end - self.first, embedding_size))
        for key, buffer in build_head(name, 1, 1, **options).named_buffers():
            setattr(self.head, key, buffer)
        self.options = self.head.options
        self._draw_centres()

    def loss(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The hard loss over the faces of all processes.

        Args:
            embedding: This process's, [B, D].
            labels: int64 [B], 0..C-1.

        Raises:
            UsageError: A shape is wrong or a label is no class.
        """
        self.head.check_embedding(embedding)
        _check_labels(self.name, embedding, labels, self.classes)
        with torch.autocast(embedding.device.type, enabled=False):
            embedding = at_least_float32(embedding)
            loss = self._cross_entropy(_all_embeddings(embedding), all_gather(labels))
            added = self.head.regulariser(embedding)
            return loss if added is None else loss + _averaged(added)

    def scores(self, embedding: Tensor) -> Tensor:
        """Refused: nobody holds all classes.

        Raises:
            UsageError: Always.
        """
        del embedding
        raise UsageError(f"the sharded head {self.name!r} gives no logits; drop the losses that need logits")

    def _cross_entropy(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """Everybody's faces against the sample of the own classes."""
        mine = (labels >= self.first) & (labels < self.end)
        rows = mine.nonzero().squeeze(1)
        weight, column = self._sample(labels[mine] - self.first)
        scores = self.head.plain_scores(embedding, at_least_float32(weight))
        own = scores.new_zeros(len(labels), 1).index_put((rows,), scores[rows, column].unsqueeze(1))
        length = lengths(embedding)
        if self.training:
            self.head.observe(all_reduce_sum(own), length.detach())
        # Only who holds a face's class takes its margin, so that no gradient is counted twice.
        logit = _summed(torch.zeros_like(own).index_put((rows,), self.head.own_logit(own[rows], length[rows])))
        logits = self.head.other_logits(scores, logit.detach())
        logits = logits.index_put((rows, column), logit[rows].squeeze(1))
        top = all_reduce_max(logits.amax(dim=1))
        summed = _summed((logits - top.unsqueeze(1)).exp().sum(dim=1))
        return (summed.log() + top - logit.squeeze(1)).mean()

    def _sample(self, positives: Tensor) -> tuple[Tensor, Tensor]:
        """The centres to score, and where among them each of `positives` (own classes, from 0) is."""
        if self.rate == 1:
            return self.head.weight, positives
        held = self.end - self.first
        present = torch.zeros(held, dtype=torch.bool, device=positives.device).index_fill_(0, positives, True)
        wanted = max(round(self.rate * held), int(present.sum()))
        chance = torch.rand(held, device=positives.device).masked_fill_(present, 2.0)
        chosen = chance.topk(max(1, wanted)).indices.sort().values
        return self.head.weight[chosen], torch.searchsorted(chosen, positives)

    @torch.no_grad()
    def _draw_centres(self) -> None:
        """Xavier's normal numbers, as a plain head's; the same for a class whatever the number of processes."""
        seed = torch.randint(2**31, ())
        if process_count() > 1:
            dist.broadcast(seed, 0)
        deviation = (2 / (self.classes + self.embedding_size)) ** 0.5
        for block in range(self.first // _BLOCK, -(-self.end // _BLOCK)):
            start = block * _BLOCK
            generator = torch.Generator().manual_seed(int(seed) + block)
            drawn = deviation * torch.randn(_BLOCK, self.embedding_size, generator=generator)
            low, high = max(start, self.first), min(start + _BLOCK, self.end)
            self.head.weight[low - self.first : high - self.first] = drawn[low - start : high - start]


def part_of(rank: int, count: int, classes: int) -> tuple[int, int]:
    """The classes [first, end) that process `rank` of `count` holds: sizes differ by at most one."""
    return classes * rank // count, classes * (rank + 1) // count


def _check_labels(name: str, embedding: Tensor, labels: Tensor, classes: int) -> None:
    if labels.dtype != torch.int64 or labels.shape != embedding.shape[:1] or not len(labels):
        raise UsageError(f"head {name!r}: labels must be int64 [{len(embedding)}], not {list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise UsageError(f"head {name!r}: a label is not one of its classes 0..{classes - 1}")


# Backward, every process starts from its own copy of the one loss. A sum's gradient is then each part's own, and a
# gathered embedding's true gradient is the sum of what all processes found.


class _Sum(torch.autograd.Function):
    """The sum over the processes; each part's gradient is the sum's."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        del ctx
        return all_reduce_sum(part).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx
        return gradient


class _Mean(_Sum):
    """The mean over the processes of what each computed of its own faces; DDP averages the gradients."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        return _Sum.forward(ctx, part) / process_count()


class _AllEmbeddings(torch.autograd.Function):
    """All processes' embeddings; the gradient of the own, times their number, because DDP divides by it."""

    @staticmethod
    def forward(ctx: Any, embedding: Tensor) -> Tensor:
        ctx.faces = len(embedding)
        return all_gather(embedding).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        start = process_rank() * ctx.faces
        return process_count() * all_reduce_sum(gradient)[start : start + ctx.faces]


_summed: Callable[[Tensor], Tensor] = _Sum.apply
_averaged: Callable[[Tensor], Tensor] = _Mean.apply
_all_embeddings: Callable[[Tensor], Tensor] = _AllEmbeddings.apply
