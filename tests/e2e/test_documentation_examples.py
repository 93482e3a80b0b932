"""Ten examples of scikit-learn's documentation, as programs: with the import changed they print the same.

Each is named by what it does. A program imports from ``{package}``, which is ``sklearn`` or ``crossfold``.
"""

from __future__ import annotations

import pytest
from joblib import parallel_config

from e2e.compare import observe

pytestmark = pytest.mark.timeout(120)

NESTED_AND_PLAIN_CROSS_VALIDATION = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from {package}.model_selection import GridSearchCV, KFold, cross_val_score

# How much does choosing and judging on the same folds flatter a model?
X, y = load_iris(return_X_y=True)
grid = {{"C": [1, 10, 100], "gamma": [0.01, 0.1]}}
gaps = []
for trial in range(2):
    inner = KFold(n_splits=3, shuffle=True, random_state=trial)
    outer = KFold(n_splits=4, shuffle=True, random_state=trial)
    flat = GridSearchCV(SVC(), grid, cv=outer).fit(X, y).best_score_
    nested = cross_val_score(GridSearchCV(SVC(), grid, cv=inner), X, y, cv=outer).mean()
    gaps.append(flat - nested)
print([gap.hex() for gap in map(float, gaps)])
"""

SEVERAL_METRICS_IN_ONE_SEARCH = """
from sklearn.datasets import make_hastie_10_2
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.tree import DecisionTreeClassifier
from {package}.model_selection import GridSearchCV

X, y = make_hastie_10_2(n_samples=400, random_state=42)
search = GridSearchCV(
    DecisionTreeClassifier(random_state=42), {{"min_samples_split": range(2, 203, 40)}},
    scoring={{"AUC": "roc_auc", "Accuracy": make_scorer(accuracy_score)}}, refit="AUC", n_jobs=2,
    return_train_score=True,
).fit(X, y)
print(search)
for name in sorted(search.cv_results_):
    if "time" not in name:
        print(name, list(search.cv_results_[name]))
"""

TEXT_FEATURES_AND_CLASSIFIER_TOGETHER = """
from scipy.stats import loguniform
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline
from {package}.model_selection import RandomizedSearchCV, train_test_split

space = "orbit rocket launch moon shuttle crew".split()
faith = "belief church prayer scripture moral crew".split()
texts = [" ".join((words * 3)[i % 5 : i % 7 + 4]) for i in range(40) for words in (space, faith)]
topics = [topic for _ in range(40) for topic in ("space", "faith")]
train, test, y_train, y_test = train_test_split(texts, topics, random_state=0, stratify=topics)
search = RandomizedSearchCV(
    Pipeline([("vect", TfidfVectorizer()), ("clf", ComplementNB())]),
    {{
        "vect__max_df": (0.4, 0.6, 0.8, 1.0), "vect__ngram_range": ((1, 1), (1, 2)),
        "vect__norm": ("l1", "l2"), "clf__alpha": loguniform(1e-6, 1e6),
    }},
    n_iter=8, random_state=0, verbose=1,
).fit(train, y_train)
print(search.best_params_, search.score(test, y_test))
print(search.cv_results_["mean_test_score"].tolist())
"""

LEARNING_CURVES_OF_BAYES_AND_SVM = """
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from {package}.model_selection import ShuffleSplit, learning_curve

X, y = load_digits(return_X_y=True)
X, y = X[:400], y[:400]
for model in (GaussianNB(), SVC(kernel="rbf", gamma=0.001)):
    cv = ShuffleSplit(n_splits=4, test_size=0.2, random_state=0)
    sizes, train, test = learning_curve(model, X, y, cv=cv, train_sizes=[0.2, 0.6, 1.0], n_jobs=4)
    print(model, sizes.tolist(), train.mean(axis=1).tolist(), test.std(axis=1).tolist())
"""

IS_THE_ACCURACY_ON_IRIS_CHANCE = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from {package}.model_selection import StratifiedKFold, permutation_test_score

X, y = load_iris(return_X_y=True)
noise = np.random.RandomState(0).normal(size=(len(X), 20))
cv = StratifiedKFold(2, shuffle=True, random_state=0)
for rows in (X, noise):
    score, permuted, p = permutation_test_score(
        SVC(kernel="linear", random_state=7), rows, y, scoring="accuracy", cv=cv, n_permutations=30
    )
    print(float(score), permuted.tolist(), float(p))
"""

ROUNDS_OF_SUCCESSIVE_HALVING = """
import numpy as np
from sklearn.datasets import make_classification
from sklearn.experimental import enable_halving_search_cv
from sklearn.svm import SVC
from {package}.model_selection import GridSearchCV, HalvingGridSearchCV

X, y = make_classification(n_samples=400, random_state=0)
gammas, cs = [1e-3, 1e-2, 1e-1, 1.0], [1, 10, 100]
halved = HalvingGridSearchCV(SVC(random_state=0), {{"gamma": gammas, "C": cs}}, factor=2, random_state=0)
whole = GridSearchCV(SVC(random_state=0), {{"gamma": gammas, "C": cs}})
for search in (halved, whole):
    results = search.fit(X, y).cv_results_
    # The heat map: for each setting the score of the last round that it was in.
    heat = np.full((len(gammas), len(cs)), np.nan)
    for params, score in zip(results["params"], results["mean_test_score"]):
        heat[gammas.index(params["gamma"]), cs.index(params["C"])] = score
    print(search.best_params_, heat.tolist())
print(halved.n_candidates_, halved.n_resources_)
"""

