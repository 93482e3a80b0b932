"""Keras without re-tracing, inside a worker's child: the user's own code, the same bits, sooner.

Most of the time of ``model.fit`` on a small network is building, tracing and Python between steps. So
fits of one architecture share one traced *twin*, and a whole epoch runs in one graph call. What is not
known to give Keras' own bits takes Keras' own method, and the report says why.

- ``_known``: which models, optimizers, losses and calls are known; the key of an architecture.
- ``_twin``: a traced copy of an architecture, whose graphs run on the variables of models like it.
- ``_state``: the variables of a model, in one order.
- ``_graphs``: what was traced, as data; ``_stored``: the same on disk, for other processes.
- ``_pristine``: whether Keras is what was imported, so that others may take what is traced here.
- ``_data``: rows as tensors, kept between fits; the order in which Keras draws them.
- ``_compiled``: the opt-in that gives up the last bits.
- ``_flat``: what it trains; ``_columns``: input columns that it leaves out.
- ``_zeros``: where it leaves all zeros out; ``_sparse``, ``sparse.c``: the loop that does.
- ``_methods``: what stands in for ``fit``, ``evaluate`` and ``predict``.
- ``_seeding``: seeding that leaves instantiated graphs alone.
- ``_variables``: variables that share kernels.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

SWITCH = "CROSSFOLD_KERAS"
"""Environment variable; "0" leaves Keras as it is."""


def install(compiled: bool = False, store_dir: str | None = None) -> None:
    """Stand in for Keras' methods once the user's code has imported Keras; imports nothing before that.

    ``compiled`` is whether plain networks may be close to Keras' own numbers, until the next call.
    ``store_dir`` is the store of this host, where traces are found and kept.
    """
    if "keras" not in sys.modules or os.environ.get(SWITCH) == "0":
        return
    installed = _installed()
    if installed is not None:
        methods, stored = installed
        methods.close_enough = compiled
        stored.folder = Path(store_dir, stored.FOLDER) if store_dir else None


@cache
def _installed() -> tuple[Any, Any] | None:
    """Replace the methods; return the modules with settings, or None for versions that are not known."""
    from crossfold._runtime._keras import _versions

    if not _versions.known():
        return None
    from crossfold._runtime._keras import _methods, _pristine, _seeding, _stored, _variables

    _pristine.remember(shared=False)
    _seeding.install()
    _variables.install()
    _methods.install()
    return _methods, _stored


__all__ = ["install"]
