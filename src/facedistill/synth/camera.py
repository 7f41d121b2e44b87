"""The pinhole camera: pose of the head, focal length, projection."""

from dataclasses import dataclass

import numpy as np

from facedistill.synth.arrays import Floats

# The head turns about the middle of the skull, level with the eyes (decimetres, head frame).
PIVOT = np.array([0.0, 7.1, 0.45], np.float32)
_CROP_MIDDLE = 0.04  # middle of an aligned crop between eyes (0) and mouth (1), mean over poses


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera that looks at a turned head.

    Attributes:
        rotation: float32 [3, 3], head frame to camera frame (x right in the picture, y up, z towards the camera).
        distance: From the camera to `PIVOT`, decimetres.
        focal: Pixels.
        centre: x and y of the principal point, pixels.
    """

    rotation: Floats
    distance: float
    focal: float
    centre: tuple[float, float]

    def project(self, points: Floats) -> Floats:
        """Projects points [..., 3] of the head frame to x right, y down (pixels) and depth (dm), float32 [..., 3]."""
        local = points @ self.rotation.T - self.rotation @ PIVOT
        screen = np.empty(local.shape, np.float32)
        depth = screen[..., 2] = self.distance - local[..., 2]
        scale = self.focal / depth
        screen[..., 0] = self.centre[0] + scale * local[..., 0]
        screen[..., 1] = self.centre[1] - scale * local[..., 1]
        return screen

    def position(self) -> Floats:
        """The camera's centre in the head frame, float32 [3], decimetres."""
        return np.asarray(PIVOT + self.rotation.T @ np.array([0, 0, self.distance]), np.float32)


def rotation_matrix(yaw: float, pitch: float, roll: float) -> Floats:
    """The rotation from head frame to camera frame, float32 [3, 3]; angles in degrees.

    Positive yaw turns the face to the picture's right (the subject's left), positive pitch lowers the chin,
    positive roll tilts the head clockwise as seen in the picture.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn, np.float32)


def frame_face(
    rotation: Floats,
    distance: float,
    eyes: Floats,
    mouth: Floats,
    size: int,
    fraction: float,
    shift: tuple[float, float],
) -> Camera:
    """A camera that shows the neutral face in a given size.

    The size is that of a frontal view: measured on the turned face, pitch would change the scale.

    Args:
        rotation: Head frame to camera frame.
        distance: Decimetres from the camera to `PIVOT`.
        eyes: Midpoint of the eyes, head frame.
        mouth: Midpoint of the mouth, head frame.
        size: Rows and columns of the picture, pixels.
        fraction: Eye-to-mouth distance over the picture's height.
        shift: Displacement of the face to the right and down, fractions of the picture.
    """
    middle = (eyes + mouth) / 2
    frontal_depth = distance - (middle[2] - PIVOT[2])
    focal = float(fraction * size / np.linalg.norm(eyes - mouth) * frontal_depth)
    plain = Camera(rotation, distance, focal, (0.0, 0.0))
    # Centred on the aligned crop, so that it rarely extends beyond the photo.
    x, y, _ = plain.project(eyes + _CROP_MIDDLE * (mouth - eyes))
    return Camera(rotation, distance, focal, (size * (0.5 + shift[0]) - float(x), size * (0.5 + shift[1]) - float(y)))
