"""Trained nets as files that run elsewhere."""

from facedistill.export.cost import Cost, file_cost, latencies_ms
from facedistill.export.onnx_file import MAX_PARITY_ERROR, export_model

__all__ = ["MAX_PARITY_ERROR", "Cost", "export_model", "file_cost", "latencies_ms"]
