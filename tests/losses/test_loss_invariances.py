"""Which changes of its inputs a loss does not depend on."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.losses.loss_outputs import BATCH, LABELS, NAMES, SIZE, outputs

from facedistill.errors import UsageError
from facedistill.losses import build_loss
from facedistill.outputs import Outputs


@given(st.integers(0, 2**32 - 1), st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_batch_does_not_matter(seed, name):
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed))
    student, teacher = outputs(seed), outputs(seed + 1)

    def shuffled(outputs):
        return Outputs(outputs.embedding[order], outputs.logits[order], tuple(maps[order] for maps in outputs.features))

    torch.manual_seed(0)
    straight = build_loss(name)(student, teacher, LABELS)
    torch.manual_seed(0)
    mixed = build_loss(name)(shuffled(student), shuffled(teacher), LABELS[order])
    torch.testing.assert_close(mixed, straight, atol=1e-9, rtol=1e-7)


def rotation(seed, size=SIZE):
    square = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(square).Q


def moved(outputs, scale=1.0, turn=None, shift=0.0, own=None):
    embedding = outputs.embedding if turn is None else outputs.embedding @ turn
    return Outputs(scale * embedding * (1.0 if own is None else own) + shift)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e4]))
@settings(max_examples=30, deadline=None)
def test_invariances_of_losses_on_embeddings(seed, scale):
    student, teacher = outputs(seed), outputs(seed + 1)
    turn = rotation(seed)
    own = torch.rand(BATCH, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.1
    alone = {  # what may be done to the student alone
        "rkd": moved(student, scale, turn, shift=scale),
        "sp": moved(student, scale, turn),
        "pkt": moved(student, turn=turn, own=own),
        "ekd": moved(student, turn=turn, own=own),
        "cosine": moved(student, own=own),
        "l2": moved(student, own=own),
        "mk_mmd": moved(student, own=own),
        "cross_sample": moved(student, own=own),
        "neurons": moved(student, own=own),
        "margin": moved(student, own=own),
        "adadistill": moved(student, own=own),
        "infonce": moved(student, own=own),
        "seed": moved(student, own=own),
    }
    for name, changed in alone.items():
        torch.testing.assert_close(
            build_loss(name)(changed, teacher, LABELS),
            build_loss(name)(student, teacher, LABELS),
            atol=1e-7,
            rtol=1e-6,
            msg=lambda text, name=name: f"{name}: {text}",
        )
    for name in (
        "cosine",
        "l2",
        "mk_mmd",
        "cross_sample",
        "margin",
        "adadistill",
        "infonce",
        "seed",
    ):  # both turned alike
        torch.testing.assert_close(
            build_loss(name)(moved(student, turn=turn), moved(teacher, turn=turn), LABELS),
            build_loss(name)(student, teacher, LABELS),
            atol=1e-7,
            rtol=1e-6,
        )


@pytest.mark.parametrize("name", ["attention", "attention_similarity"])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_attention_does_not_see_the_scale_of_the_maps(name, scale):
    student, teacher = outputs(0, torch.float32), outputs(1, torch.float32)
    scaled = Outputs(student.embedding, None, tuple(scale * maps for maps in student.features))
    loss = build_loss(name)
    torch.testing.assert_close(loss(scaled, teacher, LABELS), loss(student, teacher, LABELS), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["soft", "dkd", "dist"])
def test_a_constant_added_to_the_logits_of_a_face_changes_nothing(name):
    student, teacher = outputs(0), outputs(1)
    added = Outputs(student.embedding, student.logits + torch.arange(BATCH)[:, None])
    loss = build_loss(name)
    torch.testing.assert_close(loss(added, teacher, LABELS), loss(student, teacher, LABELS))


@pytest.mark.parametrize("name", sorted(name for name in NAMES if not build_loss(name).equal_sizes))
def test_sizes_may_differ_where_only_relations_are_compared(name):
    student, teacher = outputs(0), outputs(1)
    wide = Outputs(
        torch.cat((student.embedding, student.embedding), dim=1),
        None,
        tuple(torch.cat((maps, maps), dim=1) for maps in student.features),
    )
    assert torch.isfinite(build_loss(name)(wide, teacher, LABELS))


def test_spatial_attention_needs_no_equal_channels():
    student, teacher = outputs(0), outputs(1)
    thin = Outputs(student.embedding, None, tuple(maps[:, :1] for maps in student.features))
    assert torch.isfinite(build_loss("attention_similarity", maps="spatial")(thin, teacher, LABELS))
    with pytest.raises(UsageError, match="one shape"):
        build_loss("attention_similarity")(thin, teacher, LABELS)
