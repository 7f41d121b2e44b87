"""The losses' formulas in float64 numpy, written from the papers with loops; those with memory are classes."""

import numpy as np


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax(logits, temperature=1.0):
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cos(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def soft(student, teacher, labels, temperature=2.0, form="kl"):
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    ratio = np.log(p / q) if form == "kl" else -np.log(q)
    return temperature**2 * np.mean(np.sum(p * ratio, axis=1))


def l2(student, teacher, labels):
    return np.mean(np.linalg.norm(unit(student) - unit(teacher), axis=1) ** 2)


def cosine(student, teacher, labels):
    return np.mean([1 - cos(s, t) for s, t in zip(student, teacher, strict=True)])


def mk_mmd(student, teacher, labels, multipliers=(0.25, 0.5, 1, 2, 4), on="embedding", temperature=2.0):
    s, t = (unit(x) if on == "embedding" else softmax(x, temperature) for x in (student, teacher))
    joint = np.concatenate((s, t))
    mean = np.mean([[np.sum((a - b) ** 2) for a in joint] for b in joint])

    def k(one, other):
        return np.mean(
            [[sum(np.exp(-np.sum((a - b) ** 2) / (u * mean)) for u in multipliers) for a in one] for b in other]
        )

    return k(s, s) + k(t, t) - 2 * k(s, t)


def attention(student, teacher, labels, stages=None):
    def q(maps):
        return np.array([np.ravel(np.sum(face**2, axis=0)) / np.linalg.norm(np.sum(face**2, axis=0)) for face in maps])

    chosen = range(len(student)) if stages is None else stages
    return np.mean([np.mean(np.sum((q(student[i]) - q(teacher[i])) ** 2, axis=1)) for i in chosen])


def attention_similarity(student, teacher, labels, maps="both", stages=None):
    means = []
    for i in range(len(student)) if stages is None else stages:
        for kind, axis in (("spatial", 1), ("channel", (2, 3))):
            if maps in ("both", kind):
                a, b = ((side[i] ** 2).sum(axis=axis).reshape(len(side[i]), -1) for side in (student, teacher))
                means.append(np.mean([1 - cos(x, y) for x, y in zip(a, b, strict=True)]))
    return np.mean(means)


def huber(x):
    return 0.5 * x**2 if abs(x) < 1 else abs(x) - 0.5


def rkd(student, teacher, labels, distance=25.0, angle=50.0):
    n = len(student)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    lengths = []
    for side in (student, teacher):
        raw = [np.linalg.norm(side[i] - side[j]) for i, j in pairs]
        lengths.append(np.array(raw) / np.mean(raw))
    total = distance * np.mean([huber(a - b) for a, b in zip(*lengths, strict=True)])
    triplets = [(i, j, k) for i in range(n) for j in range(n) for k in range(n) if len({i, j, k}) == 3]
    angles = [[cos(side[i] - side[j], side[k] - side[j]) for i, j, k in triplets] for side in (student, teacher)]
    return total + angle * np.mean([huber(a - b) for a, b in zip(*angles, strict=True)])


def sp(student, teacher, labels, on="embedding"):
    stages = [(student, teacher)] if on == "embedding" else list(zip(student, teacher, strict=True))
    values = []
    for s, t in stages:
        s, t = s.reshape(len(s), -1), t.reshape(len(t), -1)
        values.append(np.linalg.norm(unit(s @ s.T) - unit(t @ t.T), "fro") ** 2 / len(s) ** 2)
    return np.mean(values)


def pkt(student, teacher, labels):
    n, total = len(student), 0.0
    for j in range(n):
        kernels = [[(cos(side[i], side[j]) + 1) / 2 for i in range(n) if i != j] for side in (student, teacher)]
        q, p = (np.array(kernel) / sum(kernel) for kernel in kernels)
        total += np.sum(p * np.log(p / q)) / n
    return total


def dkd(student, teacher, labels, alpha=1.0, beta=8.0, temperature=4.0):
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    total = 0.0
    for i, y in enumerate(labels):
        rest = [c for c in range(p.shape[1]) if c != y]
        own = p[i, y] * np.log(p[i, y] / q[i, y]) + (1 - p[i, y]) * np.log((1 - p[i, y]) / (1 - q[i, y]))
        a, b = p[i, rest] / p[i, rest].sum(), q[i, rest] / q[i, rest].sum()
        total += alpha * own + beta * np.sum(a * np.log(a / b))
    return temperature**2 * total / len(labels)


def dist(student, teacher, labels, beta=1.0, gamma=1.0, temperature=1.0):
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    rows = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p, q, strict=True)])
    columns = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p.T, q.T, strict=True)])
    return temperature**2 * (beta * rows + gamma * columns)


def cross_sample(student, teacher, labels):
    s, t = unit(student), unit(teacher)

    def d(relation):
        return np.mean([1 - cos(a, b) for a, b in zip(t @ t.T, relation, strict=True)])

    return (d(t @ s.T) + d(s @ t.T)) / 2 + d(s @ s.T)


