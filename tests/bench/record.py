"""What a run leaves behind: a JSON file and a plot per case, and the table for docs/benchmarks.md."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.figures import CORES, OURS, Figure
from bench.sides import SIDES, pinned_versions


@dataclasses.dataclass(frozen=True)
class Record:
    """One case of one run, with what it ran on."""

    case: str
    summary: str
    repeats: int
    quick: bool
    date: str
    machine: Mapping[str, Any]
    sides: Mapping[str, Mapping[str, Any]]
    """Each side's configuration and versions."""
    absent: Mapping[str, str]
    figures: Sequence[Figure]

    @classmethod
    def of(
        cls,
        case: str,
        summary: str,
        figures: Sequence[Figure],
        repeats: int,
        absent: Mapping[str, str],
        quick: bool,
    ) -> Record:
        """Add the machine and the versions of every side that the figures name."""
        names = {label.split()[0] for figure in figures for label in figure.peers}
        return cls(
            case=case,
            summary=summary,
            repeats=repeats,
            quick=quick,
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            machine=_machine(),
            sides={
                name: {
                    "configuration": side.configuration,
                    "versions": pinned_versions(name),
                }
                for name, side in SIDES.items()
                if name == OURS or name in names
            },
            absent=dict(absent),
            figures=figures,
        )


def save(folder: Path, record: Record) -> None:
    """Write `<case>.json` and `<case>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(record), indent=1)
    (folder / f"{record.case}.json").write_text(text + "\n")
    _plot(folder / f"{record.case}.png", record)


def _machine() -> dict[str, Any]:
    return {
        "cores": CORES,
        "cpu": _cpu(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "crossfold": version("crossfold"),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _plot(path: Path, record: Record) -> None:
    """A panel of bars per figure: medians, and lines from the least to the most."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown, axes = plt.subplots(
        len(record.figures), 1, figsize=(8, 2.4 * len(record.figures)), layout="constrained", squeeze=False
    )
    for figure, (panel,) in zip(record.figures, axes, strict=True):
        middles = {OURS: figure.ours, **figure.peers}
        spreads = {OURS: figure.spread, **figure.peer_spreads}
        for place, (name, middle) in enumerate(middles.items()):
            least, most = spreads.get(name, (middle, middle))
            panel.barh(
                place,
                middle,
                xerr=[[middle - least], [most - middle]],
                color="tab:green" if name == OURS else "tab:gray",
            )
        panel.set_yticks(range(len(middles)), middles)
        panel.invert_yaxis()
        panel.set_xlabel(figure.unit)
        panel.set_title(f"{figure.what} ({figure.label})", fontsize=10)
    shown.suptitle(f"{record.case}, {record.machine['cores']} cores{', quick' if record.quick else ''}")
    shown.savefig(path)
    plt.close(shown)
