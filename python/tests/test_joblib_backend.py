"""The backend as people who know joblib use it."""

from __future__ import annotations

import contextvars
import gc
import io
import multiprocessing
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from operator import neg
from typing import Any

import joblib
import numpy as np
import pytest
from double import Cluster
from joblib import Parallel, delayed

import crossfold
import crossfold.joblib
from crossfold.joblib import CrossfoldBackend


@pytest.fixture
def backend(cluster: Cluster) -> Iterator[Cluster]:
    with joblib.parallel_config("crossfold"):
        yield cluster


def fail_at(i: int, bad: tuple[int, ...]) -> int:
    if i in bad:
        raise ValueError(f"bad {i}")
    return i


def test_results_keep_their_order(backend: Cluster) -> None:
    assert Parallel()(delayed(neg)(i) for i in range(300)) == [-i for i in range(300)]


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_generators(backend: Cluster, return_as: str) -> None:
    assert sorted(Parallel(return_as=return_as)(delayed(neg)(i) for i in range(50))) == sorted(
        -i for i in range(50)
    )


def test_two_generators_of_one_context_do_not_mix(backend: Cluster) -> None:
    first = Parallel(return_as="generator")(delayed(neg)(i) for i in range(20))
    second = Parallel(return_as="generator")(delayed(abs)(-i) for i in range(20))
    assert list(zip(first, second, strict=True)) == [(-i, i) for i in range(20)]


def test_n_jobs_means_what_joblib_says(backend: Cluster) -> None:
    assert joblib.effective_n_jobs() == 2
    assert joblib.effective_n_jobs(None) == 2
    assert joblib.effective_n_jobs(-2) == 1
    assert joblib.effective_n_jobs(3) == 3
    assert joblib.effective_n_jobs(1) == 1
    with pytest.raises(ValueError, match="n_jobs == 0"):
        Parallel(n_jobs=0)(delayed(neg)(i) for i in range(2))


def test_n_jobs_1_runs_in_this_process(backend: Cluster) -> None:
    ran_in = Parallel(n_jobs=1)(delayed(threading.get_ident)() for _ in range(2))
    assert set(ran_in) == {threading.get_ident()}
    assert backend.specs == []


@pytest.mark.parametrize(("n_jobs", "bound"), [(-1, 0), (None, 0), (3, 3)])
def test_n_jobs_bounds_the_job(backend: Cluster, n_jobs: int | None, bound: int) -> None:
    Parallel(n_jobs=n_jobs)(delayed(neg)(i) for i in range(3))
    assert backend.specs[-1].max_parallel == bound


def test_a_cluster_of_one_slot_is_used(backend: Cluster) -> None:
    backend.slots = 1
    assert Parallel()(delayed(neg)(i) for i in range(3)) == [0, -1, -2]
    assert len(backend.specs) == 1


