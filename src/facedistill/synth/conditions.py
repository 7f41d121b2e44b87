"""The conditions of a picture: everything that is not the identity, sampled independently of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.errors import UsageError
from facedistill.synth.background import BACKGROUNDS
from facedistill.synth.person import Person
from facedistill.synth.pose_and_light import LightSetting, Pose, choose, draw_expression, draw_light, draw_pose
from facedistill.synth.sensor import Sensor, draw_sensor

# Shares of pictures. Hair, glasses and clothes change between pictures of one person: if they were constant, a net
# would learn the glasses instead of the face.
GLASSES = 0.10
SUNGLASSES = 0.02
HEADWEAR = 0.05
MAKE_UP = 0.30  # of women's pictures
DYED_HAIR = 0.06
GREY_COVERED = 0.8  # of women's pictures where all is grey, and a third of that of men's: dyed back
OCCLUSIONS = {"none": 0.94, "hand": 0.02, "mask": 0.025, "scarf": 0.015}

RGB = tuple[float, float, float]  # linear

_PICTURE_STREAM, _DAY_STREAM = 0x51C7, 0xDA11

_STYLES = {  # hairstyle -> weights for (women, men)
    "shaved": (0.2, 4),
    "buzz": (0.3, 9),
    "fade": (0.2, 9),
    "crop": (1, 11),
    "short": (4, 16),
    "side_part": (3, 15),
    "slick": (2, 7),
    "quiff": (0.5, 8),
    "fringe": (3, 6),
    "curtains": (2, 4),
    "curly": (4, 4),
    "tied": (9, 1.5),
    "bun": (6, 0.7),
    "bob": (10, 1),
    "bob_fringe": (6, 0.3),
    "long": (12, 1.5),
    "long_side": (13, 1),
    "long_fringe": (7, 0.5),
    "long_wavy": (11, 1),
}
_CURLED_STYLES = {
    "afro": (8, 7),
    "curly": (9, 9),
    "buzz": (2, 14),
    "fade": (0.5, 12),
    "long_curly": (12, 1.5),
    "tied": (10, 1),
    "bun": (8, 1),
}
_CLOSE_STYLES = ("shaved", "buzz", "crop", "fade")
_FRAMES = {  # frame -> weights for spectacles and sunglasses
    "round": (0.13, 0.14),
    "oval": (0.17, 0.06),
    "rectangle": (0.20, 0.16),
    "square": (0.10, 0.24),
    "cat": (0.06, 0.12),
    "aviator": (0.10, 0.28),
    "semi": (0.13, 0.0),
    "rimless": (0.11, 0.0),
}
# Linear RGB: silver, gold, gun metal, black; black, brown, tortoise-shell, navy, wine; surgical blue, white, black.
_METALS = ((0.15, 0.145, 0.14), (0.17, 0.12, 0.06), (0.06, 0.06, 0.063), (0.03, 0.027, 0.027))
_PLASTICS = ((0.02, 0.02, 0.022), (0.045, 0.028, 0.018), (0.12, 0.07, 0.035), (0.03, 0.035, 0.06), (0.12, 0.03, 0.03))
_MASKS = ((0.42, 0.58, 0.70), (0.42, 0.58, 0.70), (0.66, 0.67, 0.67), (0.66, 0.67, 0.67), (0.02, 0.02, 0.022))
_BEARDS = {  # facial hair of men who can grow it -> share of pictures
    "none": 0.46,
    "shadow": 0.22,
    "stubble": 0.16,
    "moustache": 0.03,
    "goatee": 0.03,
    "chin": 0.02,
    "beard": 0.08,
}
CLOTHING = {"shirt": 0.6, "collar": 0.3, "turtleneck": 0.1}
HEADWEAR_KINDS = ("cap", "beanie")


@dataclass(frozen=True)
class Hair:
    """Hair of one picture.

    Attributes:
        style: A key of `hairstyles.HAIR_STYLES`.
        melanin: 0 (fair) .. 1 (black).
        red: 0..1, share of red pigment.
        grey: 0..1, share of grey hairs.
        dyed: Whether it is dyed in another than the natural colour.
        seed: Seed of its random shape.
    """

    style: str
    melanin: float
    red: float
    grey: float
    dyed: bool
    seed: int


@dataclass(frozen=True)
class Wear:
    """Facial hair, make-up, glasses and clothes; colours are linear RGB, 0..1.

    Attributes:
        facial_hair: A key of `skin_overlays.FACIAL_HAIR`.
        lipstick, eye_shadow, blush: Strength, 0..1.
        lipstick_colour, shadow_colour: Colours of lipstick and eye shadow.
        glasses: A key of `spectacles.FRAMES`, or None.
        glasses_colour: Of the rim.
        lens_tint: 0 (clear) .. 1 (black): sunglasses are above 0.5.
        headwear: One of `HEADWEAR_KINDS`, or None.
        headwear_colour: Its colour.
        clothing: A key of `CLOTHING`.
        clothing_colour: Its colour.
    """

    facial_hair: str
    lipstick: float
    eye_shadow: float
    blush: float
    lipstick_colour: RGB
    shadow_colour: RGB
    glasses: str | None
    glasses_colour: RGB
    lens_tint: float
    headwear: str | None
    headwear_colour: RGB
    clothing: str
    clothing_colour: RGB

    @property
    def sunglasses(self) -> bool:
        """Whether the eyes are hidden behind dark lenses."""
        return self.glasses is not None and self.lens_tint > 0.5


@dataclass(frozen=True)
class Conditions:
    """All conditions of one picture.

    Attributes:
        pose: Head and camera.
        expression: Coefficients 0..1 by the names of the face model's expressions.
        expression_kind: A key of `pose_and_light.EXPRESSIONS`.
        gaze: Degrees to the subject's left and up, relative to the head.
        pupil: Pupil over iris radius.
        eye_redness: 0..1.
        light: Ambient and key light.
        background: One of `background.BACKGROUNDS`.
        background_seed: Seed of the background.
        hair: Hair on the head.
        wear: Facial hair, make-up, glasses, headwear, clothes.
        occlusion: A key of `OCCLUSIONS`.
        occlusion_colour: Linear RGB of the mask or scarf.
        occlusion_seed: Seed of the place and shape of mask, scarf or hand.
        age_shift: Years added to the person's age, -6..6.
        sensor: Parameters of the camera's sensor.
    """

    pose: Pose
    expression: dict[str, float]
    expression_kind: str
    gaze: tuple[float, float]
    pupil: float
    eye_redness: float
    light: LightSetting
    background: str
    background_seed: int
    hair: Hair
    wear: Wear
    occlusion: str
    occlusion_colour: RGB
    occlusion_seed: int
    age_shift: float
    sensor: Sensor


def draw_conditions(person: Person, seed: int, number: int, same_day: bool = False) -> Conditions:
    """Samples the conditions of a person's picture `number`; the same for the same arguments.

    Args:
        person: The person; shares of hairstyles, facial hair and make-up depend on gender, age and hair.
        seed: Seed of the set.
        number: The picture's number, from 0.
        same_day: Hair, beard, make-up, glasses, headwear, clothes and age stay those of picture 0.

    Raises:
        UsageError: The seed or the number is negative.
    """
    if seed < 0 or number < 0:
        raise UsageError(f"seed and picture number must not be negative, got {seed} and {number}")
    rng = np.random.default_rng((seed, person.number, number, _PICTURE_STREAM))
    day = np.random.default_rng((seed, person.number, 0 if same_day else number, _DAY_STREAM))
    kind, expression = draw_expression(rng)
    light = draw_light(rng)
    occlusion = choose(rng, OCCLUSIONS)
    wear = _draw_wear(person, day)
    return Conditions(
        pose=draw_pose(rng),
        expression=expression,
        expression_kind=kind,
        gaze=(float(rng.normal(0, 7)), float(rng.normal(0, 4))),
        pupil=float(rng.uniform(0.25, 0.55)),
        eye_redness=float(rng.beta(1.2, 6)),
        light=light,
        background=str(rng.choice(BACKGROUNDS)),
        background_seed=int(rng.integers(1 << 31)),
        hair=_draw_hair(person, day),
        wear=wear,
        occlusion=occlusion,
        occlusion_colour=_mask(rng) if occlusion == "mask" else _cloth(rng),
        occlusion_seed=int(rng.integers(1 << 31)),
        age_shift=float(np.clip(day.normal(0, 2.5), -6, 6)),
        sensor=draw_sensor(rng, light.dim),
    )


def _draw_hair(person: Person, rng: np.random.Generator) -> Hair:
    weights = dict(_STYLES)
    if person.curl > 0.6:
        weights = {name: (w / 4, m / 4) for name, (w, m) in weights.items()} | _CURLED_STYLES
    shares = np.array([(1 - person.gender) * w + person.gender * m for w, m in weights.values()])
    if person.recession > 0.7:  # too little hair for other styles
        shares *= np.array([name in _CLOSE_STYLES for name in weights])
    style = str(rng.choice(list(weights), p=shares / shares.sum()))
    dyed = bool(rng.random() < DYED_HAIR)
    coloured = rng.random() < GREY_COVERED * person.grey * (1 - 0.7 * person.gender)
    melanin = float(np.clip(person.hair_melanin + rng.normal(0, 0.04), 0, 1))
    red, grey = person.hair_red, float(np.clip(person.grey + rng.normal(0, 0.04), 0, 1))
    if coloured:
        grey *= 0.15
    if dyed:
        melanin, red, grey = float(rng.uniform(0.1, 1)), float(rng.beta(0.6, 2)), 0.0
    return Hair(style, melanin, red, grey, dyed, int(rng.integers(1 << 31)))


def _draw_wear(person: Person, rng: np.random.Generator) -> Wear:
    made_up = rng.random() < MAKE_UP * (1 - person.gender)
    wears = rng.random() < GLASSES + SUNGLASSES
    dark = bool(rng.random() < SUNGLASSES / (GLASSES + SUNGLASSES))
    frame = choose(rng, {name: weights[dark] for name, weights in _FRAMES.items()})
    glasses = frame if wears else None
    return Wear(
        facial_hair=_draw_beard(person, rng),
        lipstick=float(made_up * rng.uniform(0.3, 1)),
        eye_shadow=float(made_up * rng.beta(1, 2)),
        blush=float(made_up * rng.beta(1, 3)),
        lipstick_colour=(float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.02, 0.12)), float(rng.uniform(0.03, 0.18))),
        shadow_colour=(float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.03, 0.2)), float(rng.uniform(0.04, 0.3))),
        glasses=glasses,
        glasses_colour=_rim(rng, frame),
        lens_tint=float(rng.uniform(0.90, 0.985)) if dark else float(rng.uniform(0, 0.04)),
        headwear=str(rng.choice(HEADWEAR_KINDS)) if rng.random() < HEADWEAR else None,
        headwear_colour=_cloth(rng),
        clothing=choose(rng, CLOTHING),
        clothing_colour=_cloth(rng),
    )


def _draw_beard(person: Person, rng: np.random.Generator) -> str:
    """Facial hair; "none" for women, and the more often the sparser a man's beard grows."""
    if person.gender < 0.5 or rng.random() > person.beard_density * 1.1:
        return "none"
    return choose(rng, _BEARDS)


def _one_of(rng: np.random.Generator, colours: Sequence[RGB]) -> RGB:
    return colours[int(rng.integers(len(colours)))]


def _rim(rng: np.random.Generator, frame: str) -> RGB:
    """Colour of a rim: thin ones are of metal, most others of dark plastic."""
    if frame in ("rectangle", "square", "cat"):
        return _cloth(rng) if rng.random() < 0.1 else _one_of(rng, _PLASTICS)
    return _one_of(rng, _METALS)


def _mask(rng: np.random.Generator) -> RGB:
    """Colour of a face mask, mostly that of a surgical one."""
    return _one_of(rng, _MASKS) if rng.random() < 0.8 else _cloth(rng)


def _cloth(rng: np.random.Generator) -> RGB:
    """Colour of cloth, mostly muted, sometimes bright."""
    value = float(rng.beta(1.1, 2.2)) * 0.8 + 0.01
    saturation = float(rng.beta(1, 2.5))
    hue = rng.uniform(0, 1, 3)
    tint = 1 - saturation + saturation * hue / hue.max()
    red, green, blue = (value * tint).tolist()
    return red, green, blue
