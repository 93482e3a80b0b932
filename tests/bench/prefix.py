"""Reviews: TF-IDF of word pairs in two settings, 24 ridge penalties each, 5 folds."""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import crossfold
import crossfold.model_selection
import numpy as np
import sklearn.model_selection
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.pipeline import Pipeline

from bench.figures import CORES, Figure, ResultsDiffer, interleaved, medians

REPEAT = 3
FOLDS = 5
PREFIXES = {"text__sublinear_tf": [False, True]}
MODELS = {"model__alpha": np.logspace(-2, 3, 24)}
REVIEWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "reviews.jsonl"
LIMIT = "distinct work"


def reviews() -> tuple[list[str], np.ndarray]:
    """Sentences of product reviews and whether they please; made-up ones where there are none."""
    if REVIEWS.exists():
        rows = [json.loads(line) for line in REVIEWS.read_text().splitlines()]
        return [row["review"] for row in rows], np.array([row["rating"] > 0 for row in rows], int)
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(6000)]
    texts = [" ".join(words[int(draw.paretovariate(0.6)) % 6000] for _ in range(22)) for _ in range(3700)]
    return texts, np.array([words[1] in text for text in texts], int)


def pipeline(memory: str | None = None) -> Pipeline:
    return Pipeline(
        [("text", TfidfVectorizer(ngram_range=(1, 2))), ("model", RidgeClassifier())], memory=memory
    )


def distinct_work(texts: list[str], labels: np.ndarray, cv: StratifiedKFold) -> float:
    """Seconds of CPU to fit every distinct prefix and every model once, one after the other."""
    began = time.process_time()
    data = np.array(texts, object)
    for train, test in cv.split(texts, labels):
        for setting in ParameterGrid(PREFIXES):
            prefix = clone(pipeline()).set_params(**setting)["text"]
            fitted, unseen = prefix.fit_transform(data[train]), prefix.transform(data[test])
            for alpha in MODELS["model__alpha"]:
                RidgeClassifier(alpha=alpha).fit(fitted, labels[train]).score(unseen, labels[test])
    return time.process_time() - began


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with all sides warm. Every repetition has folds of its own: nothing is left over."""
    texts, labels = reviews()
    searches: dict[str, Any] = {}
    rounds = {name: 0 for name in ["crossfold", *peers, "memory", LIMIT]}

    def measure(name: str) -> float:
        rounds[name] += 1
        cv = StratifiedKFold(FOLDS, shuffle=True, random_state=rounds[name])
        if name == LIMIT:
            return distinct_work(texts, labels, cv) / CORES
        folder = tempfile.mkdtemp(prefix="cf-memory-") if name == "memory" else None
        estimator, grid = pipeline(folder), {**PREFIXES, **MODELS}
        if name == "crossfold":
            search = crossfold.model_selection.GridSearchCV(estimator, grid, cv=cv, refit=False)
        else:
            search = sklearn.model_selection.GridSearchCV(estimator, grid, cv=cv, refit=False, n_jobs=CORES)
        searches[name] = search
        began = time.perf_counter()
        search.fit(texts, labels)
        seconds = time.perf_counter() - began
        if folder is not None:
            shutil.rmtree(folder)
        return seconds

    sides: dict[str, Callable[[], float]] = {name: lambda name=name: measure(name) for name in rounds}
    if "loky" not in peers:
        del sides["memory"]
    _warm_up(texts[:200], labels[:200], peers)
    measured = interleaved(sides, repeat)
    for name in sides.keys() - {"crossfold", LIMIT}:
        _check(searches["crossfold"].cv_results_, searches[name].cv_results_, name)

    seconds = medians(measured)
    ours, limit = seconds.pop("crossfold"), seconds.pop(LIMIT)
    print(f"prefix: {_counts(searches['crossfold'])}; the limit is {limit:.2f} s", file=sys.stderr)
    return [
        Figure(
            case="prefix",
            what=f"{2 * 24 * FOLDS} fits on 2 prefixes",
            unit="s",
            ours=ours,
            spread=(min(measured["crossfold"]), max(measured["crossfold"])),
            peers=seconds,
            ratio=seconds[peers[0]] / ours if peers else None,
            goal=f"<= 1.3 x distinct work / {CORES} cores",
            met=ours <= 1.3 * limit,
            note=f"shared work; {ours / limit:.2f} x the limit of {limit:.2f} s",
        )
    ]


def _warm_up(texts: list[str], labels: np.ndarray, peers: Sequence[str]) -> None:
    crossfold.model_selection.cross_val_score(pipeline(), texts, labels, cv=4)
    if peers:
        sklearn.model_selection.cross_val_score(pipeline(), texts, labels, cv=4, n_jobs=CORES)


def _check(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    for key in theirs:
        if "_test_" in key and ours[key].tobytes() != theirs[key].tobytes():
            raise ResultsDiffer(f"{key} of crossfold is not that of {name}")


def _counts(search: Any) -> str:
    """How often each stage was fitted: who fits a prefix itself takes nothing over."""
    history = crossfold.report(search).history
    prefixes = int((history["shared_seconds"] == 0).sum())
    return f"prefixes fitted {prefixes} times ({2 * FOLDS} distinct ones), models {len(history)} times"
