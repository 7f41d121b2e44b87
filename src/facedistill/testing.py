"""Checks that every loss, head, backbone and variance must pass, for the tests of packages that add parts.

Each check takes a part as `build_loss` and its like return it, or makes one from a class's instance, and raises
`AssertionError` with a sentence about what is wrong. In a test of one's own package:

    from facedistill.losses import build_loss
    from facedistill.testing import check_loss

    def test_my_loss():
        check_loss(build_loss("mine.losses:Huber"))
"""

import copy
import io
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone, normalise_crops
from facedistill.errors import FacedistillError, UsageError
from facedistill.heads import Head
from facedistill.losses import CheckedLoss
from facedistill.losses.checked import field_tensors
from facedistill.outputs import Outputs
from facedistill.variance import Variance

if not __debug__:
    raise UsageError("facedistill.testing checks by assertions, which python -O leaves out; run Python without -O")

_BATCH, _SIZE, _CLASSES = 6, 5, 4
_MAPS = ((3, 4, 2), (4, 2, 3))  # channels, height and width of two stages
_LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def check_loss(loss: CheckedLoss | nn.Module) -> None:
    """Checks a distillation loss on batches of six faces.

    Its result is a finite float32 scalar, also of 16-bit outputs under autocast; a gradient reaches each field that it
    needs of the student and none reaches the teacher; the inputs stay as they are; the order of the faces does not
    matter; the state dict of a loss that has seen two batches restores it; and in evaluation mode nothing changes.

    Raises:
        AssertionError: One of these does not hold.
        UsageError: It is no loss, see `CheckedLoss`.
    """
    checked = loss if isinstance(loss, CheckedLoss) else CheckedLoss(loss, type(loss).__name__)
    name = f"loss {checked.name!r}"
    student, teacher = _outputs(0), _outputs(1)
    before = [tensor.detach().clone() for tensor in _needed(checked, student) + _needed(checked, teacher)]
    result = checked(student, teacher, _LABELS)
    assert result.dtype == torch.float32, f"{name}: the result is {result.dtype}, not float32"
    assert torch.isfinite(result), f"{name}: the result is {result.item()}"
    result.backward()  # type: ignore[no-untyped-call]
    for tensor in _needed(checked, student):
        assert tensor.grad is not None, f"{name}: a field in its needs has no gradient; leave out what it does not read"
        assert torch.isfinite(tensor.grad).all(), f"{name}: a gradient is NaN or infinite"
    assert all(tensor.grad is None for tensor in _needed(checked, teacher)), f"{name}: a gradient reaches the teacher"
    after = _needed(checked, student) + _needed(checked, teacher)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), f"{name}: it changes its inputs"

    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = checked(_outputs(0, torch.bfloat16), teacher, _LABELS)
    assert short.dtype == torch.float32, f"{name}: under autocast the result is {short.dtype}, not float32"

    resumed = _restored(checked, name)
    frozen = {key: value.clone() for key, value in checked.state_dict().items()}
    checked.eval()
    assert torch.equal(checked(student, teacher, _LABELS), resumed.eval()(student, teacher, _LABELS)), (
        f"{name}: restored from its state dict it gives another result"
    )
    assert _equal(frozen, checked.state_dict()), f"{name}: it changes its state in evaluation mode"
    order = torch.tensor([3, 5, 0, 2, 4, 1])
    mixed = checked(_reordered(student, order), _reordered(teacher, order), _LABELS[order])
    straight = checked(student, teacher, _LABELS)
    assert torch.allclose(mixed, straight, rtol=1e-4, atol=1e-5), f"{name}: the order of the faces changes the result"


