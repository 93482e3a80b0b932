"""The runtime: what fits and calls do in real processes, seen from Go's side of the socket."""

from __future__ import annotations

import os
import pickle
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from runtime_peer import Child, Peer, peer
from sklearn import get_config
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.parallel import _FuncWrapper

from crossfold import _arrow
from crossfold._runtime import _capture
from crossfold.v1.data_pb2 import Split, Value
from crossfold.v1.task_pb2 import OUTCOME_OK, OUTCOME_RAISED, Call, Candidate, Code, Result, Task, TaskFit


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with peer(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def child(zygote: Peer) -> Child:
    return zygote.fork()


def value_of(result: Result, store: Any = "") -> Any:
    assert result.outcome == OUTCOME_OK, result.failure.traceback
    return pickle.loads(_arrow.read_value(str(store), result.value))


X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)


def fit_task(
    store: Path, function: Any, shared: dict[str, Any], *candidates: dict[str, Any], extra: bytes = b""
) -> Task:
    split, train_rows, test_rows = _arrow.write_split(str(store), np.arange(40), np.arange(40, 60))
    code = _arrow.write_blob(str(store), cloudpickle.dumps({"function": function, "kwargs": shared}))
    return Task(
        code=Code(blob_id=code),
        dataset_id=_arrow.write_dataset(str(store), X, Y),
        split=Split(id=split, train_rows=train_rows, test_rows=test_rows),
        fits=[
            TaskFit(
                index=i, candidate=Candidate(pickle=Value(inline=cloudpickle.dumps(candidate))), extra=extra
            )
            for i, candidate in enumerate(candidates)
        ],
    )


def fit_with(
    store: Path, child: Child, function: Any, *candidates: dict[str, Any], **shared: Any
) -> list[Result]:
    return child.run(fit_task(store, function, shared, *(candidates or ({"estimator": None},))), store)


SCORING = {
    "verbose": 0,
    "fit_params": {},
    "score_params": {},
    "return_times": True,
    "return_train_score": True,
    "error_score": np.nan,
}


def score_wrapper() -> Any:
    return _FuncWrapper(_fit_and_score).with_config_and_warning_filters(get_config(), warnings.filters)


def test_lifted_fit_returns_what_scikit_learn_returns(tmp_path: Path, child: Child) -> None:
    candidates = [{"estimator": LogisticRegression(), "parameters": {"C": C}} for C in (0.01, 1.0)]
    shared = {"scorer": check_scoring(LogisticRegression(), ["accuracy", "neg_log_loss"]), **SCORING}
    results = fit_with(tmp_path, child, score_wrapper(), *candidates, **shared)
    for candidate, result in zip(candidates, results, strict=True):
        estimator = LogisticRegression()
        expected = _fit_and_score(
            estimator,
            X,
            Y,
            train=np.arange(40),
            test=np.arange(40, 60),
            parameters=candidate["parameters"],
            **shared,
        )
        got = value_of(result)
        assert got["test_scores"] == expected["test_scores"] == dict(result.test_scores)
        assert got["train_scores"] == expected["train_scores"] == dict(result.train_scores)
        assert result.fit_seconds == got["fit_time"] and result.score_seconds == got["score_time"]
        assert not result.HasField("failure")


def test_failed_fit_under_a_number_is_a_result_that_tells_why(tmp_path: Path, child: Child) -> None:
    shared = {"scorer": check_scoring(LogisticRegression()), **SCORING}
    [result] = fit_with(
        tmp_path,
        child,
        score_wrapper(),
        {"estimator": LogisticRegression(), "parameters": {"C": -1.0}},
        **shared,
    )
    assert result.outcome == OUTCOME_OK and np.isnan(result.test_scores["score"])
    assert result.failure.type == "sklearn.utils._param_validation.InvalidParameterError"
    assert result.failure.message.startswith("The 'C' parameter of LogisticRegression must be")
    assert "Traceback" in result.failure.traceback


def test_fits_share_no_state_and_map_the_data(tmp_path: Path, child: Child) -> None:
    def fit(estimator: Any, X: Any, y: Any, *, train: Any, test: Any, seen: list[int]) -> Any:
        seen.append(1)
        estimator.append(2)
        train[0] = 7
        return (
            X.flags.writeable,
            X.flags.owndata,
            y.dtype,
            train.dtype,
            len(train),
            len(test),
            seen,
            estimator,
        )

    state: list[int] = []
    results = fit_with(tmp_path, child, fit, *[{"estimator": state, "seen": state}] * 2)
    for result in results:
        expected = (False, False, Y.dtype, np.dtype("int64"), 40, 20, [1, 2], [1, 2])
        assert value_of(result) == expected
    assert not results[0].test_scores


