"""One fit on several MPI processes: is it the same, how much faster is it, and what do the processes send each other.

    python benchmarks/measure_processes.py example cu-large [...] [--ranks 1 2 4] [--threads 1 2] [--iterations 10] [--shared DIR]

For each case, number of processes and number of threads a short BFGS fit. Printed: the largest relative difference of loss,
gradient at the start and final loss from the fit on one thread of one process; time per evaluation and the gain over it (strong
scaling); the same with as many copies of the structures as processes (weak scaling); time and size of the messages of an
evaluation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.fit.checkpoint import DIGEST_BYTES, MAGIC, EvaluationLog
from acefit.fit.processes import ALONE, MpiProcesses, Processes, message_lengths
from acefit.fit.run import LOG_FILE, FitData, FitJob, assist_fit, run_fit
from acefit.fit.settings import FitSettings
from acefit.launch import find_program
from shapes import TRAINING_SETS, load_training_set

LOSS = {"kappa": 0.3, "L1_coeffs": 1e-8, "L2_coeffs": 1e-8, "w0_rad": 1e-8, "w1_rad": 1e-8, "w2_rad": 1e-8}
MESSAGES = 200


def make_job(options: argparse.Namespace, processes: Processes, folder: Path) -> FitJob:
    """Fit of a case, its structures `copies` times."""
    data = load_training_set(options.cases[0], options.shared, options.quick)
    n = data.structures.n_structures
    structures: StructureSet = data.structures.select(np.tile(np.arange(n), options.copies))
    neighbors = build(structures, data.potential.cutoff)
    train = FitData(structures, neighbors, Weights.uniform(structures), np.full(structures.n_structures, np.nan))
    settings = FitSettings.from_section({"maxiter": options.iterations, "options": {"gtol": 1e-30}, "loss": LOSS})
    return FitJob(data.potential, train, None, settings, 1, 0, 0, folder, processes=processes)


def message_seconds(processes: Processes, n_parameters: int) -> float:
    """Time of the two messages of an evaluation when nobody has to wait."""
    point, sums = np.zeros(1 + n_parameters), np.zeros(sum(message_lengths(processes.size, n_parameters)))
    processes.collect(None)
    began = time.perf_counter()
    for _ in range(MESSAGES):
        processes.send_point(point)
        processes.reduce(sums)
    processes.collect(None)
    return (time.perf_counter() - began) / MESSAGES


def take_part(options: argparse.Namespace) -> None:
    """What each process does; the first one prints JSON."""
    processes: Processes = ALONE
    if options.ranks[0] > 1:
        from mpi4py import MPI

        processes = MpiProcesses(MPI.COMM_WORLD)
    job = make_job(options, processes, options.folder)
    if processes.rank:
        assist_fit(job)
        message_seconds(processes, int(processes.share(None)))
        return
    outcome = run_fit(job)
    n = outcome.n_parameters
    processes.share(n)
    rows = outcome.rows
    times = [(b["evaluation_time"] - a["evaluation_time"]) / (b["evaluations"] - a["evaluations"]) for a, b in pairwise(rows)]
    path = options.folder / LOG_FILE
    digest = path.read_bytes()[len(MAGIC) : len(MAGIC) + DIGEST_BYTES]
    with EvaluationLog.open(path, digest) as log:
        start = log.read_evaluation(0)
    answer = {
        "atoms": job.train.structures.n_atoms,
        "n": n,
        "start": start.value,
        "gradient": list(start.gradient),
        "end": outcome.minimum.value,
        "median": float(np.median(times)),
        "minimum": min(times),
        "messages": message_seconds(processes, n),
        "bytes": 8 * (1 + n + sum(message_lengths(processes.size, n))) if processes.size > 1 else 0,
    }
    print(json.dumps(answer), flush=True)


def run_case(options: argparse.Namespace, case: str, ranks: int, threads: int, copies: int) -> dict[str, Any]:
    """Run one combination in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        this = [sys.executable, __file__, case, "--folder", folder, "--ranks", str(ranks), "--threads", str(threads)]
        this += ["--copies", str(copies), "--iterations", str(options.iterations), *(["--quick"] if options.quick else [])]
        this += ["--shared", str(options.shared)] if options.shared else []
        mpiexec = find_program("mpiexec") or "mpiexec"
        starter = [mpiexec, "--bind-to", "none", "--map-by", ":OVERSUBSCRIBE", "-n", str(ranks)] if ranks > 1 else []
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        environment["NUMBA_NUM_THREADS"] = str(threads)
        done = subprocess.run([*starter, *this], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def report(options: argparse.Namespace, case: str) -> None:
    """Print the table of a case."""
    one: dict[str, Any] = {}
    print(
        f"\n{case}\n| processes | threads | loss, gradient, end differ by | ms per evaluation | gain | weak | messages µs | kB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for ranks in options.ranks:
        for threads in options.threads:
            found = run_case(options, case, ranks, threads, 1)
            one = one or found
            gradient, expected = np.array(found["gradient"]), np.array(one["gradient"])
            errors = [abs(found["start"] / one["start"] - 1), np.abs(gradient - expected).max() / np.abs(expected).max()]
            errors.append(abs(found["end"] / one["end"] - 1))
            weak = ""
            if ranks > 1:
                more = run_case(options, case, ranks, threads, ranks)
                weak = f"{ranks * one['minimum'] / more['minimum']:.2f}"
            gain = one["minimum"] / found["minimum"]
            print(
                f"| {ranks} | {threads} | {', '.join(f'{error:.1e}' for error in errors)} | "
                f"{1e3 * found['median']:.2f} ({1e3 * found['minimum']:.2f}) | {gain:.2f} | {weak} | "
                f"{1e6 * found['messages']:.0f} µs | {found['bytes'] / 1e3:.1f} |",
                flush=True,
            )
    print(f"{one['atoms']} atoms, {one['n']} parameters")


def main() -> None:
    """Print a table for each case, or take part in a fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=TRAINING_SETS)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--copies", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        take_part(options)
        return
    for case in options.cases:
        report(options, case)


if __name__ == "__main__":
    main()
