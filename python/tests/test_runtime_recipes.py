"""Recipes: estimators written down fit and score as scikit-learn's own search does."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import type_of_target

from crossfold import _arrow
from crossfold._runtime import _sklearn, _tables
from crossfold._runtime._prefix import Sharing
from crossfold._runtime._sklearn import RecipeRunner
from crossfold.v1.data_pb2 import Split
from crossfold.v1.task_pb2 import Candidate, Code, Recipe, Step, Task, TaskFit

rng = np.random.default_rng(0)
FRAME = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
FRAME["n"] = np.arange(60, dtype="int32")
FRAME["y"] = np.where(FRAME["a"] + FRAME["b"] > 0, "yes", "no")


def write_table(store: Path, table: pa.Table) -> str:
    path = store / "table"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    with _arrow._new_object(str(store), "ds") as target:
        target.write(path.read_bytes())
    return target.id


def step(name: str, entry_point: str, **params: Any) -> Step:
    return Step(name=name, entry_point=entry_point, params_json=json.dumps(params))


def fit(store: Path, recipe: Recipe, table: pa.Table, params: dict[str, Any], runner: Any = None) -> Any:
    task = Task(
        job_id="job",
        code=Code(recipe=recipe),
        dataset_id=write_table(store, table),
        split=Split(id="-"),
    )
    task_fit = TaskFit(candidate=Candidate(params_json=json.dumps(params)))
    runner = runner or RecipeRunner(Sharing())
    result, _ = runner.fit(task, task_fit, str(store), np.arange(40), np.arange(40, 60))
    return result


def test_grid_equals_scikit_learn_to_the_bit(tmp_path: Path) -> None:
    recipe = Recipe(
        steps=[
            step("scale", "sklearn.preprocessing:StandardScaler"),
            step("model", "sklearn.ensemble:RandomForestClassifier", random_state=3, n_estimators=5),
        ],
        scoring=["accuracy", "neg_log_loss"],
        target="y",
        return_train_score=True,
    )
    model = RandomForestClassifier(n_estimators=5, random_state=3)
    pipeline = Pipeline([("scale", StandardScaler()), ("model", model)])
    search = GridSearchCV(
        pipeline,
        {"model__max_depth": [1, 4]},
        scoring=["accuracy", "neg_log_loss"],
        refit=False,
        cv=[(np.arange(40), np.arange(40, 60))],
        return_train_score=True,
    )
    search.fit(FRAME.drop(columns="y").to_numpy(), FRAME["y"].to_numpy(object))
    runner = RecipeRunner(Sharing())
    for i, params in enumerate(search.cv_results_["params"]):
        got = fit(tmp_path, recipe, pa.table(FRAME), params, runner)
        for metric in ("accuracy", "neg_log_loss"):
            assert got["test_scores"][metric] == search.cv_results_[f"split0_test_{metric}"][i]
            assert got["train_scores"][metric] == search.cv_results_[f"split0_train_{metric}"][i]


def test_text_and_entry_points_as_parameters(tmp_path: Path) -> None:
    texts = [f"{'good' if i % 3 else 'bad'} word{i % 5}" for i in range(60)]
    table = pa.table({"text": texts, "y": [int("good" in text) for text in texts]})
    recipe = Recipe(
        steps=[
            step(
                "words",
                "sklearn.feature_extraction.text:TfidfVectorizer",
                dtype={"entry_point": "numpy:float32"},
            ),
            step("model", "sklearn.linear_model:LogisticRegression"),
        ],
        target="y",
    )
    got = fit(tmp_path, recipe, table, {"model__C": 2})
    pipeline = Pipeline([("words", TfidfVectorizer(dtype=np.float32)), ("model", LogisticRegression(C=2))])
    y = table["y"].to_numpy()
    assert got["test_scores"] == pipeline.fit(texts[:40], y[:40]).score(texts[40:], y[40:])


def test_failing_candidate_scores_the_error_score(tmp_path: Path) -> None:
    recipe = Recipe(
        steps=[step("model", "sklearn.linear_model:LogisticRegression")], target="y", error_score="-1"
    )
    got = fit(tmp_path, recipe, pa.table(FRAME), {"C": -1.0})
    assert got["test_scores"] == -1 and "The 'C' parameter" in got["fit_error"]


@pytest.mark.parametrize(
    ("steps", "params", "message"),
    [
        ([step("m", "sklearn.svm:SVX")], {}, "module 'sklearn.svm' has no 'SVX'"),
        ([step("m", "sklearn.nowhere:SVC")], {}, "no module 'sklearn.nowhere'"),
        ([step("m", "SVC")], {}, "such as 'sklearn.svm:SVC'"),
        (
            [step("m", "sklearn.svm:SVC", gama=1)],
            {},
            "unexpected keyword argument 'gama'; its parameters are: C, kernel",
        ),
        ([step("m", "sklearn.svm:SVC")], {"gama": 1}, "Invalid parameter 'gama' for estimator SVC"),
        ([], {}, "no steps"),
    ],
)
def test_wrong_names_are_named(
    tmp_path: Path, steps: list[Step], params: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        fit(tmp_path, Recipe(steps=steps, target="y"), pa.table(FRAME), params)


def test_unknown_column_and_scorer_are_named(tmp_path: Path) -> None:
    steps = [step("m", "sklearn.svm:SVC")]
    with pytest.raises(ValueError, match="no column 'yy'.*'y'"):
        fit(tmp_path, Recipe(steps=steps, target="yy"), pa.table(FRAME), {})
    with pytest.raises(ValueError, match="accuracyy"):
        fit(tmp_path, Recipe(steps=steps, target="y", scoring=["accuracyy"]), pa.table(FRAME), {})


def test_users_own_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "users_model.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "def build(strength):\n    return LogisticRegression(C=strength)\n"
    )
    recipe = Recipe(
        steps=[step("m", "users_model:build", strength=0.5)],
        target="y",
        import_paths=[str(tmp_path / "users_model.py")],
    )
    assert 0 <= fit(tmp_path, recipe, pa.table(FRAME), {"C": 0.1})["test_scores"] <= 1
    with pytest.raises(ValueError, match="not a Python file that exists"):
        _sklearn.RecipeRunner(Sharing()).fit(
            Task(code=Code(recipe=Recipe(import_paths=[str(tmp_path / "no.py")]))),
            TaskFit(), str(tmp_path), np.arange(1), np.arange(1),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "score"), [("0", 0.0), ("-1.5", -1.5), ("raise", "raise"), ('"raise"', "raise")]
)
def test_error_scores(text: str, score: Any) -> None:
    assert _sklearn.parse_error_score(text) == score
    assert math.isnan(_sklearn.parse_error_score("")) and math.isnan(_sklearn.parse_error_score("NaN"))
    with pytest.raises(ValueError, match="neither a number"):
        _sklearn.parse_error_score("zero")


def test_integers_and_floats_stay_apart() -> None:
    assert [type(value) for value in _sklearn.resolve(json.loads("[1, 1.0]"))] == [int, float]


TABLES = {
    "pixels": pa.table(
        {"x": pa.FixedSizeListArray.from_arrays(pa.array(range(12), pa.uint8()), 4), "y": [1, 2, 3]}
    ),
    "numbers": pa.table({"a": [1, 2, 3], "b": [1.5, None, 2.5], "y": [1, 2, 3]}),
    "text": pa.table({"t": ["a", "b", "c"], "y": pa.array(["u", "v", "u"]).dictionary_encode()}),
    "mixed": pa.table({"a": [1, 2, 3], "t": ["a", "b", None], "y": [1.0, 2.0, 3.0]}),
}


def test_features_and_target_of_tables(tmp_path: Path) -> None:
    data = {
        name: _tables.features_and_target(str(tmp_path), write_table(tmp_path, table), [], "y")
        for name, table in TABLES.items()
    }
    pixels, _ = data["pixels"]
    assert pixels.dtype == np.uint8 and pixels.tolist() == np.arange(12).reshape(3, 4).tolist()
    assert pixels.flags.c_contiguous and not pixels.flags.owndata
    numbers, _ = data["numbers"]
    assert numbers.dtype == np.float64 and numbers.flags.c_contiguous
    assert np.array_equal(numbers, [[1, 1.5], [2, np.nan], [3, 2.5]], equal_nan=True)
    text, labels = data["text"]
    assert text == ["a", "b", "c"] and labels.dtype == object and labels.tolist() == ["u", "v", "u"]
    mixed, target = data["mixed"]
    assert list(mixed.columns) == ["a", "t"] and target.dtype == np.float64


@pytest.mark.parametrize("labels", [[True, False, True], ["a", "b", "a"], [1, 0, 2], [0.5, 1.0, 2.0]])
def test_target_is_of_a_kind_that_scikit_learn_knows(tmp_path: Path, labels: list[Any]) -> None:
    dataset = write_table(tmp_path, pa.table({"x": [1.0, 2.0, 3.0], "y": labels}))
    _, y = _tables.features_and_target(str(tmp_path), dataset, [], "y")
    assert y.tolist() == labels
    assert type_of_target(y) == type_of_target(np.array(labels))


def test_features_are_taken_in_order(tmp_path: Path) -> None:
    table = write_table(tmp_path, TABLES["numbers"])
    X, y = _tables.features_and_target(str(tmp_path), table, ["y", "a"], "")
    assert X.tolist() == [[1, 1], [2, 2], [3, 3]] and y is None


def test_dataset_of_the_python_client_is_taken_as_it_is(tmp_path: Path) -> None:
    dataset = _arrow.write_dataset(str(tmp_path), np.eye(3), np.arange(3))
    X, y = _tables.features_and_target(str(tmp_path), dataset, [], "")
    assert X.tolist() == np.eye(3).tolist() and y.tolist() == [0, 1, 2]
