"""Holding the garbage collector off leaves it as it was found."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from crossfold._collector import Hold


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    yield
    gc.enable()


def test_it_runs_again_when_the_last_of_several_holds_is_released() -> None:
    first, second = Hold(), Hold()
    first.release()
    first.release()
    assert not gc.isenabled()
    second.release()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with Hold():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_a_hold_may_end_by_itself() -> None:
    hold = Hold()
    assert not gc.isenabled()
    hold.release_after(0.01)
    for thread in threading.enumerate():
        if thread.name == "crossfold-collector":
            thread.join(10)
    assert gc.isenabled()
    hold.release()
    assert gc.isenabled()


def test_an_error_inside_releases_it() -> None:
    with pytest.raises(LookupError), Hold():
        raise LookupError
    assert gc.isenabled()
