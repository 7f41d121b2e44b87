"""What the teacher said about the faces of a batch, as `Outputs`.

The teacher sees only the fixed original faces, so its word is looked up, never computed again
(the one-step scheme of Wang et al., ICCVW 2019). What that saves, and what two-step distillation would give, is
measured with a teacher that is asked anew at every step.
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


class TeacherTargets(Protocol):
    """What a teacher says about the pictures of a set."""

    def outputs(self, indices: Tensor, mirrored: Tensor, shown: Tensor) -> Outputs:
        """The teacher's outputs for some pictures.

        Args:
            indices: int64 [B], positions in the set; on the CPU.
            mirrored: bool [B], which of them are mirror images; on the CPU.
            shown: uint8 [B, H, W, 3], what the student is shown of them; its device is that of the outputs.
        """


class CachedTargets:
    """Stored teacher embeddings and the soft labels they imply.

    A teacher that gives only embeddings still gives soft labels: its class centres are the mean normalised
    embeddings per identity, and its logits `scale * cos(embedding, centre)`.

    Args:
        embeddings: float32 [N, 2, D]; index 0 the face as it is, 1 its mirror image.
        labels: int64 [N].
        classes: Number of identities.
        centred: Subtract the set's mean normalised embedding, then normalise again.
        scale: What cosines are multiplied by to make logits; the student's head's own scale, so that
            both speak of the same cosines. None gives no logits and makes no centres, of which there may be millions.
    """

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        labels: NDArray[np.int64],
        classes: int,
        centred: bool,
        scale: float | None,
    ) -> None:
        self._embeddings = embeddings
        self._scale = scale
        size = embeddings.shape[2]
        total = np.zeros(size)
        for block in np.array_split(embeddings, max(1, len(embeddings) // 8192)):
            total += _normalised(block).sum(axis=(0, 1))
        self._mean = (total / (2 * len(embeddings)) if centred else np.zeros(size)).astype(np.float32)
        if scale is None:
            return
        centres = np.zeros((classes, size))
        for rows in np.array_split(np.arange(len(embeddings)), max(1, len(embeddings) // 8192)):
            np.add.at(centres, labels[rows], self._prepared(embeddings[rows]).sum(axis=1))
        self._centres = normalize(torch.from_numpy(centres.astype(np.float32)), dim=1)

    def _prepared(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        normalised = _normalised(embeddings)
        return _normalised(normalised - self._mean) if self._mean.any() else normalised

    def outputs(self, indices: Tensor, mirrored: Tensor, shown: Tensor) -> Outputs:
        """See `TeacherTargets`: unit-length embeddings [B, D] and logits [B, C]."""
        return self.of(self._embeddings[indices.numpy(), mirrored.long().numpy()], shown.device)

    def of(self, embeddings: NDArray[np.float32], device: torch.device) -> Outputs:
        """What the teacher says by its bare embeddings [B, D] of any faces: unit-length ones, and logits [B, C]."""
        embedding = torch.from_numpy(self._prepared(embeddings))
        if self._scale is None:
            return Outputs(embedding.to(device))
        with torch.autocast("cpu", enabled=False):
            logits = self._scale * embedding @ self._centres.T
        return Outputs(embedding.to(device), logits.to(device))


class CombinedTargets:
    """The word of several teachers as one, see `teachers.JointTeacher`.

    Args:
        parts: What each of them said of the same faces.
        weights: How much each one's word counts; positive.
    """

    def __init__(self, parts: Sequence[TeacherTargets], weights: Sequence[float]) -> None:
        self._parts = tuple(parts)
        self._shares = [weight / sum(weights) for weight in weights]

    def outputs(self, indices: Tensor, mirrored: Tensor, shown: Tensor) -> Outputs:
        """See `TeacherTargets`.

        Returns:
            Embeddings [B, sum of D] of length 1, whose cosines are the weighted mean of the teachers' cosines, and
            logits [B, C], the weighted mean of theirs.
        """
        said = [part.outputs(indices, mirrored, shown) for part in self._parts]
        embeddings = [math.sqrt(share) * one.embedding for share, one in zip(self._shares, said, strict=True)]
        logits = [share * one.logits for share, one in zip(self._shares, said, strict=True) if one.logits is not None]
        return Outputs(torch.cat(embeddings, dim=1), torch.stack(logits).sum(dim=0) if logits else None)


class TeacherInput:
    """What a teacher looks at when it is asked anew.

    Args:
        faces: The faces as the teacher is shown them, in the order of the set; None where it sees what the student is
            shown.
        size: (height, width) of its crops.
    """

    def __init__(self, faces: FaceSet | None, size: tuple[int, int]) -> None:
        self._faces = faces
        self._size = size

    def crops(self, indices: Tensor, mirrored: Tensor, shown: Tensor) -> NDArray[np.uint8]:
        """Crops uint8 [B, *size, 3] for the arguments of `TeacherTargets.outputs`."""
        if self._faces is None:
            return np.stack([self._fitted(crop) for crop in shown.cpu().numpy()])
        originals = [self._fitted(self._faces[index].image) for index in indices.tolist()]
        turned = zip(originals, mirrored.tolist(), strict=True)
        return np.stack([crop[:, ::-1] if flipped else crop for crop, flipped in turned])

    def _fitted(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return crop if crop.shape[:2] == self._size else recrop(crop, self._size)


class OnlineTargets:
    """Any teacher, asked at every step.

    Args:
        knowledge: What it said of the original faces: their mean and the class centres are taken from there.
        teacher: The teacher.
        sight: What it looks at.
    """

    def __init__(self, knowledge: CachedTargets, teacher: Teacher, sight: TeacherInput) -> None:
        self._knowledge = knowledge
        self._teacher = teacher
        self._sight = sight

    def outputs(self, indices: Tensor, mirrored: Tensor, shown: Tensor) -> Outputs:
        """See `TeacherTargets`."""
        return self._knowledge.of(self._teacher.embed(self._sight.crops(indices, mirrored, shown)), shown.device)


class FeatureTargets:
    """The word of a teacher of ours with its feature maps, which are too large to store: it looks at each face again.

    Args:
        knowledge: What is stored.
        backbone: The teacher's net.
        sight: What it looks at.
        anew: Whether its embeddings too are those of the face it looks at, instead of the stored ones.
    """

    def __init__(self, knowledge: CachedTargets, backbone: Backbone, sight: TeacherInput, anew: bool = False) -> None:
        self._knowledge = knowledge
        self._backbone = backbone.eval().requires_grad_(requires_grad=False)
        self._sight = sight
        self._anew = anew

    def outputs(self, indices: Tensor, mirrored: Tensor, shown: Tensor) -> Outputs:
        """See `TeacherTargets`; `features` are each stage's maps."""
        crops = torch.from_numpy(self._sight.crops(indices, mirrored, shown)).to(shown.device)
        backbone = self._backbone.to(shown.device)
        with torch.no_grad():
            maps = backbone.maps(normalise_crops(crops).contiguous(memory_format=torch.channels_last))
            said = backbone.embed(maps[-1]).float().cpu().numpy() if self._anew else None
        if said is None:
            return replace(self._knowledge.outputs(indices, mirrored, shown), features=maps)
        return replace(self._knowledge.of(said, shown.device), features=maps)


def _normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12), dtype=np.float32)
