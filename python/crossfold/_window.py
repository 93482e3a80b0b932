"""How far ahead of its results a Parallel call takes work from the caller's iterator.

joblib takes `pre_dispatch` calls at first, and one more for each that ends. How many have to be under
way so that no slot waits depends on how long they take and on how big they are, which shows only
then: so the window starts small, and doubles with every message of results up to a bound in bytes.
"""

from __future__ import annotations

from typing import Any

FIRST = "16*n_jobs"
"""The window of a call's start, as joblib spells it."""

_MOST = 256
"""Most calls under way per slot: a message to a worker holds that many."""

_BYTES = 64 << 20
"""Most bytes under way beyond the first window."""


class Window:
    """Grows the window of one running Parallel call."""

    def __init__(self, parallel: Any, n_jobs: int) -> None:
        self._parallel = parallel
        self._most = _MOST * n_jobs

    def widen(self, unit_bytes: float) -> None:
        """Take more calls, knowing how many bytes one has on average. Only callbacks may do this."""
        parallel = self._parallel
        bound = min(self._most, _BYTES / max(unit_bytes, 1))
        with parallel._lock:
            wanted = min(2 * self._under_way(), bound)
            while self._under_way() < wanted and parallel._original_iterator is not None:
                parallel.dispatch_next()

    def _under_way(self) -> int:
        dispatched: int = self._parallel.n_dispatched_tasks
        return dispatched - int(self._parallel.n_completed_tasks)