def check_head(head: Head) -> None:
    """Checks a head, built for any embedding size D and at least 4 classes C.

    Training logits and scores are finite float32 [B, C], also of 16-bit embeddings under autocast; the loss is a finite
    scalar whose gradient reaches embedding and class centres; labels that are no class are refused; `options` rebuild
    the head; its state dict restores it.

    Raises:
        AssertionError: One of these does not hold.
    """
    assert isinstance(head, Head), f"a {type(head).__name__} is no head; derive it from facedistill.heads.Head"
    name = f"head {head.name!r}"
    assert head.classes >= _CLASSES, f"{name}: build it for at least {_CLASSES} classes"
    embedding = torch.randn(_BATCH, head.embedding_size, generator=_generator(0)).requires_grad_()
    shape = (_BATCH, head.classes)
    for what, logits in (("logits", head(embedding, _LABELS)), ("scores", head.scores(embedding))):
        assert logits.shape == shape, f"{name}: its {what} are {list(logits.shape)}, not {list(shape)}"
        assert logits.dtype == torch.float32, f"{name}: its {what} are {logits.dtype}, not float32"
        assert torch.isfinite(logits).all(), f"{name}: its {what} are NaN or infinite"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = head(embedding.detach().bfloat16(), _LABELS)
    assert short.dtype == torch.float32, f"{name}: under autocast its logits are {short.dtype}, not float32"
    loss = head.loss(embedding, _LABELS)
    assert loss.shape == (), f"{name}: its loss is {list(loss.shape)}, no scalar"
    assert torch.isfinite(loss), f"{name}: its loss is {loss.item()}"
    loss.backward()  # type: ignore[no-untyped-call]
    assert embedding.grad is not None, f"{name}: no gradient reaches the embedding"
    assert torch.isfinite(embedding.grad).all(), f"{name}: the embedding's gradient is NaN or infinite"
    assert head.weight.grad is not None, f"{name}: no gradient reaches the class centres"
    for labels in (torch.full((_BATCH,), head.classes), torch.full((_BATCH,), -1)):
        assert _refuses(head, embedding.detach(), labels), (
            f"{name}: it takes label {labels[0].item()}, which is no class"
        )
    again = type(head)(head.embedding_size, head.classes, **head.options)
    assert again.options == head.options, f"{name}: its options {head.options} do not rebuild it"
    again.load_state_dict(_through_a_file(head.state_dict()))
    same = torch.equal(head.eval()(embedding, _LABELS), again.eval()(embedding, _LABELS))
    assert same, f"{name}: restored from options and state dict it gives other logits"


