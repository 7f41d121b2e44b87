"""Neuron selection: the student regresses those units of the teacher that separate people."""

import math

import torch
from torch import Tensor, nn

from facedistill.checks import check_share
from facedistill.losses.centres import class_sums
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs
from facedistill.processes import all_gather


@LOSSES.register("neurons")
class Neurons(nn.Module):
    """mean_i sum_{u in U} (s^_iu - t^_iu)^2 over the selected units U of the embedding (Luo et al., AAAI 2016).

    The paper selects units by how well they predict annotated attributes, which most face sets lack. Here U are the
    `keep` of all units with the greatest ratio of mean squared difference between faces of different people to that
    between faces of one person, over all pairs of the batches seen so far. Until a pair of each kind was seen, U is
    all of them, and the loss is `l2`. Zero where student and teacher agree.

    Args:
        keep: Share of the units, above 0 and at most 1; half is a first guess, not the paper's.
    """

    needs = ("embedding",)
    needs_one_label = True
    alike: Tensor
    unlike: Tensor
    pairs: Tensor

    def __init__(self, keep: float = 0.5) -> None:
        super().__init__()
        self.keep = check_share("keep of the loss 'neurons'", keep)
        self.register_buffer("alike", torch.zeros(0))  # sum over genuine pairs of (t_iu - t_ju)^2, [D]
        self.register_buffer("unlike", torch.zeros(0))  # the same over impostor pairs
        self.register_buffer("pairs", torch.zeros(2))  # how many of each

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] and labels int64 [B]."""
        s, t = unit_rows(student.embedding), unit_rows(teacher.embedding)
        if self.training:
            self._learn(all_gather(t), all_gather(labels))
        return ((s - t) * self.selected(t)).square().sum(dim=1).mean()

    def selected(self, like: Tensor) -> Tensor:
        """1 for each selected unit, 0 for the others: [D], of the type and length of the rows `like`."""
        size = like.shape[1]
        if not len(self.alike):
            return like.new_ones(size)
        alike, unlike = self.alike / self.pairs[0].clamp_min(1), self.unlike / self.pairs[1].clamp_min(1)
        ratio = unlike / alike.clamp_min(torch.finfo(alike.dtype).tiny)
        best = torch.zeros_like(ratio).index_fill_(0, ratio.topk(math.ceil(self.keep * size)).indices, 1)
        return torch.where(self.pairs.all(), best, torch.ones_like(best)).to(like)

    def _learn(self, teacher: Tensor, labels: Tensor) -> None:
        centred = teacher - teacher.mean(dim=0)  # changes no difference; keeps the sums below from cancelling
        people, who = torch.unique(labels, return_inverse=True)
        faces = torch.bincount(who, minlength=len(people)).to(teacher)
        sums, squares = class_sums(centred, who, len(people)), class_sums(centred.square(), who, len(people))
        alike = (faces[:, None] * squares - sums.square()).clamp_min(0).sum(dim=0)
        all_pairs = len(teacher) * squares.sum(dim=0) - sums.sum(dim=0).square()
        genuine = (faces * (faces - 1)).sum() / 2
        counts = torch.stack((genuine, len(teacher) * (len(teacher) - 1) / 2 - genuine))
        if not len(self.alike):
            self.alike, self.unlike = torch.zeros_like(alike), torch.zeros_like(alike)
        self.alike = self.alike + alike
        self.unlike = self.unlike + (all_pairs - alike).clamp_min(0)
        self.pairs = self.pairs.to(counts) + counts
