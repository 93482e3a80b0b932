"""scikit-learn's callbacks: hooks of the user's own run in the client, called from its workers.

In a worker such a callback is a `Relayed`: a hook's arguments travel over a local socket, the hook
runs on the one original object, and what it returns (whether to stop) or raises travels back. Those of
scikit-learn itself (`ProgressBar`, `ScoringMonitor`) bring their own transport.
"""

from __future__ import annotations

import contextvars
import inspect
import io
import os
import pickle
import threading
import weakref
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

import cloudpickle

from crossfold._errors import ConnectionFailed
from crossfold._worker import in_worker

_HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")
_POSITIONAL = ("estimator", "context")
_DEPTH = "max_propagation_depth"


def is_relayed(value: object) -> bool:
    """Whether a pickle for the workers holds a stand-in for a value: a callback of the user's own."""
    kind = type(value)
    if not hasattr(kind, "on_fit_task_end") or in_worker() or isinstance(value, type | Relayed):
        return False
    return kind.__module__.partition(".")[0] != "sklearn" and all(hasattr(kind, hook) for hook in _HOOKS)


def reduce(callback: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What a pickle of a callback holds; see `object.__reduce__`."""
    hooks = {hook: _keywords(getattr(callback, hook)) for hook in _HOOKS}
    depth = {_DEPTH: getattr(callback, _DEPTH)} if hasattr(callback, _DEPTH) else {}
    return restore, (*_this_process().register(callback), type(callback).__name__, hooks, depth)


def restore(
    address: str, key: bytes, number: int, name: str, hooks: dict[str, tuple[str, ...]], depth: dict[str, Any]
) -> Any:
    """The original in the process that it lives in, elsewhere its stand-in."""
    if _exchange is not None and _exchange.address == address:
        return _exchange.originals[number]
    # Messages name the class of a callback.
    return type(name, (Relayed,), {})((address, key, number, name, hooks, depth))


def _keywords(hook: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(hook).parameters.values()
    return tuple(each.name for each in parameters if each.kind == each.KEYWORD_ONLY)


class _Exchange:
    """The client's end: runs hooks, one at a time, as a single process would."""

    def __init__(self) -> None:
        self.originals: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._key = os.urandom(32)
        self._listener = Listener(authkey=self._key, backlog=128)
        self._turn = threading.Lock()
        self._context = contextvars.copy_context()
        self.address = str(self._listener.address)
        threading.Thread(target=self._accept, name="crossfold-callbacks", daemon=True).start()

    def register(self, callback: Any) -> tuple[str, bytes, int]:
        """Where hooks of a callback are called: address, key and number."""
        self.originals[id(callback)] = callback
        self._context = contextvars.copy_context()
        return self.address, self._key, id(callback)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except Exception:  # one that broke off; the next may not
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        try:
            while True:
                number, hook, arguments = pickle.loads(connection.recv_bytes())
                with self._turn:
                    answer = self._context.run(self._call, number, hook, arguments)
                connection.send_bytes(answer)
        except (EOFError, OSError):
            return

    def _call(self, number: int, hook: str, arguments: bytes) -> bytes:
        """Run a hook; the pickle of whether it worked, and what it returned or raised."""
        try:
            positional, keywords = pickle.loads(arguments)
            return pickle.dumps((True, bool(getattr(self.originals[number], hook)(*positional, **keywords))))
        except Exception as error:
            try:
                raised: bytes = cloudpickle.dumps((False, error))
                return raised
            except Exception:
                return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


class Relayed:
    """A callback that lives in another process."""

    def __init__(self, state: tuple[Any, ...]) -> None:
        self._state = state
        *_, hooks, depth = state
        vars(self).update({hook: _Hook(self._state, hook, names) for hook, names in hooks.items()}, **depth)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return restore, self._state


class _Hook:
    """One hook of a relayed callback; scikit-learn reads from its signature what to pass."""

    def __init__(self, state: tuple[Any, ...], hook: str, keywords: tuple[str, ...]) -> None:
        self._address, self._key, self._number, self._owner = state[:4]
        self._hook = hook
        places = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in _POSITIONAL]
        options = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in keywords]
        self.__signature__ = inspect.Signature([*places, *options])

    def __call__(self, *arguments: Any, **keywords: Any) -> bool:
        from crossfold._pickling import ResultPickler

        file = io.BytesIO()
        ResultPickler(file).dump((arguments, keywords))
        with _sending:
            connection = _connections.get(self._address) or self._connect()
            connection.send_bytes(pickle.dumps((self._number, self._hook, file.getvalue())))
            worked, answer = pickle.loads(connection.recv_bytes())
        if not worked:
            raise answer
        return bool(answer)

    def _connect(self) -> Connection[Any, Any]:
        try:
            connection = _connections[self._address] = Client(self._address, authkey=self._key)
        except OSError as error:
            raise ConnectionFailed(
                f"The callback {self._owner} runs in the client's process, which can't be reached from this "
                "worker. Use workers on the client's host, or n_jobs=1."
            ) from error
        return connection


_lock = threading.Lock()
_exchange: _Exchange | None = None
# A worker's connections to its client, by address, and whose turn it is.
_connections: dict[str, Connection[Any, Any]] = {}
_sending = threading.Lock()


def _this_process() -> _Exchange:
    global _exchange
    with _lock:
        if _exchange is None:
            _exchange = _Exchange()
        return _exchange


def _forget_after_fork() -> None:
    # The threads that answer are not in the child.
    global _lock, _exchange
    _lock, _exchange = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_after_fork)
