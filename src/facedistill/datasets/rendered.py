"""Sets of synthetic people in the cache folder."""

from typing import Protocol

from facedistill.datasets.face import FaceSet
from facedistill.datasets.folder import open_face_set
from facedistill.datasets.growing import GrowingFaces
from facedistill.files import cache_folder
from facedistill.synth.pool import RenderSettings


class SynthSettings(Protocol):
    """Which synthetic people; see `facedistill.recipe.SynthRecipe`."""

    identities: int
    images: int
    seed: int
    same_day: bool
    start: int | None
    growth: float
    exaggeration: float
    variety: float


def open_rendered(synth: SynthSettings, size: tuple[int, int]) -> FaceSet:
    """Opens the set in the cache folder; renders it now where it is not there or not finished, unless it grows.

    Args:
        synth: Who is rendered.
        size: (height, width) of a crop convention.

    Raises:
        FacedistillError: People cannot be rendered, or the set is damaged.
    """
    wide = (synth.exaggeration, synth.variety)
    settings = RenderSettings(synth.images, synth.seed, size, synth.same_day, *wide)
    folder = cache_folder() / settings.folder_name(synth.identities)
    if synth.start is not None:
        return GrowingFaces(folder, settings, synth.identities)
    from facedistill.synth.dataset import write_synthetic  # compiles kernels: only when needed

    write_synthetic(folder, synth.identities, synth.images, synth.seed, size, None, synth.same_day, *wide)
    return open_face_set(folder)
