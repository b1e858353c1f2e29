"""Measure acefit on this machine: one command, one table, `suite.parquet` and `suite.json`.

    python benchmarks/suite.py [--only SECTION ...] [--quick] [--shared DIR] [--peers DIR] [--repeats 9] [--out DIR]

Sections: machine (measured peaks), evaluation (kernels alone, with operations and share of the roofline), calculator (as
molecular dynamics calls it), lists (neighbour lists), loss (with gradient and memory), start (empty and filled cache of compiled
kernels), phases (where the time goes), peers (pacemaker in the same minutes, needs --peers). Numbers are medians of several runs
with the minimum beside them. Run it on a quiet machine. Without published potentials and data (--shared) it invents ones of the
same size, marked synthetic.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import machine
import measure_evaluation
import measure_loss
import measure_peers
import measure_pipeline
import measure_start
from measuring import REPOSITORY, Options, Row, format_number, markdown, write_results

BUSY = 0.5
"""Load of the machine from which the times are not to be trusted."""

Section = Callable[[Options], Iterable[Row]]


def machine_rows(peaks: dict[str, float]) -> Iterator[Row]:
    """Measured peaks as rows."""
    for threads in (1, 2):
        for name, title, unit in (("fma", "multiply-add, double precision", "Gflop/s"), ("triad", "triad", "GB/s")):
            value = peaks[f"{name}_{threads}"]
            yield Row("machine", "peak", title, unit, threads, value, value, 1)


def measure_phases(options: Options, peaks: dict[str, float]) -> Iterable[Row]:
    """Single kernels; imported here because only this section depends on their signatures."""
    import phases

    return phases.measure(options, peaks)


def sections(peaks: dict[str, float]) -> dict[str, Section]:
    """What can be asked for by name, in the order in which it is measured."""

    def evaluation(name: str) -> Section:
        return lambda options: measure_evaluation.measure({name}, options, peaks, measure_evaluation.shape_names(options))

    return {
        "machine": lambda options: machine_rows(peaks),
        "evaluation": evaluation("evaluation"),
        "calculator": evaluation("calculator"),
        "lists": lambda options: measure_evaluation.measure_lists(options),
        "loss": lambda options: measure_loss.measure(options, measure_loss.case_names(options)),
        "pipeline": lambda options: measure_pipeline.measure(1 if options.quick else min(options.repeats, 5)),
        "start": lambda options: measure_start.measure(1 if options.quick else min(options.repeats, 5)),
        "phases": lambda options: measure_phases(options, peaks),
        "peers": measure_peers.measure,
    }


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="SECTION", choices=tuple(sections({})), help="sections to measure")
    parser.add_argument("--quick", action="store_true", help="small cases and few repeats: does it work?")
    shared = REPOSITORY.parent / "shared"
    parser.add_argument("--shared", type=Path, default=shared if shared.is_dir() else None, help="folder with golden/ and data/")
    parser.add_argument("--synthetic", action="store_true", help="use invented data even where published ones are at hand")
    parser.add_argument("--peers", type=Path, help="environment with pacemaker, to measure it in the same minutes")
    parser.add_argument("--repeats", type=int, default=9, help="measured runs of each number (default 9; 2 with --quick)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (default 1 2)")
    parser.add_argument(
        "--limit", type=float, default=300.0, help="seconds after which a fit of the peers is stopped (default 300)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "benchmarks/results", help="folder for the results")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; sections that fail are named at the end and do not stop the others."""
    given = parse_arguments(arguments)
    options = Options(
        shared=None if given.synthetic else given.shared,
        peers=given.peers,
        repeats=min(given.repeats, 2) if given.quick else given.repeats,
        threads=tuple(given.threads),
        quick=given.quick,
        limit=given.limit,
    )
    chosen = given.only or [name for name in sections({}) if name != "peers" or options.peers]
    description = machine.describe()
    peaks = machine.peaks(given.quick) if {"machine", "evaluation", "phases"} & set(chosen) else {}
    print("\n".join(f"{name}: {value}" for name, value in description.items()), flush=True)
    if description["load"] > BUSY:
        print(f"\nwarning: other jobs are running (load {description['load']:.1f}); times will be too long", flush=True)
    rows: list[Row] = []
    failed = []
    for name, section in sections(peaks).items():
        if name not in chosen:
            continue
        print(f"\n## {name}\n", flush=True)
        found: list[Row] = []
        try:
            for row in section(options):
                found.append(row)
                value = f"{format_number(row.median)} {row.unit}"
                print(f"{row.case}, {row.threads} threads: {row.quantity} {value}", file=sys.stderr, flush=True)
        except Exception:
            # Whatever it is: the other sections of a long run must not be lost
            failed.append(name)
            traceback.print_exc()
        rows += found
        print(markdown(found), flush=True)
        # After every section, so that an interrupted run keeps what it has measured
        paths = write_results(rows, {**description, "peaks": peaks}, given.out)
    print("\nwritten:", *paths)
    if failed:
        print("failed:", *failed, file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
