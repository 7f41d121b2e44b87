"""The picture of the house, drawn from the imports: `python -m tests.docs.house_picture` writes it anew."""

import ast
from html import escape
from pathlib import Path

from tests.test_house import WAY

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "facedistill"
PICTURE = ROOT / "docs" / "developers" / "house.svg"

# From the ground up; the small modules at the package's root are one row, and `__main__` only calls `cli`.
ROOMS = ["root", *WAY[1:-1]]
_CELL, _LEFT, _TOP = 26, 112, 112


def room_of(module: str) -> str:
    """The room of `facedistill.a.b` or of a path's parts."""
    name = module.split(".")[1] if "." in module else module
    return name if name in ROOMS else "root"


def rooms_used() -> dict[str, set[str]]:
    """Room -> the other rooms it imports, anywhere in its code."""
    used: dict[str, set[str]] = {room: set() for room in ROOMS}
    for path in SOURCE.rglob("*.py"):
        if path.name == "__main__.py":  # the door to the command line
            continue
        room = room_of("facedistill." + path.relative_to(SOURCE).parts[0].removesuffix(".py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            used[room] |= {room_of(name) for name in names if name.startswith("facedistill.")} - {room}
    return used


def draw() -> str:
    """An SVG: a row a room, with a dot in the column of each room that it imports; no dot is right of the diagonal."""
    used = rooms_used()
    side = _LEFT + _CELL * len(ROOMS) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" font-family="sans-serif" font-size="13">',
        "<title>Which room imports which</title>",
        f'<rect width="{side}" height="{side}" fill="#ffffff"/>',
    ]
    for row, room in enumerate(ROOMS):
        middle = _TOP + _CELL * row + _CELL / 2
        column = _LEFT + _CELL * row + _CELL / 2
        shade = "#f3f5f7" if row % 2 else "#ffffff"
        width = _LEFT + _CELL * len(ROOMS)
        parts.append(f'<rect y="{_TOP + _CELL * row}" width="{width}" height="{_CELL}" fill="{shade}"/>')
        parts.append(f'<text x="{_LEFT - 10}" y="{middle + 4.5}" text-anchor="end">{escape(room)}</text>')
        parts.append(f'<text transform="translate({column + 4.5} {_TOP - 10}) rotate(-90)">{escape(room)}</text>')
    for row, room in enumerate(ROOMS):
        middle = _TOP + _CELL * row + _CELL / 2
        own = _LEFT + _CELL * row
        parts.append(f'<rect x="{own}" y="{middle - _CELL / 2}" width="{_CELL}" height="{_CELL}" fill="#c9d3df"/>')
        for other in sorted(used[room], key=ROOMS.index):
            column = _LEFT + _CELL * ROOMS.index(other) + _CELL / 2
            parts.append(f'<circle cx="{column}" cy="{middle}" r="6" fill="#0b62c4"/>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
