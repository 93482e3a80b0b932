"""What the planner is told of candidates."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from crossfold._hints import Hints
from crossfold.v1 import task_pb2 as pb


def hints(estimator: Any, *settings: Any, prefixes: bool = True) -> list[pb.Candidate]:
    job, messages = Hints(prefixes), []
    for parameters in settings:
        message = pb.Candidate()
        job.give(message, {"estimator": estimator, "parameters": parameters})
        messages.append(message)
    return messages


def test_parameters_are_features() -> None:
    odd = {"C": 0.5, "n": 10**400, "kernel": "rbf", "probability": True, "hidden": (3, 4), "step": object()}
    (message,) = hints(LogisticRegression(), {**odd, "bad\udcff": None})
    assert dict(message.features) == {
        "C": 0.5,
        "kernel=rbf": 1.0,
        "probability=True": 1.0,
        "hidden=(3, 4)": 1.0,
        "step=object": 1.0,
        "bad?=None": 1.0,
    }
    assert message.prefix_key == ""


def test_equal_prefixes_have_equal_keys() -> None:
    pipeline = Pipeline([("text", TfidfVectorizer()), ("model", LogisticRegression())])
    keys = [
        message.prefix_key
        for message in hints(
            pipeline,
            {"model__C": 1.0},
            {"model__C": 2.0, "text": TfidfVectorizer()},
            {"model__C": 2.0},
            {"text__ngram_range": (1, 2)},
            {"text__ngram_range": (1, 2), "model__C": 3.0},
        )
    ]
    assert all(keys)
    assert keys[0] == keys[2] != keys[3] == keys[4]


class Own(TransformerMixin, BaseEstimator):
    """A person's transformer: never shared."""


def test_what_is_not_shared_has_no_key() -> None:
    model = LogisticRegression()
    assert [message.prefix_key for message in hints(make_pipeline(Own(), model), {})] == [""]
    assert [message.prefix_key for message in hints(model, {}, None)] == ["", ""]
    assert [message.prefix_key for message in hints(Pipeline([("a", model, 3)]), {})] == [""]
    pipeline = make_pipeline(StandardScaler(), model)
    assert [message.prefix_key for message in hints(pipeline, {"standardscaler": Own()})] == [""]


def families(estimator: Any, *settings: Any) -> list[tuple[str, int]]:
    return [(message.family_key, message.family_size) for message in hints(estimator, *settings)]


def test_candidates_that_differ_in_size_are_a_family() -> None:
    forest = RandomForestClassifier(random_state=0)
    small, large, deep = families(
        forest, {"n_estimators": 10}, {"n_estimators": 300}, {"n_estimators": 10, "max_depth": 2}
    )
    assert small[0] == large[0] != deep[0] and all((small[0], deep[0]))
    assert [size for _, size in (small, large, deep)] == [10, 300, 10]


def test_a_family_is_counted_beforehand() -> None:
    forest, job, message = RandomForestClassifier(random_state=0), Hints(True), pb.Candidate()
    settings = [{"n_estimators": size, "max_depth": depth} for size in (3, 9, 5) for depth in (1, None)]
    job.expect(forest, settings)
    job.give(message, {"estimator": forest, "parameters": settings[0]})
    assert message.family == pb.Family(members=3, largest=9, total=17)


def test_a_family_is_behind_one_prefix() -> None:
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    model = {"model": RandomForestClassifier(random_state=0)}
    keys = families(
        pipeline,
        {**model, "model__n_estimators": 3},
        {**model, "model__n_estimators": 5},
        {**model, "model__n_estimators": 5, "scale__with_mean": False},
        {"model__C": 3.0},
    )
    assert keys[0][0] == keys[1][0] != keys[2][0] != ""
    assert keys[3] == ("", 0)


def test_what_may_do_anything_has_no_family() -> None:
    forest = RandomForestClassifier(random_state=0)
    assert families(make_pipeline(Own(), forest), {}) == [("", 0)]
    assert families(forest, {"random_state": None}, {"n_estimators": "many"}, {"no": 1}) == [("", 0)] * 3
    boosted = AdaBoostClassifier(DecisionTreeClassifier(), random_state=0)
    assert families(boosted, {"estimator__max_depth": 2}) == [("", 0)]
    (message,) = hints(forest, {"n_estimators": 3}, prefixes=False)
    assert message.family_key == ""


def test_without_sharing_no_candidate_has_a_key() -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    (message,) = hints(pipeline, {"logisticregression__C": 2.0}, prefixes=False)
    assert message.prefix_key == ""
    assert dict(message.features) == {"logisticregression__C": 2.0}
