"""Write the last run's figures from out/bench/*.json into docs/benchmarks.md.

    python tests/bench/report.py [--out out/bench]

Everything between the page's two marks is replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figures import short  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> int:
    """Replace the page's figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="where the JSON files are")
    folder = parser.parse_args().out
    records = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    records = [record for record in records if "figures" in record]
    if not records:
        print(f"{folder} has no figures: run `make bench` first", file=sys.stderr)
        return 1
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{markdown(records)}\n{END}{after}")
    return 0


def markdown(records: Sequence[Mapping[str, Any]]) -> str:
    """The machine, the figures, the sides and their versions, and who was absent."""
    lines = [*_machine(records), "", *_figures(records), "", *_sides(records)]
    absent = {name: why for record in records for name, why in record["absent"].items()}
    lines += [f"\nAbsent: {name}: {' '.join(why.split())[-300:]}" for name, why in absent.items()]
    return "\n".join(lines)


def _machine(records: Sequence[Mapping[str, Any]]) -> list[str]:
    machine = records[-1]["machine"]
    quick = " **Quick run: small sizes, no figures to quote.**" if any(r["quick"] for r in records) else ""
    dates = sorted({record["date"] for record in records})
    return [
        f"{' to '.join(dates[:1] + dates[1:][-1:])}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}, "
        f"Crossfold {machine['crossfold']}; load before the runs "
        f"{', '.join(str(record['machine']['load']) for record in records)}.{quick}"
    ]


def _figures(records: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| case | what | Crossfold (least–most of n) | peers | ratio | of the limit | goal | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for record in records:
        for figure in record["figures"]:
            peers = ", ".join(
                f"{name} {short(value)} ({_spread(figure['peer_spreads'].get(name, (value, value)))})"
                for name, value in figure["peers"].items()
            )
            ours = f"{short(figure['ours'])} {figure['unit']}"
            label = "; ".join(filter(None, [figure["label"], figure["note"]]))
            cells = [
                record["case"],
                f"{figure['what']}{f' ({label})' if label else ''}",
                f"{ours} ({_spread(figure['spread'])} of {record['repeats']})",
                peers or "–",
                "–" if figure["ratio"] is None else f"{figure['ratio']:.2f}",
                "–" if figure["limit"] is None else f"{figure['limit']:.0%}",
                figure["goal"].replace("|", "\\|"),
                {True: "yes", False: "**no**", None: "–"}[figure["met"]],
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _sides(records: Sequence[Mapping[str, Any]]) -> list[str]:
    sides = {name: side for record in records for name, side in record["sides"].items()}
    lines = ["| side | configuration | versions |", "| --- | --- | --- |"]
    for name, side in sides.items():
        versions = ", ".join(f"{package} {version}" for package, version in side["versions"].items())
        lines.append(f"| {name} | {side['configuration']} | {versions} |")
    return lines


def _spread(values: Sequence[float]) -> str:
    return f"{short(values[0])}–{short(values[1])}"


if __name__ == "__main__":
    sys.exit(main())
