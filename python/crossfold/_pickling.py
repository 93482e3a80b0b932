"""Pickles for the workers.

Plain pickle is tried first: it is several times faster than cloudpickle and right for everything
that can be imported. What lives in `__main__`, in a function or in a lambda goes by value with
cloudpickle. Workers import this module as well, to load what `FunctionCache` wraps.
"""

from __future__ import annotations

import dis
import functools
import io
import pickle
import types
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cloudpickle
import numpy as np
from cloudpickle import cloudpickle as tracking
from cloudpickle.cloudpickle import list_registry_pickle_by_value
from joblib.parallel import BatchedCalls

from crossfold import _callbacks, _saved_models
from crossfold._errors import PicklingError
from crossfold._saved_models import names_saved_model

# Arrays from this size on travel through the store, once, and are mapped by the workers.
SHARED_BYTES = 1 << 20

Share = Callable[[np.ndarray[Any, Any]], str]

# How deep functions are followed into functions, and values into their parts.
_DEPTH = 16


def dumps(value: object, what: str, share: Share | None = None) -> bytes:
    """Pickle a value for the workers.

    Parameters
    ----------
    what
        Names the value in the error.
    share
        Puts a large array into the store and returns its id; the pickle then holds the persistent
        id ``("crossfold-object", id)``. None: arrays are part of the pickle. A `StoredPart` is
        always ``("crossfold-object", id, part)``.

    Raises
    ------
    PicklingError
        Naming the smallest part that can't be pickled.
    """
    try:
        data = _dumps_plain(value, inline=share is None)
        return data if data is not None else _dumps_by_value(value, share)
    except Exception as error:
        raise explain(value, what, error) from error


def _dumps_plain(value: object, inline: bool) -> bytes | None:
    """A plain pickle; None when that would be wrong, wasteful or impossible."""
    large = False

    def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
        nonlocal large
        large = large or buffer.raw().nbytes >= SHARED_BYTES
        return not large

    try:
        data = pickle.dumps(value, protocol=5, buffer_callback=None if inline else keep_in_band)
    except Exception:
        return None
    # Plain pickle names what is in __main__, where a worker would not find it.
    by_value = b"__main__" in data or names_saved_model(data) or list_registry_pickle_by_value()
    # scikit-learn's callbacks: some have stand-ins.
    by_value = by_value or b"_callbacks" in data
    if large or by_value:
        return None
    return data


def _dumps_by_value(value: object, share: Share | None) -> bytes:
    file = io.BytesIO()
    _Pickler(file, share).dump(value)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    def __init__(self, file: io.BytesIO, share: Share | None = None) -> None:
        super().__init__(file, protocol=5)
        self._share = share

    def persistent_id(self, obj: object) -> tuple[str, str] | tuple[str, str, int] | None:
        if type(obj) is StoredPart:
            return ("crossfold-object", obj.dataset_id, obj.part)
        if type(obj) is not np.ndarray or self._share is None:
            return None
        if obj.nbytes < SHARED_BYTES or obj.dtype.hasobject:
            return None
        return ("crossfold-object", self._share(obj))

    def reducer_override(self, obj: Any) -> Any:
        if _saved_models.is_model(obj):
            return _saved_models.reduce(obj)
        return _callbacks.reduce(obj) if _callbacks.is_relayed(obj) else super().reducer_override(obj)


class ResultPickler(_Pickler):
    """Pickles what goes back to the client, in whose hands its own classes must stay as they are:
    cloudpickle would put the worker's copy of each method into them."""

    def reducer_override(self, obj: Any) -> Any:
        tracker_id = tracking._DYNAMIC_CLASS_TRACKER_BY_CLASS.get(obj) if isinstance(obj, type) else None
        if tracker_id is None:
            return super().reducer_override(obj)
        return own_class, (tracker_id, cloudpickle.dumps(obj, protocol=5))


def own_class(tracker_id: str, data: bytes) -> Any:
    """The class that this process sent to a worker; from its pickle when it is gone meanwhile."""
    found = tracking._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker_id)
    return found if found is not None else pickle.loads(data)


class StoredPart:
    """Stands for the X (part 0) or the y (part 1) of a dataset; it is loaded as that."""

    def __init__(self, dataset_id: str, part: int) -> None:
        self.dataset_id = dataset_id
        self.part = part

    def __reduce__(self) -> Any:
        raise pickle.PicklingError("only a pickle with persistent ids can name a dataset")