def test_the_constructor_does_not_connect(disconnected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFOLD_URL", "unix:///nowhere")
    CrossfoldBackend()
    with joblib.parallel_config("crossfold", inner_max_num_threads=2):
        Parallel()


def test_in_a_worker_it_never_connects(disconnected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFOLD_URL", "unix:///nowhere")
    monkeypatch.setenv("CROSSFOLD_WORKER", "1")
    with joblib.parallel_config("crossfold"):
        assert Parallel()(delayed(neg)(i) for i in range(3)) == [0, -1, -2]
        assert Parallel(n_jobs=2)(delayed(neg)(i) for i in range(3)) == [0, -1, -2]


def widest_window(parallel: Parallel, payload: Any, calls: int) -> int:
    """The most calls that were ever under way at a time."""
    widest = 0

    def tasks() -> Iterator[Any]:
        nonlocal widest
        for _ in range(calls):
            yield delayed(len)(payload)
            widest = max(widest, parallel.n_dispatched_tasks - parallel.n_completed_tasks)

    assert parallel(tasks()) == [len(payload)] * calls
    return widest


def test_the_default_window_grows_for_small_calls(backend: Cluster) -> None:
    parallel = Parallel()
    assert 128 < widest_window(parallel, "small", 2000) <= 512
    assert parallel.pre_dispatch == "2 * n_jobs"


def test_the_default_window_stays_small_for_big_calls(backend: Cluster) -> None:
    assert widest_window(Parallel(), bytes(2 << 20), 100) <= 32


def test_an_explicit_window_is_kept(backend: Cluster) -> None:
    assert widest_window(Parallel(pre_dispatch=6), "small", 200) <= 6


def test_an_exception_is_raised_with_the_remote_traceback(backend: Cluster) -> None:
    with pytest.raises(ValueError, match="bad 1") as caught:
        Parallel()(delayed(fail_at)(i, (1,)) for i in range(4))
    assert "in fail_at" in str(caught.value.__cause__)


def test_the_first_error_in_order_of_submission_is_raised(backend: Cluster) -> None:
    with pytest.raises(ValueError, match="bad 3"):
        Parallel()(delayed(fail_at)(i, (3, 4, 9)) for i in range(40))


def test_the_backend_works_after_an_error_in_a_managed_parallel(backend: Cluster) -> None:
    with Parallel() as parallel:
        with pytest.raises(ValueError):
            parallel(delayed(fail_at)(i, (1,)) for i in range(4))
        assert parallel(delayed(neg)(i) for i in range(3)) == [0, -1, -2]


def test_a_task_generator_that_raises_ends_the_call(backend: Cluster) -> None:
    def tasks() -> Iterator[Any]:
        yield from (delayed(neg)(i) for i in range(150))
        raise KeyError("no more")

    with pytest.raises(KeyError, match="no more"):
        Parallel()(tasks())


class Awkward(Exception):
    """Survives pickling, but not unpickling."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


def raise_awkward() -> None:
    raise Awkward(code=5)


def test_an_exception_that_does_not_unpickle_keeps_type_and_text(backend: Cluster) -> None:
    with pytest.raises(Awkward, match="code 5") as caught:
        Parallel()(delayed(raise_awkward)() for _ in range(2))
    assert "raise_awkward" in str(caught.value.__cause__)


def test_a_timeout_cancels_what_runs(backend: Cluster) -> None:
    backend.gate.clear()
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(timeout=0.2)(delayed(neg)(i) for i in range(4))
    assert backend.stopped.wait(5)
    backend.gate.set()
    assert Parallel()(delayed(neg)(i) for i in range(3)) == [0, -1, -2]


def test_a_dropped_generator_cancels_what_runs(backend: Cluster) -> None:
    backend.gate.clear()
    results = Parallel(return_as="generator")(delayed(neg)(i) for i in range(4))
    assert backend.received.wait(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        del results
        gc.collect()
    assert backend.stopped.wait(5)


def warn_and_print(i: int) -> int:
    warnings.warn(f"careful {i}", RuntimeWarning, stacklevel=1)
    print(f"printed {i}")
    return i


def test_warnings_and_output_reach_the_caller(backend: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(RuntimeWarning) as caught:
        Parallel()(delayed(warn_and_print)(i) for i in range(3))
    assert sorted(str(w.message) for w in caught) == ["careful 0", "careful 1", "careful 2"]
    assert caught[0].filename == __file__
    assert sorted(capsys.readouterr().out.split("\n")) == ["", "printed 0", "printed 1", "printed 2"]


def test_output_is_written_in_the_context_of_the_caller(
    backend: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = contextvars.ContextVar("cell", default="none")
    seen = []

    class Cells(io.StringIO):
        def write(self, text: str) -> int:
            seen.append((cell.get(), text))
            return len(text)

    monkeypatch.setattr(sys, "stdout", Cells())
    for name in ("first", "second"):
        cell.set(name)
        Parallel()([delayed(print)("printed", end="")])
    assert seen == [("first", "printed"), ("second", "printed")]


def test_a_warning_that_the_caller_made_an_error_is_raised(backend: Cluster) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(RuntimeWarning, match="careful"):
            Parallel()(delayed(warn_and_print)(i) for i in range(3))
    assert Parallel()(delayed(neg)(i) for i in range(2)) == [0, -1]


def test_large_arrays_are_stored_once_and_mapped(backend: Cluster) -> None:
    data = np.arange(400_000.0)
    sums = Parallel()(
        delayed(lambda a, i: (float(a.sum()) + i, a.flags.writeable))([data][0], i) for i in range(4)
    )
    assert sums == [(data.sum() + i, False) for i in range(4)]
    assert len(list(backend.store.glob("ds-*"))) == 1


def test_batches_of_a_fixed_size(backend: Cluster) -> None:
    assert Parallel(batch_size=7)(delayed(neg)(i) for i in range(50)) == [-i for i in range(50)]


def test_sharedmem_falls_back_to_threads(backend: Cluster) -> None:
    seen: list[int] = []
    Parallel(n_jobs=2, require="sharedmem")(delayed(seen.append)(i) for i in range(4))
    assert sorted(seen) == [0, 1, 2, 3]


def test_functions_and_classes_of_main_work(backend: Cluster) -> None:
    script = """
import os, joblib, crossfold.joblib
from joblib import Parallel, delayed
SCALE = 3
def scaled(x): return SCALE * x
class Box:
    def __init__(self, x): self.x = x
with joblib.parallel_config("crossfold"):
    print(Parallel()(delayed(scaled)(i) for i in range(3)))
    print([box.x for box in Parallel()(delayed(Box)(i) for i in range(3))])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert done.stdout == "[0, 3, 6]\n[0, 1, 2]\n", done.stderr


def test_an_argument_that_cannot_be_pickled_is_named(backend: Cluster) -> None:
    with pytest.raises(crossfold.PicklingError, match=r"argument 0 of .*neg.*: cannot pickle '_thread.lock'"):
        Parallel()(delayed(neg)(threading.Lock()) for _ in range(2))


def test_stopping_waits_no_longer_than_it_must(backend: Cluster) -> None:
    backend.gate.clear()
    start = time.monotonic()
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(timeout=0.1)(delayed(neg)(i) for i in range(4))
    assert time.monotonic() - start < 1.5
