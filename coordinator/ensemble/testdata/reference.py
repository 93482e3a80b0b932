"""Answers the tests' questions with scikit-learn, numpy and scipy: one JSON request per line."""

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression

Request = dict[str, Any]
Array = NDArray[np.float64]


class Fixed(ClassifierMixin, BaseEstimator):
    """A classifier or regressor that predicts what it was given."""

    def __init__(self, output: Array | None = None, classes: int = 0) -> None:
        self.output = output
        self.classes = classes

    def fit(self, X: Array, y: Array) -> "Fixed":
        self.classes_ = np.arange(self.classes)
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X: Array) -> Array:
        assert self.output is not None
        return np.asarray(self.output)

    def predict(self, X: Array) -> Array:
        assert self.output is not None
        output = np.asarray(self.output)
        return output.argmax(axis=1) if self.classes else output.ravel()


def labels_of(values: Array, kind: str) -> NDArray[np.int64]:
    if kind == "labels":
        return values[:, 0].astype(np.int64)
    if values.shape[1] == 1:
        return (values[:, 0] > 0).astype(np.int64)
    return values.argmax(axis=1)


def score(request: Request, values: Array) -> float:
    """scikit-learn's scorer of that name; losses are negated."""
    name, kind = request["metric"], request.get("kind", "probabilities")
    weights = request.get("weights")
    weights = None if weights is None else np.asarray(weights)
    count = request.get("classes", 0)
    if count == 0:
        truth = np.asarray(request["truth"]).reshape(values.shape)
        value_metrics: dict[str, Callable[..., Any]] = {
            "neg_mean_squared_error": metrics.mean_squared_error,
            "neg_mean_absolute_error": metrics.mean_absolute_error,
            "r2": metrics.r2_score,
        }
        extra = {}
        if name == "pinball":
            function, extra = metrics.mean_pinball_loss, {"alpha": request["alpha"]}
        else:
            function = value_metrics[name]
        value = function(truth, values, sample_weight=weights, **extra)
        return float(value) if name == "r2" else -float(value)
    truth = np.asarray(request["truth"])
    if name == "neg_log_loss":
        return -float(metrics.log_loss(truth, values, sample_weight=weights, labels=range(count)))
    if name.startswith("roc_auc"):
        if count == 2:
            return float(metrics.roc_auc_score(truth, values[:, -1], sample_weight=weights))
        return float(
            metrics.roc_auc_score(
                truth,
                values,
                multi_class=name.split("_")[2],
                average="weighted" if name.endswith("weighted") else "macro",
                labels=list(range(count)),
                sample_weight=weights,
            )
        )
    predicted = labels_of(values, kind)
    if name == "accuracy":
        return float(metrics.accuracy_score(truth, predicted, sample_weight=weights))
    if name == "balanced_accuracy":
        return float(metrics.balanced_accuracy_score(truth, predicted, sample_weight=weights))
    average = name.partition("_")[2] or "binary"
    return float(metrics.f1_score(truth, predicted, average=average, sample_weight=weights))


def answer_score(request: Request) -> Any:
    values = np.asarray(request["values"], dtype=float).reshape(-1, request["outputs"])
    try:
        value = score(request, values)
    except (ValueError, ZeroDivisionError):
        return "error"
    return value if np.isfinite(value) else "nan"


def members_of(request: Request) -> list[Array]:
    return [np.asarray(m, dtype=float).reshape(-1, request["outputs"]) for m in request["members"]]


def answer_vote(request: Request) -> Any:
    members = members_of(request)
    rows, classes = len(members[0]), request["outputs"]
    X, y = np.zeros((rows, 1)), np.arange(rows) % classes
    named = [(str(i), Fixed(m, classes)) for i, m in enumerate(members)]
    soft = VotingClassifier(named, voting="soft", weights=request["weights"]).fit(X, y)
    hard = VotingClassifier(named, voting="hard", weights=request["weights"]).fit(X, y)
    return {
        "mean": soft.predict_proba(X).ravel().tolist(),
        "soft": soft.predict(X).tolist(),
        "hard": hard.predict(X).tolist(),
    }


