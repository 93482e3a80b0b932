"""How far scores hang on the seed, on the order of the rows and on noise, as one job."""

from __future__ import annotations

import crossfold._early  # noqa: F401 # isort: skip - before scikit-learn, whose import takes long

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from crossfold._member_fits import MemberFit, MemberFits

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Robustness:
    """What `crossfold.robustness` found.

    Attributes
    ----------
    scores
        For "plain", "seed", "order" and each ("noise", level): the test scores,
        (candidates, repeats, splits).
    spread
        For each of those: the mean over the splits of every repeat, (candidates, repeats).
    train_rows, test_rows
        The mean sizes of the splits.
    """

    names: list[str]
    scores: Mapping[Any, Scores]
    train_rows: float
    test_rows: float

    @property
    def spread(self) -> dict[Any, Scores]:
        """The mean score of every repeat, (candidates, repeats), by kind of repeat."""
        return {kind: values.mean(axis=2) for kind, values in self.scores.items()}

    def std(self, kind: Any) -> Scores:
        """The sample standard deviation of each candidate's repeats, (candidates,); 0 for one repeat."""
        means = self.spread[kind]
        return means.std(axis=1, ddof=1) if means.shape[1] > 1 else np.zeros(len(means))

    def rank_stability(self, kind: Any) -> float:
        """Kendall's W of the candidates' ranks over the repeats: 1 when all repeats rank alike, 0 for chance.

        Raises
        ------
        ValueError
            There are fewer than two candidates or repeats, or every repeat scores all candidates alike.
        """
        means = self.spread[kind]
        n, repeats = means.shape
        if n < 2 or repeats < 2:
            raise ValueError(f"{n} candidates and {repeats} repeats: a stability of ranks needs two of each")
        ranks = stats.rankdata(-means, axis=0)
        ties = sum((counts**3 - counts).sum() for counts in _tie_counts(ranks))
        most = (repeats**2 * (n**3 - n) - repeats * ties) / 12
        if most == 0:
            raise ValueError(f"in every repeat all {n} candidates score alike: they have no ranks")
        sums = ranks.sum(axis=1)
        return float(((sums - repeats * (n + 1) / 2) ** 2).sum() / most)

    def compare(self, first: int, second: int, kind: Any = "plain") -> tuple[float, float]:
        """The mean difference of two candidates and its two-sided p-value.

        A paired t-test over splits and repeats, its variance corrected for the rows that train sets share
        (Nadeau and Bengio 2003). Equal scores everywhere give p = 1.
        """
        differences = (self.scores[kind][first] - self.scores[kind][second]).reshape(-1)
        n = len(differences)
        mean, variance = differences.mean(), differences.var(ddof=1)
        # Equal differences of accuracies are rarely equal to the last bit.
        rounding = 1e-12 * np.abs(self.scores[kind][[first, second]]).max()
        if np.sqrt(variance) <= rounding:
            # Without spread all that is known is the sign.
            return float(mean), 1.0 if abs(mean) <= rounding else 0.5 ** (n - 1)
        t = mean / np.sqrt((1 / n + self.test_rows / self.train_rows) * variance)
        return float(mean), float(2 * stats.t.sf(abs(t), n - 1))

    def __str__(self) -> str:
        lines = [
            f"{'candidate':40} {'mean':>9} " + " ".join(f"{'std ' + _name(kind):>15}" for kind in self.scores)
        ]
        plain = self.spread["plain"].mean(axis=1)
        deviations = {kind: self.std(kind) for kind in self.scores}
        for row, name in enumerate(self.names):
            figures = " ".join(f"{values[row]:15.5f}" for values in deviations.values())
            lines.append(f"{name[:40]:40} {plain[row]:9.5f} {figures}")
        return "\n".join(lines)


def robustness(
    estimators: Any,
    X: Any,
    y: Any,
    seeds: int,
    orders: int,
    noise: Sequence[float],
    repeats: int,
    cv: Any,
    scoring: Any,
) -> Robustness:
    """See `crossfold.robustness`."""
    candidates = list(estimators) if isinstance(estimators, (list, tuple)) else [estimators]
    if not candidates:
        raise ValueError("there are no estimators: give at least one")
    X, y = indexable(X, y)
    splits = [
        (np.asarray(train), np.asarray(test))
        for train, test in check_cv(cv, y, classifier=is_classifier(candidates[0])).split(X, y)
    ]
    kinds = _variants(seeds, orders, noise, repeats)
    fits = [
        fit
        for estimator, variants in itertools.product(candidates, kinds.values())
        for variant in variants
        for fit in _fits(estimator, variant, splits)
    ]
    with MemberFits("robustness", X, y, check_scoring(candidates[0], scoring)) as job:
        returned = iter(job.run(fits))
    scores: dict[Any, list[Any]] = {kind: [] for kind in kinds}
    for kind in (kind for _ in candidates for kind in kinds):
        scores[kind].append([[next(returned)["test_scores"] for _ in splits] for _ in kinds[kind]])
    return Robustness(
        names=[str(estimator) for estimator in candidates],
        scores={kind: np.array(values, dtype=float) for kind, values in scores.items()},
        train_rows=float(np.mean([len(train) for train, _ in splits])),
        test_rows=float(np.mean([len(test) for _, test in splits])),
    )


Variant = tuple[str, int, float]


def _variants(seeds: int, orders: int, noise: Sequence[float], repeats: int) -> dict[Any, list[Variant]]:
    """The repeats of each kind; a kind without repeats is left out."""
    for name, count in (("seeds", seeds), ("orders", orders), ("repeats", repeats)):
        if not isinstance(count, (int, np.integer)) or count < 0:
            raise ValueError(f"{name} is {count!r}: give an int of at least 0")
    variants: dict[Any, list[Variant]] = {"plain": [("plain", 0, 0.0)]}
    if seeds:
        variants["seed"] = [("seed", seed, 0.0) for seed in range(seeds)]
    if orders:
        variants["order"] = [("order", order, 0.0) for order in range(orders)]
    for level in noise:
        if not np.isfinite(level) or level < 0:
            raise ValueError(f"noise has {level!r}: levels are parts of a column's spread, of at least 0")
        variants["noise", level] = [("noise", repeat, float(level)) for repeat in range(max(repeats, 1))]
    return variants


def _fits(
    estimator: Any, variant: Variant, splits: Sequence[tuple[NDArray[Any], NDArray[Any]]]
) -> list[MemberFit]:
    kind, seed, level = variant
    parameters: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if kind == "seed":
        names = [name for name in estimator.get_params() if name.split("__")[-1] == "random_state"]
        parameters = dict.fromkeys(names, seed)
    if kind == "noise":
        options = {"noise": (level, seed)}
    if kind == "order":
        shuffled = np.random.default_rng(seed)
        splits = [(shuffled.permutation(train), test) for train, test in splits]
    return [MemberFit(estimator, parameters, train, test, options) for train, test in splits]


def _tie_counts(ranks: Scores) -> list[Scores]:
    return [np.unique(column, return_counts=True)[1].astype(float) for column in ranks.T]


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else f"{kind[0]} {kind[1]:g}"
