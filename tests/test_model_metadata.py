"""The metadata of a model file: what is written can be read, and whatever else stands there is one clear line."""

import json
import time
from copy import deepcopy
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError
from facedistill.model_file import METADATA_KEY, MOST_CHARACTERS, Logistic, ModelMetadata

WHOLE = ModelMetadata(
    name="slim",
    crop_size=(112, 96),
    embedding_size=128,
    thresholds={"native": {"1e-1": 0.2, "1e-3": 0.4}, "16": {"1e-1": 0.3}, "matched 16": {"1e-1": 0.25}},
    threshold_intervals={"native": {"1e-1": [0.15, 0.25]}},
    probability={"native": Logistic(10.0, -3.0), "both 16": Logistic(0.0, 0.5)},
    reliability={"native": {"ece": 0.02, "bins": [{"low": 0.0, "high": 0.1, "pairs": 5}], "genuine": 7}},
    calibration="on 8 people",
    licence="Apache-2.0\nTrained on rendered people.",
    net={"name": "slim", "width": 0.5, "se": False, "input_size": [112, 96], "activation": None},
)


def read(text: str) -> ModelMetadata:
    return ModelMetadata.from_map({METADATA_KEY: text}, "m.onnx")


def changed(**values: object) -> str:
    return json.dumps(json.loads(WHOLE.to_map()[METADATA_KEY]) | values)


def test_what_is_written_is_read() -> None:
    assert read(WHOLE.to_map()[METADATA_KEY]) == WHOLE
    least = {"name": "", "crop_size": [112, 96], "embedding_size": 1}
    assert read(json.dumps(least)) == ModelMetadata("", (112, 96), 1), "a file from before thresholds"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[" * 200_000, "nested deeper", id="brackets that would end the parser's recursion"),
        pytest.param('{"a":' * 100_000, "nested deeper", id="the same in mappings"),
        pytest.param(" " * (MOST_CHARACTERS + 1), "characters", id="longer than any metadata"),
        pytest.param("[1]", "no mapping", id="a list"),
        pytest.param("{", "Expecting", id="cut off"),
        pytest.param("{}", "no name", id="nothing"),
        pytest.param('{"name": "\\ud800"}', "cannot be printed", id="half a character"),
        pytest.param(changed(name="\x1b[2J"), "cannot be printed", id="a code that clears the terminal"),
        pytest.param(changed(name="a\nb"), "more than one line", id="a name that would look like two lines"),
        pytest.param(changed(name=5), "name is no text", id="a name of another type"),
        pytest.param(changed(calibration=[1]), "calibration is no text", id="a calibration of another type"),
        pytest.param(changed(crop_size=[112, 96, 3]), "no height and width", id="three sides"),
        pytest.param(changed(crop_size=[-1, 96]), "whole number of 1 to 4096", id="a negative side"),
        pytest.param(changed(crop_size=[112.0, 96]), "whole number", id="a broken side"),
        pytest.param(changed(crop_size=[10**17, 96]), "whole number of 1 to 4096", id="a side that fills the memory"),
        pytest.param(changed(crop_size=112).replace("112,", "1e999,"), "not finite", id="an infinite side"),
        pytest.param(changed(embedding_size=True), "embedding_size is True", id="true is no size"),
        pytest.param(changed(embedding_size=10**9), "1 to 65536", id="an embedding of gigabytes"),
        pytest.param(changed(embedding_size=10**400), "401 digits", id="a number that no float holds"),
        pytest.param(changed(thresholds=7), "thresholds is no mapping", id="thresholds of another type"),
        pytest.param(changed(thresholds={"16 rows": {}}), "no resolution", id="a resolution that is none"),
        pytest.param(changed(thresholds={"9" * 5000: {}}), "no resolution", id="rows beyond any picture"),
        pytest.param(changed(thresholds={"native": {"2": 0.1}}), "no false match rates", id="a rate above 1"),
        pytest.param(changed(thresholds={"native": {"nan": 0.1}}), "no false match rates", id="a rate that is none"),
        pytest.param(changed(thresholds={"native": {"1e-1": None}}), "is None, no number", id="no threshold"),
        pytest.param(changed(thresholds={"native": {"1e-1": float("nan")}}), "NaN is no number", id="NaN"),
        pytest.param(
            changed(thresholds={"native": {"1e-1": 0.5, "1e-2": 0.4}}), "out of order", id="a stricter rate is laxer"
        ),
        pytest.param(changed(threshold_intervals=7), "is no mapping", id="intervals of another type"),
        pytest.param(
            changed(threshold_intervals={"native": {"1e-1": [2, 1]}}), "ends before it begins", id="a reversed interval"
        ),
        pytest.param(changed(probability={"native": {"slope": -1, "offset": 0}}), "no number of 0", id="a falling one"),
        pytest.param(changed(probability={"native": {"slope": 1}}), "not slope and offset", id="half a logistic"),
        pytest.param(changed(reliability="z"), "is no mapping", id="reliability of another type"),
        pytest.param(changed(reliability={"native": {"ece": 0.1, "bins": 3}}), "no list", id="bins of another type"),
        pytest.param(changed(net=[1]), "net is no mapping", id="a net of another type"),
        pytest.param(changed(unknown=1), "unknown entry 'unknown'", id="an entry of no version"),
    ],
)
def test_whatever_else_stands_there_is_one_clear_line(text: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(FacedistillError, match=rf"^m\.onnx: its metadata is damaged \(.*{message}") as caught:
        read(text)
    assert len(str(caught.value)) < 400
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(replace(WHOLE, name="\x1b[31m"), id="a name that cannot be printed"),
        pytest.param(replace(WHOLE, crop_size=(112, 0)), id="a side of 0"),
        pytest.param(replace(WHOLE, licence="x" * MOST_CHARACTERS), id="a licence of a megabyte"),
        pytest.param(replace(WHOLE, net={"width": object()}), id="what JSON cannot hold"),
    ],
)
def test_what_could_not_be_read_is_not_written(metadata: ModelMetadata) -> None:
    with pytest.raises(FacedistillError, match="its metadata cannot be written"):
        metadata.to_map()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_one_value_replaced_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever is accepted is what is written again; whatever is not is a FacedistillError."""
    values = json.loads(WHOLE.to_map()[METADATA_KEY])
    place = deepcopy(values)
    inner: object = place
    while True:
        assert isinstance(inner, dict)
        key = data.draw(st.sampled_from(sorted(inner)))
        if not isinstance(inner[key], dict) or data.draw(st.booleans()):
            inner[key] = data.draw(PLAIN)
            break
        inner = inner[key]
    try:
        found = read(json.dumps(place))
    except FacedistillError:
        return
    assert json.loads(json.dumps(asdict(found))) == {**json.loads(json.dumps(asdict(found))), **place}
    assert read(found.to_map()[METADATA_KEY]) == found
