"""Importing this module finds or starts the embedded cluster, in the background.

A worker imports what the script imports; with both at it at the same time, the first search finds
the cluster warm. What goes wrong here is left to the first use, which tries again and says so.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import sys
import threading

from crossfold import _embedded
from crossfold._environment import environment
from crossfold._errors import CrossfoldError
from crossfold._sources import own_modules
from crossfold._worker import in_worker

# What gRPC and pyarrow would import inside the first search.
_ON_FIRST_USE = ("grpc._channel", "grpc.experimental", "pyarrow.pandas_compat")


def rehearse() -> None:
    """Do in the background what the first search would do first, while the script reads its data."""
    if _is_wanted():
        threading.Thread(target=_rehearse, name="crossfold-rehearsal", daemon=True).start()


def _rehearse() -> None:
    from sklearn.utils.multiclass import type_of_target

    type_of_target([0, 1])  # looks for every kind of data frame that is installed
    own_modules()


def _is_wanted() -> bool:
    """Not where another cluster is named, CROSSFOLD_EARLY=0 says no, or a parent process does it."""
    client = sys.modules.get("crossfold._client")
    if client is not None and client.is_chosen():
        return False
    if os.environ.get("CROSSFOLD_URL") or os.environ.get("CROSSFOLD_EARLY") == "0":
        return False
    return not in_worker() and multiprocessing.parent_process() is None


def _find_or_start() -> None:
    with contextlib.suppress(CrossfoldError, OSError):
        _embedded.find_or_start()
    environment()  # kept for the first connection
    for module in _ON_FIRST_USE:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


if _is_wanted():
    threading.Thread(target=_find_or_start, name="crossfold-early", daemon=True).start()
