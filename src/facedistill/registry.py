"""Registries: the parts of one kind by name, built with checked options.

A name is one of those registered here, or `package.module:Class` of anybody's package.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from facedistill.errors import UsageError
from facedistill.foreign import SEPARATOR, check_module, foreign_errors, import_callable, public_name

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Mapping[str, Callable[..., T]], Generic[T]):
    """Factories of the parts of one kind (losses, heads, ...) by name.

    As a mapping it holds the registered factories, in the order of their registration.

    Args:
        kind: What the parts are called in messages, e.g. "loss".
        fixed: Number of leading arguments of a factory that the caller of `build` gives; the others are options.
        base: The class that every part is derived from; None where it need only have the right methods.
    """

    def __init__(self, kind: str, fixed: int = 0, base: type | None = None) -> None:
        self.kind = kind
        self._fixed = fixed
        self._base = base
        self._registered: dict[str, Callable[..., T]] = {}
        self._imported: dict[str, Callable[..., T]] = {}

    def __getitem__(self, name: str) -> Callable[..., T]:
        return self._registered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)

    def register(self, name: str) -> Callable[[F], F]:
        """Decorator: registers a class, or a function that makes a part, under `name`.

        Raises:
            ValueError: The name is taken.
        """

        def enter(factory: F) -> F:
            if name in self._registered:
                raise ValueError(f"two factories are registered as the {self.kind} {name!r}")
            self._registered[name] = factory
            return factory

        return enter

    def find(self, name: str, *, importing: bool = True) -> Callable[..., T]:
        """The factory called `name`.

        Args:
            name: A registered name, or `package.module:Class`.
            importing: Whether the module may be imported. False where the name comes from a file that somebody else
                may have written (a model, a checkpoint): then only what was imported before is found.

        Raises:
            UsageError: There is none. The message lists the known names and the nearest one, or says why the import
                failed.
        """
        if isinstance(name, str) and name in self._registered:
            return self._registered[name]
        if isinstance(name, str) and SEPARATOR in name:
            if importing and name not in self._imported:
                self._imported[name] = import_callable(f"the {self.kind} {name!r}", name)
            if name in self._imported:
                return self._imported[name]
            raise UsageError(
                f"the {self.kind} {name!r} is code of another package, which is only imported where your own recipe "
                "or call names it; `facedistill export RUN OUT.onnx` makes a file that needs no code"
            )
        near = difflib.get_close_matches(str(name), self._registered, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join(sorted(self._registered))
        raise UsageError(f"no {self.kind} is called {name!r}; {hint}known: {known}")

    def build(self, name: str, *arguments: Any, **options: Any) -> T:
        """The part called `name`.

        Args:
            name: See `find`.
            *arguments: The leading arguments of its factory.
            **options: The part's own.

        Raises:
            UsageError: The name or an option is unknown, or the factory of another package fails; whatever one of ours
                raises.
        """
        factory = self.find(name)
        what = f"the {self.kind} {name!r}"
        if isinstance(factory, type):
            self._check_base(what, factory)
        check_options(self.kind, name, factory, options, self._fixed)
        with foreign_errors(f"{what} cannot be built", name, error_type=UsageError):
            part = factory(*arguments, **options)
        self._check_base(what, type(part))
        check_module(what, part)
        return part

    def _check_base(self, what: str, given: type) -> None:
        if self._base is not None and not issubclass(given, self._base):
            raise UsageError(f"{what} is of type {given.__name__}; derive it from {public_name(self._base)}")


def look_up(kind: str, known: Mapping[str, T], name: str) -> T:
    """The entry called `name` of a mapping that is no registry.

    Raises:
        UsageError: There is none; the message lists the known names.
    """
    try:
        return known[name]
    except (KeyError, TypeError):
        raise UsageError(f"no {kind} is called {name!r}; known: {', '.join(sorted(known))}") from None


def check_options(kind: str, name: str, factory: Callable[..., object], given: Iterable[str], fixed: int = 0) -> None:
    """Refuses options that `factory` does not take.

    Args:
        kind: What is built, for the message: "loss", "head".
        name: Its name.
        factory: Whose parameters are the known options.
        given: The options' names.
        fixed: How many leading parameters of `factory` are not options.

    Raises:
        UsageError: An option is unknown, with the nearest known one; or one that has no default is missing.
    """
    catch_all = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    try:
        signature = list(inspect.signature(factory).parameters.values())[fixed:]
    except (TypeError, ValueError):  # some functions in C have none
        raise UsageError(
            f"the {kind} {name!r} has no signature to read its options from; write a Python class or function"
        ) from None
    parameters = [parameter for parameter in signature if parameter.kind not in catch_all]
    known = [parameter.name for parameter in parameters]
    given = list(given)
    if unknown := [option for option in given if option not in known]:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        takes = f"it takes: {', '.join(known)}" if known else "it takes none"
        raise UsageError(f"the {kind} {name!r} has no option {unknown[0]!r}; {hint}{takes}")
    needed = [parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty]
    if missing := [option for option in needed if option not in given]:
        raise UsageError(f"the {kind} {name!r} needs the option {missing[0]!r}")
