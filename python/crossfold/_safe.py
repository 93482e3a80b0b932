"""Which transformers may be fitted once for several fits, and how two of them are told apart.

A list of what is known to be safe, not of what is not: scikit-learn's own transformers that read
nothing but their parameters and X and y, write to neither, and draw no unseeded random number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_Params = dict[str, Any]
_Rule = Callable[[_Params], bool]


def is_seeded(params: _Params) -> bool:
    """Whether the random numbers drawn are always the same."""
    seed = params.get("random_state")
    return isinstance(seed, int | np.integer) and not isinstance(seed, bool)


def _seeded_or_exact(params: _Params) -> bool:
    # PCA chooses its solver when it sees X: `is_settled` looks again after the fit.
    return is_seeded(params) or params["svd_solver"] in ("auto", "full", "covariance_eigh")


def _seeded_or_all_rows(params: _Params) -> bool:
    return is_seeded(params) or params["subsample"] is None


def _reads_no_files(params: _Params) -> bool:
    return bool(params["input"] == "content")


def _elementwise(params: _Params) -> bool:
    """Only numpy's ufuncs: a person's function may do anything, and without one X itself is returned."""
    functions = (params["func"], params["inverse_func"])
    return functions[0] is not None and not params["kw_args"] and not params["inv_kw_args"]


def _quiet_in_one_thread(params: _Params) -> bool:
    return not params["verbose"] and params["n_jobs"] in (None, 1)


def without_memory(params: _Params) -> bool:
    """Whether a Pipeline of these parameters only calls its steps."""
    return params["memory"] is None and params["transform_input"] is None


def _always(_params: _Params) -> bool:
    return True


_RULES: dict[str, _Rule] = {
    "sklearn.compose._column_transformer.ColumnTransformer": _quiet_in_one_thread,
    "sklearn.decomposition._factor_analysis.FactorAnalysis": is_seeded,
    "sklearn.decomposition._fastica.FastICA": is_seeded,
    "sklearn.decomposition._incremental_pca.IncrementalPCA": _always,
    "sklearn.decomposition._kernel_pca.KernelPCA": is_seeded,
    "sklearn.decomposition._lda.LatentDirichletAllocation": is_seeded,
    "sklearn.decomposition._nmf.NMF": is_seeded,
    "sklearn.decomposition._pca.PCA": _seeded_or_exact,
    "sklearn.decomposition._truncated_svd.TruncatedSVD": is_seeded,
    "sklearn.feature_extraction._dict_vectorizer.DictVectorizer": _always,
    "sklearn.feature_extraction._hash.FeatureHasher": _always,
    "sklearn.feature_extraction.text.CountVectorizer": _reads_no_files,
    "sklearn.feature_extraction.text.HashingVectorizer": _reads_no_files,
    "sklearn.feature_extraction.text.TfidfTransformer": _always,
    "sklearn.feature_extraction.text.TfidfVectorizer": _reads_no_files,
    "sklearn.feature_selection._univariate_selection.GenericUnivariateSelect": _always,
    "sklearn.feature_selection._univariate_selection.SelectFdr": _always,
    "sklearn.feature_selection._univariate_selection.SelectFpr": _always,
    "sklearn.feature_selection._univariate_selection.SelectFwe": _always,
    "sklearn.feature_selection._univariate_selection.SelectKBest": _always,
    "sklearn.feature_selection._univariate_selection.SelectPercentile": _always,
    "sklearn.feature_selection._variance_threshold.VarianceThreshold": _always,
    "sklearn.impute._base.MissingIndicator": _always,
    "sklearn.impute._base.SimpleImputer": _always,
    "sklearn.impute._knn.KNNImputer": _always,
    "sklearn.kernel_approximation.AdditiveChi2Sampler": _always,
    "sklearn.kernel_approximation.Nystroem": is_seeded,
    "sklearn.kernel_approximation.PolynomialCountSketch": is_seeded,
    "sklearn.kernel_approximation.RBFSampler": is_seeded,
    "sklearn.kernel_approximation.SkewedChi2Sampler": is_seeded,
    "sklearn.pipeline.FeatureUnion": _quiet_in_one_thread,
    "sklearn.pipeline.Pipeline": without_memory,
    "sklearn.preprocessing._data.Binarizer": _always,
    "sklearn.preprocessing._data.KernelCenterer": _always,
    "sklearn.preprocessing._data.MaxAbsScaler": _always,
    "sklearn.preprocessing._data.MinMaxScaler": _always,
    "sklearn.preprocessing._data.Normalizer": _always,
    "sklearn.preprocessing._data.PowerTransformer": _always,
    "sklearn.preprocessing._data.QuantileTransformer": _seeded_or_all_rows,
    "sklearn.preprocessing._data.RobustScaler": _always,
    "sklearn.preprocessing._data.StandardScaler": _always,
    "sklearn.preprocessing._discretization.KBinsDiscretizer": _seeded_or_all_rows,
    "sklearn.preprocessing._encoders.OneHotEncoder": _always,
    "sklearn.preprocessing._encoders.OrdinalEncoder": _always,
    "sklearn.preprocessing._function_transformer.FunctionTransformer": _elementwise,
    "sklearn.preprocessing._polynomial.PolynomialFeatures": _always,
    "sklearn.preprocessing._polynomial.SplineTransformer": _always,
    "sklearn.random_projection.GaussianRandomProjection": is_seeded,
    "sklearn.random_projection.SparseRandomProjection": is_seeded,
}

# The other score functions draw random numbers.
_FUNCTIONS = frozenset(
    f"sklearn.feature_selection._univariate_selection.{name}"
    for name in ("chi2", "f_classif", "f_oneway", "f_regression", "r_regression")
)

# What an unfitted transformer may have beside its parameters; callbacks would be another attribute.
_OUTPUT = "_sklearn_output_config"
EXTRA = frozenset({_OUTPUT, "_parent_callback_ctx"})


def describe(transformer: Any) -> str | None:
    """Return a text that is equal for equal transformers; None for one that is not known to be safe.

    ``transformer`` is not fitted yet. A composite (Pipeline, FeatureUnion, ColumnTransformer) is
    safe when all of its parts are.
    """
    try:
        return _estimator(transformer)
    except Exception:  # also whatever a person's get_params or an odd parameter raises
        return None


def describe_value(value: Any) -> str | None:
    """Return a text that is equal for equal parameter values; None for one that could be anything."""
    try:
        return _value(value)
    except Exception:
        return None


def leading_steps(estimator: Any) -> list[tuple[str, Any]]:
    """The named transformers of a Pipeline up to the first that is not known to be safe."""
    leading: list[tuple[str, Any]] = []
    if f"{type(estimator).__module__}.{type(estimator).__qualname__}" != "sklearn.pipeline.Pipeline":
        return leading
    steps = estimator.steps
    if not isinstance(steps, list) or not without_memory(vars(estimator)):
        return leading
    for entry in steps[:-1]:
        if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[0], str):
            break
        if isinstance(entry[1], str | None):
            continue
        if describe(entry[1]) is None:
            break
        leading.append(entry)
    return leading


def is_settled(fitted: Any) -> bool:
    """Whether a fitted transformer has drawn no unseeded random number."""
    if getattr(fitted, "_fit_svd_solver", None) not in ("randomized", "arpack"):
        return all(map(is_settled, parts(fitted)))
    return is_seeded(vars(fitted))


def parts(composite: Any) -> Iterator[Any]:
    """The transformers directly inside of a Pipeline, a FeatureUnion or a ColumnTransformer."""
    fitted = getattr(composite, "transformers_", None)
    for name in ("steps", "transformer_list", "transformers"):
        entries: Any = fitted or getattr(composite, name, ())
        for entry in entries:
            if not isinstance(entry[1], str | None):
                yield entry[1]


class _Unknown(Exception):
    """A value that could be anything."""


def _estimator(estimator: Any) -> str:
    name = name_of(type(estimator))
    rule = _RULES.get(name)
    if rule is None:
        raise _Unknown
    params = estimator.get_params(deep=False)
    extra = vars(estimator).keys() - params.keys()
    in_place = params.get("copy") is False or params.get("copy_X") is False
    if not extra <= EXTRA or in_place or not rule(params):
        raise _Unknown
    return f"{name}({_value(params)},{_value(vars(estimator).get(_OUTPUT))})"


def name_of(it: Any) -> str:
    """The importable name of a class or function that scikit-learn or numpy defines."""
    module, name = getattr(it, "__module__", None) or "", it.__qualname__
    known = module.partition(".")[0] in ("sklearn", "numpy", "builtins")
    if not known or getattr(sys.modules.get(module), name, None) is not it:
        raise _Unknown
    return f"{module}.{name}"


def _value(value: Any) -> str:
    """Tell values apart as scikit-learn may: by type, too, so that 1, 1.0 and True differ."""
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes, float, complex):
        return repr(value) if kind is not float else value.hex()
    if kind in (list, tuple):
        return f"{kind.__name__}[{','.join(map(_value, value))}]"
    if kind is dict:
        return f"dict[{','.join(f'{_value(key)}:{_value(item)}' for key, item in value.items())}]"
    if kind is slice:
        return f"slice[{_value((value.start, value.stop, value.step))}]"
    if kind is np.ndarray or isinstance(value, np.generic | np.dtype):
        return _array(value)
    return _object(value)


def _array(value: Any) -> str:
    if isinstance(value, np.dtype):
        return f"dtype[{value.str}]" if value.names is None else _refuse()
    array = np.asarray(value)
    if array.dtype.kind not in "biufcSU":
        return f"{type(value).__name__}{array.shape}{_value(array.tolist())}"
    return f"{type(value).__name__}[{array.dtype.str}{array.shape}{array.tobytes().hex()}]"


def _object(value: Any) -> str:
    if isinstance(value, np.ufunc):
        name = getattr(value, "__name__", "")
        return f"ufunc[{name}]" if getattr(np, name, None) is value else _refuse()
    if isinstance(value, type):
        return f"type[{name_of(value)}]"
    if callable(value) and hasattr(value, "__qualname__"):
        name = name_of(value)
        return f"function[{name}]" if name in _FUNCTIONS else _refuse()
    if type(value).__qualname__ == "make_column_selector":
        return f"{name_of(type(value))}{_value(vars(value))}"
    return _estimator(value)


def _refuse() -> str:
    raise _Unknown
