"""Trained nets as files that run elsewhere."""

from facedistill.export.classifier_file import class_scores, export_classifier
from facedistill.export.cost import Cost, file_cost, latencies_ms
from facedistill.export.onnx_file import MAX_PARITY_ERROR, export_model

__all__ = [
    "MAX_PARITY_ERROR",
    "Cost",
    "class_scores",
    "export_classifier",
    "export_model",
    "file_cost",
    "latencies_ms",
]
