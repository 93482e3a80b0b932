"""Traces that processes of a host take over from each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_sides import Side, compare

pytestmark = pytest.mark.timeout(240)

CASES = """
    full_batches short_last_batch double_precision_columns_in_fortran_order dropout images series masked_words
    penalties_and_constraints falling_learning_rates validation_data
""".split()


@pytest.fixture(scope="module")
def later(traces: Path) -> Iterator[Side]:
    with Side("twins", str(traces)) as side:
        yield side


@pytest.mark.parametrize("name", CASES)
def test_a_later_process_traces_nothing_and_leaves_what_keras_leaves(
    twins: Side, later: Side, own: Side, name: str
) -> None:
    twins.ask("case", name)
    twins.answer()
    assert "keras: whole epochs in the graph" in compare(later, own, "case", name)
    assert later.asked("traces")["models"] == 0


@pytest.mark.parametrize("name", ["full_batches", "zeros_in_columns"])
def test_a_later_process_takes_compiled_loops_over(tmp_path: Path, name: str) -> None:
    left = []
    for traced in (True, False):
        with Side("compiled", str(tmp_path)) as side:
            side.ask("case", name)
            left.append(side.answer())
            assert bool(side.asked("traces")["models"]) == traced
    assert left[0] == left[1]
    assert "keras: compiled loop (close, not bit-equal)" in left[0][1]


@pytest.mark.parametrize(
    "change",
    ["replace_a_method", "replace_an_inherited_method", "turn_a_switch", "watch_operations"],
)
def test_where_something_of_keras_was_changed_traces_stay_in_their_process(
    twins: Side, traces: Path, change: str
) -> None:
    twins.ask("case", "full_batches")
    twins.answer()
    before = {file: file.read_bytes() for file in traces.glob(".traces/*")}
    with Side("twins", str(traces)) as changed, Side() as own:
        compare(changed, own, "case", "full_batches")
        assert changed.asked("traces")["models"] == 0
        for side in (changed, own):
            side.asked(change)
        compare(changed, own, "case", "full_batches")
        assert changed.asked("traces")["models"] == 2  # to train and to predict
        compare(changed, own, "case", "optimizer_SGD")
    assert {file: file.read_bytes() for file in traces.glob(".traces/*")} == before


def test_importing_keras_as_a_part_of_tensorflow_changes_nothing(later: Side) -> None:
    assert later.asked("import_the_other_way") == {"same": True, "shared": True}


def test_a_method_that_is_gone_is_a_change_until_it_is_back(later: Side) -> None:
    assert later.asked("take_a_method_away") == {"without": False, "put back": True}


def test_a_function_put_among_keras_own_stays_the_users(later: Side) -> None:
    assert later.asked("put_a_loss_among_keras_own") == {"taken": False}


def test_a_model_with_nothing_to_train_is_left_to_keras(later: Side) -> None:
    later.ask("fit_what_has_nothing_to_train")
    assert later.answer()[1] == ["keras: own fit (nothing to train)"]


def test_a_file_that_was_cut_off_is_made_again(tmp_path: Path, own: Side) -> None:
    for traced, cut in ((True, True), (True, False), (False, False)):
        with Side("twins", str(tmp_path)) as side:
            compare(side, own, "case", "full_batches")
            assert bool(side.asked("traces")["models"]) == traced
        files = list(tmp_path.glob(".traces/*"))
        assert files
        for file in files if cut else ():
            file.write_bytes(file.read_bytes()[:-1])


def with_its_digest(rest: bytes) -> bytes:
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.binary() | st.binary().map(with_its_digest))
def test_no_other_bytes_are_taken_for_a_graph(later: Side, data: bytes) -> None:
    assert later.asked("decode", data=data.hex()) == {"found": False}


def test_the_graphs_not_used_for_longest_go_first(tmp_path: Path) -> None:
    kept = tmp_path / ".traces"
    with Side("twins", str(tmp_path)) as side:
        side.asked("limit", graphs=4)
        side.ask("case", "full_batches")
        side.answer()
        oldest = set(kept.iterdir())
        for name in ("optimizer_SGD", "dropout"):
            side.ask("case", name)
            side.answer()
    left = set(kept.iterdir())
    assert len(left) == 4
    assert not oldest <= left


def test_without_a_folder_to_write_to_fits_go_on(tmp_path: Path, own: Side) -> None:
    with Side("twins", str(tmp_path / "missing")) as side:
        ways = compare(side, own, "case", "full_batches")
    assert "keras: whole epochs in the graph" in ways
