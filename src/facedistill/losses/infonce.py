"""InfoNCE against a queue: among the last teacher embeddings the student's is nearest to that of its own face."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from facedistill.checks import check_count, check_number
from facedistill.losses.queues import queued
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("infonce")
class InfoNce(nn.Module):
    """mean_i -log( e^(scale cos(s_i, t_i)) / (e^(scale cos(s_i, t_i)) + sum_q e^(scale cos(s_i, q))) ), at least 0.

    q: the last `queue` teacher embeddings of other people, those of the batch among them; the queue takes in the batch
    before the loss is taken. InfoNCE (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748) with a queue as in
    MoCo (He et al., CVPR 2020, https://arxiv.org/abs/1911.05722), here of a teacher that stands still. It has no class
    centres; labels serve only to leave out the person's other faces. A cross-entropy, so not zero where student and
    teacher agree; zero with nobody else in batch and queue. Unchanged by scaling any embedding and by turning both
    sides alike.

    Args:
        queue: How many teacher embeddings, at least 1; 4096 is ours, MoCo has 65536. A larger batch takes part whole.
        scale: What cosines are multiplied by, above 0; 16 is ours, MoCo has 1 / 0.07.
    """

    needs = ("embedding",)
    uses_whole_batch = True
    embeddings: Tensor
    labels: Tensor

    def __init__(self, queue: int = 4096, scale: float = 16.0) -> None:
        super().__init__()
        self.queue = check_count("queue of the loss 'infonce'", queue)
        self.scale = check_number("scale of the loss 'infonce'", scale, above=0)
        self.register_buffer("embeddings", torch.zeros(0, 0))  # of unit length, the oldest first, [n, D]
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))  # whose they are, [n]

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] and labels int64 [B]."""
        return self.per_face(student, teacher, labels).mean()

    def per_face(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of each face, [B]."""
        s = unit_rows(student.embedding)
        t = unit_rows(teacher.embedding).to(s)
        embeddings = queued("infonce", self.embeddings, t, self.queue)
        people = queued("infonce", self.labels, labels, self.queue)
        if self.training:
            self.embeddings, self.labels = embeddings, people
        own = torch.arange(len(embeddings) - len(t), len(embeddings), device=t.device)
        same_person = (labels[:, None] == people).scatter(1, own[:, None], value=False)
        cosines = (self.scale * s @ embeddings.T).masked_fill(same_person, -torch.inf)
        return cross_entropy(cosines, own, reduction="none")
