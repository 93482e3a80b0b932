"""Seeding that leaves instantiated graphs alone.

TensorFlow's ``set_seed`` clears its kernel caches, so that kernels which hold random state start again;
every live function is then instantiated anew. Keras' own random operations hold no state, so the caches
are cleared late: when the next stateful one is about to run, or at once while a graph holds one.
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from typing import Any

from tensorflow.python.eager import context
from tensorflow.python.framework import ops, random_seed

_graphs: weakref.WeakSet[Any] = weakref.WeakSet()
_owed = False


def install() -> None:
    """Replace how TensorFlow sets its global seed and hands out seeds of operations."""
    # Graphs that drew seeds before now.
    _graphs.update(random_seed._graph_to_seed_dict)
    context.Context._set_global_seed = _late(context.Context._set_global_seed)
    original = random_seed.get_seed

    def get_seed(op_seed: Any) -> Any:
        if context.executing_eagerly():
            _pay()
        else:
            _graphs.add(ops.get_default_graph())
        return original(op_seed)

    random_seed.get_seed = get_seed


def _late(original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def _set_global_seed(self: Any, seed: Any) -> None:
        global _owed
        if not isinstance(seed, int) or _graphs:
            original(self, seed)
            _owed = False
        else:
            self._seed = seed
            self._rng = random.Random(seed)
            _owed = True

    return _set_global_seed


def _pay() -> None:
    """Clear the caches if a seeding still owes it."""
    global _owed
    if _owed:
        _owed = False
        context.context().clear_kernel_cache()