def check_backbone(backbone: Backbone) -> None:
    """Checks a backbone on four crops of its input size.

    The embedding is a finite [B, D]; the feature maps are [B, c, h, w] from shallow to deep; a gradient reaches every
    weight; in evaluation mode a face's embedding does not depend on the batch; the state dict restores it.

    Raises:
        AssertionError: One of these does not hold.
    """
    assert isinstance(backbone, Backbone), (
        f"a {type(backbone).__name__} is no backbone; derive it from facedistill.backbones.Backbone"
    )
    name = f"backbone {backbone.spec['name']!r}"
    crops = torch.randint(0, 256, (4, *backbone.input_size, 3), dtype=torch.uint8, generator=_generator(0))
    pixels = normalise_crops(crops)
    outputs = backbone.train()(pixels)
    shape = (4, backbone.embedding_size)
    assert outputs.embedding.shape == shape, (
        f"{name}: its embedding is {list(outputs.embedding.shape)}, not {list(shape)}"
    )
    assert torch.isfinite(outputs.embedding).all(), f"{name}: its embedding is NaN or infinite"
    for maps in outputs.features:
        assert maps.ndim == 4, f"{name}: a stage's maps are {list(maps.shape)}, not [B, c, h, w]"
    heights = [maps.shape[2] for maps in outputs.features]
    assert heights == sorted(heights, reverse=True), (
        f"{name}: its stages must go from shallow to deep, not {heights} rows"
    )
    outputs.embedding.square().sum().backward()  # type: ignore[no-untyped-call]
    still = [key for key, weight in backbone.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not still, f"{name}: no gradient reaches {', '.join(still[:3])}"
    backbone.eval()
    with torch.no_grad():
        whole, alone = backbone(pixels).embedding, backbone(pixels[:1]).embedding
        # Numbers near 0 are differences of large ones, which other kernels round otherwise.
        rounding = 1e-3 * float(whole.abs().max())
        assert torch.allclose(whole[:1], alone, rtol=1e-3, atol=rounding), (
            f"{name}: in evaluation mode a face's embedding depends on the other faces of the batch"
        )
        again = copy.deepcopy(backbone)
        for weight in again.parameters():
            weight.zero_()
        again.load_state_dict(_through_a_file(backbone.state_dict()))
        assert torch.equal(again(pixels).embedding, whole), f"{name}: its state dict does not restore it"


def check_variance(variance: Variance) -> None:
    """Checks a variance on crops of three sizes.

    It gives uint8 crops of the same shape that share no memory with the given one, unless it gives that itself; the
    given crop stays as it is; the same draws give the same crop, of a strided view as of its copy; and some of 50 draws
    change the crop.

    Raises:
        AssertionError: One of these does not hold.
    """
    name = f"variance {type(variance).__name__}"
    changed = False
    for height, width in ((112, 96), (112, 112), (31, 47)):
        rng = np.random.default_rng(height * width)
        original = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        crop = original.copy()
        crop.flags.writeable = False  # changing it in place raises
        for seed in range(50):
            result = variance(crop, np.random.default_rng(seed))
            kind = getattr(result, "dtype", type(result).__name__)
            assert isinstance(result, np.ndarray), f"{name}: it gives a {kind}, no array"
            assert result.dtype == np.uint8, f"{name}: it gives {kind}, not uint8"
            assert result.shape == crop.shape, f"{name}: it gives {list(result.shape)} for a crop {list(crop.shape)}"
            assert result is crop or not np.shares_memory(result, crop), f"{name}: it gives a view of the given crop"
            assert np.array_equal(result, variance(crop, np.random.default_rng(seed))), (
                f"{name}: the same draws give another crop; take all random numbers from `rng`"
            )
            changed |= not np.array_equal(result, crop)
        view = crop[:, ::-1]
        assert np.array_equal(
            variance(view, np.random.default_rng(0)), variance(view.copy(), np.random.default_rng(0))
        ), f"{name}: of a strided view it gives another crop than of its copy"
    assert changed, f"{name}: it never changes a crop"


def _outputs(seed: int, dtype: torch.dtype = torch.float32) -> Outputs:
    generator = _generator(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(_BATCH, *shape, generator=generator).to(dtype).requires_grad_()

    return Outputs(drawn(_SIZE), drawn(_CLASSES), tuple(drawn(*shape) for shape in _MAPS))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _needed(loss: CheckedLoss, outputs: Outputs) -> list[Tensor]:
    return [tensor for field in loss.needs for tensor in _compared(loss, field_tensors(outputs, field))]


def _compared(loss: CheckedLoss, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    stages = getattr(loss.module, "stages", None)
    return tensors if stages is None or len(tensors) == 1 else tuple(tensors[stage] for stage in stages)


def _reordered(outputs: Outputs, order: Tensor) -> Outputs:
    assert outputs.logits is not None, "made here with logits"
    return Outputs(outputs.embedding[order], outputs.logits[order], tuple(maps[order] for maps in outputs.features))


def _restored(loss: CheckedLoss, name: str) -> CheckedLoss:
    """A copy of the loss, filled from the state dict that the loss has after a second batch."""
    again = copy.deepcopy(loss)
    loss(_outputs(2), _outputs(3), _LABELS)
    try:
        again.load_state_dict(_through_a_file(loss.state_dict()))
    except RuntimeError as error:
        raise AssertionError(f"{name}: its state dict cannot be loaded: {' '.join(str(error).split())}") from error
    return again


def _through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def _equal(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def _refuses(head: Head, embedding: Tensor, labels: Tensor) -> bool:
    try:
        head(embedding, labels)
    except FacedistillError:
        return True
    return False
