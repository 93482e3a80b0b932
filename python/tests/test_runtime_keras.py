"""Twins against Keras' own methods: every weight, log and random stream to the bit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_sides import LOOP, Side, assert_close, compare, on_both

pytestmark = pytest.mark.timeout(240)


CASES = """
    full_batches short_last_batch fewer_rows_than_a_batch without_shuffling
    double_precision_columns_in_fortran_order sparse_labels binary_labels regression dropout normalisation
    activations images full_batches_of_images series words masked_words functional penalties_and_constraints
    optimizer_SGD optimizer_Adam optimizer_AdamW optimizer_RMSprop optimizer_Nadam optimizer_Adagrad
    early_stopping falling_learning_rates validation_data training_goes_on
    plain_with_penalties plain_until_it_gets_no_better plain_evaluated
    large_rows_again_and_with_one_other_number stateful_random_operations_beside_it
""".split()


@pytest.mark.parametrize("name", CASES)
def test_a_twin_leaves_what_keras_leaves(twins: Side, own: Side, name: str) -> None:
    ways = compare(twins, own, "case", name)
    assert "keras: whole epochs in the graph" in ways
    assert not [way for way in ways if "own" in way]


HIDDEN = st.tuples(
    st.integers(1, 9),
    st.sampled_from(["relu", "tanh", "sigmoid", "gelu", "elu"]),
    st.sampled_from([0, 0.25]),
    st.booleans(),
)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    hidden=st.lists(HIDDEN, min_size=1, max_size=3),
    optimizer=st.sampled_from(["SGD", "Adam", "AdamW", "RMSprop", "Nadam", "Adagrad"]),
    rows=st.integers(2, 50),
    batch=st.integers(1, 20),
    epochs=st.integers(1, 3),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_dense_network_is_the_one_keras_fits(twins: Side, own: Side, **options: Any) -> None:
    ways = compare(twins, own, "drawn", "", **options)
    assert "keras: whole epochs in the graph" in ways


def test_fits_of_one_architecture_share_a_twin(twins: Side, own: Side) -> None:
    options = {"hidden": [[7, "relu", 0.25, True]], "rows": 20, "batch": 6, "epochs": 2, "shuffle": True}
    traces = []
    for seed in range(3):
        compare(twins, own, "drawn", "", optimizer="Nadam", seed=seed, **options)
        traces.append(twins.asked("traces")["traces"])
    assert traces == traces[:1] * 3


REFUSED = [
    "model class Subclassed",
    "layer Own",
    "layer Lambda",
    "custom activation relu",
    "a model without an input shape",
    "several inputs or outputs",
    "layer Concatenate",
    "branches or shared layers",
    "operation Add",
    "a replaced train_step",
    "dtype mixed_bfloat16",
    "custom loss squared",
    "custom metric squared",
    "optimizer Steepest",
    "learning rate <lambda>",
    "callback Watch",
    "callback LambdaCallback",
    "run_eagerly",
    "jit_compile",
    "loss weights",
    "sample_weight",
    "class_weight",
    "steps_per_epoch",
    "shuffle='batch'",
    "x is not a plain array of numbers",
]


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_known_takes_keras_own_fit_and_says_why(twins: Side, reason: str) -> None:
    twins.ask("refused", reason)
    _, ways = twins.answer()
    assert ways == [f"keras: own fit ({reason})"]


PLAIN = """
    full_batches short_last_batch fewer_rows_than_a_batch without_shuffling
    double_precision_columns_in_fortran_order
    optimizer_SGD optimizer_AdamW optimizer_RMSprop optimizer_Nadam optimizer_Adagrad
    falling_learning_rates plain_with_penalties plain_until_it_gets_no_better plain_evaluated
    large_rows_again_and_with_one_other_number
""".split()


@pytest.mark.parametrize("name", PLAIN)
def test_a_compiled_loop_leaves_nearly_what_keras_leaves(compiled: Side, own: Side, name: str) -> None:
    found, ways, expected = on_both(compiled, own, name)
    assert LOOP in ways
    assert not [way for way in ways if "own" in way]
    assert_close(found, expected)


LEFT_OUT = "keras: columns of zeros left out"


@pytest.mark.parametrize(
    "name", ["zeros_in_columns", "zeros_in_columns_of_a_functional_model", "zeros_in_all_columns"]
)
def test_columns_of_zeros_are_left_out_of_a_compiled_loop(compiled: Side, own: Side, name: str) -> None:
    found, ways, expected = on_both(compiled, own, name)
    assert {LOOP, LEFT_OUT} <= set(ways)
    assert_close(found, expected)


@pytest.mark.parametrize(
    "name",
    [
        "zeros_in_columns_that_had_others_before",
        "zeros_in_columns_that_decay",
        "zeros_in_columns_with_a_penalty",
        "zeros_in_a_few_columns",
    ],
)
def test_columns_that_do_not_stay_as_they_are_are_not_left_out(compiled: Side, own: Side, name: str) -> None:
    found, ways, expected = on_both(compiled, own, name)
    assert LOOP in ways
    assert LEFT_OUT not in ways
    assert_close(found, expected)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dropout", "layer Dropout"),
        ("images", "layer Conv2D"),
        ("binary_labels", "metric auc"),
        ("optimizer_Adam", "gradient accumulation"),
    ],
)
def test_what_is_not_plain_keeps_keras_bits_and_says_why(
    compiled: Side, own: Side, name: str, reason: str
) -> None:
    found, ways, expected = on_both(compiled, own, name)
    assert ways[:2] == [f"keras: no compiled loop ({reason})", "keras: whole epochs in the graph"]
    # A plain network predicts in large batches all the same.
    del found["predicted"], expected["predicted"]
    assert found == expected
