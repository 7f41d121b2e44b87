"""Decoupled distillation: how sure the teacher is, and what else it thinks of, weighed apart."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from facedistill.checks import check_number
from facedistill.errors import UsageError
from facedistill.losses.fields import logits_of
from facedistill.losses.registered import LOSSES
from facedistill.outputs import Outputs


@LOSSES.register("dkd")
class Dkd(nn.Module):
    """T^2 (alpha KL(b_t || b_s) + beta KL(q_t || q_s)), mean over the batch (Zhao et al. 2022, eq. 7).

    b = (p_y, 1 - p_y), the own class against the rest, p = softmax(z / T); q: the softmax over the other classes
    alone. With alpha = 1 and beta = 1 - p_t,y it would be `soft`.

    Args:
        alpha: Weight of the own class, above 0; 1 in the paper.
        beta: Weight of the others, above 0; 8 in the paper's tables for CIFAR, 0.5 for ImageNet.
        temperature: T, above 0; 4 in the paper for CIFAR, 1 for ImageNet.
    """

    needs = ("logits",)
    needs_one_label = True

    def __init__(self, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0) -> None:
        super().__init__()
        self.alpha = check_number("alpha of the loss 'dkd'", alpha, above=0)
        self.beta = check_number("beta of the loss 'dkd'", beta, above=0)
        self.temperature = check_number("temperature of the loss 'dkd'", temperature, above=0)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads logits [B, C] and labels int64 [B].

        Raises:
            UsageError: There is but one class, or a label is none of them.
        """
        z_s, z_t = logits_of(student), logits_of(teacher)
        classes = z_s.shape[1]
        if classes < 2 or labels.max() >= classes:
            raise UsageError(f"loss 'dkd': logits of {classes} classes do not do for the label {int(labels.max())}")
        ours, theirs = _decoupled(z_s / self.temperature, labels), _decoupled(z_t / self.temperature, labels)
        terms = [_divergence(p, q) for p, q in zip(theirs, ours, strict=True)]
        return self.temperature**2 * (self.alpha * terms[0] + self.beta * terms[1])


def _decoupled(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of (p_y, 1 - p_y), [B, 2], and the log-softmax over the other classes, [B, C - 1]."""
    own = labels.unsqueeze(1)
    others = torch.arange(logits.shape[1] - 1, device=logits.device).expand(len(logits), -1)
    rest = logits.gather(1, others + (others >= own))
    binary = torch.cat((logits.gather(1, own), rest.logsumexp(dim=1, keepdim=True)), dim=1)
    return log_softmax(binary, dim=1), log_softmax(rest, dim=1)


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(dim=1).mean()
