"""The loop for zeros against double precision, and its memory accesses under a sanitizer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sparse_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfold._runtime._keras import _sparse

SOURCE = Path(_sparse.__file__).with_name("sparse.c")
CC = os.environ.get("CC", "cc")
SANITIZED = "-g -O1 -std=gnu11 -shared -fPIC -fsanitize=address,undefined -fno-sanitize-recover".split()


@settings(deadline=None, derandomize=True)
@given(
    widths=st.lists(st.integers(1, 80), min_size=2, max_size=4),
    rows=st.integers(1, 40),
    batch=st.integers(1, 50),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    activation=st.sampled_from([_sparse.LINEAR, _sparse.SOFTMAX, _sparse.SIGMOID]),
    seed=st.integers(0, 2**32 - 1),
)
def test_an_epoch_leaves_what_double_precision_leaves(
    widths: list[int], rows: int, batch: int, density: float, activation: int, seed: int
) -> None:
    reference.compare(reference.task(widths, rows, batch, density, activation, seed))


def test_what_is_not_a_number_stays_so() -> None:
    task = reference.task([6, 5, 3], 8, 4, 0.5, _sparse.SOFTMAX, seed=1)
    row, column = np.argwhere(task.x[task.order])[0]
    task.x[task.order[row], column] = np.nan
    variables, logits = reference.trained(task)
    assert np.isnan(logits[row]).all()
    assert all(np.isnan(array).any() for array in variables)


def test_no_access_is_outside_of_its_arrays(tmp_path: Path) -> None:
    library = tmp_path / "sanitized.so"
    subprocess.run([CC, *SANITIZED, "-o", library, SOURCE, "-lm"], check=True, timeout=60)
    asan = subprocess.run(
        [CC, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True, timeout=10
    ).stdout.strip()
    environment = {
        **os.environ,
        # The interpreter leaves memory to the system when it ends.
        "ASAN_OPTIONS": "detect_leaks=0",
        "LD_PRELOAD": asan,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    ran = subprocess.run(
        [sys.executable, reference.__file__, str(library), "30"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "30"), ran.stderr


def test_a_machine_without_the_library_has_no_such_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sparse._library.cache_clear()
    monkeypatch.setattr(_sparse, "LIBRARY", tmp_path / "none.so")
    try:
        assert not _sparse.available()
    finally:
        _sparse._library.cache_clear()
