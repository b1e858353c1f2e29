"""Loss and its gradient: time per atom and evaluation, and memory, each case in a fresh process.

    python benchmarks/measure_loss.py CASE [--shared DIR] [--threads 1 2] [--repeats 9] [--quick]

measures one case in this process and prints JSON; the suite starts one such process per case.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np

from acefit.data.neighborlists import build
from acefit.data.weights import Weights
from acefit.fit.loss import Loss, LossSettings
from acefit.system import memory_entry
from measuring import Options, Row, alternate, ratio, rows_of_all, run_fresh, summary
from shapes import TRAINING_SETS, TrainingSet, load_training_set

SETTINGS = LossSettings(kappa=0.3, l1=1e-8, l2=1e-8, w0=1e-8, w1=1e-8, w2=1e-8)
LONG = 5.0
"""Seconds of one evaluation from which fewer repeats have to do."""


def build_loss(data: TrainingSet, threads: int) -> Loss:
    """Loss with neighbour lists and equal weights."""
    neighbors = build(data.structures, data.potential.cutoff)
    return Loss(data.potential, data.structures, neighbors, Weights.uniform(data.structures), SETTINGS, threads=threads)


def memory(name: str) -> float:
    """Entry of this process's status in bytes (VmRSS, VmHWM); 0 where the system does not tell."""
    return float(memory_entry(name) or 0)


def release_free_memory() -> None:
    """Give unused pages back, so that later growth is not hidden in them (where the C library can)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def warm_up(data: TrainingSet) -> None:
    """Load the compiled kernels with one structure, so that their code does not count as memory of the data."""
    one = data._replace(structures=data.structures.select(np.arange(1)))
    loss = build_loss(one, 1)
    loss(loss.layout.vector())


def measure_memory(data: TrainingSet, threads: int) -> tuple[Loss, dict[str, float], dict[str, Any]]:
    """Build the loss and evaluate it once; growth of the resident memory per pair of the lists, and the size of the case."""
    warm_up(data)
    release_free_memory()
    begun = memory("VmRSS")
    neighbors = build(data.structures, data.potential.cutoff)
    weights = Weights.uniform(data.structures)
    release_free_memory()
    before = memory("VmRSS")
    loss = Loss(data.potential, data.structures, neighbors, weights, SETTINGS, threads=threads)
    release_free_memory()
    built = memory("VmRSS")
    loss(loss.layout.vector())
    after = memory("VmRSS")
    n_pairs, n_atoms = neighbors.n_pairs, data.structures.n_atoms
    grown = {
        "memory of the neighbour lists": (before - begun) / n_pairs,
        "memory of the loss": (built - before) / n_pairs,
        "memory of the loss, evaluated": (after - before) / n_pairs,
    }
    size = {
        "atoms": n_atoms,
        "neighbours": n_pairs / n_atoms,
        "functions": data.potential.n_functions,
        "synthetic": data.synthetic,
    }
    return loss, grown, size


def measure_case(name: str, options: Options) -> Iterator[Row]:
    """Rows of one case, in this process."""
    data = load_training_set(name, options.shared, options.quick)
    numba.set_num_threads(min(max(options.threads), numba.config.NUMBA_NUM_THREADS))
    loss, grown, size = measure_memory(data, options.threads[-1])
    for quantity, value in grown.items():
        yield Row("loss", name, quantity, "B/pair", options.threads[-1], value, value, 1, **size)
    del loss
    for threads in options.threads:
        loss = build_loss(data, threads)
        x, per_atom = loss.layout.vector(), 1e6 / data.structures.n_atoms
        functions = [lambda loss=loss, x=x: loss(x, with_gradient=False), lambda loss=loss, x=x: loss(x)]
        first = alternate(functions, 1)
        repeats = options.repeats if first[1][0] < LONG else min(options.repeats, 3)
        energy, gradient = alternate(functions, repeats)
        yield Row("loss", name, "energies and forces", "µs/atom", threads, **summary(energy, per_atom), **size)
        yield Row("loss", name, "loss and gradient", "µs/atom", threads, **summary(gradient, per_atom), **size)
        yield Row("loss", name, "gradient / forces", "", threads, **ratio(gradient, energy), **size)
    peak = memory("VmHWM") / 1e6
    yield Row("loss", name, "peak memory of the process", "MB", max(options.threads), peak, peak, 1, **size)


def measure(options: Options, names: tuple[str, ...] = TRAINING_SETS) -> Iterator[Row]:
    """Rows of all cases, each measured in a process of its own."""
    yield from rows_of_all(measure_fresh(name, options) for name in names)


def measure_fresh(name: str, options: Options) -> Iterator[Row]:
    """Rows of one case, measured in a process of its own."""
    arguments = [name, "--repeats", str(options.repeats), "--threads", *map(str, options.threads)]
    arguments += ["--shared", str(options.shared)] if options.shared else []
    arguments += ["--quick"] if options.quick else []
    for row in run_fresh("measure_loss.py", *arguments):
        yield Row(**row)


def case_names(options: Options) -> tuple[str, ...]:
    """Cases to measure: all, or the smallest one in a quick run without published data."""
    return TRAINING_SETS[:1] if options.quick and options.shared is None else TRAINING_SETS


def main() -> None:
    """Measure one case and print its rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=TRAINING_SETS)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    options = Options(arguments.shared, None, arguments.repeats, tuple(arguments.threads), arguments.quick)
    print(json.dumps([row._asdict() for row in measure_case(arguments.case, options)]))


if __name__ == "__main__":
    main()
