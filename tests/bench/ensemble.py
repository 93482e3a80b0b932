"""Ensembles of 200 candidates, predictions gathered in bounded memory, a policy that prunes, its calls."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import crossfold
import numpy as np
from crossfold._client import default_client
from crossfold._member_fits import MemberFit, MemberFits
from crossfold.ensemble import EnsembleSearchCV
from crossfold.model_selection import GridSearchCV
from crossfold.v1 import job_pb2
from e2e import ensemble_reference as reference
from e2e.cluster import REPOSITORY, PrivateCluster
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from bench.figures import CORES, OURS, Figure, ResultsDiffer, figure

REPEAT = 1
PEERS = ()
QUICK = "BENCH_QUICK" in os.environ
MOST_MB = 500.0
# A file of JSON lines with `review` and `rating`; without it there is no figure on texts.
REVIEWS = os.environ.get("BENCH_REVIEWS", "")
CV = StratifiedKFold(3, shuffle=True, random_state=0)

DEPTHS = list(range(4, 14))
DIGITS = [
    (KNeighborsClassifier(), {"n_neighbors": list(range(1, 21)), "weights": ["uniform", "distance"]}),
    (DecisionTreeClassifier(random_state=0), {"max_depth": DEPTHS, "min_samples_leaf": [1, 2, 4, 8]}),
    (GaussianNB(), {"var_smoothing": list(np.logspace(-9, -0.5, 40))}),
    (ExtraTreesClassifier(10, random_state=0), {"max_depth": DEPTHS, "max_features": [2, 4, 8, 16]}),
    (LogisticRegression(max_iter=60), {"C": list(np.logspace(-5, 0, 40))}),
]
TEXTS = [
    (LogisticRegression(max_iter=60), {"C": list(np.logspace(-2, 2, 50))}),
    (MultinomialNB(), {"alpha": list(np.logspace(-2, 1, 50))}),
    (ComplementNB(), {"alpha": list(np.logspace(-2, 1, 50))}),
    (BernoulliNB(), {"alpha": list(np.logspace(-2, 1, 50))}),
]

PRUNE = """
def prune(trial, history):
    best = max([h["score"] for h in history] + [trial["score"]])
    return trial["score"] < best - 0.03
"""


def run(_: Sequence[str], __: int) -> list[Figure]:
    """What issue and documentation promise of ensembles, as figures."""
    X, y = load_digits(return_X_y=True)
    with warnings.catch_warnings():
        # Few iterations keep the fits short; the candidates that need more are worse, and stay in.
        warnings.simplefilter("ignore", ConvergenceWarning)
        figures = [_greedy("digits", DIGITS, X, y)]
        if REVIEWS:
            figures.append(_greedy("reviews", TEXTS, *_reviews()))
    return [*figures, _gathered(), _pruned(X, y), *_policy_calls()]


def _policy_calls() -> list[Figure]:
    """What a call of a policy takes: in a new process, and in one that runs."""
    command = ["go", "test", "-run=^$", "-bench=Call$", "-count=5", "-benchtime=100x", "./bridge/policy"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    figures = []
    for name, most in (("First", 20.0), ("Warm", 0.5)):
        found = re.findall(rf"^Benchmark{name}Call\S*\s+\d+\s+(\S+) ns/op", done.stdout, re.MULTILINE)
        figures.append(
            figure(
                "ensemble",
                f"{name.lower()} call of a policy",
                "ms",
                {OURS: [float(nanoseconds) / 1e6 for nanoseconds in found]},
                f"<= {most:g} ms",
                lambda ours, _, most=most: ours <= most,
                note="5 means of 100 calls",
            )
        )
    return figures


def _greedy(name: str, candidates: Sequence[Any], X: Any, y: Any) -> Figure:
    """The held-out log loss of an ensemble and of its best single candidate, checked against numpy."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=0, stratify=y)
    search = EnsembleSearchCV(candidates, scoring="neg_log_loss", cv=CV).fit(X_train, y_train)
    library = reference.out_of_fold(candidates, X_train, y_train, CV)
    weights, score = reference.greedy(library, y_train, reference.neg_log_loss, rounds=50)
    members = np.flatnonzero(weights)
    if search.member_indices_ != members.tolist() or abs(search.ensemble_score_ - score) > 1e-12:
        raise ResultsDiffer(f"{name}: the ensemble scores {search.ensemble_score_!r}, in numpy {score!r}")
    np.testing.assert_allclose(search.weights_, weights[members], rtol=0, atol=1e-12)
    results = search.cv_results_
    best = results["estimator"][search.best_single_index_]
    best = best.set_params(**results["params"][search.best_single_index_]).fit(X_train, y_train)
    single = log_loss(y_test, best.predict_proba(X_test))
    return figure(
        "ensemble",
        f"{name}: held-out log loss, {len(library)} candidates",
        "nats",
        {OURS: [log_loss(y_test, search.predict_proba(X_test))], "best single": [single]},
        "below the best single",
        lambda ours, peers: ours < peers["best single"],
        note=f"{len(members)} members; weights and score equal numpy's to 1e-12",
        label="greedy, 50 rounds",
    )


