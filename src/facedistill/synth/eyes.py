"""Eyes: gaze, opening and colour, for the shader."""

import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.conditions import Conditions
from facedistill.synth.person import Person
from facedistill.synth.regions import LID_SPLIT

_IRIS_SINE = 0.44  # sine of the angle that the iris subtends at the eyeball's centre


class EyeModel:
    """Computes the eye parameters of the shader from a posed head."""

    def __init__(self, assets: Assets) -> None:
        x, y = assets.points[:, 0], assets.points[:, 1]
        roots = assets.vertices_of("lash") & (assets.lash_tips < 0.25)
        ball = assets.vertices_of("eye")
        sides = (x < 0, x > 0)  # the subject's right eye first: it is on the picture's left
        self._balls = [np.flatnonzero(ball & side) for side in sides]
        self._upper = [np.flatnonzero(roots & side & (y > LID_SPLIT)) for side in sides]
        self._lower = [np.flatnonzero(roots & side & (y < LID_SPLIT)) for side in sides]

    def shader_table(self, person: Person, conditions: Conditions, posed: Floats) -> Floats:
        """The parameters of both eyes for the shader, float32 [2, 20], the subject's right eye first.

        Columns: 0-2 centre, 3 radius, 4-6 gaze, 7 sine of the iris' half angle, 8 pupil over iris radius, 9 and 10
        height of the upper and lower lid, 13 phase of the iris' fibres, 14 redness, 15 position of
        the reflected window, 16 brightness of the white, 17-19 linear RGB of the iris.

        Args:
            person: Person whose irises are drawn.
            conditions: Gaze, pupils, redness and the reflected window.
            posed: [V, 3] the posed head, head frame.
        """
        gaze, table = conditions.gaze, np.zeros((2, 20), np.float32)
        for side in range(2):
            ball = posed[self._balls[side]]
            centre = (ball.max(axis=0) + ball.min(axis=0)) / 2
            left, up = np.radians(gaze[0] + (1.6 - 3.2 * side)), np.radians(gaze[1])
            row = table[side]
            row[0:3] = centre
            row[3] = np.ptp(ball[:, 0]) / 2
            row[4:7] = np.sin(left) * np.cos(up), np.sin(up), np.cos(left) * np.cos(up)
            row[7] = _IRIS_SINE
            row[8] = conditions.pupil
            row[9] = posed[self._upper[side], 1].max()
            row[10] = posed[self._lower[side], 1].min()
            row[13] = person.iris_seed % 628 / 100
            row[14] = conditions.eye_redness
            row[15] = conditions.light.window
            row[16] = 1.0 - 0.12 * person.age / 80
            row[17:20] = person.iris
        return table

    def centres(self, posed: Floats) -> Floats:
        """The middle of each eye's opening on the ball, head frame, float32 [2, 3]: the subject's right eye first."""
        found = []
        for ball in self._balls:
            points = posed[ball]
            centre = (points.max(axis=0) + points.min(axis=0)) / 2
            found.append(centre + np.array([0, 0, np.ptp(points[:, 2]) / 2]))
        return np.array(found, np.float32)
