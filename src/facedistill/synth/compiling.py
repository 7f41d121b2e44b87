"""Compiles kernels with numba, cached in the cache folder until the source of any kernel changes.

numba's own cache checks the file of a kernel only, so it would keep outdated code of the functions that a kernel calls.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit

from facedistill.files import cache_folder

F = TypeVar("F", bound=Callable[..., Any])

_MARKS = (b"\n@kernel\n", b"\n@inline\n")


def kernel(function: F) -> F:
    """Compiles a function that LLVM inlines into its callers.

    A call would pass every array as eight numbers, which takes as long as the arithmetic.
    """
    return _compiled(function, forceinline=True)


def inline(function: F) -> F:
    """Compiles a small function that numba inlines into its callers, so that constant arguments are folded."""
    return _compiled(function, inline="always")


def _compiled(function: F, **options: Any) -> F:
    settings = vars(config)
    former, settings["CACHE_DIR"] = settings["CACHE_DIR"], str(_CACHE)  # numba reads it when a function is decorated
    try:
        made: F = njit(cache=True, nogil=True, fastmath=True, error_model="numpy", **options)(function)
    finally:
        settings["CACHE_DIR"] = former
    return made


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_bytes()
        if path == Path(__file__) or any(mark in source for mark in _MARKS):
            digest.update(source)
    return digest.hexdigest()[:12]


_CACHE = cache_folder() / f"synth-kernels-{_digest()}"
