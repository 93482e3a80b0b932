"""Holding Python's garbage collector off for a moment.

After the imports of a scientific script a full collection takes about 0.1 s, and the few thousand
objects that a first search makes are enough to set it off: before the workers have anything to do.
"""

from __future__ import annotations

import gc
import os
import threading

_lock = threading.Lock()
_holds = 0
_was_enabled = False


class Hold:
    """Keeps the collector from running until it is released; several may overlap.

    A collector that the process had switched off stays off.
    """

    def __init__(self) -> None:
        global _holds, _was_enabled
        self._released = False
        self._timer: threading.Timer | None = None
        with _lock:
            if _holds == 0:
                _was_enabled = gc.isenabled()
                gc.disable()
            _holds += 1

    def release(self) -> None:
        """Let it run again. Releasing twice is harmless."""
        global _holds
        with _lock:
            if self._released:
                return
            self._released = True
            if self._timer is not None:
                self._timer.cancel()
            _holds -= 1
            if _holds == 0 and _was_enabled:
                gc.enable()

    def release_after(self, seconds: float) -> None:
        """Release it from a thread of its own, unless that was done by then. The first call counts."""
        if self._released or self._timer is not None:
            return
        self._timer = threading.Timer(seconds, self.release)
        self._timer.name = "crossfold-collector"
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _start_anew() -> None:
    """In a forked child nobody is left to release what the parent's threads hold."""
    global _lock, _holds
    _lock = threading.Lock()
    if _holds and _was_enabled:
        gc.enable()
    _holds = 0


os.register_at_fork(after_in_child=_start_anew)
