"""`facedistill clean` lists, asks, deletes, and touches nothing that is not the package's own."""

import io
import shutil

import pytest

from facedistill.cli import main
from facedistill.files import sole_writer

OWN = {
    "embeddings/0123.npy",
    "teacher-views/ab/embeddings.npy",
    "damage/1.json",
    "people-4-6x2-112x96-0/train.rec",
    "mtcnn-onet-v2-a3.onnx",
    "synth-head-2-b4.npz",
}
FOREIGN = {"holiday.jpg", "embeddings-of-mine/x.npy", "people/one.jpg", "locks/0.lock", "locks"}
RUN = {"embeddings/a.npy", "teacher/embeddings.npy", "teacher-2/store.json", "examples/one.png", "report.html"}
KEPT = {"recipe.yaml", "student.onnx", "best.pt", "summary.json", "teachers/notes.txt", "control/best.pt"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "cache"))
    fill(tmp_path / "cache", OWN | FOREIGN - {"locks"})
    return tmp_path / "cache"


@pytest.fixture
def run(tmp_path, cache):
    fill(tmp_path / "run", RUN | KEPT)
    (tmp_path / "run" / "recipe.yaml").write_text(f"# digest: {'0' * 64}\nname: x\n")
    return tmp_path / "run"


def fill(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_cache_loses_its_own_entries_alone(cache, capsys):
    assert main(["clean", "cache", "--yes"]) == 0
    assert {name for name in files(cache) if not name.startswith("locks/")} == FOREIGN - {"locks/0.lock", "locks"}
    assert (cache / "locks" / "0.lock").exists()
    output = capsys.readouterr().out
    assert all(name.partition("/")[0] in output for name in OWN)
    assert main(["clean", "cache", "--yes"]) == 0
    assert "nothing to delete" in capsys.readouterr().out


def test_a_run_keeps_its_nets_and_figures(run):
    assert main(["clean", str(run), "--yes"]) == 0
    assert files(run) == KEPT


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_it_asks(run, monkeypatch, capsys, answer, gone):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["clean", str(run)]) == 0
    assert (files(run) == KEPT) == gone
    assert "delete 5 entries" in capsys.readouterr().out


def test_nobody_to_ask_is_an_error(run, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["clean", str(run)]) == 2
    assert "--yes" in capsys.readouterr().err
    assert files(run) == RUN | KEPT


def test_links_are_left_alone(run, cache, tmp_path, capsys):
    outside = tmp_path / "outside"
    fill(outside, {"precious.npy"})
    shutil.rmtree(run / "examples")
    (run / "examples").symlink_to(outside)
    (run / "embeddings" / "link").symlink_to(outside)
    assert main(["clean", str(run), "--yes"]) == 0
    assert files(outside) == {"precious.npy"}
    assert (run / "examples").is_symlink()
    assert not (run / "embeddings").exists()
    assert "a link" in capsys.readouterr().out


@pytest.mark.parametrize(
    "recipe", [None, "name: x\n", "# digest: none\nname: x\n"], ids=["none", "a recipe", "no digest"]
)
def test_a_folder_that_is_no_run_is_refused(tmp_path, cache, capsys, recipe):
    fill(tmp_path / "mine", {"embeddings/a.npy"})
    if recipe:
        (tmp_path / "mine" / "recipe.yaml").write_text(recipe)
    assert main(["clean", str(tmp_path / "mine"), "--yes"]) == 2
    assert "no run folder" in capsys.readouterr().err
    assert "embeddings/a.npy" in files(tmp_path / "mine")


def test_a_run_at_work_is_left_alone(run, capsys):
    with sole_writer(run):
        assert main(["clean", "cache", str(run), "--yes"]) == 2
    assert "in use" in capsys.readouterr().err
    assert files(run) == RUN | KEPT
