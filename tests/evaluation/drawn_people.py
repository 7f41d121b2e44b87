"""People who are patterns with noise, a model that separates them, and how a protocol is run on them."""

import cv2
import numpy as np

from facedistill.evaluation import evaluate

SIZE = (112, 96)


def embed(crops):
    """The block means of a crop, less grey: whom it shows, plus the picture's noise. float32 [B, 126]."""
    assert crops.shape[1:] == (*SIZE, 3)
    assert crops.dtype == np.uint8
    blocks = crops.reshape(len(crops), 7, 16, 6, 16, 3).mean(axis=(2, 4)) - 128
    return blocks.reshape(len(crops), -1).astype(np.float32)


def result_of(embed, on, **options):
    """The one result of an evaluation."""
    (result,) = evaluate(embed, on, **options).values()
    return result


def figures_of(embed, on, **options):
    """The same as what `json.dumps` takes."""
    return result_of(embed, on, **options).to_json()


def embedded(crop):
    """The embedding of one crop as a list of floats, for an oracle."""
    return [float(value) for value in embed(crop[None])[0]]


class Painter:
    """Draws pictures; the same seed draws the same ones.

    Args:
        seed: Of everything.
        noise: Of a picture against its person's pattern, both in standard deviations of 20 grey levels.
    """

    def __init__(self, seed=0, noise=2.5):
        self._rng = np.random.default_rng(seed)
        self._noise = noise
        self._patterns = {}

    def draw(self, person, size=SIZE):
        """A picture of (height, width): uint8 RGB."""
        if person not in self._patterns:
            self._patterns[person] = self._rng.normal(size=(7, 6, 3))
        blocks = self._patterns[person] + self._noise * self._rng.normal(size=(7, 6, 3))
        picture = np.clip(128 + 20 * blocks, 0, 255).astype(np.uint8)
        return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_NEAREST)

    def write(self, path, person, size):
        write_picture(path, self.draw(person, size))

    def tiny_size(self):
        """(height, width) as tracking boxes of distant people have them."""
        return int(self._rng.integers(14, 32)), int(self._rng.integers(12, 28))


def write_picture(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))[1].tobytes())


def spoil(path):
    """Makes a picture one that cannot be read."""
    assert path.is_file()
    path.write_bytes(b"\xff\xd8 no picture")
