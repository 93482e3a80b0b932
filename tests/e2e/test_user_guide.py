"""Every page of the user guide is a program: its Python blocks run in order, and warn of nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cluster import REPOSITORY, PrivateCluster

PAGES = sorted((REPOSITORY / "docs" / "user-guide").glob("*.md"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs(page: Path, shared_cluster: PrivateCluster, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    # Not named after the page: joblib.py would hide joblib.
    script = tmp_path / "guide.py"
    script.write_text("\n".join(blocks), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=shared_cluster.environment(),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
    )

    assert done.returncode == 0, done.stderr
    assert blocks, f"{page.name} shows no Python"
