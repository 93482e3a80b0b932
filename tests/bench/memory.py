"""Memory of the idle daemon: coordinator, NATS server and sidecar, without Python."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import PrivateCluster

from bench.figures import CORES, OURS, Figure, figure

REPEAT = 3
PEERS = ()
GOAL_MB = 60.0
SCRIPT = "import crossfold\ncrossfold.connect()\n"


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Megabytes (10**6 bytes) of proportional set size after a client came and went."""
    proportional, resident = [], []
    with PrivateCluster("300s", CORES) as cluster, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "connect.py")
        script.write_text(SCRIPT)
        for _ in range(repeat):
            cluster.stop()
            cluster.run(script)
            memory = cluster.daemon().memory_full_info()
            proportional.append(memory.pss / 1e6)
            resident.append(memory.rss / 1e6)
    return [
        figure(
            "memory",
            "idle daemon, PSS",
            "MB",
            {OURS: proportional},
            f"<= {GOAL_MB:.0f} MB",
            lambda ours, _: ours <= GOAL_MB,
            note=f"RSS {statistics.median(resident):.1f} MB",
        )
    ]
