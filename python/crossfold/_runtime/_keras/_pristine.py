"""Whether Keras is still what was imported.

A library, or the user's own code, may replace functions of Keras or turn a switch of TensorFlow. A trace made
then does something else than others of its architecture, and belongs to no other process. Looked at are
functions, classes, methods, Keras' tables of names, and switches; not what is inside of a function.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from operator import is_, itemgetter
from typing import Any

_CODE = types.FunctionType | types.BuiltinFunctionType | type
_SWITCH = bool | enum.Enum

_KERAS = "keras.src."
_TABLE = "ALL_OBJECTS_DICT"
_SWITCHES = ("tensorflow.python.eager.", "tensorflow.python.framework.", "tensorflow.python.ops.")
# What Keras calls of TensorFlow.
_PUBLIC = (
    "tensorflow",
    "tensorflow._api.v2.experimental.numpy",
    "tensorflow._api.v2.image",
    "tensorflow._api.v2.linalg",
    "tensorflow._api.v2.math",
    "tensorflow._api.v2.nn",
    "tensorflow._api.v2.nn.experimental",
    "tensorflow._api.v2.random",
)
_CLASSES = ("GradientTape", "Tensor", "TensorArray", "Variable")

# Classes get it when somebody asks for it.
_LATER = "__annotations__"
# Methods that start a trace but are in none: Crossfold replaces them itself.
_TRAINER = "TensorFlowTrainer"
_AROUND = frozenset({"fit", "evaluate", "predict"})


class _Watch:
    """What is looked at, as it was at first and as it was last."""

    def __init__(self) -> None:
        self._named: list[tuple[Mapping[str, Any], Callable[[Any], tuple[Any, ...]]]] = []
        self._whole: list[Mapping[str, Any]] = []
        for name, module in list(sys.modules.items()):
            if name.startswith(_KERAS):
                self._add_keras(module)
            elif name in _PUBLIC:
                self._add(vars(module), _CODE)
            elif name.startswith(_SWITCHES):
                self._add(vars(module), _SWITCH)
        for name in _CLASSES:
            self._add_whole(vars(getattr(sys.modules["tensorflow"], name)))
        self._first = self._last = self._values()
        self._changes = 0
        self.version = 0

    def _add_keras(self, module: types.ModuleType) -> None:
        self._add(vars(module), _CODE | _SWITCH | types.ModuleType)
        if isinstance(table := getattr(module, _TABLE, None), dict):
            self._add_whole(table)
        for owner in _classes(module):
            self._add_whole(vars(owner), _AROUND if owner.__name__ == _TRAINER else frozenset())

    def _add_whole(self, named: Mapping[str, Any], without: frozenset[str] = frozenset()) -> None:
        """Look at everything in it; something may also be new: a class may have inherited what somebody
        replaces in it."""
        self._add(named, object, without)
        self._whole.append(named)

    def _add(self, named: Mapping[str, Any], kinds: Any, without: frozenset[str] = frozenset()) -> None:
        names = [name for name, value in named.items() if isinstance(value, kinds)]
        names = [name for name in names if name != _LATER and name not in without]
        if names:
            # Of two names or more itemgetter returns a tuple.
            self._named.append((named, itemgetter(names[0], *names)))

    def look(self) -> None:
        """See what it is like now."""
        try:
            now = self._values()
        except KeyError:  # something was taken away
            now = ()
        if _same(now, self._last):
            return
        self._last = now
        self._changes += 1
        self.version = 0 if _same(now, self._first) else self._changes

    def _values(self) -> tuple[Any, ...]:
        values = chain.from_iterable(values(named) for named, values in self._named)
        sizes = ",".join(str(len(named) - (_LATER in named)) for named in self._whole)
        # Of equal strings, interned ones are the same object.
        return (*values, sys.intern(sizes), *_callbacks())


_watch: _Watch | None = None
_shared = False


def remember(shared: bool = True) -> None:
    """Take Keras as it is for what was imported, unless that was done before.

    ``shared`` says that no code of a user ran yet: processes may take over each other's traces.
    """
    global _watch, _shared
    if _watch is None:
        _watch, _shared = _Watch(), shared


def look() -> None:
    """Look whether Keras changed since the last look."""
    assert _watch is not None
    _watch.look()


def version() -> int:
    """A number for what Keras was at the last look: 0 as imported, another one after each change."""
    assert _watch is not None
    return _watch.version


def may_share() -> bool:
    """Whether traces of this process are those of every other one."""
    look()
    return _shared and version() == 0


def _callbacks() -> list[Any]:
    """What debuggers add to every graph; it must not make TensorFlow's context, which starts threads."""
    from tensorflow.python.eager import context

    made = context.context_safe()
    return made.op_callbacks if made is not None else []


def _same(some: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return some is others or (len(some) == len(others) and all(map(is_, some, others)))


def _classes(module: types.ModuleType) -> Iterator[type]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield value
