"""A Jupyter kernel, driven as a notebook drives it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager


@dataclass
class Cell:
    """What a person sees below a cell: `error` is the exception's class name."""

    id: str
    stdout: str = ""
    stderr: str = ""
    error: str | None = None
    ended: bool = False
    values: list[str] = field(default_factory=list)

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Add one message of the kernel."""
        if kind == "stream":
            name = content["name"]
            setattr(self, name, getattr(self, name) + content["text"])
        elif kind == "error":
            self.error = content["ename"]
        elif kind == "execute_result":
            self.values.append(content["data"]["text/plain"])
        elif kind == "status":
            self.ended = content["execution_state"] == "idle"


class Notebook:
    """A context manager that runs cells in one kernel; messages go to the cell that they name."""

    def __init__(self, environment: dict[str, str]) -> None:
        # Directly under the temporary folder: a Unix socket's path is at most 107 bytes.
        self._folder = tempfile.mkdtemp(prefix="cf-nb-")
        self._manager = KernelManager(transport="ipc", ip=str(Path(self._folder, "kernel")))
        self._manager.kernel_spec.argv[0] = sys.executable
        self._manager.start_kernel(env=environment, cwd=self._folder)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self._cells: dict[str, Cell] = {}

    def start(self, source: str) -> Cell:
        """Begin to run a cell."""
        cell = Cell(self._client.execute(source))
        self._cells[cell.id] = cell
        return cell

    def wait(self, cell: Cell, seconds: float = 60) -> Cell:
        """Wait for a cell's end and return it."""
        deadline = time.monotonic() + seconds
        while not cell.ended:
            try:
                message = self._client.get_iopub_msg(timeout=max(deadline - time.monotonic(), 0.01))
            except Empty:
                raise AssertionError(f"the cell did not end within {seconds:g} s: {cell}") from None
            owner = self._cells.get(message["parent_header"].get("msg_id", ""))
            if owner is not None:
                owner.take(message["msg_type"], message["content"])
        return cell

    def run(self, source: str) -> Cell:
        """Run a cell to its end."""
        return self.wait(self.start(source))

    def interrupt(self) -> None:
        """Press the stop button."""
        self._manager.interrupt_kernel()

    def __enter__(self) -> Notebook:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        shutil.rmtree(self._folder, ignore_errors=True)
