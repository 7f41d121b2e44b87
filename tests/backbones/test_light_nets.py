"""The light families against the figures and the words of their papers."""

import numpy as np
import pytest
import torch

from facedistill.backbones import build_backbone, count_macs, count_parameters
from facedistill.backbones.ghostfacenet import Ghost
from facedistill.backbones.shufflenetv2 import ShuffleUnit


@pytest.mark.parametrize(
    ("name", "body", "tolerance"),
    [
        pytest.param("mobilenetv2", 2_223_872, 0, id="3,504,872 of the paper's net without its classifier"),
        pytest.param("squeezenet", 722_496, 0.01, id="1,235,496 without its classifier; norms for biases"),
        pytest.param("shufflenetv2", 1_253_604, 0.06, id="2,278,604 without its classifier; 8k channels"),
    ],
)
def test_parameters_of_the_body(name, body, tolerance):
    """At width 1 with ReLU the stages (and the widening 1x1 convolution, where the paper has it) are the paper's."""
    net = build_backbone(name, 128)
    counted = count_parameters(net.stages) + (count_parameters(net.neck[0]) if name != "squeezenet" else 0)
    assert counted == pytest.approx(body, rel=tolerance)


def test_a_shuffle_unit_takes_turns_between_what_passed_and_what_was_computed():
    unit = ShuffleUnit(16, 8, stride=1, se=False, activation="relu").eval()
    maps = torch.randn(2, 16, 4, 4)
    with torch.no_grad():
        result, computed = unit(maps), unit.branch(maps[:, 8:])
    np.testing.assert_array_equal(result[:, 0::2], maps[:, :8])
    np.testing.assert_allclose(result[:, 1::2], computed)


def test_half_of_a_ghost_costs_nine_multiplications_a_number():
    ghost = Ghost(32, 16, activation="relu")
    assert ghost(torch.zeros(1, 32, 5, 5)).shape == (1, 32, 5, 5)
    assert ghost.cheap[0].weight.shape == (16, 1, 3, 3)


def test_slim_launches_plain_convolutions_only():
    """What `slim` promises: all but its neck's are dense 3x3 convolutions, and few."""
    net = build_backbone("slim")
    convolutions = [layer for layer in net.stages.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert {(layer.kernel_size, layer.groups) for layer in convolutions} == {((3, 3), 1)}
    assert len(convolutions) == 32
    assert count_macs(net) < 200e6
