"""Running fits and calls: one unit in, one Result out, whatever the user's code does."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from crossfold import _arrow
from crossfold._pickling import explain_return
from crossfold._runtime import _failures, _keras, _objects, _ways
from crossfold._runtime._capture import Capture
from crossfold._runtime._eval_set import attach
from crossfold._runtime._memory import Memory
from crossfold._runtime._predict import Predictor
from crossfold._runtime._prefix import Bill, Sharing
from crossfold._runtime._same_code import SameCode
from crossfold._runtime._sklearn import RecipeRunner
from crossfold._runtime._threads import Threads
from crossfold.v1.bridge_pb2 import Run
from crossfold.v1.task_pb2 import OUTCOME_OK, OUTCOME_RAISED, Call, Code, Result, Task, TaskFit


@dataclass(slots=True, frozen=True)
class Unit:
    """One fit or call of a task, ready to run."""

    index: int
    is_fit: bool
    run: Callable[[], Result]


class Runner:
    """Runs the units of tasks and keeps what later tasks of the session can use again."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._objects = _objects.Objects()
        self._sharing = Sharing()
        self._recipes = RecipeRunner(self._sharing)
        self._predictor = Predictor()
        self._place = _Place()
        self._threads = Threads()
        self._code = SameCode()
        self.memory = Memory()

    def units(self, run: Run) -> Iterator[Unit]:
        """Return the units of a task in order. They raise nothing: an error is a Result."""
        task, store_dir = run.task, run.store_dir
        self._place.enter(task.code)
        self._threads.allow(task.code.threads or 1)
        # What a limit allows is counted from what the process holds before the fit.
        self.memory.expect(0 if task.limits.fit_bytes else _arrow.size(store_dir, task.dataset_id))
        refusal = self._code.refusal(task.environment.code)
        if task.HasField("limits") and refusal is None:
            self._prepare(task, store_dir)
        run_fit = self._fit_recipe if task.code.WhichOneof("source") == "recipe" else self._fit_function
        for fit in task.fits:
            yield self._unit(fit.index, True, store_dir, refusal or partial(run_fit, task, fit, store_dir))
        for call in task.calls:
            yield self._unit(call.index, False, store_dir, refusal or partial(self._call, call, store_dir))

    def _prepare(self, task: Task, store_dir: str) -> None:
        """Import what the fits need: what one of them may take is counted without that. An error
        comes again in the fit, whose result it is."""
        for fit in task.fits[:1]:
            with contextlib.suppress(BaseException):
                if task.code.WhichOneof("source") == "recipe":
                    self._recipes.prepare(task, store_dir)
                else:
                    self._objects.code(store_dir, task.code.blob_id)
                    self._objects.value(store_dir, fit.candidate.pickle)

    def _unit(self, index: int, is_fit: bool, store_dir: str, work: Callable[[Result], None]) -> Unit:
        return Unit(index, is_fit, partial(self._guard, index, store_dir, work))

    def _guard(self, index: int, store_dir: str, work: Callable[[Result], None]) -> Result:
        """Run ``work``; its error, output, warnings and time become part of the result."""
        result = Result(index=index, outcome=OUTCOME_OK)
        start = time.perf_counter()
        try:
            work(result)
        except BaseException as error:  # also SystemExit: a fit may not end the process
            result.outcome = OUTCOME_RAISED
            result.ClearField("value")
            result.failure.CopyFrom(_failures.from_exception(error, store_dir))
        result.slot_seconds = time.perf_counter() - start
        self.memory.after_fit()
        result.ways.extend(_ways.take())
        output, warnings = self._capture.take()
        if output:
            result.output = output
        for warning in warnings:
            warning.message = _failures.as_unwatched(warning.message)
        result.warnings.extend(warnings)
        return result

    def _call(self, call: Call, store_dir: str, result: Result) -> None:
        work = self._objects.value(store_dir, call.pickle)
        _keras.install(store_dir=store_dir)
        if type(work) is list:
            returned = [function(*args, **kwargs) for function, args, kwargs in work]
        else:
            returned = work()
        _set_value(result, returned, store_dir)

    def _fit_function(self, task: Task, fit: TaskFit, store_dir: str, result: Result) -> None:
        code = self._objects.code(store_dir, task.code.blob_id)
        # Fresh for every fit, so that none sees what another one left in an estimator.
        arguments = {**code["kwargs"], **self._objects.value(store_dir, fit.candidate.pickle)}
        if fit.extra:
            arguments.update(self._objects.loads(store_dir, fit.extra))
        X, y = self._objects.dataset(store_dir, task.dataset_id)
        train, test = self._objects.split(store_dir, task.split.id)
        estimator = arguments.pop("estimator")
        if code.get("eval_set"):
            attach(estimator, X, y, train, test)
        if code.get("keep_models"):
            arguments["return_estimator"] = True
        # Unpickling has imported what the user's code uses.
        _keras.install(task.code.sharing.compiled_keras, store_dir)
        scorer = arguments.get("scorer")
        with self._sharing.fit(task, fit.sharers, store_dir, X, scorer, fit.family) as bill:
            returned = code["function"](
                estimator, X, y, train=train, test=test, **_predicting(task, arguments)
            )
        if isinstance(returned, dict) and "test_scores" in returned:
            _settle(result, returned, bill)
        if task.predictions and isinstance(returned, dict) and "test_scores" in returned:
            fitted = returned["estimator"]
            if not arguments.get("return_estimator"):
                del returned["estimator"]
            self._predict(task, store_dir, result, returned, (fitted, X, y, train, test))
        if code.get("keep_models"):
            _pack_model(returned)
        if isinstance(returned, Mapping) and "test_scores" in returned:
            _set_scores(result, returned)
        _set_value(result, returned, store_dir)

    def _fit_recipe(self, task: Task, fit: TaskFit, store_dir: str, result: Result) -> None:
        train, test = self._objects.split(store_dir, task.split.id)
        _keras.install(task.code.sharing.compiled_keras, store_dir)
        returned, bill = self._recipes.fit(task, fit, store_dir, train, test)
        _settle(result, returned, bill)
        _set_scores(result, returned)
        if task.predictions:
            X, y = self._recipes.data
            self._predict(task, store_dir, result, returned, (returned["estimator"], X, y, train, test))

    def _predict(
        self, task: Task, store_dir: str, result: Result, returned: Mapping[str, Any], fitted: tuple[Any, ...]
    ) -> None:
        """Keep what the fit's own estimator predicts; a fit that failed has none."""
        if not returned.get("fit_error"):
            result.predictions.extend(
                self._predictor.write(store_dir, task.dataset_id, task.predictions, *fitted)
            )


