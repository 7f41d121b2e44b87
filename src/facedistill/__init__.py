"""Distil a face-recognition teacher into a small student for low resolution."""

import os

# Before anything here imports onnxruntime, which reads it once: nothing about faces or models leaves the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
