"""Families: the largest model of several is fitted once for a split, the smaller ones are cut from it.

Whoever needs a member first fits the largest, with scikit-learn's own code, and leaves it to all as a
part; see `crossfold._families` for what is known to be cuttable and `_cuts` for how. What can't be
cut, and what is quick, is fitted as it always was.
"""

from __future__ import annotations

import contextlib
import functools
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sklearn.base import clone

from crossfold import _families
from crossfold._runtime import _cuts, _neighbours, _ways
from crossfold._runtime._parts import Made, Part, Parts, alone
from crossfold.v1 import task_pb2

_Call = Callable[..., Any]


class Bill(Protocol):
    """See `_prefix.Bill`."""

    taken: dict[str, float]
    given: dict[str, float]
    share: dict[str, float]
    waited: dict[str, float]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a family needs of the fit that it is a part of."""

    parts: Parts
    cheap: set[str]
    """Keys of work that is not worth sharing."""
    folder: Path
    bill: Bill
    named: Callable[[Any], str | None]
    """The name of a value; None for one that is not known."""
    digest: Callable[..., str]
    worth: Callable[[float, int], bool]
    """Whether work of some seconds is worth a file of some bytes."""
    hasty: bool
    """Whether nothing may be done for others, nor waited for: the fit has a limit, or was tried before."""


class Family:
    """The final estimator of one fit, as a member of its family."""

    def __init__(
        self, final: Any, member: _families.Member, hint: task_pb2.Family, target: Any, desk: Desk
    ) -> None:
        self.final = final
        self._member = member
        self._hint = hint
        self._target = target
        self._desk = desk
        self._kind = _cuts.kind_of(final)
        self._trained: str | None = None

    @classmethod
    def of(
        cls, estimator: Any, leading: list[Any], hint: task_pb2.Family, target: Any, desk: Desk
    ) -> Family | None:
        """The family of the estimator that is about to be fitted; None where there is none to share with."""
        if hint.members < 2:
            return None
        _, final = _families.final_step(estimator, len(leading))
        member = _families.member(final) if final is not None else None
        if member is None or not member.size <= hint.largest:
            return None
        return cls(final, member, hint, target, desk)

    def watch(self, replace: Callable[[Any, str, _Call], None]) -> None:
        """Answer the calls that may be shared."""
        if self._kind is not None:
            replace(type(self.final), "fit", self._fit)
        else:
            replace(type(self.final), "fit", self._train)
            replace(type(self.final), "kneighbors", self._kneighbors)

    def _fit(self, original: _Call, model: Any, X: Any, y: Any = None, **params: Any) -> Any:
        call = functools.partial(original, model, X, y, **params)
        known = self._desk.named(X)
        if model is not self.final or known is None or params or y is None or y is not self._target:
            return call()
        key = self._desk.digest("family", known, self._member.text, str(self._hint.largest))
        if key in self._desk.cheap or not _is_valid(model):
            return call()
        file = self._desk.folder / f"{key}.part"
        part = self._desk.parts.find(file)
        if part is None and not (self._desk.hasty and self._is_smaller):
            with alone(file) as waited:
                self._desk.bill.waited["fit"] += waited
                part = self._desk.parts.find(file)
                if part is None:
                    return self._make(file, original, model, X, y)
        return call() if part is None else self._take(part, model)

    # Neighbours: the fit is each candidate's own, the search for neighbours is shared.

    def _train(self, original: _Call, model: Any, X: Any, y: Any = None, **params: Any) -> Any:
        if model is self.final and y is self._target and not params:
            self._trained = self._desk.named(X)
        return original(model, X, y, **params)

    def _kneighbors(
        self,
        original: _Call,
        model: Any,
        X: Any = None,
        n_neighbors: Any = None,
        return_distance: bool = True,
    ) -> Any:
        call = functools.partial(original, model, X, n_neighbors, return_distance)
        known = self._desk.named(X)
        if model is not self.final or known is None or self._trained is None or n_neighbors is not None:
            return call()
        most = min(self._hint.largest + 1, model.n_samples_fit_)
        if self._member.size > most or not _neighbours.is_by_order(model, X):
            return call()
        key = self._desk.digest(
            "neighbours", self._trained, known, self._member.text, model._fit_method, str(most)
        )
        found = (
            None if key in self._desk.cheap else self._found(key, functools.partial(original, model, X, most))
        )
        cut = None if found is None else _neighbours.first(model, X, found, self._member.size)
        if cut is None:
            return call()
        return cut if return_distance else cut[1]

    def _found(self, key: str, search: _Call) -> Any:
        """The neighbours that all members need: taken over, or searched for; None where that may not be."""
        file = self._desk.folder / f"{key}.part"
        part = self._desk.parts.find(file)
        if part is None and self._desk.hasty and self._is_smaller:
            return None
        if part is None:
            with alone(file) as waited:
                self._desk.bill.waited["score"] += waited
                part = self._desk.parts.find(file)
                if part is None:
                    return self._search(file, search)
        self._charge("score", part.seconds)
        self._desk.bill.taken["score"] += part.seconds
        _ways.note("family: neighbours taken over")
        return part.value()

    def _search(self, file: Path, search: _Call) -> Any:
        began = time.perf_counter()
        found = search()
        seconds = time.perf_counter() - began
        if self._desk.worth(seconds, sum(values.nbytes for values in found)):
            self._desk.parts.publish(file, Made(found, {}, [], seconds, 0.0))
            self._desk.bill.given["score"] += seconds
            self._charge("score", seconds)
            _ways.note("family: neighbours for all")
        else:
            self._desk.cheap.add(file.stem)
        return found

    @property
    def _is_smaller(self) -> bool:
        return self._member.size < self._hint.largest

    def _make(self, file: Path, original: _Call, model: Any, X: Any, y: Any) -> Any:
        """Fit the largest, once: where that was of no use, nobody tries again."""
        tried = file.with_suffix(".tried")
        own = functools.partial(original, model, X, y)
        if tried.exists() and self._is_smaller:
            return own()
        with contextlib.suppress(OSError):
            tried.touch()
        assert self._kind is not None
        whole = model
        if self._is_smaller:
            whole = clone(model).set_params(**{self._member.rule.size: self._hint.largest})
        began = time.perf_counter()
        packed = None
        try:
            with _hushed(self._is_smaller) as notes:
                seen = self._kind.fit(functools.partial(original, whole, X, y))
            seconds = time.perf_counter() - began
            packed = None if notes else _packed(self._kind, whole, seen)
        except Exception:  # the member's own fit, below, tells of its own error alone
            if whole is model:
                raise
        if packed is None:  # it failed, ended early or warned: that may depend on the size
            self._desk.cheap.add(file.stem)
            return model if whole is model else own()
        self._leave(file, packed, seconds)
        if whole is not model:
            self._become(model, *packed)
        return model

    def _leave(self, file: Path, packed: tuple[_cuts.State, _cuts.Blocks], seconds: float) -> None:
        state, blocks = packed
        if not self._desk.worth(seconds, sum(block.nbytes for block in blocks)):
            self._desk.cheap.add(file.stem)
            return
        self._desk.parts.publish(file, Made(blocks, state, [], seconds, 0.0))
        self._desk.bill.given["fit"] += seconds
        self._charge("fit", seconds)
        _ways.note("family: fitted for all")

    def _take(self, part: Part, model: Any) -> Any:
        self._become(model, part.state(fresh=True), part.value())
        self._desk.bill.taken["fit"] += part.seconds * self._member.size / self._hint.largest
        self._charge("fit", part.seconds)
        _ways.note("family: cut from the largest")
        return model

    def _become(self, model: Any, state: _cuts.State, blocks: _cuts.Blocks) -> None:
        assert self._kind is not None
        vars(model).update(self._kind.cut(state, blocks, self._member.size))
        self._kind.finish(model)

    def _charge(self, phase: str, seconds: float) -> None:
        """Add this member's share of the work: by its size, as if each had done it for itself."""
        size = self._member.size
        self._desk.bill.share[phase] += seconds * size / max(self._hint.total, size)


def _is_valid(model: Any) -> bool:
    """Whether scikit-learn would take its parameters; else it is the one to say so."""
    try:
        model._validate_params()
    except Exception:
        return False
    return True


def _packed(kind: _cuts.Kind, whole: Any, seen: Any) -> tuple[_cuts.State, _cuts.Blocks] | None:
    try:
        return kind.pack(whole, seen)
    except Exception:  # a model that can't be taken apart is a model all the same
        return None


@contextlib.contextmanager
def _hushed(hush: bool) -> Iterator[list[Any]]:
    """Yield the warnings of the block, kept to itself or shown all the same."""
    notes: list[Any] = []
    with contextlib.ExitStack() as stack:
        if hush:
            stack.enter_context(warnings.catch_warnings())
        show = warnings.showwarning

        def note(*args: Any, **more: Any) -> None:
            notes.append(args)
            if not hush:
                show(*args, **more)

        stack.callback(setattr, warnings, "showwarning", show)
        warnings.showwarning = note
        yield notes
