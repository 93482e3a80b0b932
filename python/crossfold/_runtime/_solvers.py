"""Solvers: linear models of one split that differ in their penalty help each other, within tolerance.

For `share_solver=True` only, because numbers may change in what a solver leaves open anyway. Ridge: one
factorisation of a split serves every alpha. Lasso, ElasticNet and LogisticRegression: a fit starts from
the solution of the nearest penalty that is there. Everything around it is scikit-learn's own fit, and
whatever can't be read or kept means that this fit is scikit-learn's alone.
"""

from __future__ import annotations

import contextlib
import functools
import math
import numbers
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.linear_model import _ridge

from crossfold import _families, _safe
from crossfold._runtime import _ways
from crossfold._runtime._families import Desk
from crossfold._runtime._parts import Made, Part, alone

_Call = Callable[..., Any]
_Params = dict[str, Any]

# Of the penalised normal equations; with a larger one their solution has less than about 8 right digits.
_MOST_CONDITION = 1e8


@dataclass(frozen=True, slots=True)
class Rule:
    """How fits of one class help each other."""

    size: str
    """The penalty: the parameter they differ in."""
    holds: Callable[[_Params], bool]
    free: frozenset[str] = frozenset()
    """Parameters that change nothing of what is shared."""
    starts: tuple[str, ...] = ()
    """The attributes that a warm start begins with; none for one that is factorised."""


def _ridge_holds(params: _Params) -> bool:
    return params["copy_X"] and not params["positive"] and params["solver"] in ("auto", "cholesky", "svd")


def _descent_holds(params: _Params) -> bool:
    return params["copy_X"] and not params["warm_start"] and params["selection"] == "cyclic"


def _logistic_holds(params: _Params) -> bool:
    exact = params["solver"] in ("lbfgs", "newton-cg", "newton-cholesky")
    drawn = params["solver"] in ("sag", "saga") and _safe.is_seeded(params)
    return (exact or drawn) and not params["warm_start"] and not params["verbose"]


_RIDGE = Rule("alpha", _ridge_holds, free=frozenset({"solver", "tol", "max_iter", "random_state"}))
_DESCENT = Rule("alpha", _descent_holds, starts=("coef_",))
_LOGISTIC = Rule("C", _logistic_holds, starts=("coef_", "intercept_"))

_RULES = {
    "sklearn.linear_model._coordinate_descent.ElasticNet": _DESCENT,
    "sklearn.linear_model._coordinate_descent.Lasso": _DESCENT,
    "sklearn.linear_model._logistic.LogisticRegression": _LOGISTIC,
    "sklearn.linear_model._ridge.Ridge": _RIDGE,
    "sklearn.linear_model._ridge.RidgeClassifier": _RIDGE,
}


