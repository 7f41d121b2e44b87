"""The contract of export targets: a trained net becomes a file, which is compared with the net before it stays."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facedistill.checks import check_number
from facedistill.errors import FacedistillError, UsageError
from facedistill.registry import Registry

_BATCH = 32


@dataclass(frozen=True)
class Requirement:
    """What must be installed for a target.

    Attributes:
        modules: Top-level modules that are imported.
        install: The command that installs them, such as `pip install "facedistill[export]"`.
    """

    modules: tuple[str, ...]
    install: str


@dataclass(frozen=True)
class Proof:
    """How an exported file compares with the net in torch.

    Attributes:
        runtime: The program that ran the file, such as "onnxruntime".
        version: Its version.
        faces: Number of crops compared.
        max_difference: The largest absolute difference between outputs, as a share of the largest output of its batch
            where that is above 1.
        least_cosine: The smallest cosine similarity, -1..1, between the two outputs for one crop.
    """

    runtime: str
    version: str
    faces: int
    max_difference: float
    least_cosine: float


@runtime_checkable
class Exporter(Protocol):
    """An export target; any class with these attributes is one.

    Attributes:
        name: Its name in `EXPORTERS`, or another for messages.
        suffix: Of the files it writes, such as ".onnx".
        requires: What must be installed to write and run them.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def suffix(self) -> str: ...  # noqa: D102

    @property
    def requires(self) -> Requirement: ...  # noqa: D102

    def write(self, net: Any, path: Path, metadata: Any, crops: NDArray[np.uint8]) -> Proof:
        """Writes a net, runs the file with the runtime it is meant for, and compares both (see `prove`).

        Args:
            net: The trained net; each target names the type it takes.
            path: Where to write. A failure leaves no file there.
            metadata: What travels in the file; each target names the type it takes.
            crops: uint8 [B, H, W, 3], RGB: what both are run on, at least one.

        Raises:
            FacedistillError: The file cannot be written, or its outputs deviate more than the target tolerates.
        """
        ...


EXPORTERS: Registry[Exporter] = Registry("export target")


def build_exporter(name: str, **options: Any) -> Exporter:
    """An export target, ready to write.

    Args:
        name: A name in `EXPORTERS`, or `package.module:Class`.
        **options: The target's own.

    Raises:
        UsageError: The name or an option is unknown, the class is no export target, or what it requires is not
            installed.
    """
    exporter = EXPORTERS.build(name, **options)
    if not isinstance(exporter, Exporter) or not isinstance(exporter.requires, Requirement):
        raise UsageError(
            f"the export target {name!r} must have the attributes name, suffix, requires (a Requirement) and write"
        )
    missing = [module for module in exporter.requires.modules if importlib.util.find_spec(module) is None]
    if missing:
        raise UsageError(f"the export target {name!r} needs {', '.join(missing)}; run {exporter.requires.install}")
    return exporter


def prove(
    path: Path,
    net: nn.Module,
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    crops: NDArray[np.uint8],
    *,
    runtime: str,
    version: str,
    max_difference: float,
) -> Proof:
    """Compares a file's outputs with those of the net in torch.

    Call it within `files.atomic_path`, so that a file that fails is removed.

    Args:
        path: The file's final name, for the message.
        net: On the CPU, in evaluation mode: uint8 [B, H, W, 3] -> [B, N].
        run: Runs the file: the same, in numpy.
        crops: uint8 [B, H, W, 3], at least one.
        runtime: See `Proof`.
        version: See `Proof`.
        max_difference: The largest `Proof.max_difference` allowed.

    Raises:
        UsageError: There is no crop.
        FacedistillError: The difference is larger, or an output is not finite.
    """
    check_number("max_difference", max_difference, 0)
    if not len(crops):
        raise UsageError(f"{path} not written: there is no crop to compare it with torch on; give at least one")
    differences, cosines = [], []
    for start in range(0, len(crops), _BATCH):
        batch = crops[start : start + _BATCH]
        with torch.inference_mode():
            expected = net(torch.from_numpy(batch)).numpy()
        outputs = run(batch)
        differences.append(np.abs(outputs - expected).max() / max(1.0, np.abs(expected).max()))
        lengths = np.linalg.norm(outputs, axis=1) * np.linalg.norm(expected, axis=1)
        cosines.append(((outputs * expected).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)).min())
    # numpy's max and min, unlike Python's, give NaN where one is NaN
    proof = Proof(runtime, version, len(crops), float(np.max(differences)), float(np.min(cosines)))
    if not proof.max_difference <= max_difference:
        raise FacedistillError(
            f"{path} not written: run by {runtime} {version}, its outputs differ from torch's by "
            f"{proof.max_difference:.2g} (at most {max_difference:g} is allowed); please report this with the recipe"
        )
    return proof
