"""A pytest plugin that runs joblib's own tests of its backends against Crossfold's.

    python -m pytest -p conformance.joblib_suite --pyargs joblib.test.test_parallel

joblib parametrizes its tests over the registered backends and over lists that hold "loky", or takes the
default backend. The plugin adds "crossfold" to the lists, makes it the default, and keeps the tests
that use it.
"""

from __future__ import annotations

import joblib
import pytest
from crossfold.joblib import CrossfoldBackend

joblib.register_parallel_backend("crossfold", CrossfoldBackend, make_default=True)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what loky has to pass with Crossfold as well."""
    for marker in metafunc.definition.iter_markers("parametrize"):
        values = marker.args[1]
        if isinstance(values, list) and "loky" in values and "crossfold" not in values:
            values.append("crossfold")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that use Crossfold."""
    ours = [item for item in items if _uses_crossfold(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = ours


def _uses_crossfold(item: pytest.Item) -> bool:
    given = item.callspec.params if hasattr(item, "callspec") else {}
    backends = [value for name, value in given.items() if "backend" in name]
    return not backends or any(
        value in ("crossfold",None) or isinstance(value, CrossfoldBackend) for value in backends
    )
