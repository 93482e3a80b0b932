"""Graphs on disk: what a process of this host has traced, later ones need not trace again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from crossfold._runtime._files import whole
from crossfold._runtime._keras import _pristine
from crossfold._runtime._keras._graphs import Graph

FOLDER = ".traces"
"""Where graphs are, inside the store folder."""

LIMIT = 256
"""Most graphs kept; one of a network of two layers takes 70 kB."""

folder: Path | None = None
"""Where they are; None: they stay in their process."""


def find(key: Any) -> Graph | None:
    """Return a graph that a process kept under this key, or None."""
    if folder is None or not _pristine.may_share():
        return None
    file = folder / _name(key)
    try:
        graph = Graph.from_bytes(file.read_bytes())
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # those not used for longest go first
    return graph


def keep(key: Any, graph: Graph) -> None:
    """Keep a graph for other processes, unless something of Keras was replaced in this one."""
    if folder is None or not _pristine.may_share():
        return
    # A full disk costs others their tracing, and nobody a fit.
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        with whole(folder / _name(key)) as file:
            file.write(graph.to_bytes())
        kept = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for unused in kept[:-LIMIT]:
            unused.unlink()


def _name(key: Any) -> str:
    return hashlib.sha256(json.dumps([_makers(), key]).encode()).hexdigest()


@cache
def _makers() -> list[str]:
    """What makes graphs, besides what they are made of."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    own = (hashlib.sha256(source.read_bytes()).hexdigest() for source in sources)
    return [keras.__version__, tf.__version__, tf.version.GIT_VERSION, *own]
