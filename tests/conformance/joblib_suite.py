"""A pytest plugin that runs joblib's own tests of its backends against Crossfold's.

    python -m pytest -p conformance.joblib_suite --pyargs joblib.test.test_parallel

joblib parametrizes its tests over the registered backends and over lists that hold "loky", or takes the
default backend. The plugin adds "crossfold" to the lists, makes it the default, and keeps the tests
that use it.
"""

from __future__ import annotations

import re

import joblib
import pytest
from crossfold.joblib import CrossfoldBackend

# What does not apply, as regular expressions on the test's name, and why.
NOT_APPLICABLE = {
    r"test_effective_n_jobs_None|test_nested_backend_in_sequential": "n_jobs=None is every slot here",
    r"test_backend_hinting_and_constraints\[": "asserts that the default backend is loky",
    r"test_error_capture": "looks for the pool object of joblib's own backends",
    r"test_backend_batch_statistics_reset": "reads the private batch statistics of joblib's own backends",
    r"test_auto_memmap_on_arrays_from_generator|test_memmapping_leaks": (
        "large arrays arrive as read-only views of the store, not as np.memmap in joblib's folder"
    ),
    r"test_initializer|test_loky_reuse_workers": "an initializer is refused: processes serve many jobs",
    r"test_threadpool_limitation_in_child_(context|loky|override)": (
        "about loky; ours are set by inner_max_num_threads alone, never by the caller's environment"
    ),
    r"test_nested_loop\[(loky|multiprocessing|back_compat_backend)-crossfold\]": (
        "processes of joblib's own backends know no backend that they did not import"
    ),
    r"test_backend_nesting_level\[\w+-crossfold-(loky|multiprocessing)\]": "the same",
    r"test_parallel_with_interactively_defined|test_parallel_with_unpicklable_functions": (
        "runs scripts that do not import crossfold.joblib; test_joblib_backend.py has their cases"
    ),
}

joblib.register_parallel_backend("crossfold", CrossfoldBackend, make_default=True)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what loky has to pass with Crossfold as well."""
    for marker in metafunc.definition.iter_markers("parametrize"):
        values = marker.args[1]
        if isinstance(values, list) and "loky" in values and "crossfold" not in values:
            values.append("crossfold")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that use Crossfold and apply to it."""
    for pattern in NOT_APPLICABLE:
        if not any(re.match(pattern, item.name) for item in items):
            raise pytest.UsageError(f"no test of joblib matches {pattern!r} any more: remove it")
    ours = [item for item in items if _uses_crossfold(item) and not _is_excluded(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = ours


def _uses_crossfold(item: pytest.Item) -> bool:
    given = item.callspec.params if hasattr(item, "callspec") else {}
    backends = [value for name, value in given.items() if "backend" in name]
    return not backends or any(
        value is None or value == "crossfold" or isinstance(value, CrossfoldBackend) for value in backends
    )


def _is_excluded(item: pytest.Item) -> bool:
    return any(re.match(pattern, item.name) for pattern in NOT_APPLICABLE)