def test_extra_arguments_reach_their_fit(tmp_path: Path, child: Child) -> None:
    def fit(estimator: Any, X: Any, y: Any, *, train: Any, test: Any, split_progress: Any) -> Any:
        return split_progress

    task = fit_task(tmp_path, fit, {}, {"estimator": None}, extra=pickle.dumps({"split_progress": (0, 5)}))
    assert value_of(child.run(task, tmp_path)[0]) == (0, 5)


def test_output_and_warnings_travel_with_their_call(child: Child) -> None:
    def noisy() -> None:
        import sys
        import warnings

        print("héllo")
        sys.stderr.write("err\n")
        sys.stdout.buffer.write(b"raw\n")
        warnings.warn("first", RuntimeWarning, stacklevel=1)
        with warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("always")
            warnings.warn("kept by the block", UserWarning, stacklevel=1)
        assert len(recorded) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("ignored", UserWarning, stacklevel=1)

    first, second = child.call(noisy, lambda: None)
    assert first.outcome == OUTCOME_OK, first.failure.traceback
    assert first.output == "héllo\nerr\nraw\n"
    [warning] = first.warnings
    assert pickle.loads(warning.category) is RuntimeWarning
    assert (warning.message, warning.filename) == ("first", __file__) and warning.line > 0
    assert not second.output and not second.warnings


def test_output_and_warnings_are_bounded(child: Child) -> None:
    def flood() -> None:
        import warnings

        for i in range(1000):
            warnings.warn(f"{i} {'x' * 100_000}", stacklevel=1)
            print("y" * 10_000)

    [result] = child.call(flood)
    assert result.ByteSize() < 1_500_000
    assert (
        len(result.output) < _capture.OUTPUT_LIMIT + 200 and "output cut from 10001000 bytes" in result.output
    )
    assert len(result.warnings) == _capture.WARNING_LIMIT and "900 more warnings" in result.output


def test_descriptors_go_to_the_log(zygote: Peer) -> None:
    def shout() -> None:
        import os
        import subprocess
        import sys

        os.write(1, b"from C\n")
        subprocess.run(["echo", "from a program"], stdout=sys.stdout, check=True)

    child = zygote.fork()
    [result] = child.call(shout)
    assert result.outcome == OUTCOME_OK and not result.output
    child.connection.shutdown(2)
    assert child.read_log() == "from C\nfrom a program\n"


class Unloadable(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")


def raise_chained() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


def test_exceptions_come_with_their_pickle_and_traceback(child: Child) -> None:
    [result] = child.call(raise_chained)
    assert result.outcome == OUTCOME_RAISED and not result.HasField("value")
    assert (result.failure.type, result.failure.message) == ("builtins.ValueError", "outer")
    assert "KeyError: 'inner'" in result.failure.traceback and "_units.py" not in result.failure.traceback
    assert repr(pickle.loads(result.failure.pickle.inline)) == "ValueError('outer')"


def test_exception_that_does_not_unpickle_is_told_in_words(child: Child) -> None:
    def fail() -> None:
        raise Unloadable(1, 2)

    [result] = child.call(fail)
    assert result.failure.type.endswith(".Unloadable") and result.failure.message == "1 2"
    assert not result.failure.HasField("pickle")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError("big")])
def test_no_exception_ends_the_process(child: Child, error: BaseException) -> None:
    def fail() -> None:
        raise error

    first, second = child.call(fail, lambda: 1)
    assert first.outcome == OUTCOME_RAISED and first.failure.type == f"builtins.{type(error).__name__}"
    assert value_of(second) == 1


def test_result_that_cannot_be_pickled_is_named(child: Child) -> None:
    def make() -> Any:
        import threading

        return threading.Lock()

    [result] = child.call(make)
    assert result.outcome == OUTCOME_RAISED
    assert "the returned lock can't be pickled" in result.failure.message


def test_pickle_that_cannot_be_loaded_is_a_result(child: Child) -> None:
    task = Task(calls=[Call(index=0, pickle=Value(inline=b"cno_such_module\nname\n."))])
    [result] = child.run(task)
    assert result.failure.type == "builtins.ModuleNotFoundError"


def test_large_values_go_through_the_store(tmp_path: Path, child: Child) -> None:
    [result] = child.call(lambda: np.arange(100_000), store=tmp_path)
    assert result.value.blob_id.startswith("bl-")
    assert (value_of(result, tmp_path) == np.arange(100_000)).all()


