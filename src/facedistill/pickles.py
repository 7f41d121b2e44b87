"""Pickles of strangers: loaded within bounds, and without a call that the reader did not admit.

A pickle is a program. Python's own loader, and torch's `weights_only`, refuse calls, but not what a program can do
without any: tuples nested so deep that hashing them ends the process (hashing recurses in C), whole numbers and tuples
of them chosen to share one hash, so that filling a dictionary takes quadratic time, and instructions that set
attributes of what stands on the stack. Here each is bounded or refused before it happens.
"""

import pickle
from collections.abc import Callable
from typing import Any, Protocol

MOST_LEVELS = 64
"""Of tuples in tuples, and of marks that are open at once."""

OPCODES, BYTES_EACH = 1 << 18, 8
"""A pickle of S bytes may hold OPCODES + S / BYTES_EACH instructions: a million bytes of them take a second."""

_SHOWN = 80  # characters of a name
_LARGEST_KEY = 1 << 60  # whole numbers below it hash to themselves, so no two of them share a hash

Call = Callable[..., Any]
_Step = Callable[[Any], None]

# No reader here needs any of them: sets and extensions, and buffers outside the file.
_REFUSED = (
    *(pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.EXT1, pickle.EXT2, pickle.EXT4),
    *(pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.PERSID),
)
_TUPLES = (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)


class ByteSource(Protocol):
    """What a pickle is read from: a file, a memory map."""

    def read(self, size: int, /) -> bytes: ...  # noqa: D102

    def readline(self) -> bytes: ...  # noqa: D102


class PickleError(ValueError):
    """A pickle holds what its reader does not admit; the message is the reason alone."""


class Settable:
    """Base of what a reader puts in an object's place and what may take its state: by `__setstate__` alone."""

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError


class BoundedUnpickler(pickle._Unpickler):
    """Python's own slow unpickler: the fast one makes room for whatever a few bytes claim before it looks for more.

    Subclasses define `find_class`, and `persistent_load` where ids may occur.

    Args:
        file: The pickle.
        size: Bytes that it holds.
        encoding: Of Python 2's texts, as for `pickle.load`.

    Raises:
        PickleError: By `load`: the pickle is out of bounds. Damaged pickles raise other exceptions of nearly any kind.
    """

    def __init__(self, file: ByteSource, size: int, encoding: str = "ASCII") -> None:
        super().__init__(file, encoding=encoding)
        self.stack: list[Any]  # of the base, which does not declare them
        self.metastack: list[list[Any]]
        self._left = OPCODES + size // BYTES_EACH
        self._levels: dict[int, tuple[int, Any]] = {}  # id of a tuple -> its depth, and itself, to keep its id

    def find_class(self, module: str, name: str) -> Call:
        """What stands for a name.

        Raises:
            PickleError: It is not admitted.
        """
        raise PickleError(f"it calls {f'{module}.{name}'[:_SHOWN]!r}, which its content never needs")

    def _counted(self, step: _Step) -> None:
        self._left -= 1
        if self._left < 0:
            raise PickleError("it holds more instructions than such a file needs")
        step(self)

    def _opened(self, step: _Step) -> None:
        if len(self.metastack) >= MOST_LEVELS:
            raise PickleError(f"its parts are nested more than {MOST_LEVELS} levels deep")
        step(self)

    def _nested(self, step: _Step) -> None:
        step(self)
        made = self.stack[-1]
        depth = 1 + max((self._levels[id(part)][0] for part in made if id(part) in self._levels), default=0)
        if depth > MOST_LEVELS:
            raise PickleError(f"its tuples are nested more than {MOST_LEVELS} levels deep")
        self._levels[id(made)] = depth, made

    def _refused(self) -> None:
        raise PickleError("it holds an instruction that its content never needs")

    def _build(self, step: _Step) -> None:
        if not isinstance(self.stack[-2], Settable):  # else attributes of functions and classes could be set
            raise PickleError(f"it sets the state of {type(self.stack[-2]).__name__}")
        step(self)

    def _item(self, step: _Step) -> None:
        check_key(self.stack[-2])
        step(self)

    def _items(self, step: _Step) -> None:
        for key in self.stack[::2]:
            check_key(key)
        step(self)

    def _made(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        self.stack.append(kind(*arguments))


def check_key(key: object) -> None:
    """Refuses a key that could be chosen to share its hash with others, or whose hashing recurses.

    Raises:
        PickleError: It is neither a text, a small whole number, None, nor an object that is hashed by its identity.
    """
    small = isinstance(key, int) and -_LARGEST_KEY < key < _LARGEST_KEY
    if not (small or isinstance(key, str | bytes | None) or type(key).__hash__ is object.__hash__):
        raise PickleError("a dictionary has a key that is neither a text nor a number below 2^60")


_dispatch: dict[int, _Step] = dict(pickle._Unpickler.dispatch)


def _around(check: Callable[[BoundedUnpickler, _Step], None], step: _Step) -> _Step:
    return lambda unpickler: check(unpickler, step)


def _guarded() -> dict[int, _Step]:
    guarded = dict(_dispatch)
    # A bytearray would be made at its claimed length; bytes are no longer than what is left of the file.
    guarded[pickle.BYTEARRAY8[0]] = _dispatch[pickle.BINBYTES8[0]]
    guarded[pickle.NEWOBJ[0]] = BoundedUnpickler._made  # of what stands for a class, which need not be one
    guarded |= {code[0]: BoundedUnpickler._refused for code in (*_REFUSED, pickle.NEWOBJ_EX, pickle.DICT)}
    guarded |= {code[0]: _around(BoundedUnpickler._nested, guarded[code[0]]) for code in _TUPLES}
    for code, check in (
        (pickle.MARK, BoundedUnpickler._opened),
        (pickle.BUILD, BoundedUnpickler._build),
        (pickle.SETITEM, BoundedUnpickler._item),
        (pickle.SETITEMS, BoundedUnpickler._items),
    ):
        guarded[code[0]] = _around(check, guarded[code[0]])
    return {code: _around(BoundedUnpickler._counted, step) for code, step in guarded.items()}


BoundedUnpickler.dispatch = _guarded()
