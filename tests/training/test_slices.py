"""A training in slices: prolonged, cut by minutes, carried elsewhere in a pack."""

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.batches import figures, run_loop

from facedistill.backbones import load_backbone
from facedistill.cli import main
from facedistill.errors import FacedistillError, UsageError
from facedistill.recipe import HARD, DataRecipe, LossTerm, NetRecipe, OptimiserRecipe, Recipe
from facedistill.training import BEST, LAST
from facedistill.training.loop import TimeIsUpError
from facedistill.training.pack import pack_run, unpack_run
from facedistill.training.run_folder import open_run_folder

OPTIMISER = OptimiserRecipe(learning_rate=0.01, name="adamw", schedule="trapezoid", warmup_images=12)


def recipe(**changes: object) -> Recipe:
    small = Recipe(
        data=DataRecipe(faces="toy"),
        student=NetRecipe(width=0.125, embedding_size=8),
        losses={HARD: LossTerm(), "mk_mmd": LossTerm()},
        optimiser=OPTIMISER,
        ema=0.5,
        steps=8,
        batch_size=6,
        validate_every=4,
        workers=0,
        device="cpu",
        precision="32",
    )
    return replace(small, **changes)


def weights_of(path):
    return torch.load(path, weights_only=True)


def test_a_prolonged_run_is_the_longer_run(tmp_path, toy_people):
    run_loop(tmp_path / "whole", toy_people, recipe(steps=8))
    run_loop(tmp_path / "parts", toy_people, recipe(steps=4))
    run_loop(tmp_path / "parts", toy_people, recipe(steps=8))
    whole, parts = (weights_of(tmp_path / name / LAST) for name in ("whole", "parts"))
    for section in ("task", "average"):
        assert all(torch.equal(whole[section][key], parts[section][key]) for key in whole[section])
    assert recipe(steps=4).digest == recipe(steps=8).digest
    assert recipe(steps=4, optimiser=OptimiserRecipe()).digest != recipe(steps=8, optimiser=OptimiserRecipe()).digest
    with pytest.raises(UsageError, match="has done 8 steps, more than steps, 6; give more"):
        run_loop(tmp_path / "parts", toy_people, recipe(steps=6))


RATES = [
    # step, cooldown_images, expected share of the peak: 10 steps of 6 images, 12 images of warm-up
    (0, 0, 0.5, "half way up"),
    (1, 0, 1.0, "at the peak"),
    (9, 0, 1.0, "without a cool-down it stays there"),
    (6, 18, 1.0, "the cool-down has not begun"),
    (7, 18, 1.0, "its first step"),
    (8, 18, 1 - (1 / 3) ** 0.5, "a third of it is done"),
    (9, 18, 1 - (2 / 3) ** 0.5, "two thirds"),
]


@pytest.mark.parametrize(("step", "cooldown", "share", "why"), RATES, ids=[row[3] for row in RATES])
def test_the_trapezoid(step, cooldown, share, why):
    schedule = replace(OPTIMISER, cooldown_images=cooldown)
    assert schedule.rate(step, 10, 6) == pytest.approx(0.01 * share, rel=1e-12)


@pytest.mark.parametrize("sign", [1, -1], ids=["one of them is better", "the other one is"])
def test_the_better_of_the_net_and_its_average_is_kept(tmp_path, toy_people, sign):
    seen = []

    def score(embed):
        """Some figure that the net and its average differ in."""
        seen.append(sign * float(np.abs(embed(np.stack([toy_people[0].image]))).mean()))
        return {"figure": seen[-1]}

    run_loop(tmp_path, toy_people, recipe(validate_every=8), score)
    (line,) = (line for line in figures(tmp_path) if line["kind"] == "validation")
    assert len(set(seen)) == 2
    assert (line["figure"], line["averaged"]) == (min(seen), float(np.argmin(seen)))
    state = weights_of(tmp_path / LAST)
    best = load_backbone(tmp_path / BEST).state_dict()
    prefix, section = ("module.", "average") if line["averaged"] else ("backbone.", "task")
    assert all(torch.equal(best[key], state[section][prefix + key]) for key in best)


def test_time_that_is_up_ends_a_slice_and_loses_nothing(tmp_path, toy_people):
    run_loop(tmp_path / "whole", toy_people, recipe())
    with pytest.raises(TimeIsUpError, match="time is up at step 1 of 8") as stopped:
        run_loop(tmp_path / "slices", toy_people, recipe(minutes=1e-9))
    assert stopped.value.exit_code == 0
    for _ in range(6):
        with pytest.raises(TimeIsUpError):
            run_loop(tmp_path / "slices", toy_people, recipe(minutes=1e-9))
    run_loop(tmp_path / "slices", toy_people, recipe(minutes=1e-9))
    assert figures(tmp_path / "slices") == figures(tmp_path / "whole")


