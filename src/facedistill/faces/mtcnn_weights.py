"""MTCNN's weights, read from the installed `mtcnn` wheel (MIT licence) without importing it.

Each file is an lz4-compressed pickle of a list of float32 arrays in the layout that joblib writes: where an array
stands, the stream holds a small record (shape, order, dtype), some padding, and then the bare numbers.
"""

import hashlib
import importlib.util
import io
import math
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError

# SHA-256 of the files in mtcnn 1.0.0.
DIGESTS = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}

_MEND = "install it again: pip install --force-reinstall 'mtcnn==1.0.0'"


def load_weights(net: str) -> list[NDArray[np.float32]]:
    """The weights of "pnet", "rnet" or "onet", in the order and layout of Keras.

    Convolutions are [kh, kw, in, out], dense layers [in, out]; each is followed by its bias and, where there is
    one, by the slopes of its PReLU.

    Raises:
        FacedistillError: The wheel is not installed, or the file is not the one that is known.
    """
    data = _weights_file(net).read_bytes()
    if hashlib.sha256(data).hexdigest() != DIGESTS[net]:
        raise FacedistillError(f"the weights {net}.lz4 of the package mtcnn are not those of version 1.0.0; {_MEND}")
    import lz4.frame  # comes with mtcnn; needed only when the nets are built

    return _ArrayUnpickler(lz4.frame.decompress(data)).arrays()


def _weights_file(net: str) -> Path:
    spec = importlib.util.find_spec("mtcnn")  # finds the package without running it: it would import tensorflow
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        file = Path(folder) / "assets" / "weights" / f"{net}.lz4"
        if file.is_file():
            return file
    raise FacedistillError(f"the detector's weights {net}.lz4 are missing from the package mtcnn; {_MEND}")


class _StoredArray:
    """Stands in for joblib's record of an array; reads the numbers that follow it in the stream."""

    stream: ClassVar[io.BytesIO]
    values: NDArray[np.float32]

    def __setstate__(self, state: dict[str, Any]) -> None:
        shape, dtype, order = state["shape"], state["dtype"], state["order"]
        if dtype != np.dtype("<f4") or order not in ("C", "F"):
            raise pickle.UnpicklingError(f"an array of {dtype} in order {order}")
        if state.get("numpy_array_alignment_bytes"):
            self.stream.read(self.stream.read(1)[0])
        size = math.prod(shape)
        numbers = self.stream.read(4 * size)
        self.values = np.frombuffer(numbers, dtype, size).reshape(shape, order=order)


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles a list of float32 arrays and nothing else."""

    def __init__(self, data: bytes) -> None:
        stream = io.BytesIO(data)
        super().__init__(stream)
        self._admitted = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): type("StoredArray", (_StoredArray,), {"stream": stream}),
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._admitted[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} has no place in a file of weights") from None

    def arrays(self) -> list[NDArray[np.float32]]:
        return [array.values for array in self.load()]
