"""SEED: the student finds the last teacher embeddings as similar to a face as the teacher does."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from facedistill.checks import check_count, check_number
from facedistill.losses.queues import queued
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("seed")
class Seed(nn.Module):
    """mean_i -sum_q p_t(q) log p_s(q), p_t = softmax_q(cos(t_i, q) / T_t), p_s = softmax_q(cos(s_i, q) / T_s).

    q: the last `queue` teacher embeddings, those of the batch, t_i itself, among them; the queue takes in the batch
    before the loss is taken. SEED (Fang et al., ICLR 2021, https://arxiv.org/abs/2101.04731), which needs neither class
    centres nor labels: the person's other faces are as similar as the teacher finds them. A cross-entropy of two
    temperatures, so not zero where student and teacher agree; zero with nothing but one face in batch and queue.
    Unchanged by scaling any embedding and by turning both sides alike.

    Args:
        queue: How many teacher embeddings, at least 1; 4096 is ours, the authors' code has 65536. A larger batch takes
            part whole.
        student_temperature: T_s, above 0; 0.2 as in the authors' code.
        teacher_temperature: T_t, above 0; at 0.01 the nearest few count. The authors' code has 1e-4, where only t_i
            itself is left, as in `infonce`.
    """

    needs = ("embedding",)
    uses_whole_batch = True
    embeddings: Tensor

    def __init__(self, queue: int = 4096, student_temperature: float = 0.2, teacher_temperature: float = 0.01) -> None:
        super().__init__()
        self.queue = check_count("queue of the loss 'seed'", queue)
        self.student_temperature = check_number("student_temperature of the loss 'seed'", student_temperature, above=0)
        self.teacher_temperature = check_number("teacher_temperature of the loss 'seed'", teacher_temperature, above=0)
        self.register_buffer("embeddings", torch.zeros(0, 0))  # of unit length, the oldest first, [n, D]

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D]."""
        return self.per_face(student, teacher, labels).mean()

    def per_face(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of each face, [B]."""
        del labels
        s = unit_rows(student.embedding)
        t = unit_rows(teacher.embedding).to(s)
        embeddings = queued("seed", self.embeddings, t, self.queue)
        if self.training:
            self.embeddings = embeddings
        wanted = softmax(t @ embeddings.T / self.teacher_temperature, dim=1)
        return cross_entropy(s @ embeddings.T / self.student_temperature, wanted, reduction="none")
