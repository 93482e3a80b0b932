"""What the documents show is what is there, and it runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import PrivateCluster

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def blocks(document: str, language: str) -> list[str]:
    """The fenced code of one language in a document."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


def test_the_quick_start_runs(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    quick_start = blocks("README.md", "python")[0]
    assert len(quick_start.strip().splitlines()) <= 15
    assert "'C': 1, 'gamma': 0.001" in cluster.run(script(quick_start))


@pytest.mark.timeout(240)
def test_the_keras_page_runs(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    examples, printed = blocks("docs/keras.md", "python"), blocks("docs/keras.md", "text")
    output = cluster.run(script("\n".join(examples)), timeout=200)
    # Keras prints progress bars as well.
    assert [line for line in output.splitlines() if "keras: " in line] == "".join(printed).splitlines()


def test_the_go_example_is_the_one_that_is_compiled() -> None:
    (shown,) = blocks("README.md", "go")
    assert shown in (ROOT / "examples" / "search" / "main.go").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "docs/job-file.md"])
def test_the_job_file_is_the_one_that_is_run(document: str) -> None:
    assert blocks(document, "yaml") == [(ROOT / "examples" / "wine.yaml").read_text(encoding="utf-8")]


def test_every_command_is_in_the_table(
    crossfold_cli: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    _, _, commands = crossfold_cli("--help").stdout.partition("Available Commands:")
    listed = set(re.findall(r"^  (\w+) ", commands, re.MULTILINE))
    described = set(re.findall(r"`crossfold (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert listed - {"help"} == described