class Solver:
    """The final estimator of one fit, and what others left for it."""

    def __init__(self, final: Any, rule: Rule, text: str, size: float, target: Any, desk: Desk) -> None:
        self.final = final
        self._rule = rule
        self._text = text
        self._size = size
        self._target = target
        self._desk = desk
        # The key of the ridge that is being fitted.
        self._key: str | None = None

    @classmethod
    def of(cls, estimator: Any, leading: list[Any], target: Any, desk: Desk) -> Solver | None:
        """The solver of the estimator that is about to be fitted; None for one that is not known."""
        _, final = _families.final_step(estimator, len(leading))
        try:
            known = None if final is None else _described(final)
        except Exception:  # also whatever a person's get_params or an odd parameter raises
            return None
        return None if known is None else cls(final, *known, target, desk)

    def watch(self, replace: Callable[[Any, str, _Call], None]) -> None:
        """Answer the calls that may be shared."""
        if self._rule.starts:
            replace(type(self.final), "fit", self._fit_warm)
        else:
            replace(type(self.final), "fit", self._fit_ridge)
            replace(_ridge, "_ridge_regression", self._solve)

    def _key_of(self, model: Any, X: Any, y: Any, params: _Params) -> str | None:
        """The name of what fits of this one's data share; None for a call that is not theirs."""
        known = self._desk.named(X)
        if model is not self.final or known is None or params or y is None or y is not self._target:
            return None
        return self._desk.digest("solver", known, self._text)

    # Ridge: scikit-learn's fit, in which only the system of equations is solved in another way.

    def _fit_ridge(self, original: _Call, model: Any, X: Any, y: Any = None, **params: Any) -> Any:
        self._key = self._key_of(model, X, y, params)
        try:
            return original(model, X, y, **params)
        finally:
            self._key = None

    def _solve(
        self, original: _Call, X: Any, y: Any, alpha: Any, sample_weight: Any = None, **how: Any
    ) -> Any:
        call = functools.partial(original, X, y, alpha=alpha, sample_weight=sample_weight, **how)
        asked = how.get("return_n_iter") and how.get("return_solver") and not how.get("return_intercept")
        if self._key is None or self._key in self._desk.cheap or not asked or not _is_plain(X, y):
            return call()
        try:
            weighted = functools.partial(_weighted, X, y, sample_weight)
            factors, taken = self._factors(self._key, weighted)
            coef = None if factors is None else factors.solve(self._size, lambda: weighted()[0])
        except Exception:  # a part that can't be read, or a matrix without a factorisation
            self._desk.cheap.add(self._key)
            coef, taken = None, None
        if coef is None:
            return call()
        if taken is not None:
            self._desk.bill.taken["fit"] += taken.seconds
            _ways.note("solver: factorisation taken over")
        solver = "cholesky" if how["solver"] == "auto" else how["solver"]
        return np.ravel(coef) if coef.shape[0] == 1 else coef, None, solver

    def _factors(
        self, key: str, weighted: Callable[[], tuple[Any, Any]]
    ) -> tuple[_Factors | None, Part | None]:
        """The factorisation of the split, made or that of a part; None where it is not worth a file."""
        file = self._desk.folder / f"{key}.part"
        part = self._desk.parts.find(file)
        if part is None and self._desk.hasty:
            return None, None
        if part is None:
            with alone(file) as waited:
                self._desk.bill.waited["fit"] += waited
                part = self._desk.parts.find(file)
                if part is None:
                    return self._factorise(file, *weighted()), None
        return _Factors(*part.value()), part

    def _factorise(self, file: Path, X: Any, y: Any) -> _Factors | None:
        began = time.perf_counter()
        factors = _Factors.of(X, y)
        seconds = time.perf_counter() - began
        if self._desk.worth(seconds, factors.vectors.nbytes):
            # Nobody knows how many alphas there will be: it counts for the fit that makes it.
            value = (factors.vectors, factors.values, factors.image, factors.is_dual)
            self._desk.parts.publish(file, Made(value, {}, [], seconds, seconds))
        if self._desk.parts.find(file) is None:
            self._desk.cheap.add(file.stem)
            return None
        self._desk.bill.given["fit"] += seconds
        self._desk.bill.share["fit"] += seconds
        _ways.note("solver: factorisation for all")
        return factors

    # Warm starts: scikit-learn's fit from another fit's solution.

    def _fit_warm(self, original: _Call, model: Any, X: Any, y: Any = None, **params: Any) -> Any:
        call = functools.partial(original, model, X, y, **params)
        key = self._key_of(model, X, y, params)
        if key is None:
            return call()
        began = time.perf_counter()
        start = self._nearest(key)
        if start is None or not self._from(start, call):
            call()
        self._leave(key, model, time.perf_counter() - began)
        return model

    def _nearest(self, key: str) -> tuple[float, list[Any]] | None:
        """The penalty that is nearest among those that are solved, and its solution."""
        try:
            solved = self._desk.folder.glob(f"{key}-*.part")
            sizes = [float.fromhex(file.stem[len(key) + 1 :]) for file in solved]
            size = min(sizes, key=lambda size: (abs(math.log(size / self._size)), size), default=None)
            part = None if size is None else self._desk.parts.find(self._file(key, size))
            # The arrays are the caller's own: the model will keep them.
            return None if size is None or part is None else (size, [np.array(it) for it in part.value()])
        except Exception:  # cut off, or evicted while it was read: a cold start
            return None

    def _from(self, start: tuple[float, list[Any]], call: _Call) -> bool:
        """Fit from a solution. Where that fails, the model is as it was before."""
        size, solution = start
        model, before = self.final, dict(vars(self.final))
        vars(model).update(zip(self._rule.starts, solution, strict=True), warm_start=True)
        try:
            call()
        except Exception:  # without the start it fails, too, or it doesn't
            vars(model).clear()
            vars(model).update(before)
            return False
        model.warm_start = before["warm_start"]
        _ways.note(f"solver: warm start from {self._rule.size}={size!r}")
        return True

    def _leave(self, key: str, model: Any, seconds: float) -> None:
        file = self._file(key, self._size)
        solution = [np.array(getattr(model, name)) for name in self._rule.starts]
        if not self._desk.worth(seconds, sum(values.nbytes for values in solution)):
            return
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not file.exists():
                self._desk.parts.publish(file, Made(solution, {}, [], seconds, seconds))

    def _file(self, key: str, size: float) -> Path:
        """Where a solution is: its name says whose, and of which penalty."""
        return self._desk.folder / f"{key}-{size.hex()}.part"


