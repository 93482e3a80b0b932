"""What a search asks of a policy: the crossfold program runs it, as the coordinator does."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from crossfold import _binary
from crossfold._errors import PolicyError

# The program ends a call that takes longer than 2 s.
_CALL_SECONDS = 30.0


class PolicyFile:
    """A policy on disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.source = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise PolicyError(
                f"The policy {str(path)!r} can't be read: {error.strerror}. Check its path."
            ) from error
        self._call("check", str(self.path))

    def has(self, name: str) -> bool:
        """Whether the file defines a name at its top level."""
        starts = (f"def {name}(", f"{name} =", f"{name}=")
        return any(line.startswith(starts) for line in self.source.splitlines())

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function; ints and floats stay apart in both directions.

        Raises
        ------
        PolicyError
            The policy is refused, raised an exception or reached a limit; the message names the line.
        """
        return _from_json(self._call("call", str(self.path), function, json.dumps(_to_json(list(arguments)))))

    def _call(self, command: str, path: str, function: str = "", arguments: str = "") -> str:
        done = subprocess.run(
            [str(_binary.find()), "policy", command, path, *filter(None, [function])],
            input=arguments,
            capture_output=True,
            text=True,
            timeout=_CALL_SECONDS,
        )
        if done.returncode:
            words = (done.stdout + done.stderr).strip().splitlines()
            raise PolicyError("\n".join(words) or f"The policy {path} ended with status {done.returncode}.")
        return done.stdout


def param_grid(path: str | os.PathLike[str], n: int, seed: int) -> list[dict[str, list[Any]]]:
    """See `crossfold.policy.param_grid`."""
    file = PolicyFile(path)
    if not file.has("space"):
        grids = file.call("PARAM_GRID")
        return grids if isinstance(grids, list) else [grids]
    found = file.call("space", {"seed": seed, "n": n})
    for position, candidate in enumerate(found if isinstance(found, list) else [found]):
        if not isinstance(candidate, dict):
            raise PolicyError(
                f"space of {file.path} gave {candidate!r} as candidate {position}: yield dicts."
            )
        for name, value in candidate.items():
            if isinstance(value, float) and math.isnan(value):
                raise PolicyError(f"space of {file.path} gave NaN for {name!r} of candidate {position}.")
    if not found:
        raise PolicyError(f"space of {file.path} gave no candidates: yield at least one.")
    return [{name: [value] for name, value in candidate.items()} for candidate in found]


class Select:
    """A `refit` callable that asks a policy's `select(results)`.

    It keeps the results of the search, so that they outlive a policy that fails.
    """

    def __init__(self, file: PolicyFile, metric: str) -> None:
        self._file = file
        self._metric = metric
        self.results: dict[str, Any] | None = None

    def __call__(self, results: dict[str, Any]) -> int:
        self.results = results
        rows = _rows(results, self._metric)
        index = self._file.call("select", rows)
        if type(index) is not int or not 0 <= index < len(rows):
            raise PolicyError(
                f"select of {self._file.path} returned {index!r}: "
                f"want the position of one of {len(rows)} candidates, an int from 0 to {len(rows) - 1}."
            )
        return index


def _rows(results: dict[str, Any], metric: str) -> list[dict[str, Any]]:
    """The candidates of `cv_results_` as `select` sees them."""
    splits = [key for key in results if key.startswith("split") and key.endswith(f"_test_{metric}")]
    return [
        {
            "candidate": row,
            "params": {name: _plain(value) for name, value in params.items()},
            "mean": float(results[f"mean_test_{metric}"][row]),
            "std": float(results[f"std_test_{metric}"][row]),
            "scores": [float(results[split][row]) for split in splits],
            "fit_seconds": float(results["mean_fit_time"][row]),
        }
        for row, params in enumerate(results["params"])
    ]


def _plain(value: Any) -> Any:
    """What JSON can say of a parameter; else its repr."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        return {name: _to_json(item) for name, item in value.items()}
    return [_to_json(item) for item in value] if isinstance(value, list) else value


def _from_json(text: str) -> Any:
    def restore(found: dict[str, Any]) -> Any:
        return float(found["$float"]) if found.keys() == {"$float"} else found

    return json.loads(text, object_hook=restore)
