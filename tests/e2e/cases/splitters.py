"""One search for each way to split, grouped and weighted ones included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    LeavePGroupsOut,
    PredefinedSplit,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)

from e2e.cases import case, classes, numbers
from e2e.compare import search_view

_GRID = {"C": [0.1, 1.0, 10.0]}


def _classify(ms: Any, cv: Any, groups: Any = None) -> dict[str, Any]:
    X, y = classes()
    search = ms.GridSearchCV(LogisticRegression(max_iter=500), _GRID, cv=cv)
    return search_view(search.fit(X, y, groups=groups), X)


def _regress(ms: Any, cv: Any, rows: int = 60, scoring: str | None = None) -> dict[str, Any]:
    X, y = numbers(rows)
    return search_view(ms.GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=cv, scoring=scoring).fit(X, y), X)


@case
def kfold(ms: Any) -> Any:
    return _regress(ms, KFold(4))


@case
def kfold_shuffled(ms: Any) -> Any:
    return _regress(ms, KFold(5, shuffle=True, random_state=11))


@case
def kfold_with_a_random_state_object(ms: Any) -> Any:
    return _regress(ms, KFold(3, shuffle=True, random_state=np.random.RandomState(4)))


@case
def stratified_kfold_shuffled(ms: Any) -> Any:
    return _classify(ms, StratifiedKFold(4, shuffle=True, random_state=0))


@case
def stratified_kfold_with_a_rare_class(ms: Any) -> Any:
    X, y = classes()
    y[:] = y > 1
    y[:3] = 7
    return search_view(ms.GridSearchCV(LogisticRegression(max_iter=500), _GRID, cv=4).fit(X, y), X)


@case
def group_kfold(ms: Any) -> Any:
    return _classify(ms, GroupKFold(3), groups=np.arange(90) % 7)


@case
def stratified_group_kfold(ms: Any) -> Any:
    return _classify(ms, StratifiedGroupKFold(3), groups=np.arange(90) % 9)


@case
def leave_one_group_out(ms: Any) -> Any:
    return _classify(ms, LeaveOneGroupOut(), groups=np.array(["a", "b", "c"])[np.arange(90) % 3])


@case
def leave_two_groups_out(ms: Any) -> Any:
    return _classify(ms, LeavePGroupsOut(2), groups=list(np.arange(90) % 4))


@case
def group_shuffle_split(ms: Any) -> Any:
    return _classify(ms, GroupShuffleSplit(3, random_state=1), groups=np.arange(90) // 6)


@case
def shuffle_split(ms: Any) -> Any:
    return _regress(ms, ShuffleSplit(4, test_size=0.3, random_state=2))


@case
def stratified_shuffle_split(ms: Any) -> Any:
    return _classify(ms, StratifiedShuffleSplit(3, test_size=20, random_state=5))


@case
def repeated_kfold(ms: Any) -> Any:
    return _regress(ms, RepeatedKFold(n_splits=3, n_repeats=2, random_state=8))


@case
def repeated_stratified_kfold(ms: Any) -> Any:
    return _classify(ms, RepeatedStratifiedKFold(n_splits=2, n_repeats=3, random_state=8))


@case
def time_series_split(ms: Any) -> Any:
    return _regress(ms, TimeSeriesSplit(4, gap=2))


@case
def leave_one_out(ms: Any) -> Any:
    return _regress(ms, LeaveOneOut(), rows=18, scoring="neg_mean_absolute_error")


@case
def predefined_split(ms: Any) -> Any:
    return _regress(ms, PredefinedSplit(np.array([-1, 0, 1, 2] * 15)))


@case
def list_of_splits(ms: Any) -> Any:
    rows = np.arange(90)
    return _classify(ms, [(rows[::2], rows[1::2]), (rows[1::2].tolist(), rows[::2].tolist())])


@case
def generator_of_splits(ms: Any) -> Any:
    return _classify(ms, (split for split in KFold(3, shuffle=True, random_state=0).split(np.zeros(90))))


@case
def boolean_masks_as_splits(ms: Any) -> Any:
    mask = np.arange(60) % 3 == 0
    return _regress(ms, [(~mask, mask), (mask, ~mask)])


@case
def overlapping_splits_with_repeated_rows(ms: Any) -> Any:
    rows = np.random.RandomState(3).randint(0, 60, size=(3, 60))
    return _regress(ms, [(drawn, np.setdiff1d(np.arange(60), drawn)) for drawn in rows])


class OddEven:
    """A splitter of the user's own."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rows = np.arange(len(X))
        yield rows[::2], rows[1::2]
        yield rows[1::2], rows[::2]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        return 2


@case
def splitter_of_the_users_own(ms: Any) -> Any:
    return _classify(ms, OddEven())
