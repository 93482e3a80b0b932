"""The progress bar of a search: how many of its fits are done, and when it will be."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from typing import Any


class Progress:
    """A tqdm bar on standard error that grows as fits are submitted; silent where nobody looks.

    It shows in a terminal and in a notebook; CROSSFOLD_PROGRESS=0 or 1 overrides.
    """

    def __init__(self, label: str) -> None:
        self._lock = threading.Lock()
        self._bar: Any = _new_bar(label) if _is_wanted() else None

    def expect(self, units: int) -> None:
        """More fits were submitted."""
        with self._lock:
            if self._bar is not None:
                self._bar.total += units

    def advance(self, units: int) -> None:
        """Fits ended."""
        with self._lock:
            if self._bar is not None:
                self._bar.update(units)

    def close(self) -> None:
        """Draw the last state; nothing is drawn later."""
        with self._lock:
            bar, self._bar = self._bar, None
        if bar is not None:
            bar.refresh()
            bar.close()


def _new_bar(label: str) -> Any:
    with warnings.catch_warnings():
        # In a notebook without ipywidgets it says so before it draws with characters instead.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    return tqdm(total=0, desc=label, unit="fit", file=sys.stderr, dynamic_ncols=True)


def _is_wanted() -> bool:
    choice = os.environ.get("CROSSFOLD_PROGRESS")
    if choice is not None:
        return choice not in ("", "0")
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    # Only a running IPython has put itself here; importing it to ask would be slow.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
