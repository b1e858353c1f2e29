"""Time per evaluation of the loss with its gradient, and of energies and forces alone, on the data of finished runs.

    python benchmarks/bench_loss.py config/config.yaml [other/input.yaml ...] [--threads 1 2] [--repeats 9]

Each configuration must have been run in the current directory: dataset, neighbour lists, weights and final potential are read.
Prints medians in microseconds per atom and evaluation and adds them with machine and versions to benchmarks/results/loss.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

import acefit
from acefit.config import loading, stages
from acefit.fit.inputs import read_fit_data
from acefit.fit.loss import Loss, LossSettings
from acefit.fit.run import FitData
from acefit.potential.bbasis import read_potential
from acefit.potential.model import Potential

SETTINGS = LossSettings(kappa=0.3, l1=1e-8, l2=1e-8, w0=1e-8, w1=1e-8, w2=1e-8)


def read_run(path: str) -> tuple[str, Potential, FitData]:
    """Name, final potential and training set of a finished run."""
    config = loading.load_config(path)
    run = Path("results") / stages.run_name(config, path)
    dataset = Path("results/shared") / f"dataset-{stages.dataset_digest(config)}"
    lists = stages.neighborlists_params(config)
    shards = sorted((dataset / f"neighborlists-{lists['cutoff']}").glob(f"shard-*-of-{lists['n_shards']:03d}.parquet"))
    if not (run / "potential.yaml").exists():
        raise SystemExit(f"{path}: {run}/potential.yaml is missing; run the workflow with this configuration first")
    potential = read_potential(run / "potential.yaml")
    train, _ = read_fit_data(
        potential,
        (dataset / "structures.parquet", dataset / "atoms.parquet"),
        (run / "weights/structures.parquet", run / "weights/atoms.parquet"),
        shards,
    )
    return run.name, potential, train


def median_seconds(function: Callable[[], Any], repeats: int) -> float:
    """Median wall time after one call that compiles."""
    function()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def measure(name: str, potential: Potential, data: FitData, threads: int, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    loss = Loss(potential, data.structures, data.neighbors, data.weights, SETTINGS, threads=threads)
    x, n_atoms = loss.layout.vector(), data.structures.n_atoms
    gradient = median_seconds(lambda: loss(x), repeats)
    energy = median_seconds(lambda: loss(x, with_gradient=False), repeats)
    return {
        "run": name,
        "structures": data.structures.n_structures,
        "atoms": n_atoms,
        "pairs_per_atom": round(data.neighbors.n_pairs / n_atoms, 1),
        "functions": loss.layout.n_functions,
        "parameters": loss.n_parameters,
        "threads": threads,
        "energy_force_us": round(1e6 * energy / n_atoms, 2),
        "loss_gradient_us": round(1e6 * gradient / n_atoms, 2),
        "ratio": round(gradient / energy, 2),
    }


def processor() -> str:
    """Model name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    """Measure all given runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", help="configurations of finished runs")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    rows = []
    for path in arguments.configs:
        name, potential, data = read_run(path)
        for threads in arguments.threads:
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
            rows.append(measure(name, potential, data, threads, arguments.repeats))
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    out = Path("benchmarks/results")
    out.mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version(), "numba": numba.__version__, "acefit": acefit.__version__}
    with (out / "loss.json").open("a") as stream:
        stream.write(json.dumps({"processor": processor(), **versions, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