def answer_regress(request: Request) -> Any:
    members = members_of(request)
    X, y = np.zeros((len(members[0]), 1)), np.zeros(len(members[0]))
    named = [(str(i), FixedRegressor(m)) for i, m in enumerate(members)]
    return VotingRegressor(named, weights=request["weights"]).fit(X, y).predict(X).tolist()


class FixedRegressor(Fixed):
    """A regressor that predicts what it was given."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        return tags


def answer_stack(request: Request) -> Any:
    members = members_of(request)
    rows, classes = len(members[0]), request["outputs"]
    X, y = np.zeros((rows, 1)), np.arange(rows) % classes
    named = [(str(i), Fixed(m, classes).fit(X, y)) for i, m in enumerate(members)]
    meta = LogisticRegression(max_iter=1)
    stacker = StackingClassifier(named, meta, cv="prefit", stack_method="predict_proba")
    return stacker.fit(X, y).transform(X).T.tolist()


def answer_rank(request: Request) -> Any:
    members = members_of(request)
    rows = len(members[0])
    ranks = [(stats.rankdata(m, axis=0) - (rows + 1) / 2) / rows for m in members]
    return np.average(ranks, axis=0, weights=request["weights"]).ravel().tolist()


def answer_greedy(request: Request) -> Any:
    """Forward selection with replacement, as plainly as it can be written."""
    members = members_of(request)
    singles = [score(request, m) for m in members]
    bags = []
    for candidates in request["bags"]:
        order = sorted(candidates, key=lambda i: -singles[i])[: request["initial"]]
        picks: list[int] = []
        scores: list[float] = []
        total = np.zeros_like(members[0])
        for n in range(len(order)):
            total = total + members[order[n]]
            scores.append(score(request, total / (n + 1)))
        if order:
            picks = order[: int(np.argmax(scores)) + 1]
            scores = scores[: len(picks)]
        while len(picks) < request["rounds"]:
            total = np.zeros_like(members[0])
            for pick in picks:
                total = total + members[pick]
            trials = [score(request, (total + members[i]) / (len(picks) + 1)) for i in candidates]
            best = int(np.argmax(trials))
            picks.append(candidates[best])
            scores.append(trials[best])
        bags.append({"picks": picks[: int(np.argmax(scores)) + 1], "scores": scores})
    weights = np.mean(
        [np.bincount(b["picks"], minlength=len(members)) / len(b["picks"]) for b in bags], axis=0
    )
    ensemble = np.average(members, axis=0, weights=weights)
    return {"singles": singles, "bags": bags, "weights": weights.tolist(), "score": score(request, ensemble)}


def answer_blend(request: Request) -> Any:
    root = np.sqrt(np.repeat(np.asarray(request["weights"]), request["outputs"]))
    design = np.stack([m.ravel() for m in members_of(request)], axis=1) * root[:, None]
    weights, _ = optimize.nnls(design, np.asarray(request["truth"]) * root)
    return (weights / weights.sum()).tolist()


def answer_stability(request: Request) -> Any:
    scores = np.asarray(request["scores"])
    statistic, p = stats.friedmanchisquare(*scores)
    ranks = stats.rankdata(-scores, axis=0)
    w = statistic / (scores.shape[1] * (scores.shape[0] - 1))
    return {"w": w, "p": p, "ranks": ranks.mean(axis=1).tolist()}


def answer_paired(request: Request) -> Any:
    difference = np.asarray(request["a"]) - np.asarray(request["b"])
    factor = 1 / len(difference) + request["test"] / request["train"]
    t = difference.mean() / np.sqrt(factor * difference.var(ddof=1))
    return {"t": t, "p": 2 * stats.t.sf(abs(t), len(difference) - 1)}


def answer_tails(request: Request) -> Any:
    return {
        "student": [float(stats.t.sf(x, df)) for x, df in request["points"]],
        "chi": [float(stats.chi2.sf(abs(x), df)) for x, df in request["points"]],
    }


def answer_percentile(request: Request) -> Any:
    return float(np.percentile(request["values"], request["q"]))


def answer_sum(request: Request) -> Any:
    values = np.asarray(request["values"])
    return {"all": float(values.sum()), "columns": values.reshape(-1, request["width"]).sum(axis=0).tolist()}


def main() -> None:
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        request = json.loads(line)
        answer = globals()["answer_" + request["ask"]](request)
        print(json.dumps(answer), flush=True)


main()
