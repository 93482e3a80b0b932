"""Helpers for the search space of a policy, the same under CPython as in the coordinator.

A policy file draws candidates with these functions::

    from crossfold.policy import choice, loguniform, seed

    def space(ctx):
        seed(ctx["seed"])
        for _ in range(20):
            yield {"C": loguniform(1e-3, 1e3), "kernel": choice(["rbf", "linear"])}

The coordinator runs it without Python and draws the same numbers, bit for bit: the generator is splitmix64
(Steele, Lea and Flood, 2014), and ``loguniform`` takes logarithms by ``+ - * /`` alone, which are the same on
every machine. A draw before the first ``seed`` starts from ``seed(0)``; the coordinator begins every call so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, TypeVar

__all__ = ["choice", "loguniform", "param_grid", "randint", "seed", "uniform"]

T = TypeVar("T")

_MASK = 2**64 - 1
_state = 0

# ln 2 in two parts: the first has 32 trailing zero bits, so that k times it is exact.
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10


def _next() -> int:
    """Give the next 64 random bits."""
    global _state
    _state = (_state + 0x9E3779B97F4A7C15) & _MASK
    z = _state
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
    return z ^ z >> 31


def _unit() -> float:
    """Give a float in [0, 1) with 53 random bits."""
    return (_next() >> 11) * 2.0**-53


def _below(n: int) -> int:
    """Give an int in [0, n), each equally likely."""
    limit = 2**64 - 2**64 % n
    while True:
        x = _next()
        if x < limit:
            return x % n


def _interval(name: str, low: float, high: float) -> tuple[float, float]:
    low, high = _number(low), _number(high)
    if not low <= high or math.isinf(high - low):
        raise ValueError(f"{name} needs finite bounds with low <= high, not {low!r} and {high!r}")
    return low, high


def _number(value: float) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"a bound must be a real number, not {type(value).__name__}")
    return float(value)


def seed(n: int, /) -> None:
    """Start the generator anew.

    Args:
        n: any int; its lowest 64 bits count.

    Raises:
        TypeError: ``n`` is not an int.
    """
    global _state
    if not isinstance(n, int):
        raise TypeError(f"seed must be an int, not {type(n).__name__}")
    _state = n & _MASK


def uniform(low: float, high: float, /) -> float:
    """Draw a float from [low, high], each equally likely.

    Raises:
        ValueError: a bound is not finite, or low is above high.
        TypeError: a bound is not a number.
    """
    low, high = _interval("uniform", low, high)
    return min(high, low + (high - low) * _unit())


def loguniform(low: float, high: float, /) -> float:
    """Draw a float from [low, high] whose logarithm is uniform.

    Raises:
        ValueError: a bound is not finite, low is above high, or low is not above 0.
        TypeError: a bound is not a number.
    """
    low, high = _interval("loguniform", low, high)
    if low <= 0:
        raise ValueError(f"loguniform needs 0 < low <= high, not {low!r}")
    start = _log(low)
    width = _log(high) - start
    return max(low, min(high, _exp(start + width * _unit())))


def randint(low: int, high: int, /) -> int:
    """Draw an int from low to high, both included, each equally likely.

    Raises:
        ValueError: low is above high, or they lie 2**63 or more apart.
        TypeError: a bound is not an int.
    """
    if not isinstance(low, int) or not isinstance(high, int):
        raise TypeError(f"randint needs two ints, not {low!r} and {high!r}")
    span = high - low
    if not 0 <= span < 2**63:
        raise ValueError(f"randint needs low <= high, less than 2**63 apart, not {low} and {high}")
    return int(low) + _below(span + 1)


def choice(options: Sequence[T], /) -> T:
    """Draw one element of a list, tuple, str or range, each equally likely.

    Raises:
        ValueError: there is nothing to choose from.
        TypeError: ``options`` is of another type.
    """
    if not _is_sequence(options):
        raise TypeError(f"choice needs a list, tuple, str or range, not {type(options).__name__}")
    if not options:
        raise ValueError("choice from an empty sequence")
    return options[_below(len(options))]


def param_grid(path: str | os.PathLike[str], /, *, n: int = 10, seed: int = 0) -> list[dict[str, list[Any]]]:
    """Give the candidates of a policy file as the ``param_grid`` of a search; not for policies themselves.

    They are what ``space({"n": n, "seed": seed})`` yields, else ``PARAM_GRID``. The crossfold program runs
    the file, as the coordinator does.

    Raises:
        PolicyError: the file is refused or fails, or what it gives are no candidates.
    """
    from crossfold import _policies

    return _policies.param_grid(path, n, seed)


def _is_sequence(value: object) -> bool:
    return isinstance(value, (list, tuple, str, range))


def _log(x: float) -> float:
    """Take the natural logarithm of a positive float by + - * / alone; within 2 ulp."""
    m, exponent = math.frexp(x)
    if m < 0.7071067811865476:
        m *= 2
        exponent -= 1
    z = (m - 1) / (m + 1)
    square = z * z
    total = 0.0
    for k in range(41, 0, -2):
        total = total * square + 1 / k
    return exponent * _LN2_HIGH + (2 * z * total + exponent * _LN2_LOW)


def _exp(x: float) -> float:
    """Take the exponential by + - * / alone; within 2 ulp."""
    k = math.floor(x / 0.6931471805599453 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = 1.0
    for n in range(18, 0, -1):
        total = 1 + r * total / n
    return math.ldexp(total, k)
