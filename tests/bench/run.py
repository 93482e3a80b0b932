"""Run the benchmarks and print one table and one line of JSON.

    python tests/bench/run.py [--case plain,first,calls,memory] [--peers loky] [--repeat N]

Both sides do the same work with the same splits, seeds, interpreter and one thread per library. Results
are compared before times are; repetitions are interleaved; the figures are medians. Ends with status 1
when results differ. A goal that is missed is printed, and is no error: machines differ.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
os.environ["CROSSFOLD_PROGRESS"] = "0"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from e2e.cluster import PrivateCluster  # noqa: E402

from bench import calls, first, memory, plain, prefix  # noqa: E402
from bench.figures import CORES, Figure, ResultsDiffer, table  # noqa: E402

CASES = {"plain": plain, "first": first, "calls": calls, "memory": memory, "prefix": prefix}
PEERS = ("loky",)


def main() -> int:
    """Run the chosen cases."""
    options = _arguments()
    with PrivateCluster(idle_timeout="300s", slots=CORES) as cluster:
        # The cluster of the cases that use Crossfold in this process.
        os.environ.update(cluster.settings)
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    figures: list[Figure] = []
    status = 0
    for name in options.case:
        case = CASES[name]
        repeat = options.repeat or case.REPEAT
        print(f"{name}: {case.__doc__.splitlines()[0]} (median of {repeat})", file=sys.stderr, flush=True)
        try:
            figures += case.run(options.peers, repeat)
        except ResultsDiffer as difference:
            print(f"{name}: {difference}", file=sys.stderr)
            status = 1
    print(table(figures))
    print(json.dumps([dataclasses.asdict(figure) | {"met": figure.met} for figure in figures]))
    return status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Crossfold's benchmarks")
    parser.add_argument("--case", type=_names_of(CASES), default=list(CASES), help="comma-separated cases")
    parser.add_argument("--peers", type=_names_of(PEERS), default=list(PEERS), help="comma-separated peers")
    parser.add_argument("--repeat", type=int, help="repetitions, instead of each case's own number")
    options = parser.parse_args()
    if options.repeat is not None and options.repeat < 1:
        parser.error(f"--repeat {options.repeat}: at least one repetition is needed")
    return options


def _names_of(known):
    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
