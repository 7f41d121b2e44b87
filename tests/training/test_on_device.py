"""Views and degradation in batches, as accelerators do them, forced onto the CPU: the very pictures of its own way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import recipe
from tests.batches import figures, random_targets
from tests.variance.crops import smooth_picture

from facedistill.datasets import Face, FaceList
from facedistill.errors import FacedistillError
from facedistill.pictures import UnreadablePicture
from facedistill.recipe import HARD, LossTerm
from facedistill.training import fit
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces
from facedistill.training.on_device import FacesOnDevice, faces_for
from facedistill.training.viewed import ViewedFaces
from facedistill.variance import build_variance
from facedistill.views import PixelPart, Views, build_view

CPU = torch.device("cpu")
VIEWS = Views([build_view("turn"), build_view("scale"), build_view("mixture", probability=0.5), build_view("gamma")])
SMALL = [build_variance("low_resolution", size=16, probability=0.5), build_variance("noise")]


@pytest.fixture(scope="module")
def people() -> FaceList:
    """Smooth pictures: where neighbours differ little, the two ways may only round otherwise."""
    pictures = [smooth_picture(128, 112, seed) for seed in range(12)]
    return FaceList([Face(picture, place // 3, f"f{place}") for place, picture in enumerate(pictures)])


def narrow(people: FaceList) -> FaceList:
    return FaceList(
        [Face(np.ascontiguousarray(face.image[:112, 8:104]), face.label, face.key) for face in people.faces]
    )


def viewed(people: FaceList, **options: object) -> ViewedFaces:
    return ViewedFaces(narrow(people), people, VIEWS, SMALL, True, 3, **{"teacher_size": (112, 112), **options})


WAYS = {
    "no views": lambda people: AugmentedFaces(narrow(people), SMALL, True, 3),
    "views that the teacher is shown": viewed,
    "views that it is not shown": lambda people: viewed(people, teacher_size=None),
    "teacher and student of one size": lambda people: viewed(people, teacher_size=(112, 96)),
    "fixed views": lambda people: viewed(people, fixed=2),
    "nothing degraded": lambda people: AugmentedFaces(narrow(people), (), False, 3),
}


@pytest.mark.parametrize("resident", [False, True], ids=["read by the loader", "on the device"])
@pytest.mark.parametrize("way", WAYS)
def test_both_ways_make_the_same_batch(people, way, resident):
    faces = WAYS[way](people)
    places = [(position, position % len(faces.faces)) for position in range(100, 124)]
    batched = FacesOnDevice(faces, CPU, resident)
    ours = batched.shown(batched.collate([batched[place] for place in places]))
    expected = faces.collate([faces[place] for place in places])
    for name, value in expected._asdict().items():
        given = getattr(ours, name)
        if name in ("crops", "views") and value is not None:
            apart = (given.int() - value.int()).abs()
            assert given.dtype == torch.uint8
            assert given.shape == value.shape
            assert apart.max() <= 4, "two levels by views, more where small pixels are rounded otherwise"
            assert (apart <= 1).float().mean() > 0.97
        elif isinstance(value, torch.Tensor):
            assert torch.equal(given, value), name
        else:
            assert given == value, name


def trained(folder, faces, resident, **changes):
    settings = recipe(losses={HARD: LossTerm(), "cosine": LossTerm()}, out=str(folder), **changes)
    settings = replace(settings, optimiser=replace(settings.optimiser, schedule="trapezoid"))
    folder.mkdir(exist_ok=True)
    task = build_task(settings, 4)
    task.targets = random_targets(faces.faces, 8)
    fit(task, faces if resident is None else FacesOnDevice(faces, CPU, resident), settings, folder, None)
    return figures(folder), torch.load(folder / "last.pt", weights_only=True)["task"]


def test_a_run_is_the_same_wherever_the_set_lies_and_goes_on_exactly(tmp_path, people):
    faces = viewed(people)
    whole, weights = trained(tmp_path / "whole", faces, resident=False)
    cases = {"resident": (True, {}), "two processes that read": (False, {"workers": 2}), "both": (True, {"workers": 2})}
    for name, (resident, changes) in cases.items():
        assert trained(tmp_path / name, faces, resident, **changes)[0] == whole, name
    trained(tmp_path / "parts", faces, resident=True, steps=4)
    _, resumed = trained(tmp_path / "parts", faces, resident=True)
    assert all(torch.equal(weights[key], resumed[key]) for key in weights)
    first, one_by_one = (trained(tmp_path / str(way), faces, way, steps=1)[0] for way in (True, None))
    assert one_by_one[0]["hard"] == pytest.approx(first[0]["hard"], rel=0.02), "but for grey levels"


def test_an_accelerator_works_in_batches_unless_a_variance_takes_one_picture_at_a_time(people):
    faces = viewed(people)
    assert faces_for(faces, CPU) is faces, "one after the other is no slower there"
    assert isinstance(faces_for(faces, torch.device("mps")), FacesOnDevice)
    foreign = AugmentedFaces(narrow(people), [lambda crop, _rng: crop], True, 3)
    assert faces_for(foreign, torch.device("mps")) is foreign
    forced = FacesOnDevice(faces, CPU, True)
    assert faces_for(forced, CPU) is forced


class Fails(PixelPart):
    def draw(self, rng, height, width):
        return 1.0

    def change(self, picture, draws, context):
        return picture

    def change_batch(self, pictures, draws, context):
        return pictures[:, :, 1:]


def test_a_view_that_gives_another_size_is_refused_in_one_line(people):
    faces = ViewedFaces(narrow(people), people, Views([Fails()]), (), False, 3, teacher_size=None)
    batched = FacesOnDevice(faces, CPU, False)
    with pytest.raises(
        FacedistillError, match=r"views: Fails gives torch.float32 \[2, 3, 111, 96\] for a batch, not \[2, 3, 112, 96\]"
    ):
        batched.shown(batched.collate([batched[0, 0], batched[1, 1]]))


class Damaged(FaceList):
    def __getitem__(self, index):
        if index == 5:
            raise UnreadablePicture("f5 is damaged; copy it again")
        return super().__getitem__(index)


@pytest.mark.parametrize("resident", [False, True])
def test_a_damaged_picture_ends_the_run_with_its_name(tmp_path, people, resident):
    faces = AugmentedFaces(Damaged(narrow(people).faces), (), False, 3)
    with pytest.raises(FacedistillError, match="f5 is damaged"):
        trained(tmp_path, faces, resident)


def test_batches_that_are_drawn_need_no_picture_where_the_set_lies_on_the_device(people):
    resident, streamed = (FacesOnDevice(viewed(people), CPU, way) for way in (True, False))
    drawn = [each.collate([each[0, 0], each[1, 1]]) for each in (resident, streamed)]
    assert drawn[0].pictures is None
    assert drawn[1].pictures.shape == (2, 128, 112, 3)
    assert replace(drawn[1], pictures=None).drawn == drawn[1].drawn


def test_a_processs_share_of_a_batch_is_what_the_whole_batch_has_of_it(people):
    """So several processes train on the pictures of one; matrix products of another size may round otherwise."""
    faces = FacesOnDevice(viewed(people), CPU, resident=True)
    places = [(position, position % 12) for position in range(24)]
    whole, *shares = (
        faces.shown(faces.collate([faces[place] for place in part])) for part in (places, places[:10], places[10:])
    )
    for name in ("crops", "views"):
        joined = torch.cat([getattr(share, name) for share in shares]).int()
        apart = (joined - getattr(whole, name).int()).abs()
        assert apart.max() <= 1, name
        assert (apart > 0).float().mean() < 0.001, name
    assert torch.equal(torch.cat([share.rows for share in shares]), whole.rows)
