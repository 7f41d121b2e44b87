"""What the camera sweep shows: a face as a camera sees it at so many rows, and aligned by what is found of it there."""

import numpy as np

from facedistill.variance import Camera, Crop, at_face_rows
from facedistill.variance.placement import Placement

MISALIGNMENT = {  # rows -> turn in degrees, scale, shift in x and in y as shares of the crop
    44: (1.38, 0.031, 0.007, 0.009),
    30: (2.05, 0.043, 0.010, 0.012),
    24: (2.46, 0.048, 0.014, 0.013),
    20: (3.12, 0.058, 0.015, 0.014),
    16: (3.75, 0.080, 0.022, 0.019),
    12: (5.84, 0.093, 0.036, 0.021),
    10: (5.10, 0.095, 0.036, 0.021),
    8: (6.22, 0.113, 0.050, 0.023),
}
"""Standard deviations of how far MTCNN misaligns a small face, by `benchmarks/landmarks.py` on 300 pictures of rendered
people. Faces that it does not find are none of it: 3 % at 44 rows, 17 % at 16, 82 % at 8."""


def photograph(crop: Crop, place: int, rows: int, seed: int) -> Crop:
    """A face as a camera sees it at so many rows: misaligned, blurred, shrunk, exposed, noisy, JPEG, enlarged back.

    What happens is that of `variance.Camera` as it is by default, every picture changed; the misalignment is drawn from
    normals with the deviations of `MISALIGNMENT`, between its rows by the logarithm of the rows.

    Args:
        crop: uint8 [H, W, 3], aligned.
        place: The picture's number.
        rows: Of the face, from 1 on, as for `variance.degrade_face`.
        seed: The same seed, rows and place draw the same, whatever else is photographed.
    """
    rng = np.random.default_rng([seed, rows, place])

    def shoot(crop: Crop, left: int) -> Crop:
        camera = Camera(rows=(left, left), probability=1, misaligned=0)
        shot = camera.draw(rng, *crop.shape[:2])
        assert shot is not None, "its probability is 1"
        angle, scale, *shift = rng.normal(0, _deviations(rows))
        placement = Placement(angle, float(np.exp(scale)), np.array(shift))
        return camera.apply(crop, shot._replace(placement=placement))

    return at_face_rows(crop, rows, shoot)


def _deviations(rows: int) -> list[float]:
    known = sorted(MISALIGNMENT)
    columns = zip(*(MISALIGNMENT[each] for each in known), strict=True)
    return [float(np.interp(np.log(rows), np.log(known), column)) for column in columns]
