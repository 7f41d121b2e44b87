"""What `facedistill info` prints: against hand counts, and alike for a name, a checkpoint and a model file."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from facedistill.backbones import BACKBONES, Backbone, build_backbone, count_macs, count_parameters, save_backbone
from facedistill.backbones.base import BackboneSpec
from facedistill.cli import main
from facedistill.errors import FacedistillError, UsageError
from facedistill.export import OnnxFace
from facedistill.export.info import net_info, receptive_field
from facedistill.model_file import ModelMetadata


class Two(nn.Module):
    """A long way and a short one, added: the long one decides."""

    def __init__(self):
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(3, 1, 1))
        self.short = nn.Conv2d(3, 3, 1)

    def forward(self, maps):
        return self.short(maps) + self.long(maps)


@pytest.mark.parametrize(
    ("layers", "seen"),
    [
        pytest.param([nn.ReLU()], 1, id="nothing slides"),
        pytest.param([nn.Conv2d(3, 3, 3)], 3, id="its window"),
        pytest.param([nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3)], 5, id="two windows"),
        pytest.param([nn.Conv2d(3, 3, 3, 2), nn.Conv2d(3, 3, 3)], 7, id="a stride spreads the next"),
        pytest.param([nn.Conv2d(3, 3, 3, 2), nn.AvgPool2d(2), nn.Conv2d(3, 3, 5)], 21, id="two strides"),
        pytest.param([Two(), nn.Conv2d(3, 3, 3)], 7, id="the longer way counts"),
    ],
)
def test_receptive_field_by_hand(layers, seen):
    spec = BackboneSpec("x", 8, (64, 64), 1.0, False, "relu")
    assert receptive_field(Backbone(spec, [nn.Sequential(*layers)], nn.Flatten())) == seen


def test_receptive_field_is_where_a_change_is_seen():
    """Of a whole net: the rows of a tall picture that change the middle of the last map, and those that do not."""
    torch.manual_seed(0)
    net = build_backbone("squeezenet", 8, width=0.125).double().eval()
    tall = torch.rand(1, 3, 512, 32, dtype=torch.float64)
    middle = net.maps(tall)[-1].shape[2] // 2
    affected = []
    with torch.no_grad():
        before = net.maps(tall)[-1][0, :, middle]
        for row in range(512):
            if row % 4 == 0 or 140 < row < 160 or 350 < row < 370:
                changed = tall.clone()
                changed[:, :, row] += 5
                if not torch.equal(net.maps(changed)[-1][0, :, middle], before):
                    affected.append(row)
    assert max(affected) - min(affected) + 1 <= receptive_field(net) <= max(affected) - min(affected) + 48


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_a_name_is_what_build_backbone_builds(name):
    info = net_info(name, width=0.25, input_size=(112, 112))
    net = build_backbone(name, 512, (112, 112), width=0.25)
    assert (info.parameters, info.macs) == (count_parameters(net), count_macs(net))
    assert info.size_mb[32] == 2 * info.size_mb[16] == 4 * info.parameters / 1e6
    assert info.parameters / 1e6 < info.size_mb[8] < info.size_mb[16]
    assert (info.embedding_size, info.input_size, info.metadata) == (512, (112, 112), {})


def test_a_checkpoint_and_its_model_file_give_the_same(tmp_path, capsys):
    net = build_backbone("mobilefacenet", 16, width=0.125).eval()
    save_backbone(tmp_path / "net.pt", net)
    faces = np.zeros((2, 112, 96, 3), np.uint8)
    OnnxFace().write(net, tmp_path / "net.onnx", ModelMetadata("mine", (112, 96), 16, licence="mine too"), faces)
    checkpoint, file = net_info(str(tmp_path / "net.pt")), net_info(str(tmp_path / "net.onnx"))
    for key in ("macs", "receptive_field", "embedding_size", "input_size"):
        assert getattr(checkpoint, key) == getattr(file, key), key
    folded = sum(layer.num_features for layer in net.modules() if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d))
    assert 0 < checkpoint.parameters - file.parameters <= 2 * folded, "equal shifts are stored once"
    assert checkpoint.metadata["name"] == "mobilefacenet"
    assert file.metadata["licence"] == "mine too"

    assert main(["info", str(tmp_path / "net.onnx"), "--json", str(tmp_path / "out.json")]) == 0
    printed = capsys.readouterr().out
    assert f"{file.receptive_field} x {file.receptive_field} pixels" in printed
    assert "mine too" in printed
    assert json.loads((tmp_path / "out.json").read_text())["macs"] == file.macs


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["slimm"], "squeezenet", id="an unknown name lists the known"),
        pytest.param(["slim", "--width", "0"], "width", id="no channels"),
        pytest.param(["slim", "--input", "112"], "112x96", id="one side"),
        pytest.param(["FILE", "--se"], "leave them out", id="a file has its own width"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, capsys, arguments, reason):
    save_backbone(tmp_path / "net.pt", build_backbone("slim", 8, width=0.125))
    assert (
        main(["info", *(str(tmp_path / "net.pt") if argument == "FILE" else argument for argument in arguments)]) == 2
    )
    printed = capsys.readouterr().err
    assert reason in printed
    assert printed.count("\n") == 1


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no graph")
    with pytest.raises(FacedistillError, match=r"net\.onnx is no intact ONNX file"):
        net_info(str(tmp_path / "net.onnx"))
    with pytest.raises(UsageError, match="neither a file nor a net"):
        net_info(str(tmp_path))
