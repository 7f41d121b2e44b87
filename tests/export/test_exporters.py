"""Every export target: no file stays whose outputs are not those of the net in torch."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from facedistill.errors import FacedistillError, UsageError
from facedistill.export import EXPORTERS, Classifier, ClassifierMetadata, Requirement, build_exporter
from facedistill.heads import build_head
from facedistill.model_file import ModelMetadata
from facedistill.outputs import Outputs

CROPS = np.random.default_rng(0).integers(0, 256, (3, 112, 96, 3), dtype=np.uint8)


class Means(nn.Module):
    """A net without weights: the means of 4 x 4 blocks, multiplied by what a function of them gives."""

    def __init__(self, factor=torch.ones_like):
        super().__init__()
        self.factor = factor

    def forward(self, crops):
        embedding = avg_pool2d(crops, (28, 24)).flatten(1)
        return Outputs(embedding * self.factor(embedding))


def as_target_takes_it(name, net):
    """A net in the form that the target takes, and its metadata."""
    if name == "onnx_classifier":
        return Classifier(net, build_head("softmax", 48, 2)), ClassifierMetadata(("cat", "dog"), "none")
    return net, ModelMetadata("tiny", (112, 96), 48)


class Foreign:
    """An export target of another package that needs what nobody has."""

    name, suffix = "foreign", ".bin"
    requires = Requirement(("no_such_module",), "pip install no-such-package")

    def write(self, net, path, metadata, crops):
        raise NotImplementedError


class Incomplete:
    name = "incomplete"


class WithoutCommand(Foreign):
    requires = ("onnxscript",)


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_file_is_proved_by_its_runtime(name, tmp_path):
    exporter = build_exporter(name)
    path = tmp_path / f"net{exporter.suffix}"
    net, metadata = as_target_takes_it(name, Means())
    proof = exporter.write(net, path, metadata, CROPS)
    assert exporter.name == name
    assert [*tmp_path.iterdir()] == [path]
    assert (proof.runtime, proof.version, proof.faces) == ("onnxruntime", onnxruntime.__version__, len(CROPS))
    assert 0 <= proof.max_difference <= 1e-4
    assert proof.least_cosine == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "factor", "crops", "message"),
    [
        pytest.param(
            "onnx", torch.rand_like, CROPS, "differ from torch's by 0", id="outputs that change from run to run"
        ),
        pytest.param(
            "onnx_classifier",
            lambda e: torch.full_like(e, torch.nan),
            CROPS,
            "by nan",
            id="NaN, which compares with nothing",
        ),
        pytest.param("onnx", torch.ones_like, CROPS[:0], "no crop", id="nothing to compare on"),
    ],
)
def test_a_file_without_proof_is_not_written(name, factor, crops, message, tmp_path):
    exporter = build_exporter(name)
    net, metadata = as_target_takes_it(name, Means(factor))
    with pytest.raises(FacedistillError, match=message):
        exporter.write(net, tmp_path / f"net{exporter.suffix}", metadata, crops)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("onx", {}, "did you mean 'onnx'", id="misspelt"),
        pytest.param("onnx", {"opset": 18}, "has no option 'opset'", id="unknown option"),
        pytest.param(f"{__name__}:Foreign", {}, "run pip install no-such-package", id="requirement not installed"),
        pytest.param(f"{__name__}:Incomplete", {}, "name, suffix, requires", id="no export target"),
        pytest.param(f"{__name__}:WithoutCommand", {}, "a Requirement", id="a requirement that cannot be installed"),
        pytest.param("no_such_package:Target", {}, "cannot be imported", id="no such package"),
    ],
)
def test_a_target_that_cannot_work_is_one_clear_line(name, options, message):
    with pytest.raises(UsageError, match=message) as raised:
        build_exporter(name, **options)
    assert "\n" not in str(raised.value)
