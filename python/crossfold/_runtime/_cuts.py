"""Wholes and cuts: the largest model of a family, packed so that every smaller one can be cut from it.

A whole is the attributes that fitting set, and its members (trees, stages) one by one, each pickled:
who cuts a model of 10 reads 10 of them. Members are the cutter's own; nothing of them is shared.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossfold import _families

Blocks = list[NDArray[np.uint8]]
State = dict[str, Any]
_Call = Callable[..., Any]

# What stands for the generator that a gradient boosting and all of its trees hold.
_GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class Kind:
    """How the models of one class are packed and cut: which attributes are as long as the model."""

    members: str
    """Its members, in order."""
    arrays: tuple[str, ...] = ()
    """Arrays with one entry a member."""
    lists: tuple[str, ...] = ()

    def fit(self, call: _Call) -> Any:
        """Fit the largest model; return what `pack` needs to know beside it."""
        call()

    def pack(self, model: Any, seen: Any) -> tuple[State, Blocks] | None:
        """Take a fitted model apart; None for one that ended before its size."""
        members = getattr(model, self.members)
        if len(members) != _size_of(model):
            return None
        learned = _learned(model)
        learned[self.members] = None
        return learned, [_block(member) for member in members]

    def cut(self, state: State, blocks: Blocks, size: int) -> State:
        """The attributes of the model of ``size`` members. ``state`` is the caller's own."""
        state[self.members] = [pickle.loads(block.data) for block in blocks[:size]]
        for name in self.arrays:
            state[name] = state[name][:size].copy()
        for name in self.lists:
            state[name] = state[name][:size]
        return state

    def finish(self, model: Any) -> None:
        """Do what is left to do once the model has its attributes."""


@dataclass(frozen=True, slots=True)
class _Histograms(Kind):
    def pack(self, model: Any, seen: Any) -> tuple[State, Blocks] | None:
        return None if model.do_early_stopping_ else Kind.pack(self, model, seen)


@dataclass(frozen=True, slots=True)
class _Stages(Kind):
    """Gradient boosting: each stage draws from one generator, which every tree holds."""

    def fit(self, call: _Call) -> Any:
        """Note where the generator is after each stage."""
        states: list[Any] = []
        keys: dict[bytes, Any] = {}

        def note(stage: int, model: Any, _locals: Any) -> bool:
            name, key, *rest = model._rng.get_state()
            states.append((name, keys.setdefault(key.tobytes(), key), *rest))
            return False

        call(monitor=note)
        return states

    def pack(self, model: Any, seen: Any) -> tuple[State, Blocks] | None:
        if len(seen) != len(model.estimators_) or len(seen) != model.n_estimators:
            return None
        learned = _learned(model)
        learned["estimators_"], learned["_rng"] = None, seen
        return learned, [_block(list(stage), model._rng) for stage in model.estimators_]

    def cut(self, state: State, blocks: Blocks, size: int) -> State:
        generator = np.random.RandomState()
        generator.set_state(state["_rng"][size - 1])
        stages = [_member(block, generator) for block in blocks[:size]]
        estimators = np.empty((size, len(stages[0])), dtype=object)
        for row, stage in zip(estimators, stages, strict=True):
            row[:] = stage
        state |= {"_rng": generator, "estimators_": estimators, "n_estimators_": size}
        for name in self.arrays:
            if name in state:
                state[name] = state[name][:size].copy()
        if "oob_score_" in state:
            state["oob_score_"] = state["oob_scores_"][-1]
        return state


@dataclass(frozen=True, slots=True)
class _Pruned(Kind):
    """A tree: the whole is the one that was not pruned yet."""

    def fit(self, call: _Call) -> Any:
        grown: list[Any] = []
        tree: Any = call.args[0]  # type: ignore[attr-defined]
        prune = type(tree)._prune_tree

        def note(model: Any) -> None:
            if model is tree:
                grown.append(model.tree_)
            prune(model)

        type(tree)._prune_tree = note
        try:
            call()
        finally:
            del type(tree)._prune_tree
        return grown

    def pack(self, model: Any, seen: Any) -> tuple[State, Blocks] | None:
        learned = _learned(model)
        learned["tree_"] = None
        return (learned, [_block(seen[0])]) if len(seen) == 1 else None

    def cut(self, state: State, blocks: Blocks, size: int) -> State:
        state["tree_"] = pickle.loads(blocks[0].data)
        return state

    def finish(self, model: Any) -> None:
        model._prune_tree()


_FOREST = Kind("estimators_")
_BAGGING = Kind("estimators_", arrays=("_seeds",), lists=("estimators_features_",))
_WEIGHTED = Kind("estimators_", arrays=("estimator_weights_", "estimator_errors_"))
_BOOSTING = _Stages("estimators_", arrays=("train_score_", "oob_improvement_", "oob_scores_"))
_HISTOGRAMS = _Histograms("_predictors")
_TREE = _Pruned("tree_")

_KINDS = {
    "AdaBoostClassifier": _WEIGHTED,
    "AdaBoostRegressor": _WEIGHTED,
    "BaggingClassifier": _BAGGING,
    "BaggingRegressor": _BAGGING,
    "DecisionTreeClassifier": _TREE,
    "DecisionTreeRegressor": _TREE,
    "ExtraTreeClassifier": _TREE,
    "ExtraTreeRegressor": _TREE,
    "ExtraTreesClassifier": _FOREST,
    "ExtraTreesRegressor": _FOREST,
    "GradientBoostingClassifier": _BOOSTING,
    "GradientBoostingRegressor": _BOOSTING,
    "HistGradientBoostingClassifier": _HISTOGRAMS,
    "HistGradientBoostingRegressor": _HISTOGRAMS,
    "RandomForestClassifier": _FOREST,
    "RandomForestRegressor": _FOREST,
}


def kind_of(model: Any) -> Kind | None:
    """How a member of a family is cut; None for one that is not."""
    return _KINDS.get(type(model).__name__)


def _size_of(model: Any) -> int:
    return int(getattr(model, "n_estimators", None) or model.max_iter)


def _learned(model: Any) -> State:
    """What fitting set, in its order."""
    kept = _families.unfitted(model)
    return {name: value for name, value in vars(model).items() if name not in kept}


class _Pickler(pickle.Pickler):
    generator: Any = None

    def persistent_id(self, value: Any) -> str | None:
        return _GENERATOR if value is self.generator and value is not None else None


class _Unpickler(pickle.Unpickler):
    generator: Any = None

    def persistent_load(self, name: Any) -> Any:
        return self.generator


def _block(member: Any, generator: Any = None) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol=5)
    pickler.generator = generator
    pickler.dump(member)
    return np.frombuffer(stream.getvalue(), np.uint8)


def _member(block: NDArray[np.uint8], generator: Any) -> Any:
    unpickler = _Unpickler(io.BytesIO(block.data))
    unpickler.generator = generator
    return unpickler.load()
