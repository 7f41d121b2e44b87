"""The heads' formulas in float64 numpy, and heads and embeddings drawn at random."""

from functools import partial

import numpy as np
import torch

from facedistill.heads import build_head

BATCH, SIZE, CLASSES = 6, 5, 4
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax_oracle(embedding, weight, labels, bias=0.0):
    return embedding @ weight.T + bias


def amsoftmax_oracle(embedding, weight, labels, scale=30.0, margin=0.35):
    cosine = unit(embedding) @ unit(weight).T
    cosine[np.arange(len(labels)), labels] -= margin
    return scale * cosine


def arcface_oracle(embedding, weight, labels, scale=64.0, margin=0.5):
    cosine = unit(embedding) @ unit(weight).T
    for row, label in enumerate(labels):
        theta = np.arccos(cosine[row, label])
        past = theta + margin > np.pi
        cosine[row, label] = np.cos(theta) - margin * np.sin(margin) if past else np.cos(theta + margin)
    return scale * cosine


class ASoftmaxOracle:
    def __init__(self, margin=4, base=1000.0, ease=0.12, least=5.0):
        self.margin, self.base, self.ease, self.least, self.batches = margin, base, ease, least, 0

    def __call__(self, embedding, weight, labels):
        self.batches += 1
        plain = max(self.least, self.base / (1 + self.ease * self.batches))
        logits = embedding @ unit(weight).T
        for row, label in enumerate(labels):
            length = np.linalg.norm(embedding[row])
            theta = np.arccos(logits[row, label] / length)
            k = min(int(self.margin * theta / np.pi), self.margin - 1)
            falling = (-1) ** k * np.cos(self.margin * theta) - 2 * k
            logits[row, label] = length * (plain * np.cos(theta) + falling) / (1 + plain)
        return logits


class CurricularFaceOracle:
    def __init__(self, scale=64.0, margin=0.5, momentum=0.01):
        self.scale, self.margin, self.momentum, self.t = scale, margin, momentum, 0.0

    def __call__(self, embedding, weight, labels):
        cosine = unit(embedding) @ unit(weight).T
        rows = np.arange(len(labels))
        self.t = self.momentum * cosine[rows, labels].mean() + (1 - self.momentum) * self.t
        own = arcface_oracle(embedding, weight, labels, 1.0, self.margin)[rows, labels]
        logits = np.where(cosine >= own[:, None], cosine * (self.t + cosine), cosine)
        logits[rows, labels] = own
        return self.scale * logits


def magface_oracle(embedding, weight, labels, scale=64.0, least=0.45, most=0.8, shortest=10.0, longest=110.0):
    logits = unit(embedding) @ unit(weight).T
    for row, label in enumerate(labels):
        a = np.clip(np.linalg.norm(embedding[row]), shortest, longest)
        m = (most - least) / (longest - shortest) * (a - shortest) + least
        logits[row, label] = arcface_oracle(embedding[[row]], weight, [label], 1.0, m)[0, label]
    return scale * logits


class AdaFaceOracle:
    def __init__(self, scale=64.0, margin=0.4, concentration=0.333, momentum=0.01):
        self.scale, self.margin, self.h, self.momentum = scale, margin, concentration, momentum
        self.mean, self.spread = 20.0, 100.0

    def __call__(self, embedding, weight, labels):
        lengths = np.clip(np.linalg.norm(embedding, axis=1), 1e-3, 100)
        self.mean = self.momentum * lengths.mean() + (1 - self.momentum) * self.mean
        self.spread = self.momentum * lengths.std(ddof=1) + (1 - self.momentum) * self.spread
        q = np.clip(self.h * (lengths - self.mean) / (self.spread + 1e-3), -1, 1)
        logits = unit(embedding) @ unit(weight).T
        for row, label in enumerate(labels):
            theta, angle = np.arccos(logits[row, label]), -self.margin * q[row]
            moved = 1.0 if theta + angle < 0 else np.cos(theta + angle)
            if theta + angle > np.pi:
                moved = np.cos(theta) - angle * np.sin(angle)
            logits[row, label] = moved - self.margin * (1 + q[row])
        return self.scale * logits


ORACLES = {
    "softmax": softmax_oracle,
    "amsoftmax": amsoftmax_oracle,
    "arcface": arcface_oracle,
    "asoftmax": ASoftmaxOracle,
    "curricularface": CurricularFaceOracle,
    "magface": magface_oracle,
    "adaface": AdaFaceOracle,
}
NAMES = sorted(ORACLES)
BATCHES = [LABELS, torch.tensor([3, 3, 0, 1, 1, 2]), torch.tensor([2, 0, 0, 0, 1, 3])]


def made(name, dtype=torch.float64, **options):
    torch.manual_seed(1)
    head = build_head(name, SIZE, CLASSES, **options).to(dtype)
    return head, torch.randn(BATCH, SIZE, dtype=dtype, requires_grad=True)


def follows(name, options):
    """The oracle with its options: a new memory for those that have one."""
    oracle = ORACLES[name]
    return oracle(**options) if isinstance(oracle, type) else partial(oracle, **options)
