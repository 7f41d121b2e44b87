"""Hairstyles and their parameters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HairStyle:
    """A hairstyle; lengths in decimetres.

    Attributes:
        volume: Thickness of the hair at the top of the skull; 0 = shaved.
        flow_pattern: Which way the strands run, a key of `hairflow.FLOW_PATTERNS`.
        sides: Share of that volume at the sides.
        fringe: Length of the fringe below the hairline.
        sweep: 0..1, difference in length between the sides of the fringe.
        gap: 0..1, opening in the middle of the fringe.
        over_ears: Length below the hairline over the ears and down the nape.
        fade: 0..1, height up to which the sides are clipped to stubble.
        length: Length below the skull; 0 = short hair.
        quiff: 0..1, extra height above the forehead.
        knot: Height of a knot on the crown.
        wave: 0..1, waviness.
        curl: 0..1, tightness of curls.
        stubble: Opacity of the roots in the skin texture, 0 or more.
    """

    volume: float
    flow_pattern: str = "crown"
    sides: float = 0.6
    fringe: float = 0.0
    sweep: float = 0.0
    gap: float = 0.0
    over_ears: float = 0.0
    fade: float = 0.0
    length: float = 0.0
    quiff: float = 0.0
    knot: float = 0.0
    wave: float = 0.2
    curl: float = 0.0
    stubble: float = 1.1


HAIR_STYLES: dict[str, HairStyle] = {
    "shaved": HairStyle(0.0, stubble=0.22),
    "buzz": HairStyle(0.04, sides=0.8, stubble=0.9),
    "fade": HairStyle(0.11, sides=0.35, fade=0.7, quiff=0.2),
    "crop": HairStyle(0.11, "forward", sides=0.45, fringe=0.13, sweep=0.4, fade=0.25),
    "short": HairStyle(0.16, "forward", sides=0.45, fringe=0.09, sweep=0.8, quiff=0.5, over_ears=0.06),
    "side_part": HairStyle(0.17, "side", sides=0.45, fringe=0.06, sweep=0.6, quiff=0.7, over_ears=0.06),
    "slick": HairStyle(0.12, "back", sides=0.6, quiff=0.4, over_ears=0.04),
    "quiff": HairStyle(0.18, "back", sides=0.3, quiff=1.0, fade=0.45),
    "fringe": HairStyle(0.17, "forward", sides=0.6, fringe=0.33, sweep=0.75, over_ears=0.18, wave=0.3),
    "curtains": HairStyle(0.17, "centre", sides=0.7, fringe=0.30, gap=1.0, over_ears=0.20, wave=0.4),
    "curly": HairStyle(0.24, "forward", sides=0.65, fringe=0.14, over_ears=0.12, wave=0.5, curl=0.7),
    "afro": HairStyle(0.34, sides=0.9, fringe=0.08, over_ears=0.08, curl=1.0),
    "tied": HairStyle(0.08, "back", sides=0.8, over_ears=0.02),
    "bun": HairStyle(0.09, "back", sides=0.8, over_ears=0.02, knot=0.42),
    "bob": HairStyle(0.17, "side", sides=0.8, fringe=0.06, over_ears=0.5, length=0.55, wave=0.25),
    "bob_fringe": HairStyle(0.17, "forward", sides=0.8, fringe=0.44, sweep=0.3, over_ears=0.5, length=0.55),
    "long": HairStyle(0.13, "centre", sides=0.8, over_ears=0.5, length=1.7, wave=0.2),
    "long_side": HairStyle(0.15, "side", sides=0.8, fringe=0.14, sweep=0.9, over_ears=0.5, length=1.6, wave=0.4),
    "long_fringe": HairStyle(0.15, "centre", sides=0.8, fringe=0.36, gap=0.8, over_ears=0.5, length=1.6, wave=0.4),
    "long_wavy": HairStyle(
        0.20, "side", sides=0.9, fringe=0.10, sweep=0.7, over_ears=0.5, length=1.5, wave=0.9, curl=0.2
    ),
    "long_curly": HairStyle(0.30, "centre", sides=0.95, fringe=0.12, over_ears=0.5, length=1.1, wave=0.9, curl=0.85),
}