class FunctionCache:
    """Pickles functions that go by value once, however many calls use them."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[types.FunctionType, PickledFunction | None]] = {}

    def wrap(self, function: Any) -> Any:
        """A stand-in that pickles fast and loads as the function, or the function itself."""
        if type(function) is not types.FunctionType or not _goes_by_value(function):
            return function
        known = self._by_id.get(id(function))
        if known is None:
            known = (function, PickledFunction(function) if _is_stateless(function) else None)
            self._by_id[id(function)] = known
        return known[1] or function


class PickledFunction:
    """Bytes that load as a function."""

    def __init__(self, function: types.FunctionType) -> None:
        # Packed, so that a call with it does not contain "__main__" and plain pickle will do.
        self._data = zlib.compress(cloudpickle.dumps(function, protocol=5))

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return load_function, (self._data,)


@functools.lru_cache(maxsize=64)
def load_function(data: bytes) -> Any:
    """The function in a pickle: in a worker every call after the first finds it loaded."""
    return pickle.loads(zlib.decompress(data))


def _goes_by_value(function: types.FunctionType) -> bool:
    return function.__module__ == "__main__" or "<locals>" in function.__qualname__


def _is_stateless(function: types.FunctionType, seen: tuple[types.FunctionType, ...] = ()) -> bool:
    """Whether calls of one loaded copy can't see each other: then a copy may serve many calls."""
    if function.__closure__ or function.__dict__ or function.__defaults__ or function.__kwdefaults__:
        return False
    for code in codes(function.__code__):
        if any(step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") for step in dis.get_instructions(code)):
            return False
        for name in code.co_names:
            value = function.__globals__.get(name)
            if type(value) is types.FunctionType and _goes_by_value(value):
                if value is function or value in seen:
                    continue
                if len(seen) == _DEPTH or not _is_stateless(value, (*seen, function)):
                    return False
            elif not isinstance(value, _STATELESS):
                return False
    return True


_STATELESS = (types.ModuleType, types.BuiltinFunctionType, types.FunctionType, type(None), int, float, str)


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of every function defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def explain(value: object, what: str, error: Exception) -> PicklingError:
    """The error that names the smallest part of a value that can't be pickled."""
    place, kind = _named(value, error)
    return PicklingError(
        f"{what} can't be sent to the workers: {place}. Create the {kind} inside fit or the function, "
        "or leave it out of the pickle with a __getstate__."
    )


def explain_return(value: object, what: str, error: Exception) -> PicklingError:
    """The error that names the smallest part of a result that can't travel back to the client."""
    place, kind = _named(value, error)
    return PicklingError(
        f"{what} can't be pickled: {place}. Let it go before fit or the function returns, "
        f"or leave the {kind} out of the pickle with a __getstate__."
    )


@contextmanager
def explained(estimator: object) -> Iterator[None]:
    """Name the attribute of an estimator that scikit-learn's `clone` can't copy.

    Raises
    ------
    PicklingError
        In place of Python's TypeError, which says only what kind of object it is.
    """
    try:
        yield
    except TypeError as error:
        if not str(error).startswith("cannot pickle"):
            raise
        try:
            cloudpickle.dumps(estimator, protocol=5)
        except Exception:
            raise explain(estimator, "The estimator", error) from error
        raise  # it was about something else


def _named(value: object, error: Exception) -> tuple[str, str]:
    """Where the part that can't be pickled is, with pickle's reason, and of what class it is."""
    path, culprit, error = _culprit(_roots(value), type(value).__name__, value, error, _DEPTH)
    return f"{path}: {str(error) or type(error).__name__}", type(culprit).__name__


_Parts = Iterator[tuple[str, object]]


def _culprit(
    parts: _Parts, path: str, value: object, error: Exception, depth: int
) -> tuple[str, object, Exception]:
    """The smallest part of a value that can't be pickled: its path, itself and pickle's error."""
    if depth:
        for part_path, part in parts:
            try:
                cloudpickle.dumps(part, protocol=5)
            except Exception as part_error:
                return _culprit(_parts(part, part_path), part_path, part, part_error, depth - 1)
    return path, value, error


def _roots(value: object) -> _Parts:
    """What a person passed in, named as they know it."""
    if isinstance(value, dict):
        yield from ((type(part).__name__, part) for part in value.values())
    elif isinstance(value, BatchedCalls | list):
        for function, args, kwargs in value.items if isinstance(value, BatchedCalls) else value:
            name = getattr(function, "__qualname__", type(function).__name__)
            yield name, function
            for key, part in [*enumerate(args), *kwargs.items()]:
                yield f"argument {key} of {name}", part
    else:
        yield from _parts(value, type(value).__name__)


def _parts(value: object, path: str) -> _Parts:
    if isinstance(value, dict):
        yield from ((f"{path}[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"{path}[{position}]", part) for position, part in enumerate(value))
    elif isinstance(value, types.MethodType):
        yield type(value.__self__).__name__, value.__self__
    elif isinstance(value, types.FunctionType):
        yield from _function_parts(value)
    elif not isinstance(value, type):
        yield from ((f"{path}.{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _function_parts(function: types.FunctionType) -> _Parts:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield f"variable {name} of {function.__qualname__}", cell.cell_contents
    for code in codes(function.__code__):
        for name in code.co_names:
            if name in function.__globals__:
                yield f"global {name} of {function.__qualname__}", function.__globals__[name]
