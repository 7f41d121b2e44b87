"""The checkpoint file: what is written comes back, and nothing else is taken for one."""

import contextlib
import pickle
import zipfile

import pytest
import torch

from facedistill.backbones import build_backbone, load_backbone, save_backbone
from facedistill.errors import FacedistillError, UsageError
from facedistill.heads import build_head, load_head

KEYS = 20 * 6 + 1 + 5  # resnet20: 20 conv + norm, the linear layer, its norm


def small_net(**options):
    return build_backbone(
        **{"name": "resnet20", "embedding_size": 8, "input_size": (32, 32), "width": 0.125, **options}
    )


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "net.pt"
    save_backbone(path, small_net(), build_head("softmax", 8, 5, bias=True))
    return path


def same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("name", ["resnet20", "mobilefacenet"])
@pytest.mark.parametrize(
    ("head", "options"), [("softmax", {"bias": True}), ("amsoftmax", {"margin": 0.2}), ("arcface", {}), (None, {})]
)
def test_round_trip(tmp_path, name, head, options):
    net = small_net(name=name, se=True, activation="prelu").to(memory_format=torch.channels_last)
    net(torch.randn(4, 3, 32, 32))  # moves the running statistics off their start
    centres = build_head(head, 8, 5, **options) if head else None
    save_backbone(tmp_path / "net.pt", net, centres)
    state = torch.get_rng_state()
    again, head_again = load_backbone(tmp_path / "net.pt"), load_head(tmp_path / "net.pt")
    assert torch.equal(state, torch.get_rng_state()), "loading must not disturb the random numbers of a run"
    assert not again.training
    assert (again.spec, again.input_size) == (net.spec, net.input_size)
    assert same_weights(again, net)
    assert all(p.requires_grad for p in again.parameters())
    if centres is None:
        assert head_again is None
    else:
        assert (head_again.name, head_again.classes, head_again.options) == (head, 5, centres.options)
        assert same_weights(head_again, centres)


def test_a_head_of_another_size_is_not_saved(tmp_path):
    with pytest.raises(UsageError, match="9"):
        save_backbone(tmp_path / "net.pt", small_net(), build_head("softmax", 9, 5))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(checkpoint):
    resource = pytest.importorskip("resource")
    before = checkpoint.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(FacedistillError, match=r"cannot write .*net\.pt"):
            save_backbone(checkpoint, small_net())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def drop(part, key):
    def change(content):
        del (content[part] if part else content)[key]

    return change


def put(part, key, value):
    def change(content):
        (content[part] if part else content)[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(drop("weights", "neck.1.weight"), "missing neck.1.weight", id="a missing key"),
        pytest.param(put("weights", "neck.9.weight", torch.zeros(1)), "unexpected neck.9.weight", id="a key too many"),
        pytest.param(
            put("weights", "neck.1.weight", torch.zeros(8, 2)),
            r"mis-shaped neck.1.weight \(\[8, 2\], not \[8, 256\]\)",
            id="a wrong shape",
        ),
        pytest.param(put("weights", "neck.1.weight", 3), "neck.1.weight is no tensor", id="a number for a tensor"),
        pytest.param(
            put("weights", "neck.1.weight", torch.zeros(1).expand(8, 256)),
            "no plain numbers",
            id="one number stretched over a tensor",
        ),
        pytest.param(
            put("weights", "neck.1.weight", torch.zeros(8, 256, device="meta")), "no plain numbers", id="no storage"
        ),
        pytest.param(
            put("weights", "neck.1.weight", torch.zeros(8, 256, dtype=torch.int64)), "no plain", id="whole numbers"
        ),
        pytest.param(
            put(None, "weights", {}),
            f"missing stages.0.0.0.weight, .* and {KEYS - 3} more",
            id="no weights: the first keys and a count",
        ),
        pytest.param(put("backbone", "name", "resnet21"), "resnet21.*known", id="an unknown net"),
        pytest.param(put("backbone", "depth", 9), "depth", id="an unknown argument"),
        pytest.param(put("backbone", "width", 0), "width", id="a width out of range"),
        pytest.param(put("backbone", "width", 1e8), "do not fit|damaged", id="a width that would fill the memory"),
        pytest.param(put("backbone", "input_size", [10**30, 32]), "do not fit|damaged", id="a side beyond 64 bits"),
        pytest.param(put("backbone", "embedding_size", 10**12), "do not fit|damaged", id="a terabyte of embedding"),
        pytest.param(put(None, "format", "facedistill-checkpoint-9"), "checkpoint-9", id="another format"),
        pytest.param(drop(None, "format"), "format", id="no format"),
        pytest.param(drop(None, "weights"), "'weights' is missing", id="a part is missing"),
        pytest.param(put(None, "backbone", [1]), "'backbone' is missing or damaged", id="a part of another type"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(checkpoint, change, message):
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, checkpoint)
    refused(load_backbone, checkpoint, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(drop("head", "classes"), "'classes'", id="no number of classes"),
        pytest.param(put("head", "name", "cosface"), "known: .*amsoftmax", id="an unknown head"),
        pytest.param(put("head", "options", {"scale": 3.0}), "no option 'scale'", id="an option it does not take"),
        pytest.param(put("head", "options", 7), "damaged", id="options of another type"),
        pytest.param(put("head", "options", {"embedding_size": 3}), "damaged", id="an option that is an argument"),
        pytest.param(put("head", "classes", 6), r"mis-shaped weight \(\[5, 8\], not \[6, 8\]\)", id="other classes"),
        pytest.param(drop("backbone", "embedding_size"), "embedding_size", id="no embedding size"),
        pytest.param(put(None, "head", 5), "'head' is missing or damaged", id="no head but no None"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(checkpoint, change, message):
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, checkpoint)
    refused(load_head, checkpoint, message)


class Evil:
    def __reduce__(self):
        return (print, ("it ran",))


def test_files_that_are_no_checkpoint(checkpoint, tmp_path, capsys):
    whole = checkpoint.read_bytes()
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with (
        zipfile.ZipFile(checkpoint) as stored,
        zipfile.ZipFile(tmp_path / "deflated.pt", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in stored.infolist():
            archive.writestr(entry.filename, stored.read(entry))
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"format": Evil()}, tmp_path / "evil.pt")
    torch.save(small_net().state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    cases = {
        "empty.pt": b"",
        "short.pt": whole[: len(whole) // 2],
        "text.pt": b"no checkpoint at all",
        "pickle.pt": pickle.dumps({"format": "facedistill-checkpoint-1"}),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    for path in sorted(tmp_path.glob("*.pt")):
        if path != checkpoint:
            refused(load_backbone, path, "no checkpoint")
            refused(load_head, path, "no checkpoint")
    refused(load_backbone, tmp_path / "absent.pt", "No such file")
    refused(load_backbone, tmp_path, "directory")
    assert "it ran" not in capsys.readouterr().out


def test_flipped_bytes_never_crash(checkpoint):
    """Damage anywhere gives one line, or (inside a weight's bytes) a loadable net; never another exception."""
    whole = checkpoint.read_bytes()
    for position in range(0, len(whole), len(whole) // 60):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        checkpoint.write_bytes(damaged)
        with contextlib.suppress(FacedistillError):
            load_backbone(checkpoint)


def refused(load, path, message):
    with pytest.raises(FacedistillError, match=message) as caught:
        load(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
