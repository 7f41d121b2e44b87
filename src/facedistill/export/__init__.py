"""Trained nets as files that run elsewhere. Importing a target's class here registers it in `EXPORTERS`."""

from facedistill.export.cost import Cost as Cost
from facedistill.export.cost import file_cost as file_cost
from facedistill.export.cost import latencies_ms as latencies_ms
from facedistill.export.exporter import EXPORTERS as EXPORTERS
from facedistill.export.exporter import Exporter as Exporter
from facedistill.export.exporter import Proof as Proof
from facedistill.export.exporter import Requirement as Requirement
from facedistill.export.exporter import build_exporter as build_exporter
from facedistill.export.exporter import prove as prove
from facedistill.export.onnx_classifier import Classifier as Classifier
from facedistill.export.onnx_classifier import ClassifierMetadata as ClassifierMetadata
from facedistill.export.onnx_classifier import OnnxClassifier as OnnxClassifier
from facedistill.export.onnx_classifier import class_scores as class_scores
from facedistill.export.onnx_face import FaceEmbedder as FaceEmbedder
from facedistill.export.onnx_face import OnnxFace as OnnxFace
from facedistill.export.onnx_int8 import OnnxInt8 as OnnxInt8
