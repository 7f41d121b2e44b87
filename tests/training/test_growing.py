"""Training on a set that grows: who is drawn follows from the pictures drawn before, whoever renders how fast."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.batches import figures, run_loop

from facedistill.datasets.growing import GrowingPeople
from facedistill.errors import FacedistillError, UsageError
from facedistill.recipe import HARD, DataRecipe, LossTerm, NetRecipe, Recipe, TeacherRecipe
from facedistill.recipe.sections import SynthRecipe
from facedistill.recipe.validate import validate
from facedistill.training.data import AugmentedFaces
from facedistill.training.loop import TimeIsUpError
from facedistill.training.sampling import BalancedBatches, ShuffledBatches

SCHEDULE = [
    # position, people: 3 of 8 to begin with, 6 pictures each, a new picture for each two drawn
    (0, 3, "to begin with"),
    (11, 3, "five and a half new pictures are no person"),
    (12, 4, "six are one"),
    (59, 7, "before the last one"),
    (60, 8, "all"),
    (10**9, 8, "no more than there are"),
]


def growing(**changes):
    return GrowingPeople(**{"start": 3, "most": 8, "images": 6, "growth": 0.5, **changes})


@pytest.mark.parametrize(("position", "people", "why"), SCHEDULE, ids=[row[2] for row in SCHEDULE])
def test_the_schedule(position, people, why):
    assert (growing().people(position), growing().faces(position)) == (people, 6 * people)


def test_no_more_begin_than_there_are():
    assert growing(start=20).people(0) == 8


LABELS = np.repeat(np.arange(8), 6)
SAMPLERS = {"shuffled": partial(ShuffledBatches, 48), "balanced": partial(BalancedBatches, LABELS)}


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_only_who_is_there_is_drawn_and_an_epoch_shows_all_of_them_once(sampling):
    unit = 6 if sampling == "shuffled" else 1  # positions that a person has in an epoch
    places = [place for batch in SAMPLERS[sampling](5, 0, 60, 3, growing()) for place in batch]
    assert [position for position, _ in places] == list(range(300))
    begins = 0
    while begins < 250:
        people = growing().people(begins)
        epoch = [index for _, index in places[begins : begins + unit * people]]
        assert sorted(LABELS[epoch]) == sorted(list(range(people)) * unit)
        assert len(set(epoch)) == len(epoch)
        begins += unit * people


@pytest.mark.parametrize("sampling", SAMPLERS)
@pytest.mark.parametrize("step", [1, 7, 40], ids="step {}".format)
def test_it_goes_on_in_the_middle(sampling, step):
    whole = list(SAMPLERS[sampling](5, 0, 60, 3, growing()))
    assert list(SAMPLERS[sampling](5, step, 60, 3, growing())) == whole[step:]


def test_a_set_that_has_grown_is_an_ordinary_one():
    full = growing(start=8)
    for sampler in SAMPLERS.values():
        assert list(sampler(5, 0, 60, 3, full)) == list(sampler(5, 0, 60, 3))


class FakeRenderers:
    """Renders a person each time it is asked to wait, after `before` others."""

    def __init__(self, people, ends_at=99):
        self.people, self.waits, self._ends_at = people, [], ends_at

    def wait(self, people, stopped=lambda: False):
        self.waits.append(people)
        if people > self._ends_at:
            raise FacedistillError("cannot write x.person: No space left on device")
        self.people = max(self.people, people)
        return not stopped()


def test_it_waits_for_all_who_may_be_drawn_before_a_batch_and_for_those_kept_out():
    renderers = FakeRenderers(0)
    batches = iter(ShuffledBatches(48, 6, 0, 60, 3, growing(renderers=renderers, before=2)))
    for step in range(1, 10):
        next(batches)
        assert renderers.waits[-1] == 2 + growing().people(6 * step)
    assert growing(renderers=FakeRenderers(5), before=2).rendered == 3
    assert growing(renderers=FakeRenderers(1), before=2).rendered == 0


def test_who_stops_does_not_wait():
    stopped = growing(renderers=FakeRenderers(0))
    assert list(ShuffledBatches(48, 6, 0, 60, 3, stopped, lambda: True)) == []


def test_another_process_knows_who_is_drawn_but_renders_nobody():
    there = copy.copy(growing(renderers=FakeRenderers(0)))  # as pickling does it
    assert (there.people(12), there.wait(12)) == (4, True)


def recipe(**changes):
    small = Recipe(
        data=DataRecipe(faces="toy"),
        student=NetRecipe(width=0.125, embedding_size=8),
        losses={HARD: LossTerm(), "mk_mmd": LossTerm()},
        steps=20,
        batch_size=6,
        validate_every=20,
        workers=0,
        device="cpu",
        precision="32",
    )
    return replace(small, **changes)


def grown(people=None, **changes):
    return partial(AugmentedFaces, growing=people or growing(**changes))


def test_a_run_that_is_cut_is_the_whole_one_and_its_log_has_the_people(tmp_path, toy_people):
    run_loop(tmp_path / "whole", toy_people, recipe(), augmented=grown())
    for _ in range(20):
        try:
            run_loop(tmp_path / "cut", toy_people, recipe(minutes=1e-9), augmented=grown())
        except TimeIsUpError:
            continue
    assert figures(tmp_path / "cut") == figures(tmp_path / "whole")
    assert figures(tmp_path / "whole")[0]["people"] == growing().people(20 * 6)


def test_people_who_cannot_be_rendered_end_the_run_with_its_state_kept(tmp_path, toy_people):
    ends = growing(renderers=FakeRenderers(3, ends_at=6))
    with pytest.raises(FacedistillError, match="No space left"):
        run_loop(tmp_path / "run", toy_people, recipe(), augmented=grown(ends))
    run_loop(tmp_path / "run", toy_people, recipe(), augmented=grown())
    run_loop(tmp_path / "whole", toy_people, recipe(), augmented=grown())
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")


def test_fewer_faces_to_begin_with_than_a_batch_are_refused(tmp_path, toy_people):
    with pytest.raises(FacedistillError, match="has 6 faces to train on, fewer than batch_size 12"):
        run_loop(tmp_path, toy_people, recipe(batch_size=12), augmented=grown(start=1))


def grows(**changes):
    synth = SynthRecipe(**{"identities": 50, "start": 10, **changes})
    data = DataRecipe(synth=synth, held_out_identities=4)
    view = TeacherRecipe(input="view")
    return Recipe(data=data, teacher=view, losses={HARD: LossTerm(), "cosine": LossTerm()}, test="held_out")


REFUSED = [
    (grows(start=1), "data.synth.start is 1; it must be 2 to", "nobody to tell apart"),
    (grows(start=51), "data.synth.start is 51; it must be 2 to data.synth.identities, 50", "more than there will be"),
    (grows(growth=0.0), "data.synth.growth must be a number above 0, not 0.0", "it never grows"),
    (replace(grows(), data=replace(grows().data, faces="orl")), "data.faces is orl", "a set that cannot grow"),
    (replace(grows(), teacher=TeacherRecipe()), "give teacher.input: view", "embeddings of all faces"),
    (replace(grows(), losses={HARD: LossTerm(), "soft": LossTerm()}), "losses.soft compares logits", "class centres"),
]


@pytest.mark.parametrize(("settings", "reason", "why"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_work_is_refused(settings, reason, why):
    with pytest.raises(UsageError, match=reason):
        validate(settings)


def test_growing_decides_the_result_and_an_ordinary_recipe_keeps_its_digest():
    validate(grows())
    assert len({grows().digest, grows(start=20).digest, grows(growth=0.1).digest}) == 3
    assert grows(start=None).digest == grows(start=None, growth=0.05).digest
