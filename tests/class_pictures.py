"""What tests of image classification need: pictures of three classes in folders, and nets of one's own."""

import numpy as np
from torch import nn

from facedistill.pictures import encode_picture

CLASSES = ("blue", "green", "red")  # in the order of their folders' names


def draw_classes(folder, pictures=20, size=(9, 7), noise=60):
    """Noisy squares of three colours, all of one size; without noise any net classifies them."""
    rng = np.random.default_rng(0)
    for channel, name in zip((2, 1, 0), CLASSES, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(pictures):
            image = np.full((*size, 3), 90.0)
            image[..., channel] += 60
            image += rng.normal(0, noise, image.shape)
            path = folder / name / f"{number:02d}.png"
            path.write_bytes(encode_picture(image.clip(0, 255).astype(np.uint8), ".png"))
    return folder


def linear(classes, input_size):
    """The smallest classifier."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * input_size[0] * input_size[1], classes))


def convolutional(classes, _input_size):
    """A net with batch norm, which has buffers."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    )


def transposed(classes, input_size):
    return nn.Sequential(linear(classes, input_size), nn.Unflatten(1, (classes, 1)))


def without_parameters(classes, input_size):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def no_module(_classes, _input_size):
    return "net"


def failing(_classes, _input_size):
    raise ValueError("no\nsuch file")


def unseeing(_classes, _input_size):
    return nn.Linear(5, 2)