def test_large_arguments_are_mapped_from_the_store(tmp_path: Path, child: Child) -> None:
    dataset = _arrow.write_dataset(str(tmp_path), np.arange(200_000.0))

    class Pickler(cloudpickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("crossfold-object", dataset) if isinstance(obj, np.ndarray) else None

    import io

    array = np.zeros(1)
    stream = io.BytesIO()
    Pickler(stream, protocol=5).dump(lambda: (float(array.sum()), array.flags.owndata))
    task = Task(calls=[Call(index=i, pickle=Value(inline=stream.getvalue())) for i in range(2)])
    for result in child.run(task, tmp_path):
        assert value_of(result) == (float(np.arange(200_000.0).sum()), False)


def test_children_draw_different_random_numbers(zygote: Peer) -> None:
    def draw() -> Any:
        import random

        return np.random.random(), random.random()

    first, second = (value_of(zygote.fork().call(draw)[0]) for _ in range(2))
    assert first[0] != second[0] and first[1] != second[1]


def test_nested_parallel_gets_threads_then_nothing(child: Child) -> None:
    def nested() -> list[str]:
        import joblib
        from joblib.parallel import get_active_backend

        def inner() -> str:
            return type(get_active_backend()[0]).__name__

        return [
            type(get_active_backend()[0]).__name__,
            *joblib.Parallel(n_jobs=2)(joblib.delayed(inner)() for _ in "ab"),
        ]

    assert value_of(child.call(nested)[0]) == ["ThreadingBackend", "SequentialBackend", "SequentialBackend"]


def test_submitters_folders_are_used(tmp_path: Path, child: Child) -> None:
    (tmp_path / "users_own.py").write_text("answer = 42\n")

    def look() -> Any:
        import os

        import users_own  # type: ignore[import-not-found]

        return users_own.answer, os.getcwd()

    code = Code(sys_path=[str(tmp_path)], working_dir=str(tmp_path))
    task = Task(code=code, calls=[Call(pickle=Value(inline=cloudpickle.dumps(look)))])
    assert value_of(child.run(task)[0]) == (42, str(tmp_path))


def test_running_unit_is_known_after_any_death(zygote: Peer) -> None:
    child = zygote.fork()
    with pytest.raises(EOFError):
        child.call(lambda: 1, lambda: os._exit(3), lambda: 2)
    assert child.running() == 2
    assert zygote.exit_status(child.pid) == 3


def test_processes_of_a_dead_child_are_killed(zygote: Peer) -> None:
    child = zygote.fork()

    def leave_one_behind() -> int:
        import subprocess

        return subprocess.Popen(["sleep", "600"]).pid

    left = value_of(child.call(leave_one_behind)[0])
    os.kill(child.pid, signal.SIGKILL)
    assert zygote.exit_status(child.pid) == -signal.SIGKILL
    await_gone(left)


def await_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and ") Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.005)


def test_end_of_the_stream_ends_every_process(tmp_path: Path) -> None:
    with peer(tmp_path) as running:
        idle, busy = running.fork(), running.fork()
        busy.start(Task(calls=[Call(pickle=Value(inline=cloudpickle.dumps(lambda: time.sleep(600))))]))
        deadline = time.monotonic() + 10
        while not busy.running():
            assert time.monotonic() < deadline
            time.sleep(0.005)
    for pid in (idle.pid, busy.pid):
        assert not Path(f"/proc/{pid}").exists()


def test_zygote_has_one_thread_and_imports_only_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another environment's packages are installed, too, when this one sees them.
    installed, imported = tmp_path / "lib" / "site-packages", tmp_path / "imported"
    installed.mkdir(parents=True)
    for folder, module in ((tmp_path, "users_own"), (installed, "a_package")):
        (folder / f"{module}.py").write_text(f"open({str(imported)!r}, 'a').write(__name__)")
        monkeypatch.syspath_prepend(str(folder))
    with peer(tmp_path) as zygote:
        zygote.fork("sklearn.svm", "no.such.module", "users_own", "a_package")
        assert len(os.listdir(f"/proc/{zygote.process.pid}/task")) == 1
    assert imported.read_text() == "a_package"


def test_empty_calls_are_cheap(child: Child) -> None:
    data = pickle.dumps(os.getpid)
    task = Task(calls=[Call(index=i, pickle=Value(inline=data)) for i in range(2000)])
    child.run(task)
    began = time.perf_counter()
    child.run(task)
    # A generous bound: the work takes 20 microseconds, this catches a mistake of an order of magnitude.
    assert (time.perf_counter() - began) / 2000 < 400e-6
