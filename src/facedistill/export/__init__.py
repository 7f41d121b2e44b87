"""Trained nets as files that run elsewhere."""

from facedistill.export.onnx_file import MAX_PARITY_ERROR, export_model

__all__ = ["MAX_PARITY_ERROR", "export_model"]
