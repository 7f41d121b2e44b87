"""The hairstyles there are, as a few numbers each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HairStyle:
    """A hairstyle; lengths in decimetres.

    Attributes:
        volume: How far hair stands off the top of the skull; 0 = shaved.
        sides: Share of that volume at the sides.
        fringe: How far hair reaches over the forehead from its hairline.
        over_ears: How far it reaches over the ears and down the nape.
        length: How far it hangs below the skull; 0 = short hair.
        quiff: 0..1, extra height above the forehead.
        wave: 0..1, waviness.
        swirl: -1..1, how far strands are combed sideways.
        curl: 0..1, tightness of curls.
        stubble: 0..1, how dark the scalp is between the strands.
    """

    volume: float
    sides: float = 0.6
    fringe: float = 0.0
    over_ears: float = 0.0
    length: float = 0.0
    quiff: float = 0.0
    wave: float = 0.2
    swirl: float = 0.0
    curl: float = 0.0
    stubble: float = 0.9


HAIR_STYLES: dict[str, HairStyle] = {
    "shaved": HairStyle(0.0, stubble=0.25),
    "buzz": HairStyle(0.045, sides=0.7, stubble=0.85),
    "crop": HairStyle(0.10, sides=0.30, fringe=0.03, swirl=0.3),
    "short": HairStyle(0.17, sides=0.35, fringe=0.05, over_ears=0.02, swirl=0.6, quiff=0.4),
    "side_part": HairStyle(0.20, sides=0.30, fringe=0.02, over_ears=0.03, swirl=1.0, quiff=0.8),
    "slick": HairStyle(0.12, sides=0.5, over_ears=0.04, swirl=0.0, quiff=0.3),
    "fringe": HairStyle(0.19, sides=0.6, fringe=0.30, over_ears=0.12, swirl=0.35),
    "curly": HairStyle(0.28, sides=0.65, fringe=0.08, over_ears=0.08, wave=0.6, curl=0.75),
    "afro": HairStyle(0.36, sides=0.85, fringe=0.04, over_ears=0.06, wave=0.4, curl=1.0),
    "tied": HairStyle(0.08, sides=0.8, over_ears=0.02, wave=0.1),
    "bob": HairStyle(0.20, sides=0.75, fringe=0.05, over_ears=0.9, length=0.75, wave=0.25, swirl=0.3),
    "bob_fringe": HairStyle(0.20, sides=0.75, fringe=0.36, over_ears=0.9, length=0.70, wave=0.15),
    "long": HairStyle(0.16, sides=0.8, fringe=0.02, over_ears=0.9, length=1.7, wave=0.35, swirl=0.2),
    "long_wavy": HairStyle(0.24, sides=0.9, fringe=0.04, over_ears=0.9, length=1.6, wave=0.9, curl=0.3),
    "long_curly": HairStyle(0.36, sides=0.95, fringe=0.05, over_ears=0.9, length=1.2, wave=0.9, curl=0.85),
}
