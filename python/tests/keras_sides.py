"""Processes that run the cases of keras_cases.py, and how two of them compare."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("keras_cases.py")


class Side:
    """A process that runs the cases: without arguments as Keras does, with ``--twins`` or ``--compiled`` and
    a store folder as a worker does."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "CROSSFOLD_KERAS": "1"},
        )

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)

    def ask(self, kind: str, name: str = "", **options: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, name, options]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> tuple[dict[str, Any], list[str]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process ended"
        left, ways = json.loads(line)
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
