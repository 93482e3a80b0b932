"""Keras without re-tracing, inside a worker's child: the user's own code, the same bits, sooner.

Most of the time of ``model.fit`` on a small network is building, tracing and Python between steps. So
fits of one architecture share one traced *twin*, and a whole epoch runs in one graph call. What is not
known to give Keras' own bits takes Keras' own method, and the report says why.

- ``_known``: which models, optimizers, losses and calls are known; the key of an architecture.
- ``_twin``: a traced copy of an architecture; state goes in and comes out, it keeps none.
- ``_data``: rows as tensors, kept between fits; the order in which Keras draws them.
- ``_methods``: what stands in for ``fit``, ``evaluate`` and ``predict``.
- ``_seeding``: seeding that leaves instantiated graphs alone.
"""

from __future__ import annotations

import os
import sys

SWITCH = "CROSSFOLD_KERAS"
"""Environment variable; "0" leaves Keras as it is."""

_looked = False


def install() -> None:
    """Stand in for Keras' methods once the user's code has imported Keras; imports nothing before that."""
    global _looked
    if _looked or "keras" not in sys.modules:
        return
    _looked = True
    if os.environ.get(SWITCH) == "0":
        return
    from crossfold._runtime._keras import _methods, _seeding, _versions

    if _versions.known():
        _seeding.install()
        _methods.install()


__all__ = ["install"]
