"""What surrounds the program: no home folder, two users of one cache, names of all kinds, a poor locale, no asserts."""

import os
import stat
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pytest

from facedistill.datasets import FaceList, open_face_set
from facedistill.datasets.damaged import readable_part
from facedistill.datasets.split import Subset
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.cache import cached_embeddings
from facedistill.files import cache_folder, sole_writer, write_bytes, write_text
from facedistill.model_file import ModelMetadata
from facedistill.pictures import encode_picture
from facedistill.recipe import DataRecipe, Recipe
from facedistill.runtime import Recognizer
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people

NAMES = {
    "spaces": b"a b  c",
    "a line break": b"a\nb",
    "not UTF-8": b"caf\xe9",
    "marks": b"'\"[red]{x}%s$HOME`ls`;&*?#",
    "a dash first": b"-rf",
    "as long as can be": b"n" * 255,
}


@pytest.fixture
def homeless(monkeypatch):
    """A user without HOME and without an account, as a container's arbitrary number is."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("FACEDISTILL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_home_the_cache_folder_is_where_it_is_set(homeless, monkeypatch, tmp_path):
    with pytest.raises(FacedistillError, match=r"no home folder.*set FACEDISTILL_CACHE"):
        cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "facedistill"
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def as_another_user(work) -> str:
    """What a work raises as a user without rights, in a process of its own; "" for nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        text = ""
        try:
            os.setgroups([])
            os.setgid(54321)
            os.setuid(54321)
            work()
        except FacedistillError as error:
            text = str(error)
        except BaseException:
            text = traceback.format_exc()
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


def open_to_all(folder):
    """Lets other users into a folder of pytest's, which keeps all of them to itself."""
    for each in (folder, *folder.parents):
        if each == Path(tempfile.gettempdir()):
            return
        each.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("umask", [0o022, 0o077], ids=oct)
def test_two_users_share_a_cache_whose_folder_both_can_write(tmp_path_factory, monkeypatch, umask):
    base = tmp_path_factory.mktemp("shared")
    open_to_all(base)
    cache = base / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    monkeypatch.setenv("FACEDISTILL_CACHE", str(cache))
    faces = draw_toy_people(3, 2)

    def embed(crops):
        return crops[:, ::56, ::48, 0].reshape(len(crops), -1).astype(np.float32) + 1

    def work(faces=faces, digest="one"):
        with sole_writer(base / "set"):
            cached_embeddings(embed, faces, digest)

    before = os.umask(umask)
    try:
        work()
        assert as_another_user(work) == ""
        assert as_another_user(lambda: work(FaceList(faces.faces[:3]), "two")) == ""
        work(FaceList(faces.faces[:3]), "two")
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_cache_of_somebody_else_is_refused_in_a_line(tmp_path_factory, monkeypatch):
    base = tmp_path_factory.mktemp("theirs")
    open_to_all(base)
    monkeypatch.setenv("FACEDISTILL_CACHE", str(base / "cache"))
    assert "set FACEDISTILL_CACHE to a folder that can be written" in as_another_user(cache_folder)
    (base / "cache").mkdir(mode=0o755)

    def lock():
        with sole_writer(base / "set"):
            pass

    message = as_another_user(lock)
    assert "cannot lock" in message
    assert "Permission denied" in message


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_files_have_the_rights_that_the_user_wants(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "folder" / "x", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "folder" / "x").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_folders_and_files_may_have_any_name(tmp_path, monkeypatch, name):
    folder = tmp_path / os.fsdecode(name)
    monkeypatch.setenv("FACEDISTILL_CACHE", str(folder / "cache"))
    people = draw_toy_people(3, 2)
    for face in people.faces:
        person = os.fsdecode(name[:-2] + str(face.label).encode())
        write_bytes(folder / "set" / person / f"{face.key[-1]}.png", encode_picture(face.image, ".png"))
    faces = open_face_set(folder / "set")
    assert readable_part(Subset(faces, range(6)))[0].digest
    model = write_block_means(folder / "model.onnx", ModelMetadata("blocks", (112, 96), 504))
    assert Recognizer(model).embed(people[0].image[None]).shape == (1, 504)
    with sole_writer(folder / "set"):
        write_text(folder / "note", os.fsdecode(name))


def test_a_recipe_refuses_what_it_could_not_record(tmp_path):
    recipe = Recipe(data=DataRecipe(faces=os.fsdecode(b"/caf\xe9")))
    with pytest.raises(UsageError, match=r"data\.faces is .*not UTF-8"):
        recipe.check()


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "a\\b", "a\nb", "\x1b[2J", "\u202e"])
def test_a_run_is_named_as_a_folder_can_be(name):
    with pytest.raises(UsageError, match="it names a folder"):
        Recipe(name=name).check()


def test_a_poor_locale_no_asserts_and_no_temporary_folder(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TMPDIR": str(tmp_path / "none")}
    del environment["HOME"]
    photo = os.fsencode(tmp_path / "na\u00efve.png")
    command = [sys.executable, "-O", "-m", "facedistill", "verify", photo, photo, "--json", "-"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "na\\xc3\\xafve.png" in done.stderr


def test_checks_of_parts_do_not_pass_for_want_of_asserts():
    command = [sys.executable, "-O", "-c", "import facedistill.testing"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "without -O" in done.stderr
