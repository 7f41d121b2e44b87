"""A face set of synthetic people that grows while it is trained on.

Who is drawn in a training follows from the number of pictures that were drawn before, not from how fast people are
rendered: where rendering is slower, training waits.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.face import Face
from facedistill.datasets.recordio_set import RecordFaces
from facedistill.errors import FacedistillError
from facedistill.pictures import decode_picture
from facedistill.synth.pool import SETTINGS, RenderSettings, part_path, read_picture
from facedistill.synth.renderers import Renderers


class GrowingFaces:
    """A set of synthetic people of whom some are not rendered yet; the same set as the finished one.

    Attributes:
        folder: Folder of the set.
        settings: What is rendered.
        classes: Number of people, rendered or not.
        size: (height, width) of every picture.
        labels: int64 [N].
        digest: SHA-256 over what is rendered; the finished set's is one over its files.
    """

    def __init__(self, folder: Path, settings: RenderSettings, identities: int) -> None:
        self.folder, self.settings, self.classes, self.size = folder, settings, identities, settings.size
        self.labels: NDArray[np.int64] = np.repeat(np.arange(identities), settings.images)
        self.digest = hashlib.sha256(settings.recorded(identities).encode()).hexdigest()
        self._finished: RecordFaces | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Face:
        """Decodes one face.

        Raises:
            FacedistillError: Its person is not rendered yet, or a file is damaged.
        """
        person, place = divmod(index, self.settings.images)
        if self._finished is None:
            path = part_path(self.folder, person)
            try:
                return Face(decode_picture(read_picture(path, place), str(path)), person, str(index + 1))
            except FileNotFoundError:
                if not (self.folder / SETTINGS).exists():
                    raise FacedistillError(f"person {person} of {self.folder} is not rendered yet") from None
            self._finished = RecordFaces(self.folder)
        return self._finished[index]


class GrowingPeople:
    """Who of the training people of a growing set is drawn from, by the position in the run.

    Args:
        start: Number of people to begin with.
        most: Number of all people to train on.
        images: Pictures of each.
        growth: Pictures of new people for each picture drawn.
        renderers: Render them; None once all are.
        before: Number of people that are rendered before those to train on.
    """

    def __init__(
        self, start: int, most: int, images: int, growth: float, renderers: Renderers | None = None, before: int = 0
    ) -> None:
        self.start, self.most, self.images, self.growth = min(start, most), most, images, growth
        self._renderers, self._before = renderers, before

    def __getstate__(self) -> dict[str, Any]:
        """Without the renderers: another process only asks who is drawn from."""
        return {**vars(self), "_renderers": None}

    def people(self, position: int) -> int:
        """Number of people that may be drawn from at a position: the first so many of those to train on."""
        return min(self.most, self.start + int(self.growth * position / self.images))

    def faces(self, position: int) -> int:
        """Number of their pictures."""
        return self.people(position) * self.images

    @property
    def rendered(self) -> int:
        """Number of people to train on that are rendered, at least."""
        return self.most if self._renderers is None else max(0, self._renderers.people - self._before)

    def wait(self, position: int, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Waits until those who may be drawn from at a position are rendered; see `Renderers.wait`."""
        return self._renderers is None or self._renderers.wait(self._before + self.people(position), stopped)

    def close(self) -> None:
        """Ends the rendering."""
        if self._renderers is not None:
            self._renderers.close()
