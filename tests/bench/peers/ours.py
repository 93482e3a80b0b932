"""Crossfold itself, measured by the same protocol as its peers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import crossfold
import crossfold.joblib  # noqa: F401  (registers the backend)
from crossfold.model_selection import GridSearchCV
from joblib import parallel_config

from bench import work
from bench.peers import serve


class Crossfold(serve.Runner):
    """The embedded cluster; everything at its default."""

    def start(self, processes: int) -> None:
        super().start(processes)
        crossfold.connect()

    @contextlib.contextmanager
    def backend(self, search: work.Search | None) -> Iterator[None]:
        with parallel_config("crossfold"):
            yield

    def search(self, search: work.Search) -> Any:
        fitted = search.run(GridSearchCV)
        history = crossfold.report(fitted).history.sort_values(["candidate", "split"])
        self.fits = history[["candidate", "split", "seconds", "shared_seconds"]].to_dict("records")
        return fitted.cv_results_


if __name__ == "__main__":
    serve.main(Crossfold())
