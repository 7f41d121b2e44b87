"""The checkpoint file: what is written comes back, and nothing else is taken for one."""

import contextlib
import pickle
import struct
import time
import zipfile
from collections import OrderedDict

import pytest
import torch

from facedistill.backbones import build_backbone, load_backbone, save_backbone
from facedistill.backbones.checkpoint import load_plain
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
            put("weights", "neck.1.weight", torch.zeros(8, 256, device="meta")), "is no tensor", id="no storage"
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
        pytest.param(drop(None, "format"), "no checkpoint of ours", id="no format"),
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


def archive_of(path, content, **entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in {"data.pkl": b"\x80\x02" + content + b".", "version": b"3\n", **entries}.items():
            archive.writestr(f"net/{name.replace('storage', 'data/')}", data)
    return path


def storage(count, key=b"0", kind=b"FloatStorage"):
    return (
        b"(X\x07\x00\x00\x00storagectorch\n"
        + kind
        + b"\nX\x01\x00\x00\x00"
        + key
        + b"X\x03\x00\x00\x00cpuJ"
        + (struct.pack("<i", count) + b"tQ")
    )


FOUR_NUMBERS = storage(4)


def tensor(offset, size, stride, of=FOUR_NUMBERS):
    numbers = (b"(" + b"".join(b"J" + struct.pack("<i", n) for n in axes) + b"t" for axes in (size, stride))
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + of + b"J" + struct.pack("<i", offset) + b"".join(numbers) + b"\x89NtR"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"}" + b"\x85" * 1_000_000 + b"Ns", "no checkpoint", id="a key that is nothing"),
        pytest.param(b"}N" + b"\x85" * 1_000_000 + b"Ns", "64 levels", id="tuples in tuples: hashing recurses in C"),
        pytest.param(b"N0" * 500_000, "more instructions", id="a million instructions"),
        pytest.param(b"ctorch\nSize\n" + b"N" * 9, "no checkpoint", id="values that nothing takes"),
        pytest.param(storage(5), "holds 16 bytes", id="a storage that claims more than its entry: torch reads on"),
        pytest.param(storage(-1), "holds 16 bytes", id="a negative storage"),
        pytest.param(storage(4, b"9"), "no checkpoint", id="a storage that is not there"),
        pytest.param(storage(4, kind=b"Whatever"), "not known", id="a storage of no numbers"),
        pytest.param(tensor(0, (5,), (1,)), "larger than its storage", id="a tensor that ends behind its storage"),
        pytest.param(tensor(1, (2, 2), (2, 1)), "larger than its storage", id="a tensor that begins too late"),
        pytest.param(tensor(0, (2,), (2**31 - 1,)), "larger than its storage", id="steps out of the storage"),
        pytest.param(tensor(-1, (1,), (1,)), "without its numbers", id="a tensor before its storage"),
        pytest.param(tensor(0, (2,), (-1,)), "without its numbers", id="steps backwards"),
        pytest.param(tensor(0, (1,) * 17, (1,) * 17), "a shape", id="17 axes"),
        pytest.param(tensor(0, (1, 1), (1,)), "a shape", id="axes without steps"),
        pytest.param(tensor(0, (1,), (1,), b"N"), "without its numbers", id="a tensor without a storage"),
    ],
)
def test_an_archive_that_was_made_to_harm_is_refused(content, message, tmp_path):
    before = time.process_time()
    refused(load_backbone, archive_of(tmp_path / "net.pt", content, storage0=bytes(16)), message)
    assert time.process_time() - before < 2


def test_entries_that_overlap_are_refused(tmp_path):
    """Every entry in the list points to the same bytes: read one by one, they would be many times the file."""
    path = archive_of(tmp_path / "net.pt", b"}", storage0=bytes(100_000))
    data = path.read_bytes()
    at, end = data.rfind(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    copies = [data[at:end].replace(b"data/0", b"data/%d" % digit) for digit in range(10)]
    others = data[data.find(b"PK\x01\x02") : at]
    start, length = len(data[: data.find(b"PK\x01\x02")]), len(others) + sum(map(len, copies))
    ending = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 12, 12, length, start, 0)
    path.write_bytes(data[:start] + others + b"".join(copies) + ending)
    assert len(zipfile.ZipFile(path).infolist()) == 12
    refused(load_backbone, path, "its entries overlap")


@pytest.mark.parametrize("mapped", [False, True])
def test_what_torch_saves_comes_back_bit_by_bit(mapped, tmp_path):
    kinds = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16)
    shared = torch.arange(24.0).reshape(4, 6)
    content = {
        **{str(kind): torch.arange(-3, 4).to(kind) for kind in (*kinds, torch.int8)},
        "bytes": torch.arange(7, dtype=torch.uint8),
        "truths": torch.tensor([True, False, True]),
        "shared": [shared, shared[1:, ::2], shared.T],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "shape": shared.shape,
        "plain": {"text": "é", "number": 2**200, "nothing": None, 3: (1.5, True)},
        "ordered": OrderedDict(a=torch.ones(1)),
    }
    torch.save(content, tmp_path / "net.pt")
    found, known = load_plain(tmp_path / "net.pt", mapped), torch.load(tmp_path / "net.pt", weights_only=True)
    assert list(found) == list(known)
    for key, value in known.items():
        ours = found[key] if isinstance(value, list) else [found[key]]
        for one, other in zip(ours, value if isinstance(value, list) else [value], strict=True):
            if isinstance(other, torch.Tensor):
                assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
                assert torch.equal(one, other)
            else:
                assert one == other
    found["shared"][0][1, 0] = -1
    assert found["shared"][1][0, 0] == -1, "views of one storage stay so"


def test_a_changed_byte_of_a_weight_is_found(checkpoint):
    data = bytearray(checkpoint.read_bytes())
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    data[largest.header_offset + largest.file_size // 2] ^= 1
    checkpoint.write_bytes(data)
    refused(load_backbone, checkpoint, "a checksum does not fit")


def test_a_file_without_checksums_is_read(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(5)}, tmp_path / "net.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert torch.equal(load_plain(tmp_path / "net.pt")["a"], torch.ones(5))


@pytest.mark.parametrize(
    ("save", "message"),
    [
        pytest.param(
            lambda net, path: torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False),
            r"format from before version 1\.6; save it anew: .*torch\.load\('IN\.pt', weights_only=True\)",
            id="the format of old",
        ),
        pytest.param(
            lambda net, path: torch.save(net, path),
            r"whole model \(facedistill\.backbones\.base\.Backbone\).*\.state_dict\(\), 'OUT\.pt'\)",
            id="a whole model",
        ),
        pytest.param(
            lambda net, path: archive_of(
                path, b"}", **{"constants.pkl": b"\x80\x02).", "code/net.py": b"def f(): pass"}
            ),
            r"TorchScript program.*torch\.jit\.load\('IN\.pt'\)\.state_dict\(\)",
            id="TorchScript",
        ),
    ],
)
def test_other_formats_of_torch_are_named_with_the_way_to_convert_them(save, message, tmp_path):
    save(small_net(), str(tmp_path / "net.pt"))
    for load in (load_backbone, load_head, load_plain):
        refused(load, tmp_path / "net.pt", message)
