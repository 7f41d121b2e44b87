"""A folder of shipped models, as `benchmarks/release.py` leaves it, of tiny untrained nets."""

import hashlib
import json

import numpy as np
import torch

from facedistill.backbones import build_backbone
from facedistill.export import OnnxInt8
from facedistill.model_file import ModelMetadata

THRESHOLDS = {"native": {"1e-1": -1.0, "1e-2": 0.999}}
WIDTHS = {"slim-s": 0.25, "slim-m": 0.5}


def write_shipped(folder, widths=None):
    """Model files and their figures; returns the folder."""
    folder.mkdir(exist_ok=True)
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 96, 3), dtype=np.uint8)
    for name, width in (WIDTHS if widths is None else widths).items():
        torch.manual_seed(0)
        net = build_backbone("slim", embedding_size=16, width=width).eval()
        path = folder / f"{name}.onnx"
        metadata = ModelMetadata(name, (112, 96), 16, thresholds=THRESHOLDS, licence="none", net=net.spec)
        OnnxInt8().write(net, path, metadata, crops)
        content = path.read_bytes()
        sweep = {at: {"eer": eer} for at, eer in (("native", 0.031), ("16", 0.042), ("8", 0.07))}
        figures = {
            "name": name,
            "licence": "Apache-2.0",
            "file": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "parameters": 12345},
            "tests": {"orl": {"models": {name: {**sweep, "both": sweep}}}},
        }
        (folder / f"{name}.json").write_text(json.dumps(figures))
        (folder / f"{name}.md").write_text(f"# {name}\n")
    return folder
