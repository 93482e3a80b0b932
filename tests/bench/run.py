"""Run the benchmarks; print a table, and write out/bench/<case>.json and .png.

    python tests/bench/run.py [--case plain,tiny] [--peers loky,ray] [--repeats N] [--quick]

Every side does the same work with the same splits, seeds and one thread per library, broker and workers
inside the same cores. Results are compared before times are; repetitions are interleaved; the figures
are medians. Ends with status 1 when results differ or a case can't run. A goal that is missed is
printed, and is no error: machines differ.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
os.environ["CROSSFOLD_PROGRESS"] = "0"
if "--quick" in sys.argv:
    os.environ["BENCH_QUICK"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from e2e.cluster import PrivateCluster  # noqa: E402

from bench import (  # noqa: E402
    data,
    ensemble,
    family,
    first,
    many,
    memory,
    networks,
    plain,
    prefix,
    record,
    scale,
    sides,
    tiny,
)
from bench.figures import CORES, ResultsDiffer, table  # noqa: E402

CASES = {
    "plain": plain,
    "tiny": tiny,
    "first": first,
    "data": data,
    "memory": memory,
    "scale": scale,
    "keras": networks,
    "many": many,
    "prefix": prefix,
    "family": family,
    "ensemble": ensemble,
}
# The peers of a case that names none: it runs them in this process.
_IN_PROCESS = ("loky",)


def main() -> int:
    """Run the chosen cases."""
    options = _arguments()
    # Ended from outside, the run still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with PrivateCluster(idle_timeout="300s", slots=CORES) as cluster:
        # The cluster of the cases that use Crossfold in this process.
        os.environ.update(cluster.settings)
        return max([_run(name, options) for name in options.case])


def _run(name: str, options: argparse.Namespace) -> int:
    case = CASES[name]
    repeat = options.repeats or (1 if options.quick else case.REPEAT)
    wanted = [peer for peer in options.peers if peer in getattr(case, "PEERS", _IN_PROCESS)]
    peers = sides.available(wanted)
    summary = case.__doc__.splitlines()[0]
    print(f"{name}: {summary} (median of {repeat})", file=sys.stderr, flush=True)
    try:
        figures = case.run(peers, repeat)
    except (ResultsDiffer, sides.PeerFailed) as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        return 1
    print(table(figures), flush=True)
    absent = {peer: sides.absent[peer] for peer in wanted if peer in sides.absent}
    for peer, reason in absent.items():
        print(f"{name}: {peer} is absent: {reason}", file=sys.stderr)
    record.save(options.out, record.Record.of(name, summary, figures, repeat, absent, options.quick))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Crossfold's benchmarks")
    parser.add_argument("--case", type=_names_of(CASES), default=list(CASES), help="comma-separated cases")
    parser.add_argument(
        "--peers", type=_names_of(sides.PEERS), default=list(sides.PEERS), help="comma-separated peers"
    )
    parser.add_argument("--repeats", type=int, help="repetitions, instead of each case's own number")
    parser.add_argument("--quick", action="store_true", help="small sizes, once: shows that the cases work")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="where the files go")
    parser.add_argument("--profile", type=Path, help="folder for Python profiles, which slow a run down")
    options = parser.parse_args()
    if options.profile:
        options.profile.mkdir(parents=True, exist_ok=True)
        os.environ["BENCH_PROFILE"] = str(options.profile.resolve())
    if options.repeats is not None and options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: at least one repetition is needed")
    return options


def _names_of(known):
    def parse(text: str) -> list[str]:
        names = [name for name in text.split(",") if name and name != "none"]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
