"""Shape traits: the parameters of a person's head shape, their blend shapes, and their distribution.

A trait is one signed coefficient: its positive side is one target of the MakeHuman data, its negative side the opposite
one. Traits of paired parts (eyes, cheeks, ears) have a left and a right coefficient; the right one is the left one plus
a small asymmetry.
"""

from dataclasses import dataclass

# Group, sigma, whether paired, opposite ends, trait names. The sigmas were raised from those of a first prototype until
# faces at two sigma began to look like caricatures. The order is that of `Person.shape`.
_GROUPS: tuple[tuple[str, float, bool, str, str], ...] = (
    ("head", 0.36, False, "decr incr", "head-scale-depth head-back-scale-depth"),
    ("head", 0.37, False, "decr incr", "head-scale-horiz head-scale-vert"),
    ("head", 0.22, False, "- +",
     "head-diamond head-invertedtriangular head-oval head-rectangular head-round head-square head-triangular"),
    ("head", 0.50, False, "decr incr", "head-fat"),
    ("forehead", 0.28, False, "decr incr", "forehead-nubian forehead-scale-vert forehead-temple"),
    ("forehead", 0.28, False, "backward forward", "forehead-trans"),
    ("eyebrows", 0.46, False, "down up", "eyebrows-trans"),
    ("eyebrows", 0.46, False, "backward forward", "eyebrows-trans"),
    ("eyes", 0.38, True, "decr incr", "eye-bag eye-bag-height eye-height1 eye-height2 eye-height3 eye-scale"),
    ("eyes", 0.38, True, "in out", "eye-bag eye-push1 eye-push2"),
    ("eyes", 0.38, True, "down up", "eye-corner1 eye-corner2"),
    ("eyes", 0.48, True, "in out", "eye-trans"),
    ("eyes", 0.48, True, "down up", "eye-trans"),
    ("eyes", 0.30, True, "down up", "eye-eyefold-angle"),
    ("eyes", 0.30, True, "concave convex", "eye-eyefold"),
    ("nose", 0.42, False, "decr incr",
     "nose-flaring nose-greek nose-hump nose-nostrils-width nose-point-width nose-scale-depth nose-scale-vert "
     "nose-septumangle nose-volume nose-width1 nose-width2 nose-width3"),
    ("nose", 0.42, False, "down up", "nose-nostrils-angle"),
    ("nose", 0.42, False, "compress uncompress", "nose-compression"),
    ("nose", 0.42, False, "concave convex", "nose-curve"),
    ("nose", 0.42, False, "backward forward", "nose-trans"),
    ("nose", 0.48, False, "decr incr", "nose-scale-horiz"),
    ("nose", 0.48, False, "down up", "nose-base nose-point nose-trans"),
    ("mouth", 0.42, False, "down up", "mouth-trans"),
    ("mouth", 0.38, False, "down up", "mouth-angles"),
    ("mouth", 0.38, False, "decr incr",
     "mouth-cupidsbow mouth-cupidsbow-width mouth-lowerlip-height mouth-lowerlip-volume mouth-philtrum-volume "
     "mouth-scale-depth mouth-scale-horiz mouth-scale-vert mouth-upperlip-height mouth-upperlip-volume "
     "mouth-upperlip-width"),
    ("mouth", 0.38, False, "in out", "mouth-dimples mouth-laugh-lines"),
    ("mouth", 0.25, False, "down up",
     "mouth-lowerlip-ext mouth-lowerlip-middle mouth-upperlip-ext mouth-upperlip-middle"),
    ("ears", 0.42, True, "decr incr", "ear-flap ear-lobe ear-scale ear-scale-depth ear-scale-vert ear-wing"),
    ("ears", 0.42, True, "backward forward", "ear-rot ear-trans"),
    ("ears", 0.42, True, "down up", "ear-trans"),
    ("chin", 0.40, False, "decr incr",
     "chin-bones chin-cleft chin-jaw-drop chin-prognathism chin-prominent chin-width"),
    ("chin", 0.40, False, "- +", "chin-triangle"),
    ("chin", 0.46, False, "decr incr", "chin-height"),
    ("cheek", 0.42, True, "decr incr", "cheek-bones cheek-inner cheek-volume"),
    ("cheek", 0.42, True, "down up", "cheek-trans"),
    ("neck", 0.30, False, "decr incr", "neck-double neck-scale-depth neck-scale-horiz"),
    ("asym", 0.16, False, "l r",
     "asym-brown-1 asym-brown-2 asym-cheek-1 asym-cheek-2 asym-jaw-1 asym-jaw-2 asym-jaw-3 asym-mouth-1 "
     "asym-mouth-2 asym-nose-1 asym-nose-2 asym-nose-3 asym-nose-4 asym-eye-1 asym-eye-4 asym-temple-1"),
)  # fmt: skip

# Means of traits that are not 0: found by regressing MTCNN's score on the traits of 2,200 people, then by regressing a
# recogniser's distances between 100 people, and the detection rate, on the means of 212 populations. To nets trained on
# photos the noses of the data are long, low and wide, and its heads narrow.
MEANS = {
    "nose/nose-scale-vert-incr": -0.20,
    "nose/nose-trans-up": 0.15,
    "nose/nose-base-up": 0.15,
    "nose/nose-scale-depth-incr": 0.075,
    "nose/nose-scale-horiz-incr": -0.125,
    "nose/nose-width3-incr": -0.125,
    "nose/nose-point-up": 0.125,
    "eyes/l-eye-trans-out": 0.125,
    "eyes/l-eye-trans-up": 0.125,
    "mouth/mouth-trans-up": 0.125,
    "mouth/mouth-scale-horiz-incr": 0.125,
    "mouth/mouth-scale-vert-incr": 0.125,
    "chin/chin-height-incr": -0.025,
    "forehead/forehead-trans-forward": 0.125,
    "head/head-fat-incr": -0.125,
    "head/head-scale-horiz-incr": 0.15,
}


@dataclass(frozen=True)
class Trait:
    """One signed shape coefficient.

    Attributes:
        low: Target file (folder/name) of the negative side, or "" where only the positive side exists.
        high: Target file of the positive side.
        sigma: Standard deviation over people; coefficients are clipped to -1..1.
        copies: Index of the left-hand trait that this right-hand one copies, or None.
    """

    low: str
    high: str
    sigma: float
    copies: int | None = None


def _traits() -> tuple[Trait, ...]:
    found: list[Trait] = []
    for folder, sigma, paired, ends, names in _GROUPS:
        low, high = ends.split()
        for name in names.split():
            for side in ("l-", "r-") if paired else ("",):
                stem = f"{folder}/{side}{name}"
                left = len(found) - 1 if side == "r-" else None
                if low == "-":
                    found.append(Trait("", stem, sigma))
                else:
                    found.append(Trait(f"{stem}-{low}", f"{stem}-{high}", sigma, left))
    return tuple(found)


TRAITS = _traits()
