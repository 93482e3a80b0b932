"""What goes to the workers and how, what comes back, and what the errors say."""

from __future__ import annotations

import functools
import pickle
import threading
import types
import weakref
from typing import Any

import grpc
import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import crossfold
from crossfold import _errors, _outcome, _pickling, _preload
from crossfold._identity import IdentityMap
from crossfold._outcome import Outcome
from crossfold.v1 import data_pb2
from crossfold.v1 import task_pb2 as pb


class Inline:
    """Objects that are all in their messages."""

    def read(self, value: data_pb2.Value) -> bytes:
        return value.inline


def outcome(result: pb.Result) -> Outcome:
    return _outcome.outcome_of(result, Inline())  # type: ignore[arg-type]


def in_main(source: str, name: str = "f") -> Any:
    """An object as if it were defined in a script."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(source, scope)
    return scope[name]


ATOMS = st.none() | st.integers() | st.text() | st.binary()


@settings(max_examples=50, deadline=None)
@given(st.recursive(ATOMS, lambda inner: st.lists(inner) | st.tuples(inner, inner), max_leaves=10))
def test_plain_values_survive(value: Any) -> None:
    assert pickle.loads(_pickling.dumps(value, "The value")) == value


def test_what_is_in_main_goes_by_value() -> None:
    f = in_main("def f(x): return 2 * x")
    assert pickle.loads(_pickling.dumps((f, 21), "The call"))[0](21) == 42
    data = pickle.dumps(_pickling.FunctionCache().wrap(f))
    assert pickle.loads(data)(21) == 42
    assert b"__main__" not in data


def test_what_can_be_imported_goes_by_name() -> None:
    assert _pickling.dumps(make_pipeline, "The call") == pickle.dumps(make_pipeline, protocol=5)
    assert _pickling.FunctionCache().wrap(make_pipeline) is make_pipeline


def test_large_arrays_are_handed_to_the_store_small_ones_are_not() -> None:
    large, small = np.zeros(1 << 17), np.zeros(10)
    stored: list[Any] = []

    def share(array: np.ndarray[Any, Any]) -> str:
        stored.append(array)
        return "ds-1"

    data = _pickling.dumps({"deep": [large, small]}, "The call", share)
    assert stored[0] is large
    assert len(stored) == 1
    assert len(data) < 1000
    assert b"crossfold-object" in data


@pytest.mark.parametrize(
    ("source", "stateless"),
    [
        ("def f(x): return x", True),
        ("import math\nSCALE = 2\ndef f(x): return math.sqrt(x) * SCALE", True),
        ("def g(x): return x\ndef f(x): return g(x)", True),
        ("def f(x): return f(x - 1) if x else 0", True),
        ("n = 0\ndef f(x):\n    global n\n    n += 1\n    return n", False),
        ("seen = []\ndef f(x): seen.append(x); return len(seen)", False),
        ("seen = []\ndef g(x): seen.append(x)\ndef f(x): return g(x)", False),
        ("def f(x, seen=[]): seen.append(x); return len(seen)", False),
        ("seen = []\ndef f(x): return [seen.append(i) for i in range(x)]", False),
        (
            "def make():\n    seen = []\n    def f(x): seen.append(x)\n    return f\nf = make()",
            False,
        ),
    ],
)
def test_only_functions_without_state_are_loaded_once(source: str, stateless: bool) -> None:
    f = in_main(source)
    wrapped = _pickling.FunctionCache().wrap(f)
    assert isinstance(wrapped, _pickling.PickledFunction) is stateless
    assert (wrapped is f) is not stateless


class Holder:
    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)

    def method(self) -> None: ...


def closure(part: Any) -> types.FunctionType:
    def inner() -> Any:
        return part

    return inner


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"estimator": Holder(fine=1, callback_=LOCK)}, "Holder.callback_"),
        ({"estimator": Holder(parts=[1, {"a": LOCK}])}, r"Holder.parts\[1\]\['a'\]"),
        (make_pipeline(StandardScaler(), SVC(kernel=closure(LOCK))), "variable part of closure"),
        (Holder(bound=Holder(held=LOCK).method), "Holder.held"),
        ((lambda: LOCK), "global LOCK of"),
        (functools.partial(print, LOCK), "partial"),
        (joblib.parallel.BatchedCalls([(print, (), {"sep": LOCK})], (None, None)), "argument sep of print"),
    ],
)
def test_the_part_that_cannot_be_pickled_is_named(value: Any, path: str) -> None:
    with pytest.raises(
        crossfold.PicklingError, match=f"{path}.*cannot pickle '_thread.lock'.*__getstate__"
    ) as caught:
        _pickling.dumps(value, "The search")
    assert isinstance(caught.value, pickle.PicklingError)


def test_a_value_that_cannot_be_loaded_here_says_so() -> None:
    result = pb.Result(outcome=pb.OUTCOME_OK, value=data_pb2.Value(inline=b"cno_such_module\nThing\n."))
    with pytest.raises(crossfold.RemoteError, match="no_such_module.*Import the modules"):
        outcome(result).get()


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("builtins.ValueError", ValueError),
        ("sklearn.exceptions.UnsetMetadataPassedError", UnsetMetadataPassedError),
        ("no_such.Error", crossfold.RemoteError),
        ("builtins.print", crossfold.RemoteError),
    ],
)
def test_exceptions_without_a_pickle_keep_type_and_text(kind: str, raised: type[Exception]) -> None:
    failure = pb.Failure(type=kind, message="went wrong", traceback="Traceback: remote line")
    with pytest.raises(raised, match="went wrong") as caught:
        outcome(pb.Result(outcome=pb.OUTCOME_RAISED, failure=failure)).get()
    assert type(caught.value) is raised
    assert "remote line" in str(caught.value.__cause__)


def test_a_warning_whose_category_cannot_be_loaded_is_still_shown() -> None:
    with pytest.warns(UserWarning, match="careful"):
        _outcome.warn_again([pb.Warning(category=b"junk", message="careful", filename="f.py", line=3)])


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_status_becomes_an_exception_of_ours(code: grpc.StatusCode) -> None:
    error = _errors.from_code(code.value[0], "why")
    assert isinstance(error, crossfold.CrossfoldError)
    assert str(error) == "why"


def test_the_statuses_that_mean_something_are_told_apart() -> None:
    kinds = {code: type(_errors.from_code(code, "")).__name__ for code in (3, 9, 13, 14, 16)}
    assert kinds == {
        3: "InvalidJob",
        9: "EnvironmentMismatch",
        13: "JobFailed",
        14: "ConnectionFailed",
        16: "ConnectionFailed",
    }


def test_preload_names_the_modules_of_the_estimators_classes() -> None:
    pipeline = make_pipeline(StandardScaler(), SVC())
    modules = _preload.for_estimators([pipeline, make_scorer(mean_absolute_error)])
    assert set(modules) == {
        "sklearn.pipeline",
        "sklearn.preprocessing._data",
        "sklearn.svm._classes",
        "sklearn.metrics._scorer",
        "sklearn.metrics._regression",
    }


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("def f(): import keras; return keras.Sequential()", True),
        ("def f(): from tensorflow.keras import layers; return layers", True),
        ("def f():\n    def g(): import keras\n    return g", True),
        ("class f:\n    def fit(self, X, y): import tensorflow as tf", True),
        ("import math\ndef f(): return math.sqrt(2)", False),
    ],
)
def test_code_that_uses_tensorflow_is_recognised_without_importing_it(source: str, needs: bool) -> None:
    f = in_main(source)
    wanted = Holder(fine=1)
    wanted.get_params = lambda deep: {"model": f}  # type: ignore[attr-defined]
    assert ("tensorflow" in _preload.for_estimators([wanted])) is needs


def test_identity_map_keeps_no_array_alive_and_never_confuses_equals() -> None:
    known: IdentityMap[int] = IdentityMap()
    first, second = np.zeros(3), np.zeros(3)
    known.put(1, first, "a")
    assert known.get(first, "a") == 1
    assert known.get(second, "a") is None
    forgotten = weakref.ref(first)
    del first
    assert forgotten() is None
