"""Pickles of Keras models that hold code of the user's own.

Keras pickles a model as its configuration and weights, and finds custom layers, losses and metrics
again by name: in vain where they live in `__main__` or are functions. Here they travel along.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

_KERAS = frozenset({"keras", "tensorflow"})
_PLAIN = (str, bytes, int, float, bool, type(None))


def is_model(value: object) -> bool:
    """Whether a value is a Keras model or layer; asks without importing Keras."""
    return hasattr(type(value), "_unpickle_model")


def names_saved_model(data: bytes) -> bool:
    """Whether a pickle holds a model in Keras' own form."""
    return b"_unpickle_model" in data


def reduce(model: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What a pickle of a Keras model holds; see `object.__reduce__`."""
    function, arguments = model.__reduce__()
    return load, (function, arguments, _custom_objects(model))


def load(function: Callable[..., Any], arguments: tuple[Any, ...], custom: dict[str, Any]) -> Any:
    """The model that `reduce` took apart."""
    import keras

    with keras.saving.custom_object_scope(custom):
        return function(*arguments)


def _custom_objects(model: Any) -> dict[str, Any]:
    """Classes and functions that a model was made of and that are not Keras' own, by both names
    that Keras may look for."""
    from keras.saving import get_registered_name

    found: dict[str, Any] = {}
    pending, seen = [model], set()
    while pending:
        value = pending.pop()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        owner = value if isinstance(value, type | types.FunctionType) else type(value)
        if _is_custom(owner):
            found[owner.__name__] = found[get_registered_name(owner)] = owner
        pending.extend(_parts(value))
    return found


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple | set):
        return value
    if isinstance(value, types.MethodType):
        return (value.__self__,)
    is_plain_object = _root(type(value)) == "keras" or _is_custom(type(value))
    return getattr(value, "__dict__", {}).values() if is_plain_object else ()


def _is_custom(owner: Any) -> bool:
    root = _root(owner)
    return root not in _KERAS and root not in sys.stdlib_module_names and owner.__name__.isidentifier()


def _root(owner: Any) -> str:
    return (getattr(owner, "__module__", None) or "builtins").partition(".")[0]
