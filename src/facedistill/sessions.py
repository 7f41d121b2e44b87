"""A net of onnxruntime that every process opens for itself."""

import ctypes
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnxruntime
from numpy.typing import NDArray


class OwnSession:
    """A session of onnxruntime for any number of threads, opened anew in a process that was forked.

    A forked process inherits a session's memory but not its threads: the session would wait for them for ever, in use
    and when it is freed.

    Args:
        open_net: Opens the session; called once in each process.
    """

    def __init__(self, open_net: Callable[[], onnxruntime.InferenceSession]) -> None:
        self._open_net = open_net
        self._opened: onnxruntime.InferenceSession | None = open_net()
        _living.add(self)

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The named outputs, or all of them, in order; see `onnxruntime.InferenceSession.run`."""
        return list(self._session().run(outputs, inputs))

    def get_inputs(self) -> Sequence[onnxruntime.NodeArg]:
        """The net's inputs; see `onnxruntime.InferenceSession.get_inputs`."""
        return list(self._session().get_inputs())

    def metadata(self) -> dict[str, str]:
        """What the file's writer added to the net."""
        return dict(self._session().get_modelmeta().custom_metadata_map)

    def _session(self) -> onnxruntime.InferenceSession:
        session = self._opened
        if session is None:
            session = self._opened = self._open_net()  # two threads may both come here: the last one's stays
        return session

    def _leave(self) -> None:
        """Forgets the session that a forked process inherited, without freeing it."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._opened))
        self._opened = None


_living: "weakref.WeakSet[OwnSession]" = weakref.WeakSet()


def _leave_inherited() -> None:
    for session in _living:
        session._leave()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_leave_inherited)
