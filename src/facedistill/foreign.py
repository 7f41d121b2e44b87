"""Code of other packages, named as `package.module:Class`: imported, checked, and its errors in one line."""

import difflib
import importlib
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from types import FrameType
from typing import Any

from facedistill.errors import FacedistillError, UsageError

SEPARATOR = ":"

_foreign_packages: set[str] = set()  # top-level names of what was imported by `package.module:Class`


def import_callable(what: str, path: str) -> Callable[..., Any]:
    """What `package.module:Class` names.

    Args:
        what: Names the object in messages, e.g. "the loss 'mine.losses:Huber'".
        path: The module's dotted name, a colon, and the name of a class or function in it.

    Raises:
        UsageError: The path is not of that form, the module cannot be imported, or it has no such class or function.
    """
    name, _, attribute = path.partition(SEPARATOR)
    if not attribute.isidentifier() or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{what} is not of the form package.module:Class")
    _foreign_packages.add(name.partition(".")[0])
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit, GeneratorExit) as error:  # a module may do anything while it is imported
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name:
            own = f"{name}.".startswith(f"{error.name}.")
            hint = f"; install {'its package' if own else error.name}, or name its folder in PYTHONPATH"
        raise UsageError(f"{what} cannot be imported ({_described(error)}){hint}") from error
    if not hasattr(module, attribute):
        near = difflib.get_close_matches(attribute, vars(module), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{what} cannot be imported ({module.__file__ or name} defines no {attribute!r}){hint}")
    found = getattr(module, attribute)
    if not callable(found):
        raise UsageError(f"{what} is neither a class nor a function, but of type {type(found).__name__}")
    factory: Callable[..., Any] = found
    return factory


def public_name(known: type) -> str:
    """The shortest dotted name by which a class can be imported, e.g. "torch.nn.Module"."""
    packages = accumulate(known.__module__.split("."), "{}.{}".format)
    shortest = (name for name in packages if getattr(sys.modules[name], known.__name__, None) is known)
    return f"{next(shortest)}.{known.__name__}"


def check_module(what: str, part: Any) -> None:
    """Refuses a torch module that no training can hold; anything else passes.

    Args:
        what: Names the object in messages.
        part: Any object.

    Raises:
        UsageError: Its class does not call `super().__init__()`, or it has parameters without a shape.
    """
    if not hasattr(part, "named_modules"):
        return
    if "_modules" not in vars(part):
        raise UsageError(f"{what} does not call super().__init__() at the beginning of its __init__; add the call")
    if any(hasattr(parameter, "materialize") for parameter in part.parameters()):
        raise UsageError(f"{what} has lazy modules of torch, whose parameters have no shape yet; give their sizes")


@contextmanager
def foreign_errors(what: str, *names: str, error_type: type[FacedistillError] = FacedistillError) -> Iterator[None]:
    """Turns what code of another package raises inside into one line with the place in that code.

    Args:
        what: What failed, e.g. "the loss 'mine.losses:Huber' fails".
        *names: The parts that are at work; does nothing unless one of them is `package.module:Class`.
        error_type: What is raised: UsageError where the call is at fault.

    Raises:
        FacedistillError: Anything but our own errors was raised.
    """
    try:
        yield
    except (Exception, SystemExit, GeneratorExit) as error:  # an exit would end the program without a word
        closed = isinstance(error, GeneratorExit) and not _foreign_place(error)  # a generator of ours is closed
        if closed or isinstance(error, FacedistillError) or not any(SEPARATOR in name for name in names):
            raise
        raise error_type(f"{what} ({_described(error)})") from error


def foreign_failure(error: BaseException) -> FacedistillError | None:
    """The error as one of ours if code that was imported by `package.module:Class` raised it, else None."""
    if isinstance(error, FacedistillError) or not (place := _foreign_place(error)):
        return None
    module = place[0].f_globals["__name__"]
    return FacedistillError(f"{module}, which is code of another package, fails ({_described(error)})")


def _described(error: BaseException) -> str:
    """Type, message and place of an error; the place in the other package's code where it passed through it."""
    if isinstance(error, SyntaxError):
        reason, file, line = error.msg, error.filename or "", error.lineno
    else:
        frame, line = _foreign_place(error) or list(traceback.walk_tb(error.__traceback__))[-1]
        reason, file = textwrap.shorten(str(error), 200, placeholder=" ..."), frame.f_code.co_filename
    place = "" if file.startswith("<") else f"; {Path(file).name}, line {line}"  # no file: Python's own import
    return type(error).__name__ + (f": {reason}" if reason else "") + place


def _foreign_place(error: BaseException) -> tuple[FrameType, int] | None:
    """The innermost frame in a package that was imported by `package.module:Class`, and its line."""
    places = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _foreign_packages
    ]
    return places[-1] if places else None
