"""Foreign ONNX files: in each shape that public nets have, with the preprocessing that they were trained with."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.conftest import draw_toy_people

from facedistill.cli import main
from facedistill.datasets import FaceList, write_face_set
from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.export.cost import file_cost, latencies_ms, write_closed
from facedistill.models import shipped_models
from facedistill.pipelines.model_file import teacher_model_files
from facedistill.recipe import TeacherRecipe
from facedistill.recipe.fields import digested
from facedistill.teachers import load_teacher, load_teachers
from facedistill.teachers.graph_pixels import graph_pixels
from facedistill.teachers.onnx_input import read_input
from facedistill.teachers.onnx_teacher import OnnxTeacher
from facedistill.teachers.pixels import Pixels
from facedistill.teachers.trial import PEOPLE, PER_PERSON, SIZE, USUAL, trial_faces, try_pixels

MATRIX = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)
node = helper.make_node


def mean_colours(
    path: Path,
    shape: Sequence[int | str] = ("n", 3, 112, 112),
    kind: int = TensorProto.FLOAT,
    first: Sequence[Any] = (),
    last: Sequence[Any] = (),
    outputs: Sequence[str] = ("e",),
    constants: Sequence[tuple[str, Any]] = (),
    old: bool = False,
) -> Path:
    """An embedder whose answer is known by heart: the mean of each channel, times `MATRIX`."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    tail = "float" if kind in (TensorProto.UINT8, TensorProto.DOUBLE) else "t" if first else "x"
    nodes = [
        *first,
        *([node("Cast", ["t" if first else "x"], ["float"], to=TensorProto.FLOAT)] if tail == "float" else []),
        node("GlobalAveragePool", [tail], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "W"], ["e"]),
        *last,
    ]
    inner = np.float32 if tail == "float" else dtype
    given = {"W": MATRIX.astype(inner), **{name: np.asarray(value) for name, value in constants}}
    out = helper.np_dtype_to_tensor_dtype(np.dtype(inner))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info(name, out, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in given.items()],
    )
    if old:  # exporters of before listed constants among the inputs too
        graph.input.extend(
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in given.items()
        )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def plain_crops(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Three crops of one colour each, which keep it however they are resized."""
    colours = np.array([[10, 200, 90], [255, 0, 30], [128, 127, 126]], np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours[:, None, None], (3, *size, 3)))


def expected(crops: NDArray[np.uint8], mean: float = 127.5, std: float = 127.5, bgr: bool = False) -> NDArray[Any]:
    colours = crops[:, 0, 0].astype(np.float64)
    return (colours[:, ::-1] if bgr else colours) @ MATRIX / std - mean / std * MATRIX.sum(axis=0)


NHWC = {"first": [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])]}
UINT8 = {"kind": TensorProto.UINT8}
LOGITS = {
    "last": [node("MatMul", ["e", "C"], ["logits"])],
    "outputs": ("e", "logits"),
    "constants": [("C", np.ones((32, 90), np.float32))],
}


@pytest.mark.parametrize(
    ("net", "given", "mean", "std"),
    [
        pytest.param({}, {}, 127.5, 127.5, id="insightface"),
        pytest.param({"shape": (1, 3, 112, 112)}, {}, 127.5, 127.5, id="one at a time"),
        pytest.param({"old": True}, {}, 127.5, 127.5, id="constants among the inputs' declarations"),
        pytest.param({"shape": ("n", 112, 96, 3), **NHWC}, {}, 127.5, 127.5, id="channels last"),
        pytest.param({"shape": ("n", 3, 160, 160)}, {"size": (160, 160)}, 127.5, 127.5, id="facenet's size"),
        pytest.param({"shape": ("n", 160, 160, 3), **NHWC}, {"size": (160, 160)}, 127.5, 127.5, id="Keras facenet"),
        pytest.param({"shape": ("n", 3, 56, 48)}, {"size": (56, 48)}, 127.5, 127.5, id="smaller than any convention"),
        pytest.param({"shape": ("n", 3, "h", "w")}, {"size": (112, 96)}, 127.5, 127.5, id="sides left open"),
        pytest.param(
            {"shape": ("n", "c", "h", "w")}, {"size": (112, 96), "layout": "nchw"}, 127.5, 127.5, id="all left open"
        ),
        pytest.param({"kind": TensorProto.FLOAT16}, {}, 127.5, 127.5, id="half precision"),
        pytest.param({"kind": TensorProto.DOUBLE}, {}, 127.5, 127.5, id="double precision"),
        pytest.param({**UINT8}, {}, 0, 1, id="bytes, channels first"),
        pytest.param({**UINT8, **NHWC, "shape": ("n", 112, 112, 3)}, {}, 0, 1, id="bytes, channels last"),
        pytest.param(
            {"last": [node("Reshape", ["e", "s"], ["o"])], "outputs": ("o",), "constants": [("s", [0, -1, 1, 1])]},
            {},
            127.5,
            127.5,
            id="[B, D, 1, 1]",
        ),
        pytest.param(
            {"last": [node("Reshape", ["e", "s"], ["o"])], "outputs": ("o",), "constants": [("s", [0, 1, -1])]},
            {},
            127.5,
            127.5,
            id="[B, 1, D]",
        ),
        pytest.param(LOGITS, {"output": "e"}, 127.5, 127.5, id="scores of classes too"),
        pytest.param(
            {"last": [node("Reshape", ["e", "s"], ["o"])], "outputs": ("o",), "constants": [("s", [1, 32])]},
            {},
            127.5,
            127.5,
            id="any batch declared, one built in",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_each_shape_gives_the_embedding(tmp_path, net, given, mean, std) -> None:
    teacher = load_teacher(mean_colours(tmp_path / "net.onnx", **net), **given)
    crops = plain_crops(teacher.input_size)
    half = net.get("kind") == TensorProto.FLOAT16
    np.testing.assert_allclose(
        teacher.embed(crops), expected(crops, mean, std), atol=2e-2 if half else 2e-4 * 255 / std
    )
    assert teacher.embed(crops[:0]).shape == (0, 32)


@pytest.mark.parametrize(
    ("net", "given", "message"),
    [
        pytest.param({"shape": ("n", 3, 160, 160)}, {}, "give --size 160x160 to show it faces as in 112x112", id="160"),
        pytest.param({"shape": ("n", 3, "h", "w")}, {}, "give --size HEIGHTxWIDTH", id="sides left open"),
        pytest.param({"shape": ("n", "c", "h", "w")}, {"size": (112, 96)}, "give --layout nchw or", id="no layout"),
        pytest.param(LOGITS, {}, r"\(e \[2, 32\], logits \[2, 90\]\); give --output NAME", id="two outputs"),
        pytest.param(LOGITS, {"output": "E"}, "no output 'E'; give one of e, logits", id="a name that is none"),
        pytest.param({}, {"size": (112, 96)}, "not 112x96 pixels; leave --size out", id="not its size"),
        pytest.param({}, {"layout": "nhwc"}, "not nhwc; leave --layout out", id="not its layout"),
        pytest.param({}, {"layout": "chwn"}, "give nchw or nhwc", id="a layout that is none"),
        pytest.param({"shape": ("n", 3, 160, 90)}, {"size": (160, 90)}, "only squares, and 7:6", id="no face's shape"),
        pytest.param({"shape": ("n", 3, 640, 640)}, {"size": (640, 640)}, "32 to 512", id="larger than any face"),
        pytest.param({**UINT8}, {"mean": 0.0}, "carries its own preprocessing; leave mean out", id="bytes have a mean"),
    ],
)
def test_what_does_not_fit_names_the_option_that_mends_it(tmp_path, net, given, message) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_teacher(mean_colours(tmp_path / "net.onnx", **net), **given)
    assert "net.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param([], id="no input"),
        pytest.param([("tensor(float)", ["n", 3, 112, 112]), ("tensor(float)", [1])], id="two inputs"),
        pytest.param([("tensor(float)", ["n", 4, 112, 112])], id="four channels"),
        pytest.param([("tensor(float)", [3, 112, 112])], id="no batch"),
        pytest.param([("tensor(float)", [])], id="no shape"),
        pytest.param([("tensor(int64)", ["n", 3, 112, 112])], id="whole numbers"),
        pytest.param([("tensor(string)", ["n"])], id="text"),
        pytest.param([("seq(tensor(float))", None)], id="a list of pictures"),
    ],
)
def test_an_input_of_no_pictures_is_refused(inputs) -> None:
    entries = [SimpleNamespace(name=f"x{n}", type=kind, shape=shape) for n, (kind, shape) in enumerate(inputs)]
    with pytest.raises(FacedistillError, match=r"^teacher net (takes|has \d inputs)") as caught:
        read_input("teacher net", entries)
    assert "a face embedder takes [B, 3, H, W] or [B, H, W, 3]" in str(caught.value)


# What the graph does itself ---------------------------------------------------------------------------------------


def first_nodes(tmp_path: Path, nodes: Sequence[Any], **constants: Any) -> Any:
    given = [(name, np.asarray(value, np.float32)) for name, value in constants.items()]
    return graph_pixels(mean_colours(tmp_path / "net.onnx", first=nodes, constants=given))


COLUMN = (3, 1, 1)
NORM = {"s": [1, 1, 1], "b": [0, 0, 0]}


@pytest.mark.parametrize(
    ("nodes", "constants", "mean_std"),
    [
        pytest.param([node("Relu", ["x"], ["t"])], {}, None, id="nothing"),
        pytest.param([node("Identity", ["x"], ["t"])], {}, None, id="a node that does nothing"),
        pytest.param(
            [node("Sub", ["x", "m"], ["y"]), node("Mul", ["y", "k"], ["t"])],
            {"m": 127.5, "k": 0.0078125},
            (0.0, 1.0),
            id="MXNet's arcface: Sub and Mul",
        ),
        pytest.param(
            [node("Mul", ["x", "k"], ["y"]), node("Add", ["y", "m"], ["t"])],
            {"m": -1, "k": 1 / 127.5},
            (0.0, 1.0),
            id="the same the other way round",
        ),
        pytest.param([node("Div", ["x", "k"], ["t"])], {"k": 255}, (0.0, 1.0), id="to 0..1"),
        pytest.param([node("Sub", ["x", "m"], ["t"])], {"m": 117}, (0.0, 1.0), id="Caffe: the mean alone"),
        pytest.param([node("Sub", ["m", "x"], ["t"])], {"m": 255}, (0.0, 1.0), id="a negative"),
        pytest.param(
            [node("Sub", ["x", "m"], ["y"]), node("Div", ["y", "k"], ["t"])],
            {"m": np.reshape([0.485, 0.456, 0.406], COLUMN), "k": np.reshape([0.229, 0.224, 0.225], COLUMN)},
            (0.0, 255.0),
            id="ImageNet's, of 0..1",
        ),
        pytest.param(
            [node("Sub", ["x", "m"], ["y"]), node("Div", ["y", "k"], ["t"])],
            {"m": np.reshape([123.7, 116.3, 103.5], COLUMN), "k": np.reshape([58.4, 57.1, 57.4], COLUMN)},
            (0.0, 1.0),
            id="ImageNet's, of 0..255",
        ),
        pytest.param(
            [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["t"])],
            {**NORM, "m": [140, 120, 110], "v": [4900, 4800, 4700]},
            (0.0, 1.0),
            id="a norm of raw pixels",
        ),
        pytest.param(
            [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["t"])],
            {**NORM, "m": [0.1, 0, -0.1], "v": [0.3, 0.29, 0.31]},
            (127.5, 127.5),
            id="a norm of pixels in -1..1",
        ),
        pytest.param(
            [
                node("Cast", ["x"], ["y"], to=TensorProto.UINT8),
                node("Cast", ["y"], ["t"], to=TensorProto.FLOAT),
            ],
            {},
            (0.0, 1.0),
            id="back to bytes",
        ),
        pytest.param([node("Div", ["k", "x"], ["t"])], {"k": 255}, None, id="no linear map"),
        pytest.param([node("Mul", ["x", "k"], ["t"])], {"k": 0}, None, id="a map that loses everything"),
    ],
)
def test_what_a_graph_does_to_pixels_decides_what_it_is_given(tmp_path, nodes, constants, mean_std) -> None:
    found = first_nodes(tmp_path, nodes, **constants)
    assert (None if found is None else (found.mean, found.std)) == mean_std


def test_constants_in_a_file_beside_are_read(tmp_path) -> None:
    path = tmp_path / "net.onnx"
    first_nodes(tmp_path, [node("Sub", ["x", "m"], ["t"])], m=127.5)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    found = graph_pixels(path)
    assert found is not None
    assert (found.mean, found.std) == (0, 1)
    assert found.words == "the graph itself computes (x - 127.5) * 1"


# The trial --------------------------------------------------------------------------------------------------------


def knows(wanted: Pixels, noise: float = 0.02) -> Any:
    """An embedder that knows all people when its pixels are as wanted, and nobody otherwise."""
    rng = np.random.default_rng(0)
    people = np.repeat(rng.normal(size=(PEOPLE, 16)), PER_PERSON, axis=0)

    def embed(crops: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
        assert crops.shape == (PEOPLE * PER_PERSON, 112, 96, 3)
        drawn = np.random.default_rng(int(pixels.mean * 7 + pixels.std * 3 + (pixels.channels == "bgr")))
        known = people if pixels == wanted else drawn.normal(size=people.shape)
        return (known + noise * rng.normal(size=people.shape)).astype(np.float32)

    return embed


@pytest.mark.parametrize("scale", USUAL)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_the_trial_finds_the_scale(scale, channels) -> None:
    wanted = Pixels(*scale, channels)
    trial = try_pixels(knows(wanted), (112, 96), Pixels(99.0, 3.0, channels), USUAL)
    assert trial.better is not None
    assert trial.better.pixels == trial.best.pixels == wanted
    assert trial.better.eer == 0
    assert 0.3 < trial.assumed.eer < 0.7


def test_the_trial_finds_the_channel_order() -> None:
    trial = try_pixels(knows(Pixels(channels="bgr")), (112, 96), Pixels())
    assert trial.better is not None
    assert trial.better.pixels == Pixels(channels="bgr")


def test_what_is_right_is_left_alone_and_tried_alone() -> None:
    tried = []

    def embed(crops, pixels):
        tried.append(pixels)
        return knows(Pixels())(crops, pixels)

    trial = try_pixels(embed, (112, 96), Pixels(), USUAL)
    assert (trial.better, trial.useless, tried) == (None, False, [Pixels()])


def test_equally_good_ones_keep_the_assumed() -> None:
    def embed(crops: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
        return crops.reshape(len(crops), 7, 16, 6, 16, 3).mean(axis=(2, 4)).reshape(len(crops), -1) - np.float32(128)

    trial = try_pixels(embed, (112, 96), Pixels(), USUAL)
    assert trial.better is None
    assert trial.best.pixels == Pixels()


@pytest.mark.parametrize("answer", [np.nan, np.inf, 0.0, 1.0], ids=["NaN", "infinite", "zeros", "always the same"])
def test_answers_that_tell_nothing_are_chance(answer) -> None:
    trial = try_pixels(lambda crops, _: np.full((len(crops), 16), answer, np.float32), (112, 96), Pixels(), USUAL)
    assert trial.useless
    assert trial.assumed.wrong_orders() == 0.5


def test_its_faces_are_as_rendered() -> None:
    faces = trial_faces()
    assert len(faces) == PEOPLE * PER_PERSON
    assert {face.shape for face in faces} == {(*SIZE, 3)}
    assert all(face.std() > 15 for face in faces), "none is empty"


# A real net in a foreign file -------------------------------------------------------------------------------------


def foreign(path: Path, hidden: bool = False, bgr: bool = False) -> Path:
    """slim-m as a foreign file: float [N, 3, 150, 150] of 0..255, normalised inside; `hidden` behind a convolution."""
    model = onnx.load(shipped_models()["slim-m"])
    graph = model.graph
    inner = graph.input[0].name
    exchange = np.eye(3, dtype=np.float32)[:: -1 if bgr else 1].reshape(3, 3, 1, 1)
    nodes = [
        *([node("Conv", ["data", "same"], ["seen"])] if hidden else []),
        node("Transpose", ["seen" if hidden else "data"], ["last"], perm=[0, 2, 3, 1]),
        node("Cast", ["last"], [inner], to=TensorProto.UINT8),
    ]
    for place, each in enumerate(nodes):
        graph.node.insert(place, each)
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(exchange), "same"))
    del graph.input[:], model.metadata_props[:]
    graph.input.append(helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 150, 150]))
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """The normalisation shows in the graph."""
    return foreign(tmp_path_factory.mktemp("foreign") / "raw.onnx")


@pytest.fixture(scope="module")
def opaque(tmp_path_factory) -> Path:
    """It does not."""
    return foreign(tmp_path_factory.mktemp("foreign") / "opaque.onnx", hidden=True)


def as_slim_m(teacher: Any) -> None:
    crops = np.stack(trial_faces()[:6])
    np.testing.assert_allclose(teacher.embed(crops), load_teacher("slim-m").embed(crops), atol=1e-4)


def test_a_net_that_normalises_inside_gets_raw_pixels(raw, capsys) -> None:
    teacher = load_teacher(raw)
    as_slim_m(teacher)
    assert teacher.normalisation == "RGB, (x - 0) / 1"
    told = capsys.readouterr().err
    assert "raw.onnx: float ['n', 3, 150, 150] as nchw; faces of 150x150; RGB, (x - 0) / 1 (the graph itself" in told
    assert "equal error rate" in told


def test_where_nothing_shows_the_trial_refuses_with_figures_and_the_option(opaque) -> None:
    with pytest.raises(UsageError) as caught:
        load_teacher(opaque)
    assert str(caught.value).startswith(f"teacher {opaque}: with RGB, (x - 127.5) / 127.5 its equal error rate on ")
    assert "; give --mean 0 --std 1 --channels rgb" in str(caught.value)
    as_slim_m(load_teacher(opaque, mean=0.0, std=1.0, channels="rgb"))


def test_what_is_stated_is_done_and_warned_of(opaque, raw) -> None:
    for path in (opaque, raw):
        with pytest.warns(FacedistillWarning, match=r"rate on 72 .* give --mean 0 --std 1 --channels rgb"):
            teacher = load_teacher(path, mean=127.5, std=127.5, channels="rgb")
        assert teacher.normalisation == "RGB, (x - 127.5) / 127.5", "an old recipe's, or the caller's own will"


def test_a_bgr_net_is_right_when_stated(tmp_path) -> None:
    path = foreign(tmp_path / "bgr.onnx", hidden=True, bgr=True)
    as_slim_m(load_teacher(path, mean=0.0, std=1.0, channels="bgr"))


def test_a_net_that_tells_nobody_apart_is_warned_of(tmp_path) -> None:
    blind = mean_colours(
        tmp_path / "blind.onnx", first=[node("Mul", ["x", "k"], ["t"])], constants=[("k", np.float32(0))]
    )
    with pytest.warns(FacedistillWarning, match=r"blind\.onnx tells nobody apart: its equal error rate .* is 50 % at"):
        load_teacher(blind)


# Whatever opens a foreign file ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few_people(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "set"
    people = draw_toy_people(4, 2)
    write_face_set(folder, FaceList([people[place] for place in range(len(people))]), extension=".png")
    return folder


def test_eval_takes_the_options_and_tells_what_is_assumed(opaque, few_people, capsys) -> None:
    call = ["eval", str(opaque), "--on", str(few_people), "--resolutions", "[16]"]
    assert main(call) == 2
    assert "give --mean 0 --std 1 --channels rgb" in capsys.readouterr().err
    assert main([*call, "--mean", "0", "--std", "1"]) == 0
    assert "RGB, (x - 0) / 1 (as stated); output" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_info_takes_the_options_and_tells_what_is_assumed(opaque, tmp_path, capsys) -> None:
    assert main(["info", str(opaque)]) == 0, "its cost is known even so"
    assert "none: teacher" in capsys.readouterr().out
    assert main(["info", str(opaque), "--mean", "0", "--std", "1"]) == 0
    told = capsys.readouterr().out
    assert "RGB, (x - 0) / 1 (as stated)" in told
    assert "output embedding, 256 numbers" in told
    mean_colours(
        tmp_path / "open.onnx",
        ("n", "h", "w", 3),
        last=LOGITS["last"],
        outputs=LOGITS["outputs"],
        constants=LOGITS["constants"],
        **NHWC,
    )
    size = ["--size", "160x160", "--layout", "nhwc", "--output", "e", "--channels", "bgr"]
    assert main(["info", str(tmp_path / "open.onnx"), *size]) == 0
    told = capsys.readouterr().out
    assert "faces of 112x112, resized to 160x160; BGR, (x - 127.5) / 127.5" in told
    assert "output e, 32 numbers" in told


@pytest.mark.parametrize("net", ["slim-m", "slim"], ids=["a model of ours", "a name"])
def test_options_for_foreign_files_are_refused_elsewhere(net, capsys) -> None:
    assert main(["info", net, "--channels", "bgr"]) == 2
    assert "carries its own preprocessing; leave channels out" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_a_recipe_takes_the_same(tmp_path) -> None:
    path = mean_colours(
        tmp_path / "net.onnx",
        ("n", "c", "h", "w"),
        last=LOGITS["last"],
        outputs=LOGITS["outputs"],
        constants=LOGITS["constants"],
    )
    section = TeacherRecipe(str(path), mean=0.0, std=255.0, channels="bgr", size=(160, 160), layout="nchw", output="e")
    teacher = load_teachers([section])
    crops = plain_crops((112, 112))
    np.testing.assert_allclose(teacher.embed(crops), expected(crops, 0, 255, bgr=True), atol=1e-4)


def test_recipes_of_before_keep_their_digest() -> None:
    """They held the preprocessing that was assumed."""
    before = TeacherRecipe(mean=127.5, std=127.5, channels="rgb")
    assert digested(TeacherRecipe()) == digested(before)
    assert digested(TeacherRecipe(mean=0.0)) != digested(before)
    assert not {"size", "layout", "output"} & digested(before).keys()


@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_a_teacher_of_open_sides_is_measured_at_those_it_is_used_with(tmp_path) -> None:
    weights = [("w", np.ones((3, 3, 1, 1), np.float32))]
    path = mean_colours(
        tmp_path / "net.onnx", ("n", 3, "h", "w"), first=[node("Conv", ["x", "w"], ["t"])], constants=weights
    )
    with pytest.raises(FacedistillError, match="cannot be inferred; give --size"):
        file_cost(path)
    teacher = load_teacher(path, size=(112, 96))
    assert isinstance(teacher, OnnxTeacher)
    assert file_cost(path, teacher.entry.shape).macs == 9 * 112 * 96 + 3 * 32
    (measured,) = teacher_model_files(teacher, tmp_path / "run", faces=None)  # type: ignore[arg-type]
    assert file_cost(measured).macs == 9 * 112 * 96 + 3 * 32
    assert latencies_ms({"net": measured}, rounds=1)["net"] > 0


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8])
def test_the_time_of_each_type_is_measured(tmp_path, kind) -> None:
    path = mean_colours(tmp_path / "net.onnx", (1, 3, 112, 96), kind=kind)
    assert latencies_ms({"net": path}, rounds=1)["net"] > 0
    closed = write_closed(path, (1, 3, 112, 96), tmp_path / "closed.onnx")
    assert latencies_ms({"net": closed}, rounds=1)["net"] > 0
