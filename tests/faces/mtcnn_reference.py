"""MTCNN once more, slowly and in float64: the nets layer by layer, the cascade box by box. An oracle for the tests."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from facedistill.faces.mtcnn_weights import load_weights


def conv(x, kernel, bias):
    """Valid convolution of [n, h, w, in] with [kh, kw, in, out]."""
    patches = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))  # [n, h, w, in, kh, kw]
    return np.einsum("nhwcyx,yxco->nhwo", patches, kernel, optimize=True) + bias


def prelu(x, slope):
    return np.where(x > 0, x, slope * x)


def max_pool(x, kernel, same):
    """Stride 2; `same` pads as TensorFlow does: as little as it takes, the larger part below and to the right."""
    if same:
        pads = [max((-(-side // 2) - 1) * 2 + kernel - side, 0) for side in x.shape[1:3]]
        widths = [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)]
        x = np.pad(x, widths, constant_values=-np.inf)
    return sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::2, ::2].max(axis=(4, 5))


def softmax_face(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True))[..., 1]


POOLS = {  # behind each convolution: kernel, and whether TensorFlow's "same" padding is on
    "pnet": [(2, True), None, None],
    "rnet": [(3, True), (3, False), None],
    "onet": [(3, True), (3, False), (2, True), None],
}


class ReferenceNet:
    def __init__(self, name):
        self.name = name
        self.weights = [array.astype(np.float64) for array in load_weights(name)]

    def __call__(self, pictures):
        """0..255 [n, h, w, 3] -> (offsets, landmarks or None, probability of a face), channels last."""
        weights = iter(self.weights)
        x = (np.asarray(pictures, dtype=np.float64) - 127.5) / 128
        for pool in POOLS[self.name]:
            x = prelu(conv(x, next(weights), next(weights)), next(weights))
            if pool:
                x = max_pool(x, *pool)
        if self.name == "pnet":
            return conv(x, next(weights), next(weights)), None, softmax_face(conv(x, next(weights), next(weights)))
        x = x.transpose(0, 2, 1, 3).reshape(len(x), -1)  # Keras: Permute((2, 1, 3)), Flatten()
        x = prelu(x @ next(weights) + next(weights), next(weights))
        offsets = x @ next(weights) + next(weights)
        landmarks = x @ next(weights) + next(weights) if self.name == "onet" else None
        return offsets, landmarks, softmax_face(x @ next(weights) + next(weights))


def resize_matrix(old, new):
    """[new, old]: means over areas when it shrinks, straight lines between pixel centres when it grows."""
    matrix = np.zeros((new, old))
    for row in range(new):
        if new < old:
            first, last = row * old / new, (row + 1) * old / new
            for column in range(int(first), min(int(np.ceil(last)), old)):
                matrix[row, column] = (min(last, column + 1) - max(first, column)) * new / old
        else:
            at = min(max((row + 0.5) * old / new - 0.5, 0), old - 1)
            left = min(int(at), max(old - 2, 0))
            matrix[row, left] += 1 - (at - left)
            matrix[row, min(left + 1, old - 1)] += at - left
    return matrix


def resize(image, rows, columns):
    """To 8 bits, as the nets take their pictures."""
    height, width = image.shape[:2]
    by_rows = np.tensordot(resize_matrix(height, rows), image, axes=1)
    return np.rint(np.tensordot(resize_matrix(width, columns), by_rows, axes=(1, 1)).transpose(1, 0, 2))


def overlap(a, b, over_smaller=False):
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    area_a, area_b = (max(x[2] - x[0], 0) * max(x[3] - x[1], 0) for x in (a, b))
    whole = min(area_a, area_b) if over_smaller else area_a + area_b - common
    return common / whole if whole else 0.0


def slow_suppress(boxes, scores, threshold, over_smaller=False):
    """Non-maximum suppression as its definition reads: indices of the kept boxes, best first."""
    kept = []
    for candidate in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap(boxes[candidate], boxes[other], over_smaller) <= threshold for other in kept):
            kept.append(candidate)
    return kept


def shifted(box, offsets):
    width, height = box[2] - box[0], box[3] - box[1]
    return np.array([box[0], box[1], box[2], box[3]]) + np.array(offsets) * [width, height, width, height]


def cut(image, box, side):
    """The square of whole pixels around a box, grey beyond the picture: (corner x, corner y, length, picture)."""
    length = max(int(np.rint(max(box[2] - box[0], box[3] - box[1]))), 1)
    x, y = (int(np.rint((box[i] + box[i + 2] - length) / 2)) for i in (0, 1))
    whole = np.full((length, length, 3), 128.0)
    for row in range(max(y, 0), min(y + length, image.shape[0])):
        left, right = max(x, 0), min(x + length, image.shape[1])
        if right > left:
            whole[row - y, left - x : right - x] = image[row, left:right]
    return x, y, length, resize(whole, side, side)


class ReferenceCascade:
    """(box, score, landmarks) of every face, best first."""

    def __init__(self, min_face, thresholds=(0.6, 0.7, 0.7)):
        self.min_face, self.thresholds = min_face, thresholds
        self.pnet, self.rnet, self.onet = (ReferenceNet(name) for name in ("pnet", "rnet", "onet"))

    def __call__(self, image):
        boxes = self.propose(image.astype(np.float64))
        refined, scores = [], []
        for box in boxes:
            x, y, length, picture = cut(image, box, 24)
            offsets, _, score = self.rnet(picture[None])
            if score[0] > self.thresholds[1]:
                refined.append(shifted((x, y, x + length, y + length), offsets[0]))
                scores.append(score[0])
        faces = []
        for box in [refined[i] for i in slow_suppress(refined, scores, 0.7)]:
            x, y, length, picture = cut(image, box, 48)
            offsets, points, score = self.onet(picture[None])
            if score[0] > self.thresholds[2]:
                landmarks = np.stack([x + points[0, :5] * length, y + points[0, 5:] * length], axis=1) - 0.5
                faces.append((shifted((x, y, x + length, y + length), offsets[0]), score[0], landmarks))
        kept = slow_suppress([face[0] for face in faces], [face[1] for face in faces], 0.7, over_smaller=True)
        return [faces[i] for i in kept]

    def propose(self, image):
        height, width = image.shape[:2]
        boxes, scores = [], []
        scale = 12 / self.min_face
        while min(height, width) * scale >= 12:
            rows, columns = round(height * scale), round(width * scale)
            offsets, _, faces = self.pnet(resize(image, rows, columns)[None])
            level_boxes, level_scores = [], []
            for row, column in zip(*np.nonzero(faces[0] > self.thresholds[0]), strict=True):
                window = (2 * column, 2 * row, 2 * column + 12, 2 * row + 12)
                level_boxes.append(shifted(window, offsets[0, row, column]))
                level_scores.append(faces[0, row, column])
            for i in slow_suppress(level_boxes, level_scores, 0.5):
                stretch = [width / columns, height / rows, width / columns, height / rows]
                boxes.append(level_boxes[i] * stretch)
                scores.append(level_scores[i])
            scale *= 0.709
        return [boxes[i] for i in slow_suppress(boxes, scores, 0.7)]