@pytest.fixture
def run(tmp_path, toy_people):
    """A run of four steps in a folder with its recipe."""
    settings = recipe(steps=4, out=str(tmp_path / "run"))
    open_run_folder(settings)
    run_loop(tmp_path / "run", toy_people, settings)
    return tmp_path / "run"


def test_a_pack_goes_on_as_the_run_would(run, tmp_path, toy_people, capsys):
    assert main(["pack", str(run), str(tmp_path / "run.pack")]) == 0
    assert main(["unpack", str(tmp_path / "run.pack"), str(tmp_path / "elsewhere")]) == 0
    assert "distill --resume" in capsys.readouterr().out
    for folder in (run, tmp_path / "elsewhere"):
        run_loop(folder, toy_people, recipe(steps=8))
    here, there = (weights_of(folder / LAST)["task"] for folder in (run, tmp_path / "elsewhere"))
    assert all(torch.equal(here[key], there[key]) for key in here)
    assert figures(run) == figures(tmp_path / "elsewhere")


def test_a_light_pack_goes_on_with_the_weights_alone(run, tmp_path, toy_people):
    whole, light = pack_run(run, tmp_path / "whole.pack"), pack_run(run, tmp_path / "light.pack", light=True)
    assert light < whole / 3
    unpack_run(tmp_path / "light.pack", tmp_path / "elsewhere")
    before, after = (weights_of(folder / LAST) for folder in (run, tmp_path / "elsewhere"))
    assert set(after) == {"format", "recipe", "task", "average", "progress"}
    for key, value in after["task"].items():
        torch.testing.assert_close(value.float(), before["task"][key].float(), rtol=1e-3, atol=1e-6)
    run_loop(tmp_path / "elsewhere", toy_people, recipe(steps=8))
    assert (tmp_path / "elsewhere" / BEST).is_file(), "the next validation gives the best net"


def test_a_light_pack_of_a_finished_run_is_validated_once(run, tmp_path, toy_people):
    pack_run(run, tmp_path / "light.pack", light=True)
    unpack_run(tmp_path / "light.pack", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / BEST).exists()
    run_loop(tmp_path / "elsewhere", toy_people, recipe(steps=4))
    assert (tmp_path / "elsewhere" / BEST).is_file()


def test_what_is_refused_leaves_the_recorded_length(run, toy_people):
    before = (run / "recipe.yaml").read_bytes()
    open_run_folder(recipe(steps=2, out=str(run)))
    with pytest.raises(UsageError, match="has done 4 steps, more than steps, 2"):
        run_loop(run, toy_people, recipe(steps=2))
    assert (run / "recipe.yaml").read_bytes() == before
    cooled = replace(OPTIMISER, cooldown_images=12)
    run_loop(run, toy_people, recipe(steps=8, optimiser=cooled))
    with pytest.raises(UsageError, match="the cool-down to 8 steps has begun"):
        run_loop(run, toy_people, recipe(steps=12))
    assert "steps: 8" in (run / "recipe.yaml").read_text()


def changed(pack, name, content):
    """The pack with one entry changed; None leaves it out."""
    with zipfile.ZipFile(pack) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    entries[name] = content(entries.get(name, b""))
    with zipfile.ZipFile(pack, "w") as archive:
        for entry, bytes_ in entries.items():
            if bytes_ is not None:
                archive.writestr(entry, bytes_)


def manifest(**values):
    return lambda old: json.dumps({**json.loads(old), **values}).encode()


HARMED = [
    ("pack.json", manifest(format="facedistill-pack-9"), "of the format 'facedistill-pack-9'", "another version"),
    ("pack.json", manifest(recipe="abc"), "another recipe than it names", "another recipe"),
    ("pack.json", lambda _: b"{", "is damaged", "no JSON"),
    ("pack.json", lambda _: b"[1]", "is damaged", "no mapping"),
    ("pack.json", manifest(files=["recipe.yaml", "last.pt"]), "is damaged", "files without digests"),
    ("pack.json", lambda _: None, "is no pack; make one", "no manifest"),
    ("pack.json", lambda _: b" " * 70_000, r"pack.json is damaged \(too long\)", "a manifest of any size"),
    ("last.pt", lambda old: old[:-1], "last.pt is not what was packed", "a byte less"),
    ("best.pt", lambda _: None, "has not the files of a run", "a file less"),
    ("../evil", lambda _: b"x", "has not the files of a run", "a file outside"),
]


