"""What the examples print: leaderboards, and the comparison with scikit-learn in one process."""

from __future__ import annotations

from typing import Any

import numpy as np


def heading(text: str) -> None:
    """Print a title above a section."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def leaderboard(search: Any, rows: int = 10) -> None:
    """Print the best candidates of a fitted search, best first."""
    results = search.cv_results_
    print("rank  mean score      std   fit [s]  parameters")
    for i in np.argsort(results["rank_test_score"], kind="stable")[:rows]:
        print(
            f"{results['rank_test_score'][i]:>4}  {results['mean_test_score'][i]:>10.4f}"
            f"  {results['std_test_score'][i]:>7.4f}  {results['mean_fit_time'][i]:>8.3f}"
            f"  {_setting(results['params'][i])}"
        )


def compare(ours: Any, theirs: Any, X: Any, our_seconds: float, their_seconds: float) -> bool:
    """Print whether two fitted searches are equal to the bit, times aside, and the ratio of the times."""
    identical = (
        same_results(ours.cv_results_, theirs.cv_results_)
        and ours.best_index_ == theirs.best_index_
        and np.array_equal(ours.predict(X), theirs.predict(X))
    )
    print(f"crossfold {our_seconds:.1f} s, scikit-learn in one process {their_seconds:.1f} s")
    print(f"identical: {'yes' if identical else 'no'}   ratio of times: {their_seconds / our_seconds:.2f}")
    return identical


def same_results(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two ``cv_results_`` hold the same keys and, times aside, the same bits."""
    scores = [key for key in theirs if not key.endswith("_time") and not key.startswith("param")]
    return (
        list(ours) == list(theirs)
        and ours["params"] == theirs["params"]
        and all(ours[key].tobytes() == theirs[key].tobytes() for key in scores)
    )


def _setting(params: dict[str, Any]) -> str:
    flat = {}
    for name, value in params.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return "  ".join(f"{name}={_short(value)}" for name, value in flat.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
