"""Spectacles, open mouths, masks, scarves, hands and beards."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("anny")
from facedistill.synth.conditions import draw_conditions
from facedistill.synth.face_coverings import FaceCoverings, tauten
from facedistill.synth.hands import HandBuilder
from facedistill.synth.mouth import MouthInterior
from facedistill.synth.person import draw_person
from facedistill.synth.regions import Regions
from facedistill.synth.shade import EXTRA, POSITION
from facedistill.synth.shade_skin import BEARD
from facedistill.synth.skin_overlays import FACIAL_HAIR, SkinOverlayBuilder
from facedistill.synth.spectacles import FRAMES, fit_spectacles
from facedistill.synth.strokes import draw_line, fill_polygon
from facedistill.synth.texture_layout import AXIS_Z

NEAR = 0.1  # inverse depth of everything drawn below
EYES = np.array([[-0.31, 7.28, 1.39], [0.31, 7.28, 1.39]], np.float32)
EARS = np.array([[-0.76, 7.3, 0.2], [0.76, 7.3, 0.2]], np.float32)


@pytest.fixture(scope="module")
def overlays(assets):
    return SkinOverlayBuilder(Regions(assets))


def drawn_line(start, end, half, depth=0.0):
    path = np.array([[*start, NEAR, half, 1.0], [*end, NEAR, half, 1.0]], np.float32)
    cover, gleam = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    draw_line(path, np.full((80, 80), depth, np.float32), cover, gleam)
    return cover


@pytest.mark.parametrize(
    "half", [pytest.param(1.5, id="wide"), pytest.param(0.5, id="a pixel"), pytest.param(0.15, id="thin")]
)
@pytest.mark.parametrize("slope", [pytest.param(0.0, id="level"), pytest.param(7.3, id="slanting")])
def test_a_line_covers_its_own_area(half, slope):
    cover = drawn_line((8.0, 12.3), (32.0, 12.3 + slope), half)
    middle = cover[:, 14:26].sum(axis=0)  # away from the round ends
    stretched = np.hypot(24.0, slope) / 24.0
    assert middle.mean() == pytest.approx(2 * half * stretched, rel=0.06)
    assert cover.max() <= 1


def test_a_line_behind_something_is_hidden():
    assert drawn_line((8, 12), (32, 12), 1.0, depth=2 * NEAR).max() == 0


def test_a_polygon_fills_its_outline_and_nothing_else():
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.stack([20.2 + 11 * np.cos(angle), 18.7 + 7 * np.sin(angle), np.full(40, NEAR)], 1).astype(np.float32)
    for ordered in (outline, outline[::-1].copy()):
        cover, height = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
        fill_polygon(ordered, np.zeros((80, 80), np.float32), cover, height)
        assert cover.sum() == pytest.approx(np.pi * 11 * 7, rel=0.02)
        assert cover[18, 20] == 1
        assert cover[3, 3] == 0
        assert height[13, 20] < height[18, 20] < height[24, 20]


@pytest.mark.parametrize("name", FRAMES)
def test_eyes_look_through_the_middle_of_their_lenses(name):
    worn = fit_spectacles(FRAMES[name], EYES, 1.5, EARS)
    for outline, eye in zip(worn.panes, EYES, strict=True):
        low, high = outline.min(axis=0), outline.max(axis=0)
        across, up = (eye[:2] - low[:2]) / (high[:2] - low[:2])
        assert 0.4 < across < 0.6
        assert 0.4 < up < 0.65
        assert outline[:, 2].min() > eye[2]  # in front of the eye


def test_spectacles_fit_the_face():
    small, large = (
        fit_spectacles(FRAMES["oval"], EYES * [scale, 1, 1], 1.5, EARS * [scale, 1, 1]) for scale in (0.9, 1.1)
    )
    assert np.ptp(large.panes[0][:, 0]) > 1.15 * np.ptp(small.panes[0][:, 0])


def test_a_closed_mouth_shows_nothing_and_an_open_one_teeth_behind_its_lips(assets, head_shape_model):
    mouth = MouthInterior(assets)
    assert mouth.submeshes(assets.points) == []
    for number in range(8):
        person = draw_person(11, number)
        posed = head_shape_model.build(person, 30, {"jawOpen": 0.25}).posed
        teeth, hollow = (piece[0][:, POSITION : POSITION + 3] for piece in mouth.submeshes(posed))
        lips = posed[assets.lips > 0.4]
        for inside in (teeth, hollow):
            assert inside[:, 2].max() < lips[:, 2].max()
        assert teeth[:, 2].mean() > hollow[:, 2].mean()
        edge = teeth.reshape(5, -1, 3)[-1]  # the lower edge of the teeth is one smooth curve, no row of splinters
        assert np.abs(np.diff(edge[:, 1], n=2)).max() < 0.01


def test_taut_cloth_bridges_hollows_and_dents_nothing():
    rng = np.random.default_rng(0)
    angle, height = np.meshgrid(np.linspace(-1, 1, 15), np.linspace(7, 6, 17))
    reach = rng.uniform(1.0, 1.4, angle.shape)
    points = np.stack([reach * np.sin(angle), height, AXIS_Z + reach * np.cos(angle)], axis=-1).astype(np.float32)
    drawn = np.hypot(*(tauten(points, 12) - [0, 0, AXIS_Z])[..., [0, 2]].transpose(2, 0, 1))
    assert (drawn > reach - 1e-5).all()
    assert np.abs(np.diff(drawn, axis=0)).mean() < 0.4 * np.abs(np.diff(reach, axis=0)).mean()


@pytest.mark.parametrize("seed", range(4))
def test_masks_and_scarves_stand_off_the_skin(assets, head_shape_model, seed):
    coverings, person = FaceCoverings(assets), draw_person(12, seed)
    posed = head_shape_model.build(person, 30, {"mouthPucker": 0.5}).posed
    mask = coverings.mask(posed, seed)[0][0][:, POSITION : POSITION + 3]
    lips = posed[assets.lips > 0.9]
    for lip in lips[np.argsort(-lips[:, 2])[:20]]:
        near = mask[np.argsort(np.linalg.norm(mask[:, :2] - lip[:2], axis=1))[:4]]
        assert near[:, 2].mean() > lip[2]
    for piece in coverings.scarf(posed, seed):
        assert np.isfinite(piece[0]).all()


def test_hands_have_four_fingers_a_back_and_sometimes_a_thumb(assets, head_shape_model):
    hands, posed = HandBuilder(assets), head_shape_model.build(draw_person(13, 0), 30, {}).posed
    counts = {len(hands.submeshes(posed, seed)) for seed in range(12)}
    assert counts == {5, 6}
    for attributes, triangles, _, _ in hands.submeshes(posed, 3):
        assert np.isfinite(attributes).all()
        assert triangles.max() < len(attributes)
        assert (attributes[:, EXTRA] >= 0).all()


def test_a_mask_hides_the_mouth_and_not_the_eyes(renderer):
    for number in range(4):
        person = draw_person(14, number)
        drawn = draw_conditions(person, 1, 0)
        pose = dataclasses.replace(drawn.pose, yaw=0.0, pitch=0.0, roll=0.0)
        wear = dataclasses.replace(drawn.wear, glasses=None, headwear=None)
        bare = dataclasses.replace(drawn, pose=pose, wear=wear, occlusion="none", expression={"jawOpen": 0.2})
        masked = dataclasses.replace(bare, occlusion="mask", occlusion_colour=(0.0, 0.5, 0.0))
        with_mask, without = renderer.render(person, masked, 128), renderer.render(person, bare, 128)
        mouth = np.rint(without.landmarks[3:].mean(axis=0)).astype(int)
        red, green, blue = with_mask.image[mouth[1], mouth[0]].astype(int)
        assert green > red + 20
        assert green > blue + 20
        for x, y in np.rint(without.landmarks[:2]).astype(int):
            np.testing.assert_array_equal(with_mask.image[y, x], without.image[y, x])


@pytest.mark.parametrize("name", sorted(set(FACIAL_HAIR) - {"none"}))
def test_beards_leave_lips_and_eyes_bare_and_end_softly(assets, overlays, name):
    person = draw_person(15, 0)
    beard = overlays.build(person, name)[..., BEARD]
    regions = Regions(assets)
    assert 0.1 < beard.max() <= 1
    assert beard[regions.lips > 0.9].max() == 0
    assert beard[(regions.y > 7.2) & (regions.z > 0.5)].max() == 0
    blurred = np.stack([np.roll(beard, shift, axis=1) for shift in range(-4, 5)]).mean(axis=0)  # removes single strands
    # Half a pixel of the photo lies between two texels; lips and ear lobes are edges by themselves.
    smooth = (regions.lips < 0.02) & (regions.x < 0.65)
    assert np.abs(np.diff(blurred, axis=0))[smooth[1:] & smooth[:-1]].max() < 0.4


def test_overlays_do_not_depend_on_former_calls(overlays):
    first, second = draw_person(16, 0), draw_person(16, 1)
    before = overlays.build(first, "stubble").copy()
    overlays.build(second, "beard")
    np.testing.assert_array_equal(overlays.build(first, "stubble"), before)