PREDICTORS_OF_DIABETES_STACKED = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from {package}.ensemble import StackingRegressor
from {package}.model_selection import cross_validate

X, y = load_diabetes(return_X_y=True, as_frame=True)
numeric = make_column_transformer((StandardScaler(), list(X.columns)))
members = [
    ("Random Forest", make_pipeline(numeric, RandomForestRegressor(n_estimators=5, random_state=42))),
    ("Lasso", make_pipeline(numeric, LassoCV())),
    ("Boosting", make_pipeline(numeric, HistGradientBoostingRegressor(max_iter=4, random_state=0))),
]
stack = StackingRegressor(estimators=members, final_estimator=RidgeCV())
for name, model in [*members, ("Stacking", stack)]:
    scores = cross_validate(model, X, y, scoring=["r2", "neg_mean_absolute_error"], cv=2, n_jobs=2)
    print(name, scores["test_r2"].tolist(), scores["test_neg_mean_absolute_error"].tolist())
print(stack.fit(X, y).final_estimator_.coef_.tolist())
"""

PROBABILITIES_OF_A_SOFT_VOTE = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from {package}.ensemble import RandomForestClassifier, VotingClassifier

X = np.array([[-1.0, -1.0], [-1.2, -1.4], [-3.4, -2.2], [1.1, 1.2]])
y = np.array([1, 1, 2, 2])
members = [
    ("lr", LogisticRegression(max_iter=1000, random_state=123)),
    ("rf", RandomForestClassifier(n_estimators=20, random_state=123)),
    ("gnb", GaussianNB()),
]
vote = VotingClassifier(estimators=members, voting="soft", weights=[1, 1, 5])
for model in [*(each for _, each in members), vote]:
    print(type(model).__name__, model.fit(X, y).predict_proba(X)[0].tolist())
"""

A_REFIT_OF_ONES_OWN = """
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from {package}.model_selection import GridSearchCV, train_test_split

X, y = load_digits(return_X_y=True)
train, test, y_train, y_test = train_test_split(X[:700], y[:700] == 8, test_size=0.5, random_state=0)

def precise_then_complete_then_fast(results):
    table = pd.DataFrame(results)
    good = table[table["mean_test_precision"] >= 0.95]
    recall = good["mean_test_recall"]
    complete = good[recall > recall.max() - recall.std()]
    print(complete[["params", "mean_test_precision", "mean_test_recall"]].to_string())
    return int(complete.index[0])

grid = [
    {{"kernel": ["rbf"], "gamma": [1e-3, 1e-4], "C": [1, 10, 100]}}, {{"kernel": ["linear"], "C": [1, 10]}}
]
search = GridSearchCV(SVC(), grid, scoring=["precision", "recall"], refit=precise_then_complete_then_fast)
search.fit(train, y_train)
print(search.best_params_, search.best_index_, int(search.predict(test).sum()), search.cv_results_.keys())
"""

ROC_WITH_CROSS_VALIDATION = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn.metrics import auc, roc_curve
from sklearn.svm import SVC
from {package}.model_selection import StratifiedKFold, cross_validate

X, y = load_iris(return_X_y=True)
X, y = X[y != 2], y[y != 2]
X = np.concatenate([X, np.random.RandomState(0).randn(len(X), 800)], axis=1)
cv = StratifiedKFold(n_splits=6)
found = cross_validate(SVC(kernel="linear"), X, y, cv=cv, return_estimator=True, return_indices=True)
grid, curves = np.linspace(0, 1, 100), []
for model, test in zip(found["estimator"], found["indices"]["test"]):
    false, true, _ = roc_curve(y[test], model.decision_function(X[test]))
    curves.append(np.interp(grid, false, true))
    print(float(auc(false, true)))
print(float(auc(grid, np.mean(curves, axis=0))), np.std(curves, axis=0)[::20].tolist())
"""

EXAMPLES = {name.lower(): source for name, source in list(globals().items()) if name.isupper()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_changing_the_import_changes_no_output(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen = {}
    for package in ("sklearn", "crossfold"):
        code = compile(EXAMPLES[name].format(package=package), name, "exec")
        # scikit-learn's own runs in this process, whatever n_jobs says.
        with parallel_config(backend="sequential"):
            warned = observe(lambda code=code: exec(code, {"__name__": "__main__"}))
        seen[package] = capsys.readouterr().out, warned.error, warned.warnings
    assert seen["crossfold"] == seen["sklearn"]
    printed, error, _ = seen["sklearn"]
    assert printed and error is None
