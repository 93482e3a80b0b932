"""What a client tells the planner of a candidate: what its time may depend on, and whom it shares with."""

from __future__ import annotations

import hashlib
import math
import numbers
from typing import Any

from crossfold.v1 import task_pb2 as pb

# More would make the messages longer, not the predictions better.
_MOST_FEATURES = 16
_LONGEST_TEXT = 40
_LONGEST_TUPLE = 8
# More candidates are not counted beforehand: it would keep the first fit waiting.
_MOST_COUNTED = 1000


class Hints:
    """The hints of one job; its estimators are alike but for their parameters."""

    def __init__(self, prefixes: bool) -> None:
        # Nothing is shared behind steps that are not described.
        self._leading: dict[str, str] | None = None if prefixes else {}
        self._prefixes = prefixes
        self._families: dict[str, pb.Family] = {}

    def expect(self, estimator: Any, candidates: list[dict[str, Any]]) -> None:
        """Count the families of all candidates that there will be: the first fit may be the smallest."""
        if not self._prefixes or not 1 < len(candidates) <= _MOST_COUNTED:
            return
        counted: dict[str, pb.Family] = {}
        for parameters in candidates:
            message = pb.Candidate()
            self.give(message, {"estimator": estimator, "parameters": parameters})
            if not message.family_key:
                continue
            family = counted.setdefault(message.family_key, pb.Family())
            family.members += 1
            family.total += message.family_size
            family.largest = max(family.largest, message.family_size)
        self._families = counted

    def give(self, message: pb.Candidate, candidate: dict[str, Any]) -> None:
        """Add what is known of a candidate, the varying arguments of a lifted fit, to its message."""
        parameters = candidate.get("parameters")
        if isinstance(parameters, dict):
            message.features.update(_features(parameters))
        if self._prefixes and (self._leading is None or parameters is None):
            self._leading = _leading(candidate.get("estimator"))
        if self._leading:
            message.prefix_key = self._prefix_key(parameters or {})
        if self._prefixes:
            self._give_family(message, candidate.get("estimator"), parameters or {})

    def _give_family(self, message: pb.Candidate, estimator: Any, parameters: dict[str, Any]) -> None:
        """Add the family of the final estimator, if all that is before it is shared, too."""
        from crossfold import _families

        name, final = _families.final_step(estimator, len(self._leading or ()))
        if self._leading and not message.prefix_key:
            return
        final = parameters.get(name, final) if name else final
        start = f"{name}__" if name else ""
        own = {key[len(start) :]: value for key, value in parameters.items() if key.startswith(start)}
        member = _families.member(final, own)
        if member is not None:
            message.family_key = _digest([message.prefix_key, member.text])
            message.family_size = member.size
            if message.family_key in self._families:
                message.family.CopyFrom(self._families[message.family_key])

    def _prefix_key(self, parameters: dict[str, Any]) -> str:
        """Equal for candidates whose leading steps are equal; empty when that can't be told."""
        from crossfold import _safe

        assert self._leading is not None
        parts = [*self._leading.items()]
        for name in sorted(parameters):
            if name.partition("__")[0] in self._leading:
                text = _safe.describe_value(parameters[name])
                if text is None:
                    return ""
                parts.append((name, text))
        return _digest(parts)


def _digest(parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode(errors="replace"), digest_size=8).hexdigest()


def _leading(estimator: Any) -> dict[str, str]:
    """Name and description of the steps that fits may share: see `crossfold._runtime._prefix`."""
    from crossfold import _safe

    return {name: _safe.describe(step) or "" for name, step in _safe.leading_steps(estimator)}


def _features(parameters: dict[str, Any]) -> dict[str, float]:
    features: dict[str, float] = {}
    for name, value in list(parameters.items())[:_MOST_FEATURES]:
        number = _number(value)
        if number is None:
            features[_text(f"{name}={_short(value)}")] = 1.0
        elif math.isfinite(number):
            features[_text(name)] = number
    return features


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _short(value: Any) -> str:
    if isinstance(value, str | bool | None) or (isinstance(value, tuple) and len(value) <= _LONGEST_TUPLE):
        return str(value)[:_LONGEST_TEXT]
    return type(value).__name__


def _text(value: Any) -> str:
    """A str that a message takes: without lone surrogates."""
    return str(value).encode(errors="replace").decode()
