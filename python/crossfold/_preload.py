"""What a worker should know and import before it runs this process's code."""

from __future__ import annotations

import multiprocessing
import os
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

from crossfold._pickling import codes
from crossfold._sources import is_own
from crossfold.v1 import task_pb2 as pb

_LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "keras", "tensorflow"})
_TENSORFLOW = frozenset({"keras", "tensorflow", "tf_keras", "scikeras"})


def surroundings() -> pb.Code:
    """The code's folders, so that modules that this process can import travel by name, and its key."""
    key = bytes(multiprocessing.current_process().authkey)
    try:
        here = os.getcwd()
    except OSError:
        # It was deleted: relative entries of sys.path mean nothing then.
        absolute = [path for path in sys.path if os.path.isabs(path)]
        return pb.Code(sys_path=absolute, multiprocessing_key=key)
    paths = dict.fromkeys(os.path.normpath(os.path.join(here, path)) for path in sys.path)
    return pb.Code(sys_path=paths, working_dir=here, multiprocessing_key=key)


def for_function(function: Any) -> list[str]:
    """Modules worth importing before a function is called."""
    target = getattr(function, "function", function)
    return _modules([target])


def for_estimators(values: Iterable[object]) -> list[str]:
    """Modules worth importing before these estimators, scorers or build functions are used."""
    found: list[object] = []
    for value in values:
        found.append(value)
        if hasattr(value, "get_params") and not isinstance(value, type):
            found.extend(value.get_params(deep=True).values())
        scorers = [value, *getattr(value, "_scorers", {}).values()]
        found.extend(getattr(scorer, "_score_func", None) for scorer in scorers)
    return _modules(found)


def _modules(values: Iterable[object]) -> list[str]:
    modules: dict[str, None] = {}
    for value in values:
        if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            owner: Any = value
        elif _is_plain(value):
            continue
        else:
            owner = type(value)
        name = getattr(owner, "__module__", None) or ""
        if name.partition(".")[0] in _LIBRARIES:
            modules[name] = None
        if _uses_tensorflow(owner):
            modules.update(dict.fromkeys(("tensorflow", "keras")))
    return list(modules)


def _is_plain(value: object) -> bool:
    return type(value).__module__ in ("builtins", "numpy")


def _uses_tensorflow(owner: Any) -> bool:
    """Whether a class or function says by its module, its globals or its imports that it needs
    TensorFlow, or one of the user's own does that it uses."""
    pending, seen = [owner], set()
    while pending:
        owner = pending.pop()
        top = (getattr(owner, "__module__", None) or "").partition(".")[0]
        if top in _TENSORFLOW:
            return True
        if top in _LIBRARIES or top in sys.stdlib_module_names or id(owner) in seen:
            continue
        seen.add(id(owner))
        for name, scope in _globals_used(owner):
            if _is_tensorflow(name, scope):
                return True
            value = scope.get(name)
            if isinstance(value, type | types.FunctionType) and _is_own(value):
                pending.append(value)
    return False


def _globals_used(owner: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for function in _functions(owner):
        for code in codes(function.__code__):
            yield from ((name, function.__globals__) for name in code.co_names)


def _is_own(value: type | types.FunctionType) -> bool:
    module = sys.modules.get(value.__module__)
    file = getattr(module, "__file__", None)
    return value.__module__ == "__main__" or (file is not None and is_own(value.__module__, file))


def _functions(owner: Any) -> Iterator[types.FunctionType]:
    if isinstance(owner, types.FunctionType):
        yield owner
    elif isinstance(owner, type):
        for member in vars(owner).values():
            member = getattr(member, "__func__", member)
            if isinstance(member, types.FunctionType):
                yield member


def _is_tensorflow(name: str, scope: dict[str, Any]) -> bool:
    value = scope.get(name)
    if value is None:
        module: Any = name
    else:
        module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in _TENSORFLOW
