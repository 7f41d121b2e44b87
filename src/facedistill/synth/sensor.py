"""The sensor model: exposure, white balance, blur, motion, noise, compression."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.pictures import encode_picture

MOTION = 0.12  # share of pictures with motion blur
SOFT = 0.30  # share of pictures out of focus
_LENS = (0.5, 1.0)  # range of the sigma of lens and colour filter, pixels of the photo
_LEVELS = np.arange(256)[:, None, None] / 255


@dataclass(frozen=True)
class Sensor:
    """Parameters of the sensor in one picture.

    Attributes:
        exposure: Stops; a factor of 2**exposure on linear light.
        white_balance: Gains of red and blue relative to green.
        blur: Sigma of lens and defocus, pixels of the photo.
        motion: Length of the motion blur, pixels of the photo; below 1 there is none.
        motion_angle: Degrees, 0 along the rows.
        noise: Standard deviation of the read noise, 0..1 of full range; shot noise grows with it.
        jpeg: JPEG quality, 35..95.
    """

    exposure: float
    white_balance: tuple[float, float]
    blur: float
    motion: float
    motion_angle: float
    noise: float
    jpeg: int


def draw_sensor(rng: np.random.Generator, dim: float) -> Sensor:
    """Samples a sensor; `dim` 0 (bright) .. 1 (night) raises noise, motion blur and underexposure."""
    moving = rng.random() < MOTION * (1 + dim)
    soft = rng.random() < SOFT
    return Sensor(
        exposure=float(np.clip(rng.normal(-0.10 * dim, 0.25), -1.2, 0.8)),
        white_balance=(float(np.exp(rng.normal(0, 0.06))), float(np.exp(rng.normal(0, 0.06)))),
        blur=float(np.hypot(rng.uniform(*_LENS), rng.uniform(0.25, 0.95) * soft)),
        motion=float(rng.uniform(1.3, 4.2)) if moving else 0.0,
        motion_angle=float(rng.uniform(0, 180)),
        noise=float(rng.gamma(1.6, 0.003) * (1 + 2.5 * dim)),
        jpeg=int(rng.integers(35, 96)),
    )


def apply_sensor(image: NDArray[np.uint8], sensor: Sensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Applies the sensor to a rendered picture.

    Args:
        image: uint8 [H, W, 3], sRGB, as rendered.
        sensor: The parameters.
        rng: Random generator of the noise.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: The image has another shape or type.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(f"image must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
    red, blue = sensor.white_balance
    # A gain on linear light is a gain to the power 1/2.2 on sRGB values, nearly.
    gains = (2.0**sensor.exposure * np.array([red, 1.0, blue])) ** (1 / 2.2)
    light = np.asarray(cv2.LUT(image, (_LEVELS * gains).astype(np.float32)), np.float32)
    if sensor.blur > 0:
        light = cv2.GaussianBlur(light, (0, 0), sensor.blur).astype(np.float32, copy=False)
    if sensor.motion >= 1:
        kernel = motion_kernel(sensor.motion, sensor.motion_angle)
        light = cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)
    if sensor.noise > 0:
        cv2.setRNGSeed(int(rng.integers(1 << 31)))  # OpenCV draws normal numbers three times as fast as numpy
        noise = np.asarray(cv2.randn(np.empty_like(light), np.zeros(3), np.full(3, sensor.noise)), np.float32)
        light += np.sqrt(0.5 + 2 * np.clip(light, 0, 1)) * noise
    taken = np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)
    encoded = np.frombuffer(encode_picture(taken, quality=sensor.jpeg), np.uint8)
    # Without the checks of `decode_picture`: the bytes are known to be valid.
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()


def motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """A line of `length` pixels at `angle` degrees, drawn smoothly; sums to 1. float32 [k, k], k odd."""
    side = 2 * int(np.ceil(length / 2)) + 1
    scale = 8
    canvas = np.zeros((side * scale, side * scale), np.float32)
    middle = (side * scale - 1) / 2
    step = length / 2 * scale * np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
    start, end = middle - step, middle + step
    cv2.line(canvas, np.rint(start).astype(int).tolist(), np.rint(end).astype(int).tolist(), 1.0, scale)
    kernel = canvas.reshape(side, scale, side, scale).sum(axis=(1, 3))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)
