"""How a unit was run, in words for the report: noted while it runs, taken when it ended."""

from __future__ import annotations

_noted: dict[str, None] = {}


def note(way: str) -> None:
    """Remember a way once, however often it was taken."""
    _noted[way] = None


def take() -> list[str]:
    """Return the ways noted since the last call, in order."""
    taken = list(_noted)
    _noted.clear()
    return taken
