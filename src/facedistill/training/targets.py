"""Teacher targets: the teacher's outputs for the faces of a batch, which the distillation losses compare with.

The teacher sees only the fixed original faces, so its embeddings are computed once and looked up (the one-step scheme
of Wang et al., ICCVW 2019). `OnlineTargets` runs the teacher at every step instead, as two-step distillation does; it
is there to measure what the cache saves and costs.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from facedistill.backbones import Backbone, normalise_crops
from facedistill.datasets import FaceSet
from facedistill.faces import recrop
from facedistill.outputs import Outputs
from facedistill.teachers import Teacher
from facedistill.teachers.torch_teacher import TorchTeacher
from facedistill.training.data import Batch


class TeacherTargets(Protocol):
    """A teacher's outputs for the faces of a set, batch by batch."""

    def for_batch(self, batch: Batch) -> Outputs:
        """The teacher's outputs for a batch, on the device of its crops."""


class TargetSpace:
    """How bare teacher embeddings become targets: centred, of unit length, and compared with class centres.

    Args:
        mean: float32 [D], subtracted from unit-length embeddings; zeros subtract nothing.
        centres: float32 [C, D] of unit length, or None for no logits.
        scale: What cosines to the centres are multiplied by to make logits.
    """

    def __init__(self, mean: NDArray[np.float32], centres: Tensor | None = None, scale: float = 1.0) -> None:
        self.mean = mean
        self.centres = centres
        self.scale = scale
        self._placed: dict[torch.device, tuple[Tensor | None, Tensor | None]] = {}

    def centred(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings [..., D] less the mean, of unit length."""
        normalised = _normalised(embeddings)
        return _normalised(normalised - self.mean) if self.mean.any() else normalised

    def outputs(self, embeddings: NDArray[np.float32], device: torch.device) -> Outputs:
        """The targets of any faces from their bare teacher embeddings [B, D]; but for `Outputs.features`."""
        return self.outputs_of(torch.from_numpy(np.ascontiguousarray(embeddings)).to(device, non_blocking=True))

    @torch.no_grad()
    def outputs_of(self, embeddings: Tensor) -> Outputs:
        """`outputs` of embeddings float32 [B, D] on the device where they lie."""
        mean, centres = self._on(embeddings.device)
        with torch.autocast(embeddings.device.type, enabled=False):
            embedding = normalize(embeddings, dim=1)
            if mean is not None:
                embedding = embedding - mean
            lengths = torch.linalg.vector_norm(embedding, dim=1)
            embedding = normalize(embedding, dim=1)
            logits = None if centres is None else self.scale * embedding @ centres.T
            return Outputs(embedding, logits, lengths=lengths)

    def _on(self, device: torch.device) -> tuple[Tensor | None, Tensor | None]:
        """Mean, where there is one to subtract, and centres on a device."""
        if device not in self._placed:
            mean = torch.from_numpy(self.mean).to(device) if self.mean.any() else None
            self._placed[device] = mean, None if self.centres is None else self.centres.to(device)
        return self._placed[device]


class CachedTargets:
    """Cached teacher embeddings and the soft labels they imply.

    A teacher that gives only embeddings still gives soft labels: its class centres are the mean normalised
    embeddings per identity, and its logits `scale * cos(embedding, centre)`.

    Args:
        embeddings: float32 [N, 2, D]; index 0 the face as it is, 1 its mirror image.
        labels: int64 [N].
        classes: Number of identities.
        centred: Subtract the set's mean normalised embedding, then normalise again.
        mean: float32 [D], what is subtracted instead of the set's own mean.
        scale: What cosines are multiplied by to make logits; the student's head's own scale, so that both logits
            are of the same cosines. None gives no logits and makes no centres, of which there may be millions.

    Attributes:
        space: How embeddings of other faces become targets likewise.
    """

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        labels: NDArray[np.int64],
        classes: int,
        centred: bool,
        scale: float | None,
        mean: NDArray[np.float32] | None = None,
    ) -> None:
        self._embeddings = embeddings
        size = embeddings.shape[2]
        if mean is None:
            mean = mean_embedding(embeddings) if centred else np.zeros(size, np.float32)
        self.space = TargetSpace(mean)
        if scale is None:
            return
        centres = np.zeros((classes, size))
        for rows in np.array_split(np.arange(len(embeddings)), max(1, len(embeddings) // 8192)):
            np.add.at(centres, labels[rows], self.space.centred(embeddings[rows]).sum(axis=1))
        unit = normalize(torch.from_numpy(centres.astype(np.float32)), dim=1)
        self.space = TargetSpace(self.space.mean, unit, scale)

    def for_batch(self, batch: Batch) -> Outputs:
        """See `TeacherTargets`: unit-length embeddings [B, D] and logits [B, C]."""
        rows = self._embeddings[batch.indices.cpu().numpy(), batch.mirrored.long().cpu().numpy()]
        return self.space.outputs(rows, batch.crops.device)


class FixedViewTargets:
    """Cached teacher embeddings of the fixed views of each face.

    Args:
        embeddings: float32 [N, K, D], of K views of each face.
        space: How they become targets.
    """

    def __init__(self, embeddings: NDArray[np.float32], space: TargetSpace) -> None:
        self._embeddings = embeddings
        self.space = space

    def for_batch(self, batch: Batch) -> Outputs:
        """See `TeacherTargets`: those of the very views that the batch shows."""
        assert batch.view_numbers is not None, "the faces of the batch are shown in fixed views"
        rows = self._embeddings[batch.indices.cpu().numpy(), batch.view_numbers.cpu().numpy()]
        return self.space.outputs(rows, batch.crops.device)


class CombinedTargets:
    """The targets of several teachers as one, see `teachers.JointTeacher`.

    Args:
        parts: Each teacher's targets for the same faces.
        weights: Each teacher's weight; positive.
    """

    def __init__(self, parts: Sequence[TeacherTargets], weights: Sequence[float]) -> None:
        self._parts = tuple(parts)
        self._shares = [weight / sum(weights) for weight in weights]

    def for_batch(self, batch: Batch) -> Outputs:
        """See `TeacherTargets`.

        Returns:
            Embeddings [B, sum of D] of length 1, whose cosines are the weighted mean of the teachers' cosines, and
            logits [B, C], the weighted mean of theirs.
        """
        outputs = [part.for_batch(batch) for part in self._parts]
        embeddings = [math.sqrt(share) * one.embedding for share, one in zip(self._shares, outputs, strict=True)]
        pairs = zip(self._shares, outputs, strict=True)
        logits = [share * one.logits for share, one in pairs if one.logits is not None]
        return Outputs(torch.cat(embeddings, dim=1), torch.stack(logits).sum(dim=0) if logits else None)


class TeacherInput(Protocol):
    """The crops that a teacher gets when it is run at every step."""

    def crops(self, batch: Batch) -> Tensor:
        """Crops uint8 [B, h, w, 3] of the teacher's size, on the device of the batch."""


class StoredInput:
    """The faces as they are stored, mirrored where the student's are.

    Args:
        faces: The faces as the teacher gets them, in the order of the set.
        size: (height, width) of the teacher's crops.
    """

    def __init__(self, faces: FaceSet, size: tuple[int, int]) -> None:
        self._faces = faces
        self._size = size

    def crops(self, batch: Batch) -> Tensor:
        """See `TeacherInput`."""
        originals = [_fitted(self._faces[index].image, self._size) for index in batch.indices.tolist()]
        oriented = zip(originals, batch.mirrored.tolist(), strict=True)
        crops = np.stack([crop[:, ::-1] if mirrored else crop for crop, mirrored in oriented])
        return torch.from_numpy(crops).to(batch.crops.device)


class BatchInput:
    """What the batch shows: the views for the teacher where there are some, else the student's own crops.

    Args:
        size: (height, width) of the teacher's crops.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size

    def crops(self, batch: Batch) -> Tensor:
        """See `TeacherInput`; crops of another size are cut on the CPU."""
        crops = batch.crops if batch.views is None else batch.views
        if crops.shape[1:3] == self._size:
            return crops
        fitted = np.stack([_fitted(crop, self._size) for crop in crops.cpu().numpy()])
        return torch.from_numpy(fitted).to(crops.device)


class OnlineTargets:
    """Any teacher, run at every step.

    Args:
        space: How its embeddings become targets.
        teacher: The teacher.
        teacher_input: The crops it gets.
    """

    def __init__(self, space: TargetSpace, teacher: Teacher, teacher_input: TeacherInput) -> None:
        self.space = space
        self._teacher = teacher
        self._input = teacher_input

    def for_batch(self, batch: Batch) -> Outputs:
        """See `TeacherTargets`."""
        crops = self._input.crops(batch)
        if isinstance(self._teacher, TorchTeacher) and self._teacher.device.type == crops.device.type:
            return self.space.outputs_of(self._teacher.embed_tensor(crops))
        return self.space.outputs(self._teacher.embed(crops.cpu().numpy()), crops.device)


class FeatureTargets:
    """The targets of a teacher of ours with its feature maps, which are too large to cache: its net runs at every step.

    Args:
        space: How its embeddings become targets.
        backbone: The teacher's net.
        teacher_input: The crops it gets.
        cached: Its cached targets, whose embeddings are then taken instead of those of the crops it gets.
    """

    def __init__(
        self,
        space: TargetSpace,
        backbone: Backbone,
        teacher_input: TeacherInput,
        cached: CachedTargets | None = None,
    ) -> None:
        self.space = space
        self._backbone = backbone.eval().requires_grad_(requires_grad=False)
        self._input = teacher_input
        self._cached = cached

    def for_batch(self, batch: Batch) -> Outputs:
        """See `TeacherTargets`; `features` are each stage's maps."""
        device = batch.crops.device
        crops = self._input.crops(batch)
        backbone = self._backbone.to(device)
        with torch.no_grad():
            maps = backbone.maps(normalise_crops(crops).contiguous(memory_format=torch.channels_last))
            if self._cached is not None:
                return replace(self._cached.for_batch(batch), features=maps)
            embeddings = backbone.embed(maps[-1]).float()
        return replace(self.space.outputs_of(embeddings), features=maps)


def mean_embedding(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean float32 [D] of embeddings [N, K, D], each brought to unit length first."""
    faces, pictures, size = embeddings.shape
    total = np.zeros(size)
    for block in np.array_split(embeddings, max(1, faces // 8192)):
        total += _normalised(block).sum(axis=(0, 1))
    return np.asarray(total / (pictures * faces), np.float32)


def _fitted(crop: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return crop if crop.shape[:2] == size else recrop(crop, size)


def _normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12), dtype=np.float32)
