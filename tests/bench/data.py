"""1 GB, with 2 and 8 processes: seconds, memory of all processes, and registering.

Ten folds of one candidate each, and folds and conversions that several candidates share.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import psutil
from crossfold import _arrow
from sklearn.model_selection import ParameterGrid

from bench import work
from bench.figures import OURS, Figure, figure, interleaved
from bench.sides import Sides

REPEAT = 3
PEERS = ("loky", "ray")
PROCESSES = (2, 8)
LOOK_SECONDS = 0.2


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Each side's script holds the same array; memory is that of all processes beside it."""
    figures = [_registering(repeat)]
    for processes in PROCESSES:
        figures += _search("data", peers, repeat, processes)
    for case in ("folds", "float32"):
        figures += _search(case, peers, repeat, PROCESSES[-1])
    return figures


def _registering(repeat: int) -> Figure:
    X = work.search("data").X

    def rate() -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            _arrow.write_dataset(folder, X)
            return X.nbytes / 1e9 / (time.perf_counter() - began)

    measured = interleaved({OURS: rate}, repeat)
    what = f"registering {X.nbytes / 1e9:.2g} GB"
    return figure("data", what, "GB/s", measured, ">= 1 GB/s", lambda ours, _: ours >= 1, more_is_better=True)


def _search(case: str, peers: Sequence[str], repeat: int, processes: int) -> list[Figure]:
    with Sides(peers, processes) as sides:
        peaks: dict[str, list[float]] = {name: [] for name in sides}

        def seconds_of(name: str) -> float:
            with Watch(lambda: sides.processes(name)[1:]) as watch:
                seconds = sides[name].search(case)
            peaks[name].append(watch.peak / 1e9)
            return seconds

        measured = interleaved({name: lambda name=name: seconds_of(name) for name in sides}, repeat)
        sides.check()
    search = work.search(case)
    size = search.X.nbytes / 1e9
    bound = 1.2 * size + min(processes, search.folds) * size * (1 - 1 / search.folds)
    candidates = len(ParameterGrid(search.grid))
    work_of = (
        f"{search.folds} folds" if candidates == 1 else f"{search.folds} folds x {candidates} candidates"
    )
    what = f"{size:.2g} GB, {work_of}, {processes} processes"
    return [
        figure(
            "data",
            what,
            "s",
            measured,
            "ahead of loky's memmaps",
            lambda ours, others: ours <= others["loky"],
        ),
        figure(
            "data",
            f"{what}: PSS of all beside the script",
            "GB",
            peaks,
            f"<= {bound:.2g} GB: 1.2 x data + folds in use",
            lambda ours, _: ours <= bound,
        ),
    ]


class Watch:
    """The largest sum of proportional set sizes, in bytes, of processes that come and go."""

    def __init__(self, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self.peak = 0
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, sum(_pss(process) for process in self._processes()))
            if self._stop.wait(LOOK_SECONDS):
                return


def _pss(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return 0
