"""Views: what teacher and student are both shown, so that the teacher answers for more than the stored pictures.

`variance` is what the student alone is shown, after the view.
"""

from typing import Any

from facedistill.registry import Registry
from facedistill.views.aspect import Aspect
from facedistill.views.brightness import Brightness
from facedistill.views.channels import Channels
from facedistill.views.contrast import Contrast
from facedistill.views.cut import Cut
from facedistill.views.elastic import Elastic
from facedistill.views.frequencies import Frequencies
from facedistill.views.gamma import Gamma
from facedistill.views.grey import Grey
from facedistill.views.mirror import Mirror
from facedistill.views.mixture import Mixture
from facedistill.views.occluder import Occluder
from facedistill.views.part import Context, Geometry, PixelPart, ViewPart, Warp
from facedistill.views.patches import Patches
from facedistill.views.scale import Scale
from facedistill.views.shift import Shift
from facedistill.views.turn import Turn
from facedistill.views.views import Draws, View, ViewBatch, Views

__all__ = [
    "VIEWS",
    "Aspect",
    "Brightness",
    "Channels",
    "Context",
    "Contrast",
    "Cut",
    "Draws",
    "Elastic",
    "Frequencies",
    "Gamma",
    "Geometry",
    "Grey",
    "Mirror",
    "Mixture",
    "Occluder",
    "Patches",
    "PixelPart",
    "Scale",
    "Shift",
    "Turn",
    "View",
    "ViewBatch",
    "ViewPart",
    "Views",
    "Warp",
    "build_view",
]

VIEWS: Registry[ViewPart[Any]] = Registry("view", base=ViewPart)
VIEWS.register("mirror")(Mirror)
VIEWS.register("turn")(Turn)
VIEWS.register("scale")(Scale)
VIEWS.register("aspect")(Aspect)
VIEWS.register("shift")(Shift)
VIEWS.register("elastic")(Elastic)
VIEWS.register("mixture")(Mixture)
VIEWS.register("patches")(Patches)
VIEWS.register("frequencies")(Frequencies)
VIEWS.register("gamma")(Gamma)
VIEWS.register("contrast")(Contrast)
VIEWS.register("brightness")(Brightness)
VIEWS.register("channels")(Channels)
VIEWS.register("grey")(Grey)
VIEWS.register("occluder")(Occluder)


def build_view(name: str, **options: object) -> ViewPart[Any]:
    """The part of a view called `name`, with its options as in the class of that name.

    Args:
        name: A name in `VIEWS`, or `package.module:Class`, derived from `Geometry`, `Warp` or `PixelPart`.
        **options: The class's attributes; lists, as a recipe gives them, stand for tuples.

    Raises:
        UsageError: The name or an option is unknown, an option is out of range, or the class is no part of a view.
    """
    values = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    return VIEWS.build(name, **values)
