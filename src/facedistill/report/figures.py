"""The contents of a report as plain data: no drawing, no markup; `to_json` gives all of it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from facedistill.evaluation.uncertainty import Comparison

TEACHER, STUDENT, CONTROL = "teacher", "student", "control"
TITLES = {TEACHER: "teacher", STUDENT: "student", CONTROL: "student without a teacher"}


@dataclass(frozen=True)
class DetCurve:
    """Error trade-off over a fixed grid of false match rates; ROC and DET are two drawings of it.

    Attributes:
        fmr: [T], ascending, from one impostor pair's share to 1.
        tmr: [T], share of genuine pairs accepted at the laxest threshold whose FMR is at most `fmr`.
        low: [T], lower end of the 95 % interval of `tmr` over the people (or pairs) tested; empty when not known.
        high: [T], its upper end.
    """

    fmr: list[float]
    tmr: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Histogram:
    """Shares of the genuine and of the impostor pairs whose similarity lies in each bin.

    Attributes:
        edges: [B + 1], cosine similarity.
        genuine: [B], summing to 1.
        impostor: [B], summing to 1.
    """

    edges: list[float]
    genuine: list[float]
    impostor: list[float]


@dataclass(frozen=True)
class HardPair:
    """Two pictures whose similarity misleads the model.

    Attributes:
        score: Cosine similarity.
        first: The one picture's name within the test set.
        second: The other's.
        pictures: Both as the model saw them, JPEG; not part of the JSON.
    """

    score: float
    first: str
    second: str
    pictures: tuple[bytes, bytes] = field(repr=False)


@dataclass(frozen=True)
class Scores:
    """What one model's similarities say at one resolution of both pictures.

    Attributes:
        trade: ROC and DET.
        histogram: Where the similarities lie.
        reliability: Of the probability in the model file, on the pairs tested: "ece" and "bins" as
            `evaluation.probability.Reliability` has them; None where the file states no probability.
        genuine: Number of pairs of the same person.
        impostors: Number of pairs of different people.
        hardest_genuine: The least similar pairs of one person, hardest first, one a person.
        hardest_impostors: The most similar pairs of two people, hardest first, one for every two people.
    """

    trade: DetCurve
    histogram: Histogram
    reliability: dict[str, Any] | None
    genuine: int
    impostors: int
    hardest_genuine: list[HardPair]
    hardest_impostors: list[HardPair]


@dataclass(frozen=True)
class Paired:
    """Whether one model beats another on the same pairs.

    Attributes:
        resolution: Of both pictures.
        a: The one model's title; with its seed where figures are means over several, as one run of it was compared.
        b: The other's.
        sentence: What came out.
        comparison: The figures behind it.
    """

    resolution: str
    a: str
    b: str
    sentence: str
    comparison: Comparison


@dataclass(frozen=True)
class Training:
    """How one net was trained.

    Attributes:
        title: Of the net.
        losses: Term -> [[step, value], ...].
        validation: "eer_native" and so on -> [[step, value], ...], on people who are not trained on.
    """

    title: str
    losses: dict[str, list[list[float]]]
    validation: dict[str, list[list[float]]]


@dataclass(frozen=True)
class Card:
    """What a user of a model must know.

    Attributes:
        facts: Heading -> text.
        not_for: What the model is not for, a sentence each.
        thresholds: Resolution -> FMR -> least similarity called the same person.
    """

    facts: dict[str, str]
    not_for: list[str]
    thresholds: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Model:
    """One column of the report: a model, or several that differ by their seed alone.

    Attributes:
        title: What it is called in the report, unlike any other.
        role: "teacher", "student" or "control".
        seeds: Of its training runs; more than one where figures are means over them.
        measured: {"name", "size_mb", "parameters", "macs", "latency_ms", "sweep"} as a run's summary has it. Where
            there are several seeds, means; each cell then has "std", the sample standard deviation over the seeds.
        scores: Resolution -> scores; empty where the model could not be loaded. Hard pairs are the first seed's.
        groups: Resolution -> errors by condition and group at one threshold, as `evaluation.groups.group_figures` has
            them; empty where the test set has no labels. Of the first seed.
        card: The model card.
    """

    title: str
    role: str
    seeds: list[int]
    measured: dict[str, Any]
    scores: dict[str, Scores]
    groups: dict[str, dict[str, Any]]
    card: Card


@dataclass(frozen=True)
class Report:
    """All figures of one or several runs that were tested on the same pictures.

    Attributes:
        title: Of the page.
        test: {"set", "identities", "pictures", "note"} of the pictures tested on.
        models: Teachers first, then each recipe's student and control.
        comparisons: Paired tests; the headline's student against the others.
        training: A curve for each trained net of each run.
        settings: One a run: folder, recipe, seed, versions and so on.
        notes: What a reader must know about what is missing.
        picture_rights: Who may see the pictures that are embedded.
    """

    title: str
    test: dict[str, Any]
    models: list[Model]
    comparisons: list[Paired]
    training: list[Training]
    settings: list[dict[str, Any]]
    notes: list[str]
    picture_rights: str

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, JSON-able."""

        def plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
            return {key: value for key, value in items if key != "pictures" or not isinstance(value, tuple)}

        return asdict(self, dict_factory=plain)
