"""Finding and starting the embedded cluster, with scripts in the place of the Go program."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import crossfold
from crossfold import _binary, _embedded

# A stand-in for `crossfold up`: takes the lock, listens, says ready, and waits to be ended.
DAEMON = f"""#!{sys.executable}
import fcntl, os, signal, socket, sys
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
folder = options["--dir"]
with open(folder + "/starts", "a") as starts:
    starts.write(repr(sys.argv[1:]) + "\\n")
lock = open(folder + "/lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
if os.path.exists(folder + "/sock"):
    os.unlink(folder + "/sock")
listener = socket.socket(socket.AF_UNIX)
listener.bind(folder + "/sock")
listener.listen()
with open(folder + "/pids", "a") as pids:
    pids.write(str(os.getpid()) + "\\n")
os.write(int(options["--ready-fd"]), b"ready\\n")
os.close(int(options["--ready-fd"]))
signal.alarm(60)
signal.pause()
"""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of its own; every stand-in that was started in it is ended."""
    monkeypatch.delenv("CROSSFOLD_SLOTS", raising=False)
    monkeypatch.delenv("CROSSFOLD_IDLE_TIMEOUT", raising=False)
    # Not tmp_path, which may be too long for the path of a socket.
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder)
        for pids in Path(folder).rglob("pids"):
            for pid in pids.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        for daemon in list(_embedded._daemons):
            daemon.wait(5)
            _embedded._daemons.discard(daemon)


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    path = tmp_path / "crossfold"
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setenv("CROSSFOLD_BINARY", str(path))
    return path


def starts(folder: Path) -> list[str]:
    return (folder / "starts").read_text().splitlines()


def test_a_cluster_is_started_once_and_found_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, DAEMON)
    monkeypatch.setenv("CROSSFOLD_SLOTS", "3")
    monkeypatch.setenv("CROSSFOLD_IDLE_TIMEOUT", "7")
    folder = _embedded.find_or_start()
    assert _embedded.find_or_start() == folder
    (command,) = starts(folder)
    for part in (
        "'up', '--dir'",
        f"'--python', '{sys.executable}'",
        "'--idle-timeout', '7s'",
        "'--slots', '3'",
    ):
        assert part in command
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.parent == cache / "crossfold"
    assert len(folder.name) == 12


def test_it_runs_in_a_session_of_its_own(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, DAEMON)
    folder = _embedded.find_or_start()
    pid = int((folder / "pids").read_text())
    assert os.getsid(pid) == pid


def test_two_starters_end_with_one_cluster(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The winner is slow between its lock and its socket: the loser must wait for it.
    program(
        tmp_path, monkeypatch, DAEMON.replace("listener = ", "import time; time.sleep(0.4); listener = ", 1)
    )
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(_embedded.find_or_start())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 3
    assert len(set(found)) == 1
    assert len((found[0] / "pids").read_text().split()) == 1


def test_a_daemon_that_another_thread_reaped_still_gives_its_status(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = program(tmp_path, monkeypatch, "#!/bin/sh\nexit 3\n")
    read_end, write_end = os.pipe()
    with open(tmp_path / "log", "wb") as log:
        daemon = _embedded._spawn(binary, tmp_path, write_end, log.fileno())
    os.close(write_end)
    os.close(read_end)
    daemon.wait(5)
    _embedded._reap()
    assert _embedded._end(daemon) == 3


def test_a_stale_socket_is_no_cluster(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, DAEMON)
    folder = _embedded.find_or_start()
    os.kill(int((folder / "pids").read_text()), signal.SIGKILL)
    next(iter(_embedded._daemons)).wait(5)
    assert (folder / "sock").exists()
    assert not _embedded.accepts(folder / "sock")
    (folder / "pids").unlink()
    assert _embedded.find_or_start() == folder
    assert len(starts(folder)) == 2


def test_a_start_that_fails_shows_the_logs_end(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "#!/bin/sh\nfor i in $(seq 40); do echo line $i >&2; done\necho no room left >&2\nexit 1\n"
    program(tmp_path, monkeypatch, script)
    with pytest.raises(crossfold.ConnectionFailed, match="exited with status 1") as caught:
        _embedded.find_or_start()
    text = str(caught.value)
    assert text.endswith("no room left")
    assert "line 40" in text
    assert "line 5\n" not in text
    assert "/log, ends with" in text


def test_a_start_that_hangs_is_ended(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_embedded, "_START_SECONDS", 0.3)
    monkeypatch.setattr(_embedded, "_EXIT_SECONDS", 0.1)
    program(tmp_path, monkeypatch, "#!/bin/sh\nexec sleep 60\n")
    start = time.monotonic()
    with pytest.raises(crossfold.ConnectionFailed, match="was not ready in time"):
        _embedded.find_or_start()
    assert time.monotonic() - start < 5
    assert _embedded._daemons == set()


def test_a_lock_that_is_never_followed_by_a_socket_is_an_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_embedded, "_START_SECONDS", 0.5)
    program(tmp_path, monkeypatch, "#!/bin/sh\nexit 3\n")
    with pytest.raises(crossfold.ConnectionFailed, match="locked by a process.*End the process that holds"):
        _embedded.find_or_start()


def test_a_path_too_long_for_a_socket_moves_to_tmp(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("long" * 30)))
    binary = program(tmp_path, monkeypatch, DAEMON)
    folder = _embedded._folder(binary)
    try:
        assert folder.parent == Path(f"/tmp/crossfold-{os.getuid()}")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(folder / "nats.sock"))
    finally:
        (folder / "nats.sock").unlink(missing_ok=True)
        folder.rmdir()


def test_another_binary_is_another_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = program(tmp_path, monkeypatch, DAEMON)
    before = _embedded._identity(binary)
    assert _embedded._identity(binary) == before
    binary.write_text(DAEMON + "# newer\n")
    assert _embedded._identity(binary) != before


def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFOLD_BINARY", str(tmp_path / "none"))
    with pytest.raises(crossfold.BinaryNotFound, match=f"{tmp_path}/none.*unset it"):
        _binary.find()


def test_no_program_anywhere_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSFOLD_BINARY", raising=False)
    monkeypatch.setattr(_binary, "_HERE", tmp_path / "python" / "crossfold")
    script = tmp_path / "crossfold"
    script.write_text("#!/usr/bin/python\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(crossfold.BinaryNotFound, match="pip install crossfold"):
        _binary.find()


def test_the_places_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSFOLD_BINARY", raising=False)
    package = tmp_path / "python" / "crossfold"
    monkeypatch.setattr(_binary, "_HERE", package)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    places = [tmp_path / "path", tmp_path / "bin", package / "_bin"]
    (tmp_path / "go.mod").touch()
    for place in places:
        place.mkdir(parents=True)
        (place / "crossfold").write_bytes(b"\x7fELF")
        (place / "crossfold").chmod(0o755)
        assert _binary.find() == place / "crossfold"


def test_the_console_script_becomes_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, '#!/bin/sh\necho "$@"\n')
    script = (
        "import sys; sys.argv = ['crossfold', 'jobs', '--all']; from crossfold._binary import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "jobs --all\n")
