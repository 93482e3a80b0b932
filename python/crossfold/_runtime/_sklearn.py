"""Recipes: estimators written down as entry points and JSON, fitted by scikit-learn itself."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import math
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline

from crossfold._runtime import _tables
from crossfold._runtime._prefix import Bill, Sharing
from crossfold.v1.task_pb2 import Recipe, Step, Task, TaskFit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RecipeRunner:
    """Fits recipes; what a job's fits share is made once."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self._job_id: str | None = None
        self._estimator: Any = None
        self._data: tuple[Any, Any] = (None, None)

    def prepare(self, task: Task, store_dir: str) -> None:
        """Make what the fits of a job share, unless it is there. Raises what `fit` raises."""
        if task.job_id == self._job_id:
            return
        recipe = task.code.recipe
        _add_import_paths(recipe)
        self._estimator = build(recipe)
        self._data = _tables.features_and_target(
            store_dir, task.dataset_id, list(recipe.features), recipe.target
        )
        self._job_id = task.job_id

    def fit(
        self, task: Task, fit: TaskFit, store_dir: str, train: NDArray[np.int64], test: NDArray[np.int64]
    ) -> tuple[MutableMapping[str, Any], Bill]:
        """Fit one candidate on ``train`` and score it on ``test``, both row numbers.

        Returns what scikit-learn's ``_fit_and_score`` returns, and who did its work. Raises
        ValueError for an entry point, a parameter, a scorer or a column that does not exist.
        """
        self.prepare(task, store_dir)
        recipe = task.code.recipe
        error_score = parse_error_score(recipe.error_score)
        parameters = resolve(json.loads(fit.candidate.params_json or "{}"))
        estimator = clone(self._estimator)
        # Outside of scikit-learn's error_score: a wrong name is the job's mistake, not a bad fit.
        clone(estimator).set_params(**clone(parameters, safe=False))
        X, y = self._data
        scorer = make_scorer(estimator, list(recipe.scoring), error_score)
        with self._sharing.fit(task, fit.sharers, store_dir, X, scorer, fit.family) as bill:
            result = _fit_and_score(
                estimator,
                X,
                y,
                scorer=scorer,
                train=train,
                test=test,
                verbose=0,
                parameters=parameters,
                fit_params={},
                score_params={},
                return_train_score=recipe.return_train_score,
                return_times=True,
                return_estimator=bool(task.predictions),
                error_score=error_score,
            )
        return result, bill

    @property
    def data(self) -> tuple[Any, Any]:
        """X and y of the last fit."""
        return self._data


def build(recipe: Recipe) -> Any:
    """Make the estimator of a recipe: one step alone, more as a Pipeline."""
    if not recipe.steps:
        raise ValueError("the recipe has no steps; name at least one estimator")
    made = [(step.name, _make_step(step)) for step in recipe.steps]
    return made[0][1] if len(made) == 1 else Pipeline(made)


def make_scorer(estimator: Any, scoring: list[str], error_score: float | str) -> Any:
    """Make the scorer: the estimator's own, one by name, or several by name."""
    names: Any = None if not scoring else scoring[0] if len(scoring) == 1 else scoring
    return check_scoring(estimator, names, raise_exc=error_score == "raise")


def parse_error_score(text: str) -> float | str:
    """Return a number or "raise"; nothing means NaN, as in scikit-learn."""
    if text.strip('"') == "raise":
        return "raise"
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise ValueError(f'error_score {text!r} is neither a number nor "raise"') from None


def resolve(value: Any) -> Any:
    """Replace every ``{"entry_point": "module:qualname"}`` in parsed JSON by what it names."""
    if isinstance(value, dict):
        if value.keys() == {"entry_point"}:
            return load_entry_point(value["entry_point"])
        return {key: resolve(item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item) for item in value]
    return value


def load_entry_point(name: str) -> Any:
    """Import ``module:qualname``. Raises ValueError that names the part that does not exist."""
    module_name, colon, qualname = name.partition(":")
    if not module_name or not colon or not qualname:
        raise ValueError(f"entry point {name!r} does not look like 'module:name', such as 'sklearn.svm:SVC'")
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"entry point {name!r}: there is no module {error.name!r} on this worker;"
            " install it, or name its folder in import_paths"
        ) from error
    for part in qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ValueError(f"entry point {name!r}: module {module_name!r} has no {qualname!r}") from None
    return found


def _make_step(step: Step) -> Any:
    factory = load_entry_point(step.entry_point)
    parameters = resolve(json.loads(step.params_json or "{}"))
    with contextlib.suppress(ValueError):  # some callables show no signature
        try:
            inspect.signature(factory).bind(**parameters)
        except TypeError as error:
            known = ", ".join(inspect.signature(factory).parameters)
            raise TypeError(f"{step.entry_point}: {error}; its parameters are: {known}") from None
    return factory(**parameters)


def _add_import_paths(recipe: Recipe) -> None:
    for path in map(Path, recipe.import_paths):
        if path.suffix != ".py":
            if os.fspath(path) not in sys.path:
                sys.path.insert(0, os.fspath(path))
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ValueError(f"import path {os.fspath(path)!r} is not a Python file that exists")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
