"""Recipes."""

from pathlib import Path

from facedistill.recipe.files import read_recipe
from tests.fuzz.reader import Files, Reader

RECIPES = Path(__file__).parents[3] / "recipes"


def goldens() -> list[Files]:
    return [{"recipe.yaml": path.read_bytes()} for path in sorted(RECIPES.glob("*.yaml"))]


def read(folder: Path) -> object:
    return read_recipe(folder / "recipe.yaml")


ALIASES = (b"&a ", b"*a", b"<<: *a\n", b"a: &a [*a]\n")
TEXTS = (
    b"[",
    b"{",
    b"- ",
    b": ",
    b"\n",
    b"  ",
    b"!!python/name:os.system ",
    b".inf",
    b"1e999",
    b"2020-13-99",
    b"\t",
    b"\0",
)
READER = Reader(goldens, read, tokens=(*ALIASES, *TEXTS, b"9" * 5000, b"seed: -1\n", b"class_path: os.system\n"))
