"""Whether this process is one of a worker's own."""

from __future__ import annotations

import os


def in_worker() -> bool:
    """True in the processes that run fits: code in them must never connect to a cluster."""
    return os.environ.get("CROSSFOLD_WORKER") == "1"
