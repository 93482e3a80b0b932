"""The embedded cluster: one per user and environment, started on first use, gone when idle.

Everything of it lives in one folder: `sock` to talk to it, `lock` held while it runs, `log`. A
starter runs ``crossfold up`` and reads "ready" from a pipe. When two start at once, the lock lets
one win: the other's daemon exits with status 3 and its client connects to the winner.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path

from crossfold import _binary
from crossfold._errors import ConnectionFailed

_START_SECONDS = 30.0
_EXIT_SECONDS = 2.0
_LOCK_HELD = 3
# A socket's path has at most 107 bytes; nats.sock is the longest name beside it.
_LONGEST_FOLDER = 107 - len("/nats.sock")
_LOG_BYTES = 4 << 20

# One thread at a time looks and starts: a second one would start a daemon that ends at the lock.
_turn = threading.Lock()

# Daemons this process started. They outlive it; kept so that one that died is reaped.
_daemons: set[subprocess.Popen[bytes]] = set()


def find_or_start() -> Path:
    """The folder of a running cluster whose socket accepts connections.

    Raises
    ------
    ConnectionFailed
        It did not come up within 30 s; the message ends with the log's last lines.
    """
    with _turn:
        return _find_or_start()


def _find_or_start() -> Path:
    binary = _binary.find()
    folder = _folder(binary)
    deadline = time.monotonic() + _START_SECONDS
    pause = 0.01
    while not accepts(folder / "sock"):
        if time.monotonic() > deadline:
            raise ConnectionFailed(
                f"The cluster in {folder} is locked by a process that does not answer on its socket. "
                f"End the process that holds {folder / 'lock'} and try again."
            )
        if _start(binary, folder, deadline):
            break
        # The lock's holder is just starting or just ending: there is no signal to wait for.
        time.sleep(pause)
        pause = min(2 * pause, 0.25)
    return folder


def withdraw() -> None:
    """End what this process started ahead of need, unless somebody uses it by now."""
    with _turn:
        _reap()
        for daemon in _daemons:
            daemon.send_signal(signal.SIGHUP)


def accepts(path: Path) -> bool:
    """Whether something listens on a Unix socket; a stale socket file does not count."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _start(binary: Path, folder: Path, deadline: float) -> bool:
    """Start a daemon and wait until it is ready; False when another one holds the lock."""
    log = folder / "log"
    read_end, write_end = os.pipe()
    try:
        with open(log, "ab") as log_file:
            if log_file.tell() > _LOG_BYTES:
                log_file.truncate(0)
            log_start = log_file.tell()
            daemon = _spawn(binary, folder, write_end, log_file.fileno())
        os.close(write_end)
        write_end = -1
        answer = _read_answer(read_end, deadline)
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)
    if answer.startswith(b"ready"):
        return True
    status = _end(daemon)
    if status == _LOCK_HELD:
        return False
    why = "was not ready in time" if status is None else f"exited with status {status}"
    raise ConnectionFailed(
        f"The embedded cluster could not be started: {binary} {why}. Its log, {log}, ends with:\n"
        f"{_tail(log, log_start)}"
    )


def _spawn(binary: Path, folder: Path, ready_fd: int, log_fd: int) -> subprocess.Popen[bytes]:
    command = [str(binary), "up", "--dir", str(folder), "--python", sys.executable]
    command += ["--idle-timeout", _idle_timeout(), "--ready-fd", str(ready_fd)]
    slots = os.environ.get("CROSSFOLD_SLOTS")
    if slots:
        command += ["--slots", slots]
    _reap()
    try:
        daemon = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=(ready_fd,),
            start_new_session=True,
        )
    except OSError as error:
        raise ConnectionFailed(
            f"{binary} could not be started: {error}. Reinstall crossfold, or set CROSSFOLD_BINARY."
        ) from error
    _daemons.add(daemon)
    return daemon


def _idle_timeout() -> str:
    """CROSSFOLD_IDLE_TIMEOUT as Go writes durations; a bare number is seconds."""
    value = os.environ.get("CROSSFOLD_IDLE_TIMEOUT") or "300s"
    return f"{value}s" if value.replace(".", "", 1).isdigit() else value


def _read_answer(fd: int, deadline: float) -> bytes:
    """What the daemon writes on the ready pipe up to the line's end; short when it died or hung."""
    answer = b""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while not answer.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            break
        chunk = os.read(fd, 64)
        if not chunk:
            break
        answer += chunk
    return answer


def _end(daemon: subprocess.Popen[bytes]) -> int | None:
    """The exit status of a daemon that closed its ready pipe; None when it hung and was killed."""
    try:
        return daemon.wait(timeout=_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        return None
    finally:
        _daemons.discard(daemon)


def _tail(log: Path, start: int) -> str:
    with open(log, "rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-20:]) or "  (nothing)"


def _folder(binary: Path) -> Path:
    """The cluster's folder, made when it is not there: private to the user."""
    key = _identity(binary)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(cache, "crossfold", key)
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER and _make_private(folder):
        return folder
    folder = Path("/tmp", f"crossfold-{os.getuid()}", key)
    if _make_private(folder.parent) and _make_private(folder):
        return folder
    raise ConnectionFailed(
        f"Neither {Path(cache, 'crossfold')} nor {folder.parent} can hold the cluster's files: not writable, "
        "or owned by another user. Set XDG_CACHE_HOME to a folder of yours."
    )


def _make_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In /tmp somebody else may have put a link or a folder of theirs under this name.
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        folder.chmod(0o700)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _identity(binary: Path) -> str:
    """12 hex digits that differ when a cluster started by this environment could not serve another."""
    from crossfold import __version__

    program = binary.stat()
    parts = [
        str(os.getuid()),
        sys.executable,
        sys.prefix,
        __version__,
        *_versions(),
        f"{binary} {program.st_size} {program.st_mtime_ns}",
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@functools.cache
def _versions() -> tuple[str, str]:
    return metadata.version("numpy"), metadata.version("scikit-learn")


def _reap() -> None:
    # Another thread may be ending one of them meanwhile: discarding twice is harmless.
    _daemons.difference_update([daemon for daemon in list(_daemons) if daemon.poll() is not None])


@atexit.register
def _let_go() -> None:
    # Popen warns of children that still run when it is collected; these are meant to.
    for daemon in _daemons:
        daemon.returncode = 0


def _forget_after_fork() -> None:
    # The thread that held it does not exist in the child.
    global _turn
    _turn = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
