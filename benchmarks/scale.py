"""What does one face cost? CPU time of each step of training with it, on one core.

python benchmarks/scale.py --json scale.json

`docs/scale.md` reckons from these figures what the field's large sets would cost. Every figure is the least of
several repetitions, in CPU time, so that other work on the machine does not count.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from facedistill.backbones import build_backbone, embed_crops
from facedistill.heads import ShardedHead, build_head
from facedistill.losses import build_loss
from facedistill.pictures import decode_picture, encode_picture
from facedistill.recipe import HARD, LossTerm
from facedistill.teachers import load_teacher
from facedistill.training.task import Task
from facedistill.variance import build_variance
from json_option import json_parser, write_json

_BATCH, _SIZE, _CLASSES = 64, 512, 1000
_NETS = (
    ("slim", 1.0),
    ("mobilefacenet", 1.0),
    ("resnet20", 1.0),
    ("resnet36", 1.0),
    ("resnet36", 0.1875),
    ("resnet64", 1.0),
)
_TEACHERS = ("resnet64", "iresnet50")


def milliseconds(work: Callable[[], object], faces: int, repeats: int) -> float:
    """Least CPU time of a call, for each of its faces."""
    taken = []
    for _ in range(repeats + 1):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return round(1000 * min(taken[1:]) / faces, 3)


def step_of(net: str, width: float, crops: torch.Tensor) -> Callable[[], object]:
    """A training step: forward, backward, SGD; hard loss and one distillation loss."""
    backbone, head = build_backbone(net, _SIZE, width=width), build_head("arcface", _SIZE, _CLASSES)
    task = Task(backbone, head, {"cosine": build_loss("cosine")}, {HARD: LossTerm(), "cosine": LossTerm()})
    task = task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(task.parameters(), lr=1e-4, momentum=0.9)
    labels = torch.randint(_CLASSES, (len(crops),))
    targets = torch.randn(len(crops), _SIZE)

    def step() -> None:
        torch.autograd.backward(list(task(crops, labels, targets, None).values()))
        optimiser.step()
        optimiser.zero_grad()

    return step


def head_step(classes: int, rate: float) -> Callable[[], object]:
    """A step of a sharded head that one process holds alone."""
    head = ShardedHead("arcface", _SIZE, classes, rate)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    embedding, labels = torch.randn(_BATCH, _SIZE, requires_grad=True), torch.randint(classes, (_BATCH,))

    def step() -> None:
        torch.autograd.backward(head.loss(embedding, labels))
        optimiser.step()
        optimiser.zero_grad()

    return step


def main() -> None:
    """Measures and prints the table."""
    parser = json_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (_BATCH, 112, 96, 3), dtype=np.uint8)
    jpeg = encode_picture(some_picture(rng), ".jpg", 95)
    change = build_variance("low_resolution")
    rows: dict[str, float] = {}

    def record(name: str, work: Callable[[], object], faces: int) -> None:
        rows[name] = milliseconds(work, faces, options.repeats)
        print(f"{name:44} {rows[name]:9.3f} ms", flush=True)

    record("decode a JPEG crop", lambda: [decode_picture(jpeg, "") for _ in range(100)], 100)
    record("lower its resolution", lambda: [change(crops[i], rng) for i in range(_BATCH)], _BATCH)
    for net, width in _NETS:
        name = net if width == 1 else f"{net} x {width:g}"
        record(f"train {name}, batch {_BATCH}", step_of(net, width, torch.from_numpy(crops)), _BATCH)
    for net in _TEACHERS:
        teacher = build_backbone(net, embedding_size=_SIZE).eval()
        record(f"ask {net}, image and mirror", partial(embed_crops, teacher, crops), _BATCH // 2)
    dlib = load_teacher("dlib")
    record("ask dlib, image and mirror", lambda: dlib.embed(crops[:16]), 8)
    for classes, rate in ((85_742, 1.0), (85_742, 0.1), (360_232, 0.1)):
        record(f"head of {classes:,} classes, rate {rate:g}", head_step(classes, rate), _BATCH)
    write_json(options, {"cpu_ms_per_face": rows, "batch": _BATCH})


def some_picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A smooth picture with some noise, whose JPEG is about as long as a face's: uint8 [112, 96, 3]."""
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 14, 12)))
    smooth = torch.nn.functional.interpolate(coarse, size=(112, 96), mode="bicubic")[0].permute(1, 2, 0).numpy()
    noisy: NDArray[np.uint8] = (smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)
    return noisy


if __name__ == "__main__":
    main()
