"""Fixtures: a cluster in this process, clean client state around every test, and processes of Keras fits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Importing the drop-ins must not start a real cluster here.
os.environ["CROSSFOLD_EARLY"] = "0"

import pytest  # noqa: E402
from double import Cluster  # noqa: E402
from keras_sides import Side  # noqa: E402

from crossfold import _client  # noqa: E402


@pytest.fixture
def disconnected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No connection before, none after."""
    for name in ("CROSSFOLD_URL", "CROSSFOLD_TOKEN", "CROSSFOLD_CA", "CROSSFOLD_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_client, "_client", None)
    monkeypatch.setattr(_client, "_url", None)
    yield
    if _client._client is not None:
        _client._client.close()


@pytest.fixture
def cluster(tmp_path: Path, disconnected: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A double that this process is pointed at; it is connected to on first use."""
    double = Cluster(tmp_path)
    monkeypatch.setenv("CROSSFOLD_URL", double.url)
    yield double
    if _client._client is not None:
        _client._client.close()
    double.close()


@pytest.fixture(scope="module")
def own() -> Iterator[Side]:
    """A process that fits Keras models as Keras does."""
    with Side() as side:
        yield side


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store folder where processes of a worker find each other's traces."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def twins(traces: Path) -> Iterator[Side]:
    """A process that fits Keras models as a worker does."""
    with Side("twins", str(traces)) as side:
        yield side


@pytest.fixture(scope="module")
def compiled(traces: Path) -> Iterator[Side]:
    """A process that fits Keras models as a worker does whose user takes numbers that are close."""
    with Side("compiled", str(traces)) as side:
        yield side
