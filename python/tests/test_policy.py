"""The helpers of a policy's search space draw what the coordinator draws."""

from __future__ import annotations

import math

import pytest

from crossfold import policy


def test_the_first_numbers_are_the_coordinators() -> None:
    # bridge/policy/internal/interp/interp_test.go expects the same numbers of the Go side.
    policy.seed(42)
    drawn = [
        policy.uniform(0, 1),
        policy.uniform(-5, 5),
        policy.loguniform(0.001, 1000),
        policy.randint(1, 6),
        policy.choice(["a", "b", "c"]),
    ]
    assert drawn == [0.7415648787718233, -3.400896071230799, 0.046946885010576964, 1, "b"]


def test_a_seed_repeats_its_numbers_and_counts_64_bits() -> None:
    policy.seed(7)
    first = [policy.uniform(0, 1) for _ in range(5)]
    policy.seed(7 + 2**64)
    assert [policy.uniform(0, 1) for _ in range(5)] == first
    policy.seed(8)
    assert [policy.uniform(0, 1) for _ in range(5)] != first


def test_draws_stay_in_their_bounds_and_reach_them() -> None:
    policy.seed(0)
    assert {policy.randint(-1, 1) for _ in range(200)} == {-1, 0, 1}
    assert {policy.choice("ab") for _ in range(50)} == {"a", "b"}
    for _ in range(500):
        assert 2.0 <= policy.uniform(2, 3) <= 3.0
        assert 1e-8 <= policy.loguniform(1e-8, 1e8) <= 1e8
    assert policy.uniform(5, 5) == 5.0
    assert policy.loguniform(3, 3) == 3.0


def test_loguniform_is_uniform_in_the_logarithm() -> None:
    policy.seed(1)
    logs = [math.log10(policy.loguniform(1e-3, 1e3)) for _ in range(4000)]
    for low in range(-3, 3):
        share = sum(low <= x < low + 1 for x in logs) / len(logs)
        assert abs(share - 1 / 6) < 0.03


@pytest.mark.parametrize(
    ("draw", "error", "text"),
    [
        (lambda: policy.uniform(2, 1), ValueError, "2.0"),
        (lambda: policy.uniform(0, math.inf), ValueError, "inf"),
        (lambda: policy.uniform(math.nan, 1), ValueError, "nan"),
        (lambda: policy.uniform("a", 1), TypeError, "str"),  # type: ignore[arg-type]
        (lambda: policy.loguniform(0, 1), ValueError, "0.0"),
        (lambda: policy.randint(3, 1), ValueError, "3"),
        (lambda: policy.randint(0, 2**63), ValueError, "2\\*\\*63"),
        (lambda: policy.randint(1.5, 2), TypeError, "1.5"),  # type: ignore[arg-type]
        (lambda: policy.choice([]), ValueError, "empty"),
        (lambda: policy.choice({"a": 1}), TypeError, "dict"),  # type: ignore[arg-type]
        (lambda: policy.seed("x"), TypeError, "str"),  # type: ignore[arg-type]
    ],
)
def test_bad_bounds_are_named(draw: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        draw()  # type: ignore[operator]


def test_a_policy_file_says_import_crossfold() -> None:
    policy.seed(4)
    expected = [policy.uniform(0, 1), policy.choice("abc")]
    names: dict[str, object] = {}
    exec(
        "import crossfold\ncrossfold.seed(4)\ndrawn = [crossfold.uniform(0, 1), crossfold.choice('abc')]",
        names,
    )
    assert names["drawn"] == expected
