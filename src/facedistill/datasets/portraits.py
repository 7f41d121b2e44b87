"""Photos of real people that installed packages carry and anybody may use: to look at, never to train on.

| photo | package | terms |
|---|---|---|
| Grace Hopper | matplotlib | United States Navy, public domain |
| Eileen Collins | scikit-image, where it is installed | NASA, public domain |
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.pictures import read_picture

_PHOTOS = {
    "Grace Hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "Eileen Collins": ("skimage", "data/astronaut.png"),
}


def load_portraits() -> dict[str, NDArray[np.uint8]]:
    """Name -> photo uint8 [H, W, 3] RGB, of those that are installed."""
    photos = {}
    for name, (package, place) in _PHOTOS.items():
        found = find_spec(package)
        if found is not None and found.origin and (path := Path(found.origin).parent / place).is_file():
            photos[name] = read_picture(path)
    return photos
