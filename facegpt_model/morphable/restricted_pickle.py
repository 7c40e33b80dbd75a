"""Reading FLAME's pickles without running what is in them.

A pickle can call any function of the machine that opens it. This reader knows numpy
arrays, sparse matrices and chumpy's array objects, the last two as plain holders of their
numbers (neither scipy nor chumpy is imported); torch tensors are passed over. Whatever
else a file asks for is refused before it is called.
"""

from __future__ import annotations

import codecs
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy._core import multiarray, numeric  # type: ignore[attr-defined]
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel

SPARSE = ("csc_matrix", "csr_matrix", "csc_array", "csr_array")
MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")


class UnsafePickle(BadModel):
    """A pickle asks for something no head model needs."""


class _Held:
    """The state of an object whose class is not imported."""

    kind = ""

    def __init__(self, *_: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


class _Chumpy(_Held):
    kind = "chumpy"


class _ByColumn(_Held):
    kind = "csc"


class _ByRow(_Held):
    kind = "csr"


class _PassedOver(_Held):
    kind = "torch"


def _rebuilt(kind: type, _base: type, _state: object) -> object:
    """copy_reg._reconstructor, for the holders above only."""
    if not issubclass(kind, _Held):
        raise UnsafePickle(f"a pickle may not rebuild a {kind.__name__}")
    return kind()


class _Reader(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], name: str) -> None:
        super().__init__(stream, encoding="latin1")
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        """The few things a head model consists of; UnsafePickle for everything else."""
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module in MULTIARRAY and name in ("_reconstruct", "scalar"):
            return getattr(multiarray, name)
        if module in NUMERIC and name == "_frombuffer":
            return numeric._frombuffer  # type: ignore[attr-defined]
        if (module, name) == ("_codecs", "encode"):
            return codecs.encode
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in ("copy_reg", "copyreg") and name == "_reconstructor":
            return _rebuilt
        if module in ("__builtin__", "builtins") and name == "object":
            return object
        if module.startswith("scipy.sparse") and name in SPARSE:
            return _ByColumn if name.startswith("csc") else _ByRow
        if module.partition(".")[0] == "chumpy":
            return _Chumpy
        if module.partition(".")[0] == "torch":
            return _PassedOver
        raise UnsafePickle(
            f"{self._name} asks for {module}.{name}, which no head model needs; it was not opened, "
            "so get the file from its makers again"
        )


def read_pickle(path: Path) -> dict[str, Any]:
    """The named arrays of a pickled dictionary; UnsafePickle, or BadModel for a damaged file."""
    with path.open("rb") as stream:
        return _read(stream, path)


def read_object_array(path: Path) -> dict[str, Any]:
    """The named arrays of a dictionary that numpy.save wrote as one object (.npy)."""
    with path.open("rb") as stream:
        try:
            version = np.lib.format.read_magic(stream)
            read_header = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read_header = np.lib.format.read_array_header_2_0
            shape, _, dtype = read_header(stream)
        except ValueError as error:
            raise BadModel(f"{path} is no .npy file: {error}") from error
        if shape != () or dtype != np.dtype(object):
            raise BadModel(f"{path} holds {dtype} of shape {shape}, not one dictionary")
        return _read(stream, path)


def _read(stream: IO[bytes], path: Path) -> dict[str, Any]:
    try:
        loaded = _Reader(stream, path.name).load()
        if isinstance(loaded, np.ndarray) and loaded.shape == ():
            loaded = loaded.item()
        if not isinstance(loaded, dict):
            raise BadModel(f"{path} holds a {type(loaded).__name__}, not named arrays")
        return {str(key): _value(value) for key, value in loaded.items()}
    except BadModel:
        raise
    except (
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
    ) as e:
        raise BadModel(f"{path} cannot be read as a pickle: {e}") from e


def _value(value: Any) -> Any:
    """Arrays as arrays, whatever object held them; tensors as None."""
    if isinstance(value, _PassedOver):
        return None
    if isinstance(value, _Chumpy):
        return _chumpy_array(value)
    if isinstance(value, _Held):
        return _dense(value)
    return value


def _chumpy_array(held: _Chumpy) -> NDArray[Any]:
    """chumpy.Ch holds an array as x; chumpy.reordering.Select entries `idxs` of another one."""
    state = held.state
    if "x" in state:
        return np.asarray(_value(state["x"]))
    if "a" in state and "idxs" in state:
        source = np.asarray(_value(state["a"])).ravel()[np.asarray(state["idxs"], np.int64)]
        shape = state.get("preferred_shape")
        return source if shape is None else source.reshape(tuple(shape))
    raise BadModel(f"a chumpy object without an array: it holds {sorted(state)}")


def _dense(held: _Held) -> NDArray[Any]:
    """(rows, columns) of a compressed sparse matrix."""
    state = held.state
    shape = cast(tuple[int, int], tuple(state["_shape" if "_shape" in state else "shape"]))
    data, indices, starts = (np.asarray(state[name]) for name in ("data", "indices", "indptr"))
    lines = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    dense = np.zeros(shape, data.dtype)
    place = (indices, lines) if held.kind == "csc" else (lines, indices)
    np.add.at(dense, place, data)
    return dense
