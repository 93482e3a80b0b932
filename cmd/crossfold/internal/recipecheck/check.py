"""Checks a job file's estimator, parameters and scorers before anything is fitted.

Standard input: one JSON object with `steps`, `scoring`, `import_paths` (as in the Recipe message),
`candidates`, a list of parameter mappings, and `predictions`, names of methods. Standard output: `{}`
when all is known, else `key` (the job file's key at fault) and `message`.
"""

import difflib
import importlib
import inspect
import json
import os
import sys
from collections.abc import Iterable
from typing import Any


class ProblemError(Exception):
    """What is wrong, and under which key of the job file."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


def near(name: str, known: Iterable[str]) -> str:
    """Advice that follows an unknown name."""
    names = sorted(n for n in known if not n.startswith("_"))
    match = difflib.get_close_matches(name, names, n=1)
    if match:
        return f'did you mean "{match[0]}"?'
    if len(names) > 30:
        return "check its spelling"
    return f"known are {', '.join(names)}" if names else "it takes none"


def load(entry_point: str, key: str) -> Any:
    """The object that `module:qualname` names."""
    module_name, _, qualname = entry_point.partition(":")
    try:
        found = importlib.import_module(module_name)
    except Exception as error:
        raise ProblemError(
            key,
            f'module "{module_name}" can\'t be imported ({one_line(error)}); '
            f"install it for {sys.executable} or correct the name",
        ) from error
    for name in qualname.split("."):
        if not hasattr(found, name):
            raise ProblemError(key, f'"{module_name}" has no "{name}"; {near(name, dir(found))}')
        found = getattr(found, name)
    return found


def resolve(value: Any, key: str) -> Any:
    """`value` with every {"entry_point": …} replaced by the object it names."""
    if isinstance(value, dict):
        if value.keys() == {"entry_point"}:
            return load(value["entry_point"], key)
        return {name: resolve(item, key) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, key) for item in value]
    return value


def build(step: dict[str, str], key: str) -> Any:
    """The estimator of one step."""
    factory = load(step["entry_point"], key)
    if not callable(factory):
        raise ProblemError(
            key, f'"{step["entry_point"]}" is a {type(factory).__name__}, not an estimator class'
        )
    params = resolve(json.loads(step["params"]), key)
    accepted = inspect.signature(factory).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        for name in params:
            if name not in accepted:
                raise ProblemError(
                    key, f'{factory.__name__} has no parameter "{name}"; {near(name, accepted)}'
                )
    try:
        estimator = factory(**params)
    except Exception as error:
        raise ProblemError(
            key, f"{factory.__name__} can't be made: {type(error).__name__}: {one_line(error)}"
        ) from error
    if not hasattr(estimator, "get_params"):
        raise ProblemError(key, f"{factory.__name__} is not a scikit-learn estimator: it has no get_params")
    return estimator


def assemble(steps: list[dict[str, str]]) -> Any:
    """One step is the estimator itself, more are a Pipeline."""
    if len(steps) == 1:
        return build(steps[0], "estimator")
    from sklearn.pipeline import Pipeline

    return Pipeline([(step["name"], build(step, "pipeline")) for step in steps])


def check_candidates(estimator: Any, candidates: list[dict[str, Any]]) -> None:
    """Every parameter of every candidate must be one that set_params takes."""
    from sklearn.base import clone

    known = estimator.get_params(deep=True)
    seen: set[str] = set()
    for candidate in candidates:
        unknown = [name for name in candidate if name not in known and name not in seen]
        seen.update(candidate)
        for name in unknown:
            key = f"param_grid.{name}"
            step, nested, _ = name.partition("__")
            if not nested or step not in candidate:
                raise ProblemError(key, f'{label(estimator)} has no parameter "{name}"; {near(name, known)}')
            # The candidate replaces the step that this parameter belongs to.
            try:
                clone(estimator).set_params(**resolve(candidate, key))
            except Exception as error:
                raise ProblemError(key, f"{type(error).__name__}: {one_line(error)}") from error


def check_scoring(estimator: Any, scoring: list[str]) -> None:
    """Every scorer must have a name that scikit-learn knows."""
    from sklearn.metrics import get_scorer_names

    known = get_scorer_names()
    for name in scoring:
        if name not in known:
            raise ProblemError("scoring", f'there is no scorer "{name}"; {near(name, known)}')
    if not scoring and not hasattr(estimator, "score"):
        raise ProblemError(
            "estimator", f"{label(estimator)} has no score method; name a scorer under scoring"
        )


def check_predictions(estimator: Any, predictions: list[str], candidates: list[dict[str, Any]]) -> None:
    """An estimator that no candidate changes must have what its fits are to predict by."""
    missing = [method for method in predictions if not hasattr(estimator, method)]
    if missing and not any(candidates):
        raise ProblemError(
            "estimator", f"{label(estimator)} has no {missing[0]}, which is to be predicted by"
        )


def label(estimator: Any) -> str:
    """What the job file calls it: a pipeline, or the class."""
    name = type(estimator).__name__
    return "the pipeline" if name == "Pipeline" else name


def one_line(error: Exception) -> str:
    """An exception's text for a message of one line."""
    return " ".join(str(error).split())


def check(job: dict[str, Any]) -> dict[str, str]:
    """The answer for standard output."""
    for path in job["import_paths"]:
        sys.path.insert(0, path)
    try:
        load("sklearn:__version__", "estimator")
        estimator = assemble(job["steps"])
        check_candidates(estimator, job["candidates"])
        check_scoring(estimator, job["scoring"])
        check_predictions(estimator, job["predictions"], job["candidates"])
    except ProblemError as problem:
        return {"key": problem.key, "message": problem.message}
    return {}


def main() -> None:
    """Whatever imported code prints goes to standard error, so that the answer stays alone."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with answer:
        json.dump(check(json.load(sys.stdin)), answer)


if __name__ == "__main__":
    main()
