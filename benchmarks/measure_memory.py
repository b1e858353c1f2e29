"""Peak memory of whole fit jobs beside their estimates, in memory and streaming, each in a fresh process.

    python benchmarks/measure_memory.py CASE ... [--optimizer BFGS] [--stream never] [--shared DIR] [--quick]

writes the files that the step `fit` reads, runs it there, and prints what it took. `baseline` is the peak of the same process
before it reads anything. Kernels are compiled before.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from acefit.artifacts import write_table
from acefit.basis.ladder import empty_basis
from acefit.data.neighborlists import build, shard_bounds
from acefit.data.storage import Dataset, write_dataset, write_shard
from acefit.data.weights import Weights
from acefit.files import read_yaml, write_yaml
from acefit.potential.bbasis import write_configuration
from measure_loss import memory
from measuring import run_fresh
from shapes import TRAINING_SETS, TrainingSet, load_training_set

LOSS = {"kappa": 0.3, "L1_coeffs": 1e-8, "L2_coeffs": 1e-8, "w1_rad": 1e-8}


def write_inputs(data: TrainingSet, folder: Path, n_shards: int = 4) -> None:
    """Write what the step `fit` reads: dataset, neighbour lists, uniform weights, basis."""
    structures, n = data.structures, data.structures.n_structures
    write_dataset(Dataset.from_structures(structures), folder / "structures.parquet", folder / "atoms.parquet")
    bounds = shard_bounds(structures.atoms_per_structure, n_shards)
    for k, (first, last) in enumerate(pairwise(bounds)):
        lists = build(structures.select(np.arange(first, last)), data.potential.cutoff)
        write_shard(lists, structures, int(first), folder / f"shard-{k:03d}.parquet")
    weights = Weights.uniform(structures)
    columns = {"structure": structures.ids, "subset": ["train"] * n, "w_energy": weights.energy, "w_stress": weights.stress}
    more = {"effective_energy": np.full(n, np.nan), "tier": [""] * n, "reason": [""] * n}
    write_table(columns | more, folder / "weights.parquet", "weights")
    atoms = {"structure": structures.structure_of_atom, "atom": np.arange(structures.n_atoms), "w_force": weights.force}
    write_table(atoms, folder / "atom_weights.parquet", "weights_atoms")
    write_yaml({"kappa_auto": 0.3}, folder / "summary.yaml")
    write_configuration(data.potential, folder / "step.yaml")
    write_configuration(empty_basis(data.potential), folder / "start.yaml")


def run_job(folder: Path, settings: dict[str, Any], max_memory: float | None = None, stream: str = "auto") -> dict[str, Any]:
    """Run the step `fit` in this process; bytes, seconds, and what the log says about memory."""
    # what a job loads before it reads anything
    from acefit.steps.fit import fit

    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logging.getLogger("acefit").addHandler(Listener())
    logging.getLogger("acefit").setLevel(logging.INFO)
    baseline, begun = memory("VmHWM"), time.perf_counter()
    fit(
        fit=settings,
        seed=1,
        step=0,
        cycle=0,
        code="",
        path_to_step=folder / "step.yaml",
        path_to_start=folder / "start.yaml",
        paths_to_previous=[],
        paths_to_shards=sorted(folder.glob("shard-*.parquet")),
        path_to_structures=folder / "structures.parquet",
        path_to_atoms=folder / "atoms.parquet",
        path_to_weights=folder / "weights.parquet",
        path_to_atom_weights=folder / "atom_weights.parquet",
        path_to_summary=folder / "summary.yaml",
        path_to_potential=folder / "out/potential.yaml",
        path_to_metrics=folder / "out/metrics.parquet",
        path_to_result=folder / "out/result.yaml",
        max_memory=max_memory,
        stream=stream,
    )
    result = read_yaml(folder / "out/result.yaml")
    return {
        "baseline": baseline,
        "peak": memory("VmHWM"),
        "resident": memory("VmRSS"),
        "seconds": time.perf_counter() - begun,
        "loss": result["loss"],
        "n_parameters": result["n_parameters"],
        "per_atom": result["timing"]["microseconds_per_atom"],
        "said": [line for line in said if "memory" in line],
    }


def measure_fresh(
    data: TrainingSet, settings: dict[str, Any], max_memory: float | None = None, stream: str = "auto"
) -> dict[str, Any]:
    """Write the inputs to a temporary folder and run the job in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        write_inputs(data, Path(name))
        command = ["--run", name, "--settings", json.dumps(settings), "--stream", stream]
        command += ["--max-memory", str(max_memory)] if max_memory else []
        return run_fresh("measure_memory.py", *command)


def main() -> None:
    """Measure the cases named, or run one job that is ready in a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*TRAINING_SETS, []])
    parser.add_argument("--optimizer", nargs="+", default=["BFGS", "L-BFGS-B"])
    parser.add_argument("--stream", nargs="+", default=["never", "always"])
    parser.add_argument("--maxiter", type=int, default=5)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    parser.add_argument("--max-memory", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(run_job(arguments.run, json.loads(arguments.settings), arguments.max_memory, arguments.stream[0])))
        return
    for case in arguments.cases:
        data = load_training_set(case, arguments.shared, arguments.quick)
        for optimizer in arguments.optimizer:
            for stream in arguments.stream:
                settings = {"loss": LOSS, "optimizer": optimizer, "maxiter": arguments.maxiter}
                found = measure_fresh(data, settings, None, stream)
                numbers = " ".join(f"{key} {found[key] / 1e6:.0f}" for key in ("baseline", "peak", "resident"))
                print(
                    f"{case} {optimizer} stream {stream}: {numbers} MB; {found['seconds']:.1f} s, "
                    f"{found['per_atom']:.1f} µs/atom, {found['n_parameters']} parameters, loss {found['loss']!r}\n  "
                    f"{'; '.join(found['said'])}"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
