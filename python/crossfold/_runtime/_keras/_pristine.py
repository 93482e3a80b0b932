"""Whether Keras is still what was imported.

A library, or the user's own code, may replace functions of Keras or turn a switch of TensorFlow. A trace made
then does something else than others of its key, and belongs to no other process.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

_CODE = types.FunctionType | types.BuiltinFunctionType | types.ModuleType | type
_SWITCH = bool | enum.Enum

_KERAS = "keras.src."
_SWITCHES = ("tensorflow.python.eager.", "tensorflow.python.framework.", "tensorflow.python.ops.")
_PUBLIC = ("tensorflow", "tensorflow._api.v2.linalg", "tensorflow._api.v2.math", "tensorflow._api.v2.nn")

# Classes get it when somebody asks for it.
_LATER = "__annotations__"
# Methods that start a trace but are in none: Crossfold replaces them itself.
_TRAINER = "TensorFlowTrainer"
_AROUND = frozenset({"fit", "evaluate", "predict"})

_imported: tuple[_Watched, int] | None = None


class _Watched:
    """The modules and classes that are looked at."""

    def __init__(self) -> None:
        self._named: list[tuple[Mapping[str, Any], Callable[[Any], tuple[Any, ...]]]] = []
        self._classes: list[Mapping[str, Any]] = []
        for name, module in list(sys.modules.items()):
            if name.startswith(_KERAS):
                self._watch(vars(module), _CODE | _SWITCH)
                for owner in _classes(module):
                    self._watch(vars(owner), object, _AROUND if owner.__name__ == _TRAINER else frozenset())
                    self._classes.append(vars(owner))
            elif name in _PUBLIC:
                self._watch(vars(module), _CODE)
            elif name.startswith(_SWITCHES):
                self._watch(vars(module), _SWITCH)

    def _watch(self, named: Mapping[str, Any], kinds: Any, without: frozenset[str] = frozenset()) -> None:
        names = [name for name, value in named.items() if isinstance(value, kinds)]
        names = [name for name in names if name != _LATER and name not in without]
        if names:
            # Of two names or more itemgetter returns a tuple.
            self._named.append((named, itemgetter(names[0], *names)))

    def fingerprint(self) -> int:
        """Return a number that changes when one of their functions, methods or switches does.

        Raises KeyError when one of them is gone.
        """
        values = chain.from_iterable(values(named) for named, values in self._named)
        # Methods may also be new: a class may have inherited what somebody replaces in it.
        sizes = (len(members) - (_LATER in members) for members in self._classes)
        return hash((*map(id, values), *sizes))


def remember() -> None:
    """Take Keras as it is for what was imported; called before any code of a user ran."""
    global _imported
    watched = _Watched()
    _imported = watched, watched.fingerprint()


def holds() -> bool:
    """Whether Keras is what was imported; False, too, when nobody looked at it then."""
    if _imported is None:
        return False
    from tensorflow.python.eager import context

    watched, fingerprint = _imported
    try:
        return watched.fingerprint() == fingerprint and not context.context().op_callbacks
    except KeyError:  # something was taken away
        return False


def _classes(module: types.ModuleType) -> Iterator[type]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield value
