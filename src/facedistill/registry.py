"""Building a part by the name a recipe gives it, with errors that list what is known."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from facedistill.errors import UsageError

T = TypeVar("T")


def look_up(kind: str, registry: Mapping[str, T], name: str) -> T:
    """The entry called `name`.

    Raises:
        UsageError: There is none; the message lists the known names.
    """
    try:
        return registry[name]
    except (KeyError, TypeError):
        raise UsageError(f"no {kind} is called {name!r}; known: {', '.join(sorted(registry))}") from None


def check_options(kind: str, name: str, factory: Callable[..., object], given: Iterable[str], fixed: int = 0) -> None:
    """Refuses options that `factory` does not take.

    Args:
        kind: What is built, for the message: "loss", "head".
        name: Its name.
        factory: Whose parameters are the known options.
        given: The options' names.
        fixed: How many leading parameters of `factory` are not options.

    Raises:
        UsageError: An option is unknown; the message lists those known.
    """
    catch_all = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    parameters = list(inspect.signature(factory).parameters.values())[fixed:]
    known = [parameter.name for parameter in parameters if parameter.kind not in catch_all]
    if unknown := [option for option in given if option not in known]:
        takes = f"it takes: {', '.join(known)}" if known else "it takes none"
        raise UsageError(f"the {kind} {name!r} has no option {unknown[0]!r}; {takes}")


def check_number(what: str, value: Any, above: float) -> float:
    """`value` as a float if it is a finite number greater than `above`.

    Args:
        what: Names the option in the message, e.g. "temperature of the loss 'soft'".
        value: What the caller gave.
        above: The bound, not itself allowed.

    Raises:
        UsageError: It is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value < float("inf"):
        raise UsageError(f"{what} must be a finite number above {above:g}, not {value!r}")
    return float(value)


def check_count(what: str, value: Any, least: int = 1) -> int:
    """`value` if it is a whole number of at least `least`.

    Raises:
        UsageError: It is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{what} must be a whole number of at least {least}, not {value!r}")
    return value


def check_share(what: str, value: Any) -> float:
    """`value` as a float if it is a number above 0 and at most 1.

    Raises:
        UsageError: It is no such number.
    """
    if check_number(what, value, above=0) > 1:
        raise UsageError(f"{what} must be at most 1, not {value!r}")
    return float(value)
