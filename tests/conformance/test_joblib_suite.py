"""joblib's own tests of its backends, from the installed joblib, pass on the cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(300)
def test_joblibs_own_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conformance.joblib_suite", "--tb=short"]
    # joblib marks tests with names that its own settings declare.
    command += ["-p", "no:cacheprovider", "-W", "ignore::pytest.PytestUnknownMarkWarning", "--timeout=60"]
    done = subprocess.run(
        [*command, "--pyargs", "joblib.test.test_parallel"],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    passed = done.stdout.rpartition("\n")[0].rpartition("\n")[2]
    assert " passed" in passed, passed