class _Place:
    """The submitter's sys.path and working folder."""

    def __init__(self) -> None:
        self._own_path = list(sys.path)
        self._entered: tuple[list[str], str] = ([], "")

    def enter(self, code: Code) -> None:
        wanted = (list(code.sys_path), code.working_dir)
        if wanted == self._entered:
            return
        self._entered = wanted
        if code.multiprocessing_key:
            multiprocessing.current_process().authkey = code.multiprocessing_key
        sys.path[:] = dict.fromkeys([*code.sys_path, *self._own_path])
        if code.working_dir:
            with contextlib.suppress(OSError):  # another host may lack it
                os.chdir(code.working_dir)


def _predicting(task: Task, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a fit whose estimator is needed once more."""
    return {**arguments, "return_estimator": True} if task.predictions else arguments


def _pack_model(returned: dict[str, Any]) -> None:
    """Pickle the model here: who only stores it need not load it. A fit that failed has none."""
    model = returned["estimator"]
    try:
        returned["estimator"] = None if returned["fit_error"] else _objects.dumps(model)
    except Exception as error:
        raise explain_return(model, f"keep_models: the fitted {type(model).__qualname__}", error) from error


def _set_value(result: Result, value: Any, store_dir: str) -> None:
    try:
        data = _objects.dumps(value)
    except Exception as error:
        # A fit returns the estimator among its scores.
        fitted = value.get("estimator") if isinstance(value, dict) and "fit_error" in value else None
        what, culprit = ("returned", value) if fitted is None else ("fitted", fitted)
        raise explain_return(culprit, f"the {what} {type(culprit).__qualname__}", error) from error
    if len(data) <= _arrow.INLINE_LIMIT:
        result.value.inline = data
    else:
        result.value.blob_id = _arrow.write_blob(store_dir, data)


def _settle(result: Result, returned: MutableMapping[str, Any], bill: Bill) -> None:
    """Charge a fit with its own part of the time and its share of what was done once for several."""
    result.shared_seconds = sum(bill.taken.values())
    if returned.get("fit_error"):
        returned["fit_error"] = _failures.as_unwatched(returned["fit_error"])
    for name, phase in (("fit_time", "fit"), ("score_time", "score")):
        if name in returned:
            returned[name] = bill.settle(phase, returned[name])


def _set_scores(result: Result, returned: Mapping[str, Any]) -> None:
    """Copy what scikit-learn's ``_fit_and_score`` returned into the fields of the ledger."""
    result.test_scores.update(_by_metric(returned["test_scores"]))
    if "train_scores" in returned:
        result.train_scores.update(_by_metric(returned["train_scores"]))
    result.fit_seconds = returned.get("fit_time", 0.0)
    result.score_seconds = returned.get("score_time", 0.0)
    if returned.get("fit_error"):
        result.failure.CopyFrom(_failures.from_traceback(returned["fit_error"]))


def _by_metric(scores: Any) -> dict[str, float]:
    if isinstance(scores, Mapping):
        return {str(name): float(score) for name, score in scores.items()}
    return {"score": float(scores)}
