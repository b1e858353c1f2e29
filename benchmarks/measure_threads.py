"""How much faster two threads are than one, beside what the machine itself allows.

    python benchmarks/measure_threads.py Cu-I cu-large [...] [--repeats 20] [--shared DIR] [--quick]

In turn: loss and gradient on one thread, on two, and on one thread of two processes at the same time, which share nothing but the
machine; small sets some times in a row, as a fit does. Twice the time of one process alone over the time of both is the gain that
two perfect threads would have.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from measure_loss import build_loss
from shapes import TRAINING_SETS, load_training_set

SECONDS = 0.1
"""Time of the evaluations in a row."""


def serve(options: argparse.Namespace) -> None:
    """Answer each line of the input, a number of threads, with the seconds of one evaluation."""
    data = load_training_set(options.cases[0], options.shared, options.quick)
    losses = {threads: build_loss(data, threads) for threads in (1, 2)}
    x = losses[1].layout.vector()
    for loss in losses.values():
        loss(x)
    begun = time.perf_counter()
    losses[1](x)
    n = max(1, round(SECONDS / (time.perf_counter() - begun)))
    print(data.structures.n_atoms, flush=True)
    for line in sys.stdin:
        loss, begun = losses[int(line)], time.perf_counter()
        for _ in range(n):
            loss(x)
        print((time.perf_counter() - begun) / n, flush=True)


def start(options: argparse.Namespace, case: str) -> subprocess.Popen[str]:
    """Process that serves a case."""
    more = ["--shared", str(options.shared)] if options.shared else []
    command = [sys.executable, __file__, case, "--serve", *more, *(["--quick"] if options.quick else [])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(processes: list[subprocess.Popen[str]], threads: int) -> float:
    """Seconds until all processes have made an evaluation."""
    for process in processes:
        assert process.stdin
        process.stdin.write(f"{threads}\n")
        process.stdin.flush()
    return max(float(process.stdout.readline()) for process in processes if process.stdout)


def main() -> None:
    """Print a line for each case, or serve one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=TRAINING_SETS)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return
    for case in options.cases:
        pair = [start(options, case) for _ in range(2)]
        sizes = [int(process.stdout.readline()) for process in pair if process.stdout]
        times = np.array([[ask(pair[:1], 1), ask(pair[:1], 2), ask(pair, 1)] for _ in range(options.repeats)])
        for process in pair:
            process.communicate()
        one, two, both = times.T
        print(
            f"{case}: {np.median(one) / sizes[0] * 1e6:.1f} ({one.min() / sizes[0] * 1e6:.1f}) µs/atom on one; two threads "
            f"{np.median(one / two):.2f} ({one.min() / two.min():.2f}) times faster, two processes "
            f"{np.median(2 * one / both):.2f} ({2 * one.min() / both.min():.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
