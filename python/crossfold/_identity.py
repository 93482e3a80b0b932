"""A map keyed by which objects they are, not by what they equal."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class IdentityMap(Generic[V]):
    """Remembers one value per tuple of objects.

    Objects are held weakly where their type allows it, so that remembering an array does not keep
    it in memory; an id that was reused by another object is not found.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[int, ...], tuple[tuple[Callable[[], Any], ...], V]] = {}

    def get(self, *objects: object) -> V | None:
        """The value for these very objects, or None."""
        entry = self._entries.get(tuple(map(id, objects)))
        if entry is None or any(ref() is not it for ref, it in zip(entry[0], objects, strict=True)):
            return None
        return entry[1]

    def put(self, value: V, *objects: object) -> None:
        """Remember a value for these very objects."""
        self._entries[tuple(map(id, objects))] = (tuple(map(_reference, objects)), value)


def _reference(it: object) -> Callable[[], Any]:
    try:
        return weakref.ref(it)
    except TypeError:
        return lambda: it
