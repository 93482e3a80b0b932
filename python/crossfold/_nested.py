"""What Parallel(backend="crossfold") means inside a fit: threads, and inside those sequence.

It is what joblib's own workers do, too: a nested Parallel must neither start processes nor wait for
slots that its own caller holds. Workers import this module instead of the client.
"""

from __future__ import annotations

from typing import Any, NoReturn

from joblib._parallel_backends import FallbackToBackend, SequentialBackend
from joblib.parallel import ParallelBackendBase, ThreadingBackend


class NestedBackend(ParallelBackendBase):
    """Stands for the cluster in its own processes."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """One slot is all there is; an explicit number of threads is taken as it is."""
        return effective_n_jobs(n_jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_kwargs: Any) -> int:
        """Hand over to threads, or to sequence."""
        fall_back(n_jobs, self.nesting_level)


def effective_n_jobs(n_jobs: int | None) -> int:
    """How many calls of a nested Parallel run at a time: with None or a negative number one."""
    if n_jobs == 0:
        raise ValueError("n_jobs == 0 in Parallel has no meaning")
    return 1 if n_jobs is None or n_jobs < 0 else n_jobs


def fall_back(n_jobs: int, nesting_level: int | None) -> NoReturn:
    """Tell joblib which of its backends takes over."""
    kind = SequentialBackend if effective_n_jobs(n_jobs) == 1 else ThreadingBackend
    raise FallbackToBackend(kind(nesting_level=nesting_level))
