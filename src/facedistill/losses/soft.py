"""Soft labels: the student's class probabilities follow the teacher's."""

from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn.functional import log_softmax

from facedistill.checks import check_number
from facedistill.errors import UsageError
from facedistill.losses.fields import logits_of
from facedistill.losses.registered import LOSSES
from facedistill.outputs import Outputs

Form = Literal["kl", "cross_entropy"]


@LOSSES.register("soft")
class Soft(nn.Module):
    """With p = softmax(z_teacher / T) and q = softmax(z_student / T), times T^2 in both forms.

    `kl`: T^2 KL(p || q) (Hinton et al. 2015). `cross_entropy`: T^2 H(p, q) (Wang et al., ICCVW 2019),
    which is the former plus the teacher's entropy, so the gradients are equal. T^2 keeps the gradient's
    size independent of T.

    Args:
        temperature: T, above 0.
        form: "kl" or "cross_entropy".
    """

    needs = ("logits",)

    def __init__(self, temperature: float = 2.0, form: Form = "kl") -> None:
        super().__init__()
        self.temperature = check_number("temperature of the loss 'soft'", temperature, above=0)
        if form not in get_args(Form):
            raise UsageError(f"form of the loss 'soft' must be one of {', '.join(get_args(Form))}, not {form!r}")
        self.form = form

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads logits [B, C]."""
        del labels
        log_q = log_softmax(logits_of(student) / self.temperature, dim=1)
        log_p = log_softmax(logits_of(teacher) / self.temperature, dim=1)
        weighted = log_p - log_q if self.form == "kl" else -log_q
        return self.temperature**2 * (log_p.exp() * weighted).sum(dim=1).mean()