@dataclass(frozen=True, slots=True)
class _Factors:
    """The eigenvectors of X'X or, of wide data, of XX', and what they make of y."""

    vectors: NDArray[np.float64]
    values: NDArray[np.float64]
    image: NDArray[np.float64]
    is_dual: bool

    @classmethod
    def of(cls, X: Any, y: Any) -> _Factors:
        is_dual = X.shape[1] > X.shape[0]
        values, vectors = np.linalg.eigh(X @ X.T if is_dual else X.T @ X)
        image = vectors.T @ (y if is_dual else X.T @ y)
        return cls(vectors, np.maximum(values, 0.0), image, is_dual)

    def solve(self, alpha: float, rows: Callable[[], Any]) -> NDArray[np.float64] | None:
        """The coefficients, (targets, features); None where they would be less exact than asked for."""
        least, most = self.values.min() + alpha, self.values.max() + alpha
        if not 0 < most <= least * _MOST_CONDITION:
            return None
        solution = self.vectors @ (self.image / (self.values + alpha)[:, None])
        coef: NDArray[np.float64] = (rows().T @ solution if self.is_dual else solution).T
        return coef if np.isfinite(coef).all() else None


def _described(final: Any) -> tuple[Rule, str, float] | None:
    """The rule of an unfitted estimator, a text equal for those that help each other, and its penalty."""
    name = _safe.name_of(type(final))
    rule = _RULES.get(name)
    if rule is None or vars(final).keys() - _families.unfitted(final):
        return None
    params = final.get_params(deep=False)
    size = params.pop(rule.size)
    real = isinstance(size, numbers.Real) and not isinstance(size, bool) and math.isfinite(size)
    if not real or not (size > 0 or (size == 0 and not rule.starts)) or not rule.holds(params):
        return None
    text = _safe.describe_value({key: value for key, value in params.items() if key not in rule.free})
    return None if text is None else (rule, f"{name}({text})", float(size))


def _is_plain(X: Any, y: Any) -> bool:
    """Whether X and y are dense and of full precision."""
    return not scipy.sparse.issparse(X) and all(
        type(values) is np.ndarray and values.dtype == np.float64 for values in (X, y)
    )


def _weighted(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
    """X and a y of two dimensions, each row by the root of its weight, as scikit-learn does it."""
    y = y.reshape(-1, 1) if y.ndim == 1 else y
    if sample_weight is None or (sample_weight == 1).all():
        return X, y
    root = np.sqrt(sample_weight)[:, None]
    return X * root, y * root
