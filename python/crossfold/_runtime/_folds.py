"""Folds: large train and test rows of a split are taken once a host, and so is what they are converted to.

The first fit of a split that other fits use, too, leaves its train and test rows as parts, which the
others map. scikit-learn's conversions of them (float64 to float32 for trees, to Fortran order for
coordinate descent) are kept in the same way. The last fit of a split removes them.

Small rows are taken once a process, and copied for each fit: a copy takes microseconds, scikit-learn's
way to them, which looks for data frames first, a tenth of a millisecond and more.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, get_tags

from crossfold._runtime import _runs, _ways
from crossfold._runtime._objects import Recent
from crossfold._runtime._parts import Made, Part, Parts, alone, size_of

# Measured on arrays of 1 to 500 MB, in seconds of CPU a GB: taking rows 0.4 (0.2 below 32 MB, where
# memory is used again), taking them into a file 0.65, mapping that 0.03. So a file pays from the second
# fit on for large folds, later for small ones, and never for those that are taken in a millisecond.
_LEAST_BYTES = 4 << 20
_LEAST_WORK = 64 << 20
# The share of a fit's rows that may be copied into a mapping of the rest.
_MOST_COPIED = 0.5
# Rows that a process keeps: of so many bytes at most, this often.
_SMALL_BYTES = 1 << 20
_SMALL_KEPT = 8
# Rows are taken in pieces that stay in the cache until they are written.
_PIECE_BYTES = 1 << 20

_SPARSE = (scipy.sparse.csr_matrix, scipy.sparse.csr_array)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, np.random.RandomState)
_SETTINGS = ("_parent_callback_ctx", "_metadata_request")

_Call = Callable[..., Any]


class SmallRows(Recent[tuple[Any, Any, Any]]):
    """The small train and test rows that one process took last, with the X and y they are from."""

    def __init__(self) -> None:
        super().__init__(_SMALL_KEPT)


class Folds:
    """The train and test rows of one fit."""

    def __init__(
        self,
        parts: Parts,
        small: SmallRows,
        folder: Path,
        key: str,
        fits: int,
        waited: MutableMapping[str, float],
    ) -> None:
        """``key`` names the split, ``fits`` says how many fits of the job are known to use it.

        To ``waited`` are added the seconds spent waiting for other fits, while this one fits and scores.
        """
        self._waited = waited
        self._small = small
        self._parts = parts
        self._folder = folder
        self._key = key
        self._fits = fits
        self._thread = threading.get_ident()
        self._large = False
        # The rows that may be converted, with the names of their parts.
        self._named: list[tuple[Any, str]] = []

    def split(self, original: _Call, estimator: Any, X: Any, y: Any, *rows: Any) -> Any:
        """Stand in for scikit-learn's ``_safe_split`` on the data of the fit."""
        side = "train" if len(rows) == 1 else "test"
        size = size_of(X) * len(rows[0]) // max(X.shape[0], 1) if _is_known(X) else 0
        if size >= _LEAST_BYTES:
            values = self._mapped_rows(estimator, X, rows[0], side, size)
            if values is not None:
                return values, None if y is None else _safe_indexing(y, rows[0])
            self._large = True
        if not self._pays(size):
            small = self._fits > 1 and size <= _SMALL_BYTES and _is_plain(X) and (y is None or _is_plain(y))
            if not small or get_tags(estimator).input_tags.pairwise:
                return original(estimator, X, y, *rows)
            return self._copies(side, X, y, lambda: original(estimator, X, y, *rows))
        pairwise = get_tags(estimator).input_tags.pairwise
        name = f"{side}-pairwise" if pairwise else side

        def make() -> tuple[Any, Iterable[Any] | None]:
            if pairwise or type(X) is not np.ndarray or not (X.ndim == 2 or X.flags.c_contiguous):
                return original(estimator, X, None, *rows)[0], None
            # Untouched memory: only its shape is used. Rows come out in C order, whatever X has.
            return np.empty((len(rows[0]), *X.shape[1:]), X.dtype), _pieces(X, rows[0])

        values = self._once("fit", name, size, make)
        if values is None:
            return original(estimator, X, y, *rows)
        self._note(estimator, values, name)
        return values, None if y is None else _safe_indexing(y, rows[0])

    def _mapped_rows(self, estimator: Any, X: Any, rows: Any, name: str, size: int) -> Any:
        """Rows that need no copy, or hardly any; None for others."""
        if type(X) is not np.ndarray or get_tags(estimator).input_tags.pairwise:
            return None
        # Where other fits take the rows, too, a part is worth more than a mapping with copied rows in it.
        values = _runs.take(X, rows, 0.0 if self._pays(size) else _MOST_COPIED)
        if values is not None:
            _ways.note("fold: mapped where it lies")
            self._note(estimator, values, name)
        return values

    def _note(self, estimator: Any, values: Any, name: str) -> None:
        if self._fits > 1 and type(values) is np.ndarray and _only_reads(estimator):
            self._named.append((values, name))

    def _copies(self, side: str, X: Any, y: Any, take: _Call) -> Any:
        # X and y are kept with their rows, so that their ids stay what they are.
        key = f"{self._key}-{side}-{id(X)}-{id(y)}"
        *_, (values, target) = self._small.get(key, lambda: (X, y, take()))
        return values.copy("K"), None if target is None else target.copy("K")

    @property
    def may_convert(self) -> bool:
        """Whether `convert` has anything to do for the rows so far."""
        return bool(self._named)

    def convert(
        self, original: _Call, array: Any, dtype: Any = None, order: Any = None, copy: Any = None, **how: Any
    ) -> Any:
        """Stand in for ``_asarray_with_order``, by which ``check_array`` converts."""
        name = None if copy is True else self._name(array)
        if name is None or not _converts(array, dtype, order):
            return original(array, dtype, order, copy, **how)
        wanted = array.dtype if dtype is None else np.dtype(dtype)

        def make() -> tuple[Any, None]:
            return original(array, dtype, order, copy, **how), None

        phase = "fit" if name.startswith("train") else "score"
        size = array.size * wanted.itemsize
        # A conversion that warns does so for every fit.
        with contextlib.suppress(FloatingPointError), np.errstate(over="raise", invalid="raise"):
            key = f"{name}-{wanted.name}-{order}"
            values = self._once(phase, key, size, make) if self._pays(size) else None
            if values is not None:
                return values
        return original(array, dtype, order, copy, **how)

    def close(self) -> None:
        """Count the fit; the last one of a split that is known removes what was left for the others."""
        self._named.clear()
        if not self._large:
            return
        counter = self._folder / f"{self._key}.fits"
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(fd, b".")
                done = os.fstat(fd).st_size
            finally:
                os.close(fd)
            if done >= self._fits:
                for file in self._folder.glob(f"{self._key}-*.part"):
                    file.unlink(missing_ok=True)

    def _pays(self, size: int) -> bool:
        return self._fits > 1 and size >= _LEAST_BYTES and size * self._fits >= _LEAST_WORK

    def _name(self, array: Any) -> str | None:
        if threading.get_ident() != self._thread:
            return None
        return next((name for value, name in self._named if value is array), None)

    def _once(
        self, phase: str, name: str, size: int, make: Callable[[], tuple[Any, Iterable[Any] | None]]
    ) -> Any:
        """Return a value that is made once and mapped; None when it can't be kept."""
        file = self._folder / f"{self._key}-{name}.part"
        part = Part.open(file)
        if part is None:
            with alone(file) as waited:
                self._waited[phase] += waited
                part = Part.open(file)
                if part is None:
                    return self._make(file, name, size, make)
        _ways.note("fold: taken over" if "-" not in name else "fold: conversion taken over")
        return _mapped(part)

    def _make(
        self, file: Path, name: str, size: int, make: Callable[[], tuple[Any, Iterable[Any] | None]]
    ) -> Any:
        with contextlib.suppress(OSError, IndexError):
            if not self._parts.make_room(file, size):
                return None
            value, content = make()
            self._parts.publish(file, Made(value, {}, [], 0.0, 0.0), content)
            del value
        part = Part.open(file)
        if part is None:
            return None
        _ways.note("fold: taken for all" if "-" not in name else "fold: converted for all")
        return _mapped(part)


