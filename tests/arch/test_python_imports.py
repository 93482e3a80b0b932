"""The Python half of the rules of the house: who may import what, judged from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python" / "crossfold"

#: Modules whose import takes long enough to notice.
HEAVY = ("grpc", "joblib", "keras", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "tensorflow")

#: The client's side of the package: what runs inside a worker must not reach back into it.
CLIENT = (
    "crossfold._binary",
    "crossfold._client",
    "crossfold._embedded",
    "crossfold._lift",
    "crossfold._run",
    "crossfold._stacking",
    "crossfold.ensemble",
    "crossfold.joblib",
    "crossfold.model_selection",
)


def imported(source: str, module: str, *, top_level: bool = False) -> Iterator[str]:
    """Absolute names of the modules that `source`, the text of `module`, imports.

    With `top_level` only those that importing the module itself imports: not those in functions,
    and not those under `if TYPE_CHECKING`.
    """
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if top_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if top_level and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(module.split(".")[: -node.level]) if node.level else ""
            base = ".".join(filter(None, [parent, node.module or ""]))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


def within(name: str, rooms: tuple[str, ...]) -> bool:
    """Whether `name` is one of the modules or below one."""
    return any(name == room or name.startswith(room + ".") for room in rooms)


def module_of(path: Path) -> str:
    """The dotted name of a file of the package, `__init__` spelled out."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def offenders(paths: Iterator[Path], banned: tuple[str, ...], *, top_level: bool = False) -> list[str]:
    """A line for each import of `paths` that is banned."""
    return [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in paths
        for name in imported(path.read_text(), module_of(path), top_level=top_level)
        if within(name, banned)
    ]


def test_runtime_does_not_enter_the_client_or_the_bus() -> None:
    assert offenders((PACKAGE / "_runtime").rglob("*.py"), (*CLIENT, "grpc", "nats")) == []


def test_arrow_is_shared_by_both_sides() -> None:
    assert offenders(PACKAGE.glob("_arrow*.py"), (*CLIENT, "crossfold._runtime", "grpc")) == []


def test_nobody_speaks_to_the_bus() -> None:
    assert offenders(PACKAGE.rglob("*.py"), ("nats",)) == []


def test_the_client_does_not_run_fits() -> None:
    assert offenders(PACKAGE.glob("*.py"), ("crossfold._runtime",)) == []


@pytest.mark.parametrize("name", ["__init__", "_binary", "_embedded", "_errors"])
def test_no_heavy_imports_at_import_time(name: str) -> None:
    assert offenders(iter([PACKAGE / f"{name}.py"]), HEAVY, top_level=True) == []


def test_import_crossfold_loads_nothing_heavy() -> None:
    script = f"import sys, crossfold; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_violations_are_caught() -> None:
    source = """
from ._client import Client
from . import _embedded
from ..joblib import Backend
import numpy as np
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import pandas
def later():
    import grpc.aio
"""
    every = list(imported(source, "crossfold._runtime.fit"))
    assert {n for n in every if within(n, ("grpc", "pandas"))} == {"pandas", "grpc.aio"}
    assert "crossfold._runtime._client" in every
    assert within("crossfold.joblib.Backend", CLIENT) and "crossfold.joblib.Backend" in every
    at_import = list(imported(source, "crossfold._runtime.fit", top_level=True))
    assert [n for n in at_import if within(n, HEAVY)] == ["numpy"]
    assert "crossfold._runtime._embedded" in at_import
    assert "crossfold._runtime._client.Client" in at_import
