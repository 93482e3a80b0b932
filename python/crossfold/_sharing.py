"""Data that several units of a run use: stored once, named in every unit.

Fold fits always refer to a dataset. Opaque calls carry their arguments; of scikit-learn functions
that are called again and again with the same X and y, large ones are stored as a dataset as well.
"""

from __future__ import annotations

import pickle
from typing import Any

from crossfold._identity import IdentityMap
from crossfold._objects import Objects
from crossfold._pickling import SHARED_BYTES, StoredPart

# Functions that only read these arguments, by where they are defined.
_DATA_ARGUMENTS = {
    ("sklearn.ensemble._base", "_fit_single_estimator"): ("X", "y"),
    ("sklearn.ensemble._bagging", "_parallel_build_estimators"): ("X", "y"),
    # Each call has a y of its own.
    ("sklearn.model_selection._validation", "_permutation_test_score"): ("X",),
}


class Datasets:
    """The datasets made so far: the same objects are written and hashed once."""

    def __init__(self) -> None:
        self.stored_bytes = 0
        self._ids: IdentityMap[str] = IdentityMap()
        self._large: IdentityMap[bool] = IdentityMap()

    def of(self, objects: Objects, X: Any, y: Any = None) -> str:
        """The id of the dataset that holds X and y."""
        known = self._ids.get(X, y)
        if known is None:
            known = objects.dataset(X, y)
            self.stored_bytes += getattr(X, "nbytes", 0)
            self._ids.put(known, X, y)
        return known

    def is_large(self, value: object) -> bool:
        """Whether a value is worth a place in the store: its pickle has a megabyte or more."""
        known = self._large.get(value)
        if known is None:
            known = _pickled_bytes(value) >= SHARED_BYTES
            self._large.put(known, value)
        return known

    def slim(self, objects: Objects, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call's arguments, large data replaced by what names it in the store."""
        target = getattr(function, "function", function)
        origin: Any = (getattr(target, "__module__", None), getattr(target, "__qualname__", None))
        names = _DATA_ARGUMENTS.get(origin)
        if names is None:
            return args, kwargs
        parameters = target.__code__.co_varnames[: target.__code__.co_argcount]
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        values = [given[name] for name in names]
        if not self.is_large(values[0]):
            return args, kwargs
        dataset_id = self.of(objects, *values)
        given.update({name: StoredPart(dataset_id, part) for part, name in enumerate(names)})
        return (), given


def _pickled_bytes(value: object) -> int:
    sizes: list[int] = []
    try:
        rest = pickle.dumps(value, protocol=5, buffer_callback=lambda part: sizes.append(part.raw().nbytes))
    except Exception:
        return 0  # whether and why it can't be sent is found out when the call is
    return len(rest) + sum(sizes)
