"""The source of a package of somebody else's: parts that work, and parts that fail in each way."""

PACKAGE = '''
import torch
from torch import nn
from facedistill.backbones import Backbone
from facedistill.errors import FacedistillError
from facedistill.heads import Head
from facedistill.variance.drawn import DrawnVariance
from facedistill.views import Geometry, PixelPart, Warp


class Agreement(nn.Module):
    """Compares embeddings and logits at once; its scale is learned."""

    needs = ("embedding", "logits")
    equal_sizes = False

    def __init__(self, power: float = 2.0) -> None:
        super().__init__()
        self.power = power
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, student, teacher, labels):
        cosines = [side.embedding @ side.embedding.T / side.embedding.square().sum() for side in (student, teacher)]
        apart = (student.logits.softmax(1) - teacher.logits.softmax(1)).abs().pow(self.power).sum(1)
        return self.scale.square() * (apart + (cosines[0] - cosines[1]).square().sum(1)).mean()


class Whole(Agreement):
    uses_whole_batch = True


class NoMean(Agreement):
    def forward(self, student, teacher, labels):
        return student.logits.sum(1)


class NotANumber(Agreement):
    def forward(self, student, teacher, labels):
        return super().forward(student, teacher, labels) * float("nan")


class NeedsEyes(Agreement):
    needs = ("eyes",)


class NeedsNothing(nn.Module):
    pass


class RaisesInForward(Agreement):
    def forward(self, student, teacher, labels):
        raise LookupError("no such face")


class ExitsWhenBuilt(Agreement):
    def __init__(self):
        raise SystemExit


class RaisesWhenBuilt(Agreement):
    def __init__(self):
        raise OSError("no table")


class NeedsList(Agreement):
    needs = (["embedding"],)


class RaisesInBackward(Agreement):
    def forward(self, student, teacher, labels):
        result = super().forward(student, teacher, labels)
        result.register_hook(self.fail)
        return result

    def fail(self, gradient):
        raise LookupError("no slope")


class ChangesWhatTorchSaved(Agreement):
    def forward(self, student, teacher, labels):
        powers = student.logits.exp()
        result = powers.sum()
        return result + powers.mul_(2).sum()


class NoGradient(Agreement):
    def forward(self, student, teacher, labels):
        return torch.tensor(3.0)


class WholeNumber(Agreement):
    def forward(self, student, teacher, labels):
        return torch.tensor(3)


class Complex(Agreement):
    def forward(self, student, teacher, labels):
        return student.logits.mean() * 1j


class ReadsMore(Agreement):
    needs = ("logits",)


class NoInit(Agreement):
    def __init__(self):
        self.power = 2.0


class Lazy(Agreement):
    def __init__(self):
        super().__init__()
        self.map = nn.LazyLinear(8)


class RaisesWhenRead(Agreement):
    @property
    def equal_sizes(self):
        raise LookupError("no size")


class Exits(Agreement):
    def forward(self, student, teacher, labels):
        raise SystemExit(0)


class Centred(Head):
    """Logits without the mean over the classes."""

    def __init__(self, embedding_size, classes, factor: float = 3.0):
        super().__init__(embedding_size, classes, factor=factor)
        self.factor = factor

    def plain_scores(self, embedding, weight):
        scores = self.factor * embedding @ weight.T
        return scores - scores.mean(dim=1, keepdim=True)


class NoArguments(Centred):
    def scores(self):
        return None


class RaisesInScores(Centred):
    def scores(self, embedding):
        raise LookupError("no centre")


class RaisesInEmbed(Backbone):
    def embed(self, last):
        raise LookupError("no neck")


def raising(spec):
    return RaisesInEmbed(spec, [nn.Conv2d(3, 8, 3, 4)], nn.Identity())


class RaisesInExport(Backbone):
    def forward(self, crops):
        if torch.compiler.is_exporting():
            raise LookupError("no graph")
        return super().forward(crops)


def unexportable(spec):
    neck = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, spec.embedding_size))
    return RaisesInExport(spec, [nn.Conv2d(3, 8, 3, 4)], neck)


class TwoLines(Agreement):
    def forward(self, student, teacher, labels):
        raise FacedistillError("one line" + chr(10) + "and another")


def tiny(spec):
    stage = nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.BatchNorm2d(8), nn.ReLU())
    neck = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, spec.embedding_size))
    return Backbone(spec, [stage], neck)


class Shifted:
    """Moves the picture one column to the right, half of the time."""

    def __init__(self, probability: float = 0.5):
        self.probability = probability

    def __call__(self, crop, rng):
        import numpy as np
        return np.roll(crop, 1, axis=1) if rng.random() < self.probability else crop


class Halved(Shifted):
    def __call__(self, crop, rng):
        return crop[::2]


class Listed(Shifted):
    def __call__(self, crop, rng):
        return crop.tolist()


class Divides(Shifted):
    def __call__(self, crop, rng):
        return 1 / 0


class Spotted(PixelPart):
    """A part of a view that fails, or gives another size."""

    def __init__(self, fault: str = "draw"):
        self.fault = fault

    def draw(self, rng, height, width):
        if self.fault == "draw":
            raise LookupError("no spot")
        return 1.0

    def share(self, draws):
        return {"text share": "half", "nan share": float("nan")}.get(self.fault, 1.0)

    def change(self, picture, draws, context):
        if self.fault == "exit":
            raise SystemExit(0)
        if self.fault == "closes":
            raise GeneratorExit
        return picture * float("nan") if self.fault == "nan" else picture[::2]

    def change_batch(self, pictures, draws, context):
        return pictures


class Tilted(Geometry):
    """Draws what is no matrix of the picture's plane."""

    def __init__(self, drawn: str = "text"):
        self.drawn = drawn

    def draw(self, rng, height, width):
        import numpy as np
        matrices = {"small": np.eye(2), "flat": np.zeros((3, 3)), "nan": np.full((3, 3), np.nan)}
        return matrices.get(self.drawn, "left")

    def extremes(self, height, width):
        import numpy as np
        if self.drawn == "no extremes":
            return []
        if self.drawn == "far extremes":
            return [np.array([[1.0, 0, 90], [0, 1, 0], [0, 0, 1]])]
        return ["left"] if self.drawn == "text extremes" else [np.eye(3)]


class Bent(Warp):
    """Displaces by what is none, or as far as it does not tell."""

    def __init__(self, fault: str = "text"):
        self.fault = fault

    @property
    def furthest(self):
        return {"far": 0.4, "furthest text": "far", "furthest nan": float("nan")}.get(self.fault, 0.0)

    def draw(self, rng, height, width):
        return 0.0

    def displace(self, places, draws):
        given = {"text": "left", "small": places[::2], "nan": places * float("nan"), "words": places.astype(str)}
        return given.get(self.fault, places * 0)

    def displace_batch(self, places, draws):
        given = {"text": "left", "nan": places[None] * float("nan")}
        return given.get(self.fault, places[None])


class Coarse(DrawnVariance):
    """Leaves a few rows of pixels, and tells how many."""

    def __init__(self, rows: object = 9):
        self.rows = rows

    def draw(self, rng, height, width):
        return 1.0

    def change(self, crop, draws):
        return crop.copy()

    def change_batch(self, crops, draws):
        return crops

    def rows_left(self, draws):
        return self.rows


class Kept(Centred):
    """A head whose options no checkpoint can hold."""

    def __init__(self, embedding_size, classes, factor: float = 3.0):
        Head.__init__(self, embedding_size, classes, factor=torch.ones(()))
        self.factor = factor


class Rated:
    """A protocol; what fails is its option."""

    def __init__(self, fault: str = ""):
        self.fault = fault

    def run(self, embed, path, size):
        if self.fault == "run":
            raise LookupError("no list")
        return self

    def to_json(self):
        if self.fault == "json":
            raise SystemExit(0)
        return {"rates": [0.5, {"eer": float("nan")}]} if self.fault == "nan" else {}

    def tables(self, title):
        raise LookupError("no table")


class NoTables(Rated):
    def tables(self, title):
        return None


class RaisesInJson(Rated):
    def __init__(self):
        super().__init__("json")


class GivesNaN(Rated):
    def __init__(self):
        super().__init__("nan")


class RaisesInRun(Rated):
    def __init__(self):
        super().__init__("run")


number = 3
'''
