"""How many threads numeric libraries may use in this process."""

from __future__ import annotations

import os

from threadpoolctl import threadpool_limits

# What libraries look at when they are loaded; Go sets them to 1 when it starts the zygote.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class Threads:
    """The limit that holds, 1 in a new process."""

    def __init__(self) -> None:
        self._limit = 1

    def allow(self, limit: int) -> None:
        """Let every library use `limit` threads: those that are loaded, and those that will be."""
        if limit == self._limit:
            return
        self._limit = limit
        os.environ.update(dict.fromkeys(_VARIABLES, str(limit)))
        threadpool_limits(limits=limit)
