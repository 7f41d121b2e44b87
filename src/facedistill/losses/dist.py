"""Correlation instead of agreement: the student ranks classes and faces as the teacher does."""

from torch import Tensor, nn
from torch.nn.functional import softmax

from facedistill.checks import check_number
from facedistill.losses.fields import logits_of
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs

_LEAST = 1e-12  # a class whose probabilities are all below this has no correlation worth following


@LOSSES.register("dist")
class Dist(nn.Module):
    """T^2 (beta mean_i (1 - rho(row i)) + gamma mean_c (1 - rho(column c))), p = softmax(z / T) (Huang et al. 2022).

    rho is Pearson's correlation between the student's and the teacher's p: over the classes for each face,
    over the faces of the batch for each class. Where one of the two is constant there is none, and rho counts as 0;
    a batch of one face has no columns.

    Args:
        beta: Weight of the rows, above 0; 1, the default of the authors' code.
        gamma: Weight of the columns, above 0; likewise.
        temperature: T, above 0; likewise.
    """

    needs = ("logits",)
    uses_whole_batch = True

    def __init__(self, beta: float = 1.0, gamma: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__()
        self.beta = check_number("beta of the loss 'dist'", beta, above=0)
        self.gamma = check_number("gamma of the loss 'dist'", gamma, above=0)
        self.temperature = check_number("temperature of the loss 'dist'", temperature, above=0)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads logits [B, C]."""
        del labels
        ours, theirs = (softmax(logits_of(side) / self.temperature, dim=1) for side in (student, teacher))
        loss = self.beta * _distance(ours, theirs)
        if len(ours) > 1:
            loss = loss + self.gamma * _distance(ours.T, theirs.T)
        return self.temperature**2 * loss


def _distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """The mean of 1 - rho over the rows."""
    return (1 - (_standardised(ours) * _standardised(theirs)).sum(dim=1)).mean()


def _standardised(rows: Tensor) -> Tensor:
    # In any scale: a class that nobody resembles has probabilities of 1e-8 throughout.
    scaled = rows / rows.detach().amax(dim=1, keepdim=True).clamp_min(_LEAST)
    return unit_rows(scaled - scaled.mean(dim=1, keepdim=True))
