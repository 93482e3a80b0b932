"""The models of a search, kept on disk as its fits end."""

from __future__ import annotations

import json
import math
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from crossfold._errors import CrossfoldError


class Models:
    """Writes a model per fit into a folder, and an index of them.

    Raises
    ------
    CrossfoldError
        The folder can't be made, or holds something.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._index: list[dict[str, Any]] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            is_empty = next(self.folder.iterdir(), None) is None
        except OSError as error:
            raise CrossfoldError(
                f"keep_models={str(folder)!r} can't be used: {error.strerror}. Name a new folder."
            ) from error
        if not is_empty:
            raise CrossfoldError(
                f"keep_models={str(folder)!r} holds files already. Name a new folder, or empty this one."
            )

    def add(self, candidate: int, split: int, scores: dict[str, float], model: bytes) -> None:
        """Write one fit's pickled model."""
        name = file_name(candidate, split)
        _write(self.folder / name, model)
        shown = {metric: score if math.isfinite(score) else None for metric, score in scores.items()}
        self._index.append({"candidate": candidate, "split": split, "scores": shown, "file": name})

    def finish(self, candidates: list[dict[str, Any]]) -> None:
        """Write the index: `candidates` are the settings in the order of cv_results_."""
        rows = sorted(self._index, key=lambda row: (row["candidate"], row["split"]))
        for row in rows:
            settings = candidates[row["candidate"]] if row["candidate"] < len(candidates) else {}
            row["params"] = {name: repr(value) for name, value in settings.items()}
        _write(self.folder / "index.json", json.dumps(rows, indent=1).encode())


def load(folder: Path, candidate: int, split: int) -> Any:
    """The model of one fit.

    Raises
    ------
    KeyError
        It was not kept: its fit failed or was not run.
    """
    path = folder / file_name(candidate, split)
    try:
        with open(path, "rb") as file:
            return pickle.load(file)
    except FileNotFoundError:
        raise KeyError(
            f"There is no model of candidate {candidate}, split {split}: its fit failed or was not run. "
            f"Those that were kept are in {folder / 'index.json'}."
        ) from None


def file_name(candidate: int, split: int) -> str:
    return f"candidate-{candidate:06d}-split-{split:03d}.pkl"


def _write(path: Path, data: bytes) -> None:
    """Write a file that is either whole or not there."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
    os.replace(file.name, path)
