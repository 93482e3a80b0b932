"""What every runner has in common: it answers lines of JSON on stdin with lines of JSON on stdout.

| request | answer |
| --- | --- |
| {"do": "start", "processes": n} | {"seconds": s} |
| {"do": "search", "case": name} | {"seconds": s, "scores": text, "busy": s, "fits": [...]} |
| {"do": "calls", "api": "joblib" or "own"} | {"seconds": s} |

A request that fails is answered by {"error": text}. End of file ends the runner.
"""

from __future__ import annotations

import contextlib
import cProfile
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sklearn.model_selection
from joblib import Parallel, delayed

from bench import work


class Runner:
    """A peer that runs scikit-learn's searches through its joblib backend; others override."""

    fits: Sequence[Mapping[str, float]] = ()
    """The last search's fits in the job's order: candidate, split and seconds of each, where known."""

    def start(self, processes: int) -> None:
        """Start the peer's processes: what a script does before its first search."""
        self.processes = processes

    @contextlib.contextmanager
    def backend(self, search: work.Search | None) -> Iterator[None]:
        """Enter the joblib backend."""
        yield

    def search(self, search: work.Search) -> Any:
        """Run a search; return its `cv_results_`."""
        with self.backend(search):
            return search.run(sklearn.model_selection.GridSearchCV, n_jobs=self.processes).cv_results_

    def joblib_calls(self, count: int) -> list[int]:
        """Empty calls through joblib, one call a batch."""
        with self.backend(None):
            return Parallel(n_jobs=self.processes, batch_size=1)(
                delayed(work.nothing)(i) for i in range(count)
            )

    def own_calls(self, count: int) -> list[int]:
        """Empty calls by the peer's own API."""
        raise NotImplementedError(f"{type(self).__name__} has no API for calls of its own")


def main(runner: Runner) -> None:
    """Answer requests until the end of stdin."""
    # Libraries print: standard output is for answers alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _HANDLERS[request.pop("do")](runner, **request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


def _start(runner: Runner, processes: int) -> dict[str, Any]:
    began = time.perf_counter()
    runner.start(processes)
    seconds = time.perf_counter() - began
    return {"seconds": seconds}


def _search(runner: Runner, case: str) -> dict[str, Any]:
    search = work.search(case)
    with _profiled(runner, case):
        began = time.perf_counter()
        results = runner.search(search)
        seconds = time.perf_counter() - began
    busy = sum(float(sum(results.get(key, ()))) for key in ("mean_fit_time", "mean_score_time"))
    scores = work.to_text(work.scores(results, search.folds))
    return {"seconds": seconds, "scores": scores, "busy": search.folds * busy, "fits": runner.fits}


@contextlib.contextmanager
def _profiled(runner: Runner, case: str) -> Iterator[None]:
    """Write a profile of the script, not of its workers, when a folder for it is named."""
    folder = os.environ.get("BENCH_PROFILE")
    if not folder:
        yield
        return
    with cProfile.Profile() as profile:
        yield
    profile.dump_stats(os.path.join(folder, f"{case}-{type(runner).__name__.lower()}.prof"))


def _calls(runner: Runner, api: str) -> dict[str, Any]:
    call = {"joblib": runner.joblib_calls, "own": runner.own_calls}[api]
    began = time.perf_counter()
    found = call(work.CALLS)
    seconds = time.perf_counter() - began
    if found != list(range(work.CALLS)):
        raise ValueError(f"{api} calls returned other values, or in another order")
    return {"seconds": seconds}


_HANDLERS: dict[str, Callable[..., dict[str, Any]]] = {"start": _start, "search": _search, "calls": _calls}