def arcface_cross_entropy(student, centres, labels, margins, scale):
    """`centres`: class -> vector; classes that are missing take no part."""
    total = 0.0
    for s, y, m in zip(student, labels, margins, strict=True):
        logits = {c: cos(s, w) for c, w in centres.items()}
        theta = np.arccos(logits[y])
        logits[y] = np.cos(theta + m) if theta + m <= np.pi else np.cos(theta) - m * np.sin(m)
        values = scale * np.array([logits[c] for c in sorted(logits)])
        total += np.log(np.exp(values - values.max()).sum()) + values.max() - scale * logits[y]
    return total / len(labels)


class Margin:
    def __init__(self, scale=64.0, least=0.2, most=0.5):
        self.scale, self.least, self.most, self.seen = scale, least, most, {}

    def __call__(self, student, teacher, labels):
        for t, y in zip(unit(teacher), labels, strict=True):
            self.seen.setdefault(y, []).append(t)
        centres = {y: np.mean(rows, axis=0) for y, rows in self.seen.items()}
        sure = np.array([max(0.0, cos(t, centres[y])) for t, y in zip(teacher, labels, strict=True)])
        margins = (self.most - self.least) / sure.max() * sure + self.least
        return arcface_cross_entropy(student, centres, labels, margins, self.scale)


class AdaDistill:
    def __init__(self, scale=64.0, margin=0.45):
        self.scale, self.margin, self.centres = scale, margin, {}

    def __call__(self, student, teacher, labels):
        moved = {}
        for s, t, y in zip(student, unit(teacher), labels, strict=True):
            if y in self.centres:
                w = self.centres[y]
                a = np.clip(cos(s, t) * np.clip(cos(w, t), 0, 1), 0, 1)
                moved.setdefault(y, []).append(a * w + (1 - a) * t)
            else:
                moved.setdefault(y, []).append(t)
        self.centres |= {y: np.mean(rows, axis=0) for y, rows in moved.items()}
        return arcface_cross_entropy(student, self.centres, labels, [self.margin] * len(labels), self.scale)


class Neurons:
    def __init__(self, keep=0.5):
        self.keep, self.alike, self.unlike = keep, [], []

    def __call__(self, student, teacher, labels):
        s, t = unit(student), unit(teacher)
        for i in range(len(t)):
            for j in range(i):
                (self.alike if labels[i] == labels[j] else self.unlike).append((t[i] - t[j]) ** 2)
        units = np.arange(t.shape[1])
        if self.alike and self.unlike:
            ratio = np.mean(self.unlike, axis=0) / np.mean(self.alike, axis=0)
            units = np.argsort(-ratio)[: int(np.ceil(self.keep * t.shape[1]))]
        return np.mean(np.sum((s - t)[:, units] ** 2, axis=1))


class Ekd:
    def __init__(self, genuine=0.02, impostor=0.01, hardest=2000, momentum=0.01):
        self.genuine, self.impostor, self.hardest, self.momentum = genuine, impostor, hardest, momentum
        self.thresholds = None

    def __call__(self, student, teacher, labels):
        pairs = [(i, j) for i in range(len(labels)) for j in range(i + 1, len(labels))]
        cosines = np.array([[cos(side[i], side[j]) for i, j in pairs] for side in (student, teacher)])
        same = np.array([labels[i] == labels[j] for i, j in pairs])
        ordered = -np.sort(-cosines[:, ~same], axis=1)
        fresh = np.array([ordered[:, ordered.shape[1] // 10**k] for k in range(1, 7)]).T
        old = fresh if self.thresholds is None else self.thresholds
        self.thresholds = self.momentum * fresh + (1 - self.momentum) * old

        def r(x, th):
            return sum(1 / (1 + np.exp(-(x - one) / 0.01)) for one in th)

        passed = [np.array([r(x, self.thresholds[n]) for x in cosines[n]]) for n in (0, 1)]
        hard = np.flatnonzero(~same)
        hard = hard[np.argsort(-cosines[0, hard])][: self.hardest]
        errors = (passed[0] - passed[1]) ** 2
        total = self.impostor * errors[hard].mean()
        return total + (self.genuine * errors[same].mean() if same.any() else 0.0)


class InfoNce:
    def __init__(self, queue=4096, scale=16.0):
        self.length, self.scale, self.queue = queue, scale, []

    def __call__(self, student, teacher, labels):
        self.queue += list(zip(teacher, labels, strict=True))
        kept = max(self.length, len(labels))
        total = 0.0
        for i, s in enumerate(student):
            own = np.exp(self.scale * cos(s, teacher[i]))
            others = [np.exp(self.scale * cos(s, t)) for t, y in self.queue[-kept:] if y != labels[i]]
            total -= np.log(own / (own + sum(others)))
        return total / len(student)


class Seed:
    def __init__(self, queue=4096, student_temperature=0.2, teacher_temperature=0.01):
        self.length, self.temperatures, self.queue = queue, (student_temperature, teacher_temperature), []

    def __call__(self, student, teacher, labels):
        self.queue += list(teacher)
        kept = self.queue[-max(self.length, len(teacher)) :]
        q, p = (
            softmax(np.array([[cos(row, t) for t in kept] for row in side]), temperature)
            for side, temperature in zip((student, teacher), self.temperatures, strict=True)
        )
        return np.mean([-np.sum(p[i] * np.log(q[i])) for i in range(len(student))])
