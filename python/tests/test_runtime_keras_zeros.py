"""The compiled loop on rows that are mostly zeros, beside Keras' own fit."""

from __future__ import annotations

import pytest
from keras_sides import LOOP, Side, assert_close, on_both

pytestmark = pytest.mark.timeout(240)


ZEROS = """
    short_last_batch one_large_batch wide_and_deep one_layer functional sparse_labels
    sparse_labels_in_a_column several_labels binary_labels regression several_targets
    held_out columns_of_zeros_as_well training_goes_on falling_learning_rates until_it_gets_no_better
    large_rows_in_an_order_that_comes_again
""".split()


@pytest.mark.parametrize("name", ZEROS)
def test_zeros_are_left_out_of_a_compiled_loop(compiled: Side, own: Side, name: str) -> None:
    found, ways, expected = on_both(compiled, own, name, "zeros")
    assert {LOOP, "keras: zeros left out"} <= set(ways)
    assert_close(found, expected)


NOT_FOR_THE_LOOP = """
    a_tanh an_activation_of_its_own no_bias a_penalty another_optimizer amsgrad clipped_gradients a_schedule
    smooth_labels logits another_loss few_zeros
""".split()


@pytest.mark.parametrize("name", NOT_FOR_THE_LOOP)
def test_other_networks_multiply_by_zero(compiled: Side, own: Side, name: str) -> None:
    found, ways, expected = on_both(compiled, own, name, "not for the loop")
    assert LOOP in ways
    assert "keras: zeros left out" not in ways
    assert_close(found, expected)
