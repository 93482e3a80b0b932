"""What a large search costs the client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.many import FOLDS, SCRIPT

from e2e.cluster import PrivateCluster

pytestmark = pytest.mark.timeout(90)

CANDIDATES = 400


def test_a_fit_takes_little_of_the_clients_memory(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    printed = shared_cluster.run(script(SCRIPT), "crossfold", str(CANDIDATES), str(FOLDS))
    # 200 MB for 10,000 candidates on 5 folds, and some for what is there once.
    assert json.loads(printed)["bytes"] <= CANDIDATES * FOLDS * 4_000 + 4_000_000
