"""What the fits of a search predicted for the rows they were not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossfold.v1 import data_pb2, task_pb2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crossfold._predictions import Predictions


@dataclass
class OutOfFold:
    """The objects that hold predictions, by candidate and split; read when they are asked for."""

    methods: list[str]
    parts: dict[int, dict[int, dict[str, task_pb2.Predictions]]] = field(default_factory=dict)

    def add(self, candidate: int, split: int, parts: Iterable[task_pb2.Predictions]) -> None:
        """Note what one fit left in the store."""
        self.parts.setdefault(candidate, {})[split] = {part.method: part for part in parts}

    def of(self, candidate: int, method: str | None) -> NDArray[Any]:
        """See `Report.predictions`."""
        if method is None and len(self.methods) == 1:
            method = self.methods[0]
        if method not in self.methods:
            raise ValueError(f"method is {method!r}: the fits of this search predicted {self.methods}")
        fits = sorted(self.parts.get(candidate, {}).items())
        folds = {split: parts[method] for split, parts in fits if parts}
        for split, part in folds.items():
            if part.error:
                raise ValueError(f"candidate {candidate}, split {split} gave no {method}: {part.error}")
        if not folds:
            raise KeyError(f"candidate {candidate} has no predictions: its fits failed or were not run")
        return _aligned([_read(part.object_id) for part in folds.values()], candidate)


def _read(object_id: str) -> Predictions:
    from crossfold import _client, _predictions

    objects = _client.default_client().objects
    return _predictions.read(objects.read(data_pb2.Value(blob_id=object_id)))


def _aligned(folds: list[Predictions], candidate: int) -> NDArray[Any]:
    """Join folds by row."""
    import numpy as np

    joined: NDArray[Any] | None = None
    for fold in folds:
        values = _for_all_classes(fold)
        if joined is None:
            joined = np.full((fold.dataset_rows, values.shape[1]), np.nan)
        twice = fold.rows[~np.isnan(joined[fold.rows, 0])]
        if len(twice):
            raise ValueError(
                f"candidate {candidate} predicted row {twice[0]} in two splits: use splits that do not repeat"
            )
        joined[fold.rows] = values
    assert joined is not None
    return joined[:, 0] if joined.shape[1] == 1 else joined


def _for_all_classes(fold: Predictions) -> NDArray[Any]:
    """A class that the fold was not trained on has probability 0 or the smallest decision."""
    import numpy as np

    if fold.classes == fold.all_classes:
        return fold.values
    positions = [fold.all_classes.index(name) for name in fold.classes]
    if fold.kind == "labels":
        labels: NDArray[Any] = np.asarray(positions, np.float64)[fold.values.astype(int)]
        return labels
    if len(positions) != fold.values.shape[1]:
        raise ValueError(
            f"a fold was trained on {fold.classes} of {fold.all_classes}: its decisions have no column "
            "per class; use stratified splits"
        )
    full = np.full((len(fold.values), len(fold.all_classes)), _ABSENT[fold.kind])
    full[:, positions] = fold.values
    return full


_ABSENT = {"probabilities": 0.0, "decisions": -1.7976931348623157e308}
