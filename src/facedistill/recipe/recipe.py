"""A recipe: one training run, as a YAML file or the command line describes it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from facedistill.errors import UsageError
from facedistill.recipe.classifier import ClassificationRecipe
from facedistill.recipe.fields import ADDED, added, digested
from facedistill.recipe.loss_term import LossTerm
from facedistill.recipe.optimiser import OptimiserRecipe
from facedistill.recipe.ranges import check_ranges
from facedistill.recipe.sections import (
    DataRecipe,
    HeadRecipe,
    NetRecipe,
    SearchRange,
    TeacherRecipe,
    VarianceStep,
)
from facedistill.recipe.texts import check_texts

HARD = "hard"
HELD_OUT = "held_out"
ALIAS_SEPARATOR = "@"  # between a loss and a suffix of one's own, where the loss is used twice


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
            names that `build_loss` knows, or `package.module:Class`. One that is used twice gets a suffix, as in
            `mk_mmd@logits`.
        variance: How the student's crops are degraded while the teacher's stay as they are, in this order.
        views: How the picture is shown to the student, and to a teacher whose `input` is `view`: mixtures, warps, light
            and so on, drawn anew at each step.
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
        ema: Decay of the moving average of the weights, below 1; 0 keeps none. The average is validated beside the net
            itself, and is what is kept where it is better.
        minutes: End this call after so many minutes of training, with the state saved; the same call goes on.
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
    views: list[VarianceStep] = field(default_factory=list, metadata={ADDED: []})
    ema: float = added(0.0)
    minutes: float | None = added(None)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.out) if self.out else Path("runs") / self.name

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides the result (not of where it is written, nor of how many processes).

        A run that can be prolonged has the same digest before and after: its steps and its cool-down do not count.
        """
        values = digested(self)
        immaterial = ["out", "workers", "devices", "nodes", "search", "minutes"]
        if self.optimiser.schedule == "trapezoid":
            immaterial.append("steps")
            values["optimiser"].pop("cooldown_images", None)
        for name in immaterial:
            values.pop(name, None)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def plain(self) -> dict[str, Any]:
        """The recipe in the types of JSON and YAML."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    def check(self) -> None:
        """Refuses what cannot work.

        Raises:
            UsageError: Names the field and the fix.
        """
        check_ranges(self)
        check_texts(self.name, self.plain())
        classes = self.classification is not None
        for number, teacher in enumerate(self.all_teachers):
            teacher.check(f"teachers.{number - 1}" if number else "teacher", classes)
        for part in (self.data, self.head, self.optimiser):
            part.check()
        self.student.check(classes)
        if self.test == HELD_OUT and not self.data.held_out_identities:
            raise UsageError(
                "recipe: test is held_out but data.held_out_identities is 0; keep people out, or name a test set"
            )
        if not self.losses:
            raise UsageError("recipe: losses is empty; name at least `hard`")
        for name, term in self.losses.items():
            term.check(name)
        if HARD in self.losses and self.losses[HARD].options:
            raise UsageError("recipe: losses.hard has options; the hard loss is set up by `head`")
        if self.classification is not None:
            self.classification.check(self.student)
            if self.devices * self.nodes > 1 or self.head.sharded:
                raise UsageError(
                    "recipe: devices, nodes and head.sharded are for faces; a classifier trains in one process"
                )
        if self.control and HARD not in self.losses:
            raise UsageError("recipe: the control needs losses.hard, which is missing; add it, or set control: false")
        if any(step.name == "mirror" for step in self.variance):
            raise UsageError("recipe: variance `mirror` would hide the side from the teacher; use data.mirror")
        if any(step.name == "mirror" for step in self.views) and self.data.mirror:
            raise UsageError("recipe: views `mirror` and data.mirror are both given; set data.mirror to false")
        if self.views and classes:
            raise UsageError("recipe: views are for faces; leave them out, or leave out `classification`")
        counts = {teacher.views for teacher in self.all_teachers if teacher.views}
        if len(counts) > 1:
            raise UsageError(
                f"recipe: teachers have {' and '.join(map(str, sorted(counts)))} fixed views of a face (`views`), but "
                "all are compared on the same ones; give all the same number, or 0"
            )
        if counts and not self.views:
            raise UsageError(
                f"recipe: a teacher's views are {self.fixed_views}, but `views` lists nothing to draw them from; list "
                "what may be drawn, or leave the teacher's out"
            )

    @property
    def all_teachers(self) -> list[TeacherRecipe]:
        """`teacher` and `teachers`."""
        return [self.teacher, *self.teachers]

    @property
    def fixed_views(self) -> int:
        """How many fixed views each face is shown in; 0 draws a new one each time."""
        return max(teacher.views for teacher in self.all_teachers)

    @property
    def distils(self) -> bool:
        """Whether any term of the loss compares with a teacher."""
        return set(self.losses) != {HARD}

    def labels_only(self) -> "Recipe":
        """The same net, data, steps and augmentation, trained by labels alone.

        Raises:
            UsageError: The recipe has no hard loss.
        """
        if HARD not in self.losses:
            raise UsageError("recipe: losses.hard is missing; without a teacher nothing else can train the net")
        return replace(self, losses={HARD: self.losses[HARD]}, control=False)

    def control_recipe(self) -> "Recipe":
        """The student's own run without its teacher, in a folder inside its run folder."""
        return replace(self.labels_only(), name=f"{self.name}-control", out=str(self.folder / "control"))
