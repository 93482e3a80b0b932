"""Processes that run the cases of keras_cases.py, and how two of them compare."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

import numpy as np
import pytest

LOOP = "keras: compiled loop (close, not bit-equal)"

# As in a worker, TensorFlow is imported once, and each process is forked from there.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["keras_cases"])
_ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(sys.path), "CROSSFOLD_KERAS": "1"}


def _run(connection: Connection, *arguments: str) -> None:
    import keras_cases  # not by the test process, which would import TensorFlow

    keras_cases.main(connection, *arguments)


class Side:
    """A process that runs the cases: without arguments as Keras does, with ``twins`` or ``compiled`` and a
    store folder as a worker does."""

    def __init__(self, *arguments: str) -> None:
        self._connection, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(target=_run, args=(theirs, *arguments), daemon=True)
        with mock.patch.dict(os.environ, _ENVIRONMENT):
            self._process.start()
        theirs.close()

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.join(30)
        self._connection.close()

    def ask(self, kind: str, name: str = "", **options: Any) -> None:
        self._connection.send((kind, name, options))

    def answer(self) -> tuple[dict[str, Any], list[str]]:
        left, ways = json.loads(self._connection.recv())
        return left, ways

    def asked(self, kind: str, **options: Any) -> dict[str, Any]:
        """Ask, and return the answer."""
        self.ask(kind, **options)
        return self.answer()[0]


def compare(twins: Side, own: Side, kind: str, name: str, **options: Any) -> list[str]:
    """Run a case on both sides; return how the twins ran it."""
    for side in (twins, own):
        side.ask(kind, name, **options)
    (found, ways), (expected, _) = twins.answer(), own.answer()
    assert found.keys() == expected.keys()
    assert [key for key in expected if found[key] != expected[key]] == []
    return ways


def on_both(
    compiled: Side, own: Side, name: str, kind: str = "case"
) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """Run a case: what the loop leaves, in which ways, and what Keras leaves."""
    for side in (compiled, own):
        side.ask(kind, name)
    (found, ways), (expected, _) = compiled.answer(), own.answer()
    return found, ways, expected


def assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """All that a fit leaves is equal, numbers nearly."""
    for key in ("weights", "metrics", "optimizer"):
        for mine, theirs in zip(found.pop(key), expected.pop(key), strict=True):
            assert mine[1] == theirs[1]
            values = [np.frombuffer(bytes.fromhex(side[2]), side[1]) for side in (mine, theirs)]
            np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-5)
    mine, theirs = found.pop("history"), expected.pop("history")
    assert mine.keys() == theirs.keys()
    for log in theirs:
        values = [list(map(float.fromhex, side[log])) for side in (mine, theirs)]
        np.testing.assert_allclose(*values, rtol=1e-4)
    mine, theirs = found.pop("drawn"), expected.pop("drawn")
    assert mine is theirs or mine == pytest.approx(theirs, rel=1e-4)
    for mine, theirs in zip(found.pop("predicted"), expected.pop("predicted"), strict=True):
        values = [np.frombuffer(bytes.fromhex(side[2]), side[0]) for side in (mine, theirs)]
        np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-5)
    assert found == expected