def _reviews() -> tuple[Any, Any]:
    rows = [json.loads(line) for line in Path(REVIEWS).read_text(encoding="utf-8").splitlines()]
    texts = TfidfVectorizer(min_df=2).fit_transform([row["review"] for row in rows])
    return texts, np.array([int(row["rating"] > 0) for row in rows])


class Noise(ClassifierMixin, BaseEstimator):
    """Probabilities of ten classes out of a generator: work for the gathering, not for the fit."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Noise:
        self.classes_ = np.arange(10)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        drawn = np.random.default_rng(self.seed).random((len(X), 10))
        return drawn / drawn.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        return np.zeros(len(X), dtype=int)


def _gathered() -> Figure:
    """Peak memory of the daemon while it gathers and combines 200 × 100,000 × 10 probabilities."""
    candidates, rows = (10, 20_000) if QUICK else (200, 100_000)
    X, y = np.zeros((rows, 1)), np.arange(rows) % 10
    with PrivateCluster("300s", CORES) as cluster:
        previous = {name: os.environ[name] for name in cluster.settings if name in os.environ}
        os.environ.update(cluster.settings)
        try:
            crossfold.connect()
            request = job_pb2.EnsembleRequest(combine="greedy", metric="accuracy")
            request.greedy.rounds = 3
            splits = list(KFold(5).split(X))
            with MemberFits("gathering", X, y, get_scorer("accuracy"), ["predict_proba"]) as fits:
                grid = [{"seed": seed} for seed in range(candidates)]
                fits.run([MemberFit(Noise(), each, *split) for each in grid for split in splits])
                answer, combined = fits.combine(request)
            assert len(answer.candidates) == candidates and combined.values.shape == (rows, 10)
            peak = _peak_mb(cluster)
            default_client().close()
        finally:
            os.environ.update(previous)
            crossfold.connect()
    return figure(
        "ensemble",
        f"gathering {candidates} × {rows:,} × 10, peak RSS of the daemon",
        "MB",
        {OURS: [peak]},
        f"<= {MOST_MB:.0f} MB",
        lambda ours, _: ours <= MOST_MB,
        note="with the sidecar in it; 3 greedy rounds",
    )


def _peak_mb(cluster: PrivateCluster) -> float:
    status = Path(f"/proc/{cluster.daemon().pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024 / 1e6


def _pruned(X: Any, y: Any) -> Figure:
    """The fits of the search of 320 with a policy that prunes, and without."""
    size = 3 if QUICK else 8
    grid = {"C": np.logspace(-2, 3, size), "gamma": np.logspace(-6, -1, size)}
    full = GridSearchCV(SVC(), grid, cv=5, refit=False).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "rules.py")
        policy.write_text(PRUNE, encoding="utf-8")
        search = GridSearchCV(SVC(), grid, cv=5, refit=False, policy=policy).fit(X, y)
    scores = np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(5)])
    run = ~np.isnan(scores)
    whole = np.array([full.cv_results_[f"split{fold}_test_score"] for fold in range(5)])
    if not np.array_equal(scores[run], whole[run]) or search.best_index_ != full.best_index_:
        raise ResultsDiffer(
            f"the policy's best is candidate {search.best_index_}, in full {full.best_index_}"
        )
    return figure(
        "ensemble",
        f"fits of the {whole.size}-fit search with a policy",
        "fits",
        {OURS: [float(run.sum())], "in full": [float(whole.size)]},
        "fewer, same best candidate",
        lambda ours, peers: ours < peers["in full"],
        note=f"best candidate {search.best_index_} in both; {whole.size - run.sum()} fits saved",
        label="does less",
    )
