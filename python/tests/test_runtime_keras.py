"""Twins against Keras' own methods: every weight, log and random stream to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("keras_cases.py")

pytestmark = pytest.mark.timeout(180)


class Side:
    """A process that runs the cases, with the twins or without."""

    def __init__(self, *flags: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "CROSSFOLD_KERAS": "1"},
        )

    def ask(self, kind: str, name: str, **options: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, name, options]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> tuple[dict[str, Any], list[str]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process ended"
        left, ways = json.loads(line)
        return left, ways

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def twins() -> Iterator[Side]:
    side = Side("--twins")
    yield side
    side.close()


@pytest.fixture(scope="module")
def own() -> Iterator[Side]:
    side = Side()
    yield side
    side.close()


def compare(twins: Side, own: Side, kind: str, name: str, **options: Any) -> list[str]:
    """Run a case on both sides; return how the twins ran it."""
    for side in (twins, own):
        side.ask(kind, name, **options)
    (found, ways), (expected, _) = twins.answer(), own.answer()
    assert found.keys() == expected.keys()
    assert [key for key in expected if found[key] != expected[key]] == []
    return ways
