"""What the teacher said about the faces of a batch, as `Outputs`.

The teacher sees only the fixed original faces, so its word is looked up, never computed again
(the one-step scheme of Wang et al., ICCVW 2019).
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


class TeachersWord(Protocol):
    """What a teacher said about the pictures of a set."""

    def outputs(self, indices: Tensor, mirrored: Tensor, device: torch.device) -> Outputs:
        """The teacher's outputs for pictures `indices` int64 [B], of which some are `mirrored` bool [B]."""


class Knowledge:
    """Stored teacher embeddings and the soft labels they imply.

    A teacher that gives only embeddings still gives soft labels: its class centres are the mean normalised
    embeddings per identity, and its logits `scale * cos(embedding, centre)`.

    Args:
        embeddings: float32 [N, 2, D]; index 0 the face as it is, 1 its mirror image.
        labels: int64 [N].
        classes: Number of identities.
        centred: Subtract the set's mean normalised embedding, then normalise again.
        scale: What cosines are multiplied by to make logits; the student's head's own scale, so that
            both speak of the same cosines.
    """

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        labels: NDArray[np.int64],
        classes: int,
        centred: bool,
        scale: float,
    ) -> None:
        self._embeddings = embeddings
        self._scale = scale
        size = embeddings.shape[2]
        total = np.zeros(size)
        for block in np.array_split(embeddings, max(1, len(embeddings) // 8192)):
            total += _normalised(block).sum(axis=(0, 1))
        self._mean = (total / (2 * len(embeddings)) if centred else np.zeros(size)).astype(np.float32)
        centres = np.zeros((classes, size))
        for rows in np.array_split(np.arange(len(embeddings)), max(1, len(embeddings) // 8192)):
            np.add.at(centres, labels[rows], self._prepared(embeddings[rows]).sum(axis=1))
        self._centres = normalize(torch.from_numpy(centres.astype(np.float32)), dim=1)

    def _prepared(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        normalised = _normalised(embeddings)
        return _normalised(normalised - self._mean) if self._mean.any() else normalised

    def outputs(self, indices: Tensor, mirrored: Tensor, device: torch.device) -> Outputs:
        """The teacher's outputs for faces `indices` int64 [B], of which some are `mirrored` bool [B], on `device`.

        Returns:
            Unit-length embeddings [B, D] and logits [B, C].
        """
        said = self._prepared(self._embeddings[indices.numpy(), mirrored.long().numpy()])
        embedding = torch.from_numpy(said)
        logits = self._scale * embedding @ self._centres.T
        return Outputs(embedding.to(device), logits.to(device))


class JointKnowledge:
    """The word of several teachers as one, see `teachers.JointTeacher`.

    Args:
        parts: What each of them said of the same faces.
        weights: How much each one's word counts; positive.
    """

    def __init__(self, parts: Sequence[TeachersWord], weights: Sequence[float]) -> None:
        self._parts = tuple(parts)
        self._shares = [weight / sum(weights) for weight in weights]

    def outputs(self, indices: Tensor, mirrored: Tensor, device: torch.device) -> Outputs:
        """The teachers' outputs for faces `indices` int64 [B], of which some are `mirrored` bool [B], on `device`.

        Returns:
            Embeddings [B, sum of D] of length 1, whose cosines are the weighted mean of the teachers' cosines, and
            logits [B, C], the weighted mean of theirs.
        """
        said = [part.outputs(indices, mirrored, device) for part in self._parts]
        embeddings = [math.sqrt(share) * one.embedding for share, one in zip(self._shares, said, strict=True)]
        logits = [share * one.logits for share, one in zip(self._shares, said, strict=True) if one.logits is not None]
        return Outputs(torch.cat(embeddings, dim=1), torch.stack(logits).sum(dim=0))


class WithFeatures:
    """A teacher's stored word, and its feature maps, which are too large to store: it looks at each face again.

    Args:
        word: What is stored.
        backbone: The teacher's net.
        faces: The faces as the teacher is shown them, in the order of the word.
    """

    def __init__(self, word: TeachersWord, backbone: Backbone, faces: FaceSet) -> None:
        self._word = word
        self._backbone = backbone.eval().requires_grad_(False)
        self._faces = faces

    def outputs(self, indices: Tensor, mirrored: Tensor, device: torch.device) -> Outputs:
        """The word on faces `indices` int64 [B], of which some are `mirrored` bool [B], with each stage's maps."""
        crops = [
            self._crop(index)[:, ::-1] if flipped else self._crop(index)
            for index, flipped in zip(indices.tolist(), mirrored.tolist(), strict=True)
        ]
        with torch.no_grad():
            pixels = normalise_crops(torch.from_numpy(np.stack(crops)).to(device))
            maps = self._backbone.to(device).maps(pixels.contiguous(memory_format=torch.channels_last))
        return replace(self._word.outputs(indices, mirrored, device), features=maps)

    def _crop(self, index: int) -> NDArray[np.uint8]:
        image = self._faces[index].image
        return image if image.shape[:2] == self._backbone.input_size else recrop(image, self._backbone.input_size)


def _normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12), dtype=np.float32)