def _mapped(part: Part) -> Any:
    """A part's value; its file is let go, so that its room comes back once it is removed."""
    part.used()
    try:
        return part.value()
    finally:
        part.close()


def _pieces(X: Any, rows: Any) -> Iterator[Any]:
    """The bytes of ``X[rows]`` in C order."""
    step = max(_PIECE_BYTES * len(X) // max(X.nbytes, 1), 1)
    for start in range(0, len(rows), step):
        yield np.ascontiguousarray(X[rows[start : start + step]]).data.cast("B")


def _is_plain(values: Any) -> bool:
    return type(values) is np.ndarray and values.ndim > 0 and values.dtype.kind in "biufc"


def _is_known(X: Any) -> bool:
    return _is_plain(X) or type(X) in _SPARSE


def _converts(array: Any, dtype: Any, order: Any) -> bool:
    """Whether numpy makes a new array of this, and one that may be kept."""
    if order not in (None, "C", "F", "K", "A") or np.geterr()["under"] != "ignore":
        return False
    wanted = array.dtype if dtype is None else np.dtype(dtype)
    fits = {"C": array.flags.c_contiguous, "F": array.flags.f_contiguous}.get(order or "K", True)
    return wanted.isnative and wanted.kind in "biufc" and not (wanted == array.dtype and fits)


def _only_reads(estimator: Any) -> bool:
    """Whether an estimator is known to leave X as it is: else what it converts may not be X any more.

    scikit-learn's own do, as their tests on read-only data show, unless a parameter says otherwise
    or is a person's own function or object.
    """
    try:
        return _reads(estimator)
    except Exception:  # also whatever a person's get_params raises
        return False


def _reads(value: Any) -> bool:
    if isinstance(value, _PLAIN) or type(value) is np.ndarray and value.dtype != object:
        return True
    if type(value) in (list, tuple):
        return all(map(_reads, value))
    if type(value) is dict:
        return all(map(_reads, value.values()))
    kind = type(value)
    module = sys.modules.get(kind.__module__)
    own = kind.__module__.startswith("sklearn.") and getattr(module, kind.__qualname__, None) is kind
    if not own or not isinstance(value, BaseEstimator):
        return False
    params = value.get_params(deep=False)
    in_place = any(name.startswith("copy") and not it for name, it in params.items())
    # Callbacks would be another attribute, which is no plain value.
    rest = [it for name, it in vars(value).items() if name not in _SETTINGS]
    return not in_place and _reads(params) and _reads(rest)
