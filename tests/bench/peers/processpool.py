"""concurrent.futures.ProcessPoolExecutor: the loop a person would write by hand.

Its processes load the data themselves, once, so a call carries two numbers.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, check_cv

from bench import work
from bench.peers import serve


class ProcessPool(serve.Runner):
    """`map` with four fits, or 64 empty calls, a chunk."""

    def start(self, processes: int) -> None:
        super().start(processes)
        self.pool = ProcessPoolExecutor(processes)
        list(self.pool.map(work.nothing, range(processes)))

    def search(self, search: work.Search) -> Any:
        (case,) = (name for name in work.SEARCHES if work.search(name) is search)
        candidates = len(ParameterGrid(search.grid))
        numbers = range(candidates * search.folds)
        found = list(self.pool.map(_fit, [case] * len(numbers), numbers, chunksize=4))
        by_fold = np.reshape(found, (candidates, search.folds)).T
        return {f"split{fold}_test_score": values for fold, values in enumerate(by_fold)}

    def own_calls(self, count: int) -> list[int]:
        return list(self.pool.map(work.nothing, range(count), chunksize=1))


def _fit(case: str, number: int) -> float:
    search = work.search(case)
    candidate, fold = divmod(number, search.folds)
    estimator = clone(search.estimator).set_params(**ParameterGrid(search.grid)[candidate])
    splitter = check_cv(search.folds, search.y, classifier=is_classifier(estimator))
    train, test = list(splitter.split(search.X, search.y))[fold]
    estimator.fit(search.X[train], search.y[train])
    return float(estimator.score(search.X[test], search.y[test]))


if __name__ == "__main__":
    serve.main(ProcessPool())