@pytest.mark.parametrize(("name", "content", "reason", "why"), HARMED, ids=[row[3] for row in HARMED])
def test_a_pack_that_was_changed_is_one_line(run, tmp_path, name, content, reason, why):
    pack_run(run, tmp_path / "run.pack")
    changed(tmp_path / "run.pack", name, content)
    with pytest.raises(FacedistillError, match=reason):
        unpack_run(tmp_path / "run.pack", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert not list(tmp_path.glob(".*part"))


def test_a_pack_that_is_cut_anywhere_is_cut_short(run, tmp_path):
    """Also behind one of the states in it, each of which is an archive with an end of its own."""
    pack_run(run, tmp_path / "run.pack")
    content = (tmp_path / "run.pack").read_bytes()
    ends = [place + 22 for place in range(len(content)) if content.startswith(b"PK\x05\x06", place)]
    assert len(ends) > 2, "the states' and its own"
    for end in (40, *ends[:-1], len(content) - 1):
        (tmp_path / "cut.pack").write_bytes(content[:end])
        with pytest.raises(FacedistillError, match="is cut short"):
            unpack_run(tmp_path / "cut.pack", tmp_path / "elsewhere")


def resealed(pack, name, content):
    """The pack with one file changed and its digest with it."""
    with zipfile.ZipFile(pack) as archive:
        listed = json.loads(archive.read("pack.json"))
        new = content(archive.read(name))
    listed["files"][name] = hashlib.sha256(new).hexdigest()
    changed(pack, name, lambda _: new)
    changed(pack, "pack.json", lambda _: json.dumps(listed).encode())


def of_another_recipe(state):
    content = torch.load(io.BytesIO(state), weights_only=True)
    out = io.BytesIO()
    torch.save({**content, "recipe": "abc"}, out)
    return out.getvalue()


TAMPERED = [
    ("recipe.yaml", lambda old: old.replace(b"batch_size: ", b"batch_size: 1"), "which was changed", "another recipe"),
    ("recipe.yaml", lambda old: old + b"stesp: 3\n", r"cannot read .*has no 'stesp'", "a recipe with another name"),
    ("last.pt", of_another_recipe, "holds the state of another recipe", "a state of another recipe"),
    ("last.pt", lambda old: old[:100], "last.pt", "half a state"),
]


@pytest.mark.parametrize(("name", "content", "reason", "why"), TAMPERED, ids=[row[3] for row in TAMPERED])
def test_a_pack_that_was_tampered_with_makes_no_run(run, tmp_path, name, content, reason, why):
    pack_run(run, tmp_path / "run.pack")
    resealed(tmp_path / "run.pack", name, content)
    with pytest.raises(FacedistillError, match=reason):
        unpack_run(tmp_path / "run.pack", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert not list(tmp_path.glob(".*part"))


def test_what_cannot_be_packed_or_unpacked_is_one_line(run, tmp_path):
    pack_run(run, tmp_path / "run.pack")
    with pytest.raises(UsageError, match="is not empty"):
        unpack_run(tmp_path / "run.pack", run)
    with pytest.raises(UsageError, match="does not exist; make a pack"):
        unpack_run(tmp_path / "none.pack", tmp_path / "elsewhere")
    (tmp_path / "cut.pack").write_bytes((tmp_path / "run.pack").read_bytes()[:5000])
    with pytest.raises(FacedistillError, match="is cut short"):
        unpack_run(tmp_path / "cut.pack", tmp_path / "elsewhere")
    (tmp_path / "cut.pack").write_bytes(b"PK")
    with pytest.raises(FacedistillError, match="is no pack; make one"):
        unpack_run(tmp_path / "cut.pack", tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="lies in the run that is packed"):
        pack_run(run, run / LAST)
    (tmp_path / "damaged").mkdir()
    for name, content in (("recipe.yaml", (run / "recipe.yaml").read_bytes()), (LAST, b"PK")):
        (tmp_path / "damaged" / name).write_bytes(content)
    with pytest.raises(FacedistillError, match="is no checkpoint, or is damaged"):
        pack_run(tmp_path / "damaged", tmp_path / "x.pack")
    with pytest.raises(UsageError, match="holds no run to go on with"):
        pack_run(tmp_path, tmp_path / "x.pack")
    shutil.copy(run / LAST, run / "head-0-of-2-step-4.pt")
    with pytest.raises(UsageError, match="sharded head"):
        pack_run(run, tmp_path / "x.pack")


OPTIONS = [
    ({"ema": 1.0}, "ema must be a number of at least 0 and below 1, not 1.0", "an average that never moves"),
    ({"minutes": 0.0}, "minutes must be a number above 0, not 0.0", "no time"),
    (
        {"optimiser": OptimiserRecipe(warmup_images=5)},
        "goes with optimiser.schedule: trapezoid",
        "of the other schedule",
    ),
    (
        {"optimiser": replace(OPTIMISER, cooldown_images=-1)},
        "cooldown_images must be a whole number of at least 0, not -1",
        "a negative count",
    ),
]


@pytest.mark.parametrize(("changes", "reason", "why"), OPTIONS, ids=[row[2] for row in OPTIONS])
def test_what_cannot_work_is_refused(changes, reason, why):
    with pytest.raises(UsageError, match=reason):
        recipe(**changes).check()


def test_the_digest_of_a_recipe_of_before_is_what_it_was():
    assert Recipe().digest == "b5aa5ae57af53eb04be0d49094a54e5d09826f57b22d7c8b196e17106069b8c2"
