"""Identities: everything about a face that is the same in all pictures of a person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.synth.tones import TONES
from facedistill.synth.traits import MEANS, TRAITS

_SPREAD = 1.05  # factor on the sigma of all traits; larger values lower the detection rate of MTCNN
_SIDE_ASYMMETRY = 0.06  # standard deviation of the right eye, ear or cheek from the left one
_PERSON_STREAM = 0x9E50  # separates a person's random stream from those of the pictures


@dataclass(frozen=True, eq=False)
class Person:
    """A synthetic person. Values are fractions of their natural range unless a unit is given.

    Attributes:
        seed: Seed of the population that the person belongs to.
        number: The person's number in it.
        age: Years, 18..80.
        gender: 0 (female) .. 1 (male), nearly always close to an end.
        ancestry: Weights of the model's three ancestries (african, asian, european), summing to 1; a modelling
            parameter, not a statement about race.
        exaggeration: Factor on the distance of the ancestry from the mean of the three, 1..1.3.
        weight: -1 (lean) .. 1 (heavy).
        muscle: -1 .. 1.
        shape: float32 [len(TRAITS)], coefficients of `facedistill.synth.traits.TRAITS`, -1..1.
        skin_tone: 0 (lightest) .. 1 (darkest).
        tones: float32 [len(TONES)], logarithm of the factor on linear RGB in each of `facedistill.synth.tones.TONES`.
        undertone: -1 (rosy) .. 1 (yellow).
        ruddiness: 0..1, redness of cheeks, nose and ears.
        iris: Linear RGB of the iris, 0..1.
        iris_seed: Seed of its fibres.
        brow_thickness, brow_density, brow_arch, brow_height, brow_gap, brow_length: The eyebrows, 0..1.
        brow_tilt: -1 (falling outwards) .. 1 (rising outwards).
        lip_red: 0..1, how much redder than the skin the lips are.
        lip_dark: 0..1, how much darker.
        lashes: 0..1, their length and density.
        hair_melanin: 0 (fair) .. 1 (black), before greying.
        hair_red: 0..1, share of red pigment.
        grey: 0..1, share of grey hairs at the person's age.
        curl: 0 (straight) .. 1 (tightly curled).
        recession: 0 (full hairline) .. 1 (bald on top).
        hairline: -1 (low forehead) .. 1 (high forehead).
        beard_density: 0 (none grows) .. 1.
        freckles: 0..1.
        moles: Number of moles in the face.
        wrinkles: 0..1, depth of the wrinkles.
        skin_seed: Seed of blotches, freckles, moles and wrinkles.
        resting_mouth: -1 (corners down) .. 1 (corners up) of the relaxed face.
        resting_lids: -1 (sleepy) .. 1 (wide) of the relaxed face.
    """

    seed: int
    number: int
    age: float
    gender: float
    ancestry: tuple[float, float, float]
    exaggeration: float
    weight: float
    muscle: float
    shape: NDArray[np.float32]
    skin_tone: float
    tones: NDArray[np.float32]
    undertone: float
    ruddiness: float
    iris: tuple[float, float, float]
    iris_seed: int
    brow_thickness: float
    brow_density: float
    brow_arch: float
    brow_height: float
    brow_gap: float
    brow_length: float
    brow_tilt: float
    lip_red: float
    lip_dark: float
    lashes: float
    hair_melanin: float
    hair_red: float
    grey: float
    curl: float
    recession: float
    hairline: float
    beard_density: float
    freckles: float
    moles: int
    wrinkles: float
    skin_seed: int
    resting_mouth: float
    resting_lids: float


def draw_person(seed: int, number: int) -> Person:
    """Samples person `number` of the population `seed`; the same two numbers always give the same person.

    Raises:
        UsageError: A negative seed or number.
    """
    if seed < 0 or number < 0:
        raise UsageError(f"seed and person number must not be negative, got {seed} and {number}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, number, _PERSON_STREAM]))
    age = float(np.clip(18 + 62 * rng.beta(1.1, 2.1), 18, 80))
    male = bool(rng.random() < 0.5)
    gender = float(np.clip(rng.beta(1.0, 9.0), 0, 0.35))
    gender = 1 - gender if male else gender
    african, asian, european = (float(w) for w in rng.dirichlet([0.32, 0.32, 0.38]))
    tone = african * 0.72 + asian * 0.32 + european * 0.15
    tone = float(np.clip(tone + 0.16 * rng.standard_normal(), 0, 1))
    dark = african + asian
    melanin = float(np.clip(0.93 * dark + european * rng.beta(1.3, 1.1) + 0.06 * rng.standard_normal(), 0.02, 1))
    greying = np.clip((age - 38 + 9 * rng.standard_normal()) / 32, 0, 1) ** 1.3
    bald = np.clip((age - 24) / 45, 0, 1) * rng.random() * 1.5 if male else 0.12 * rng.random()
    return Person(
        seed=seed,
        number=number,
        age=age,
        gender=gender,
        ancestry=(african, asian, european),
        exaggeration=float(rng.uniform(1.0, 1.3)),
        weight=float(np.clip(0.42 * rng.standard_normal() - 0.05, -0.9, 1)),
        muscle=float(np.clip(0.45 * rng.standard_normal(), -1, 1)),
        shape=_draw_shape(rng),
        skin_tone=tone,
        tones=_draw_tones(rng),
        undertone=float(np.clip(0.5 * rng.standard_normal() + 0.35 * asian - 0.2 * european, -1, 1)),
        ruddiness=float(rng.beta(1.4, 2.2)),
        iris=_draw_iris(rng, melanin),
        iris_seed=int(rng.integers(1 << 31)),
        brow_thickness=float(np.clip(0.30 + 0.28 * male + 0.26 * rng.standard_normal(), 0, 1)),
        brow_density=float(np.clip(0.86 + 0.21 * rng.standard_normal(), 0.15, 1)),
        brow_arch=float(np.clip(0.5 - 0.15 * male + 0.32 * rng.standard_normal(), 0, 1)),
        brow_height=float(np.clip(0.57 - 0.1 * male + 0.28 * rng.standard_normal(), 0, 1)),
        brow_gap=float(np.clip(0.62 - 0.08 * male + 0.23 * rng.standard_normal(), 0, 1)),
        brow_length=float(np.clip(0.55 + 0.24 * rng.standard_normal(), 0, 1)),
        brow_tilt=float(np.clip(0.45 * rng.standard_normal(), -1, 1)),
        lip_red=float(np.clip(0.5 + 0.25 * rng.standard_normal(), 0, 1)),
        lip_dark=float(np.clip(0.35 + 0.25 * rng.standard_normal(), 0, 1)),
        lashes=float(np.clip(0.6 - 0.3 * male + 0.2 * rng.standard_normal(), 0.05, 1)),
        hair_melanin=melanin,
        hair_red=float(np.clip(rng.beta(1.1, 3.0) * (1 - 0.6 * dark), 0, 1)),
        grey=float(greying),
        curl=float(np.clip(0.85 * african + 0.3 * rng.random() ** 1.5 * (1 - asian), 0, 1)),
        recession=float(np.clip(bald, 0, 1)),
        hairline=float(np.clip(0.45 * rng.standard_normal() - 0.2, -1, 1)),
        beard_density=float(np.clip(rng.beta(2.2, 1.4) * (1 - 0.45 * asian), 0, 1)) if male else 0.0,
        freckles=float(rng.beta(1.0, 2.5) * (1 - tone)) if rng.random() < 0.45 else 0.0,
        moles=int(rng.poisson(2.2)),
        wrinkles=float(np.clip((age - 28) / 45 * rng.uniform(0.6, 1.25), 0, 1)),
        skin_seed=int(rng.integers(1 << 31)),
        resting_mouth=float(np.clip(0.4 * rng.standard_normal(), -1, 1)),
        resting_lids=float(np.clip(0.4 * rng.standard_normal(), -1, 1)),
    )


def _draw_shape(rng: np.random.Generator) -> NDArray[np.float32]:
    drawn = np.clip(rng.standard_normal(len(TRAITS)), -2, 2)  # larger values give caricatures
    shape = np.zeros(len(TRAITS), np.float32)
    for index, trait in enumerate(TRAITS):
        if trait.copies is not None:
            shape[index] = shape[trait.copies] + _SIDE_ASYMMETRY * drawn[index]
        elif trait.low:
            shape[index] = MEANS.get(trait.high, 0.0) + _SPREAD * trait.sigma * drawn[index]
        else:  # a one-sided trait, such as an oval head: 0 for half of all people
            shape[index] = max(_SPREAD * trait.sigma * drawn[index], 0)
    return np.clip(shape, -1, 1)


def _draw_tones(rng: np.random.Generator) -> NDArray[np.float32]:
    drawn = np.clip(rng.standard_normal(len(TONES)), -2, 2)
    return np.array([tone.mean + tone.spread * z for tone, z in zip(TONES.values(), drawn, strict=True)], np.float32)


def _draw_iris(rng: np.random.Generator, melanin: float) -> tuple[float, float, float]:
    """Brown where hair is dark; blue, grey, green or hazel otherwise (linear RGB)."""
    brown = np.array([0.085, 0.040, 0.018])
    light = np.array([[0.16, 0.27, 0.40], [0.24, 0.30, 0.33], [0.18, 0.24, 0.13], [0.24, 0.17, 0.07]])[rng.integers(4)]
    share = float(np.clip(1.35 * melanin - 0.2 + 0.25 * rng.standard_normal(), 0, 1))
    if melanin > 0.9:
        share = max(share, 0.9)
    colour = (share * brown + (1 - share) * light) * rng.uniform(0.7, 1.3)
    red, green, blue = (float(c) for c in colour)
    return red, green, blue
