"""One recognizer in threads, in forked and in spawned processes; and as a pickle."""

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from facedistill.datasets import load_orl
from facedistill.errors import FacedistillError
from facedistill.faces import Detector
from facedistill.models import model_path
from facedistill.runtime import Recognizer

PHOTOS = [load_orl()[index].image for index in range(0, 80, 10)]


def unpickled(content):
    return pickle.loads(content)  # noqa: S301 - made by the test itself


@pytest.fixture(scope="module")
def recognizer():
    """With threads of its own, and used before: what a forked process would wait for."""
    made = Recognizer("slim-m", threads=2)
    made.embed(PHOTOS[0])
    return made


@pytest.fixture(scope="module")
def expected(recognizer):
    return [recognizer.embed(photo) for photo in PHOTOS]


def test_a_pickle_holds_the_path_and_the_arguments():
    one = Recognizer("slim-m", min_face=33, threads=1)
    pickled = pickle.dumps(one)
    assert len(pickled) < 1000
    again = unpickled(pickled)
    np.testing.assert_array_equal(again.embed(PHOTOS[1]), one.embed(PHOTOS[1]))
    assert again.detect(PHOTOS[0][::4, ::4]) == []  # a face of 25 pixels


def test_a_detector_pickles_too():
    detector = Detector(min_face=40, threads=1)
    again = unpickled(pickle.dumps(detector))
    assert again.min_face == 40
    assert [face.box for face in again.detect(PHOTOS[0])] == [face.box for face in detector.detect(PHOTOS[0])]


def test_a_relative_path_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(model_path("slim-m"), "net.onnx")
    pickled = pickle.dumps(Recognizer("net.onnx", threads=1))
    monkeypatch.chdir("/")
    assert unpickled(pickled).metadata.name == "slim-m"


def test_a_model_that_was_replaced_is_not_taken_for_the_same(tmp_path):
    path = Path(shutil.copy(model_path("slim-m"), tmp_path / "net.onnx"))
    pickled = pickle.dumps(Recognizer(path, threads=1))
    shutil.copy(model_path("slim-l"), path)
    with pytest.raises(FacedistillError, match=r"net\.onnx has changed since it was opened"):
        unpickled(pickled)


def test_threads_share_a_recognizer(recognizer, expected):
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(recognizer.embed, PHOTOS * 3), expected * 3, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes(recognizer, expected, method):
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        results = pool.map(recognizer.embed, PHOTOS, timeout=60)
        for got, wanted in zip(results, expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-5)


_FORKED = """
import os, sys
from facedistill.datasets import load_orl
from facedistill.runtime import Recognizer
photo = load_orl()[0].image
recognizer = Recognizer("slim-m", threads=2)
one = recognizer.embed(photo)
if os.fork() == 0:
    {child}
    sys.exit(0)  # frees what the process inherited
_, status = os.wait()
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize(
    "child",
    [
        pytest.param("assert abs(recognizer.embed(photo) - one).max() < 1e-5", id="that embeds"),
        pytest.param("pass", id="that does nothing"),
        pytest.param("del recognizer", id="that frees the recognizer"),
    ],
)
def test_a_forked_process_ends_by_itself(child):
    call = [sys.executable, "-c", _FORKED.format(child=child)]
    forked = subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert forked.communicate(timeout=30)[0] == "0\n"
    except subprocess.TimeoutExpired:
        os.killpg(forked.pid, signal.SIGKILL)
        raise
