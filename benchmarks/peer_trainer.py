"""Fits with acefit and with pacemaker, run as a black box, on the same data with the same input, in the same minutes."""

from __future__ import annotations

import datetime
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import yaml

from acefit.artifacts import read_frame
from acefit.data.neighborlists import build
from measuring import REPOSITORY, Options, Row
from peer import run_python
from shapes import SECTIONS, TrainingSet, load_training_set

ITERATIONS = {"Cu-I": 60, "cu-large": 8, "ethanol": 2}
# Run with the Python of pacemaker's environment, whose pandas has to read the result
TO_FRAME = """
import sys
import pandas as pd
from ase.io import read
rows = []
for atoms in read(sys.argv[1], ":"):
    energy, forces, atoms.calc = atoms.get_potential_energy(), atoms.get_forces(), None
    rows.append({"ase_atoms": atoms, "energy_corrected": energy, "forces": forces})
pd.DataFrame(rows).to_pickle(sys.argv[2], compression="gzip", protocol=4)
"""

# One line per iteration in pacemaker's log: moment, iteration, evaluations, loss, microseconds per atom and evaluation
LINE = re.compile(r"^(\S+ \S+) .*?#(\d+)\s+\((\d+) evals\):\s+Loss: (\S+) \|.*?Time/eval: (\S+)", re.MULTILINE)


class Fit(NamedTuple):
    """How a fit went.

    Attributes
    ----------
    wall : seconds from the start of the program to its end, or to the time limit
    evaluation : microseconds per atom and evaluation
    iterations, evaluations, loss : at the end
    minimising : seconds between the first and the last iteration; compare it only where the numbers of evaluations agree
    """

    wall: float
    evaluation: float
    iterations: int
    evaluations: int
    loss: float
    minimising: float


def run_limited(command: list[Any], folder: Path, environment: dict[str, str], limit: float) -> float:
    """Run a program, kill its process group after `limit` seconds, and return the seconds it took; it writes to `run.log`.

    Raises
    ------
    RuntimeError
        If it ends with an error; with the end of its output.
    """
    begun = time.perf_counter()
    with (folder / "run.log").open("wb") as log:
        job = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            if job.wait(limit):
                text = (folder / "run.log").read_text(errors="replace")
                raise RuntimeError(f"{Path(command[0]).name} ended with {job.returncode}:\n{text[-1000:]}")
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    return time.perf_counter() - begun


def run_pacemaker(folder: Path, peers: Path, threads: int, limit: float) -> Fit:
    """Fit with pacemaker; what it did until the limit counts."""
    n = str(threads)
    environment = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": n, "TF_NUM_INTEROP_THREADS": n, "CUDA_VISIBLE_DEVICES": "-1"}
    wall = run_limited([peers / "bin/pacemaker", "input.yaml", "--no-predict"], folder, {**environment, "PYTHONPATH": ""}, limit)
    text = (folder / "run.log").read_text(errors="replace")
    points = LINE.findall(text)
    if len(points) < 2:
        raise RuntimeError(f"pacemaker made {len(points)} iterations in {wall:.0f} s; give more with --limit:\n{text[-500:]}")
    first, last = (datetime.datetime.strptime(points[k][0], "%Y-%m-%d %H:%M:%S,%f") for k in (0, -1))
    evaluation = statistics.median(float(point[4]) for point in points[1:])
    _, iterations, evaluations, loss, _ = points[-1]
    return Fit(wall, evaluation, int(iterations), int(evaluations), float(loss), (last - first).total_seconds())


def run_acefit(folder: Path, n_atoms: int, threads: int, limit: float) -> Fit:
    """Fit with the workflow as a user runs it, up to the potential."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", str(threads)]
    target = "results/fit/potential.yaml"
    wall = run_limited([*command, "--configfile", "input.yaml", "--", target], folder, {}, limit)
    metrics = list(folder.glob("results/fit/fit/**/metrics.parquet"))
    if not metrics:
        raise RuntimeError(f"acefit did not end in {wall:.0f} s; give more with --limit")
    frame = read_frame(metrics[0], "metrics")
    first, last = frame.iloc[0], frame.iloc[-1]
    seconds = last.evaluation_time - first.evaluation_time
    evaluation = 1e6 * seconds / (last.evaluations - first.evaluations) / n_atoms
    return Fit(wall, evaluation, int(last.iter_num), int(last.evaluations), float(last.loss), last.time - first.time)


def write_input(data: TrainingSet, folder: Path, peers: Path) -> None:
    """Input and data that both programs read."""
    frames = [data.structures.to_ase(s) for s in range(data.structures.n_structures)]
    ase.io.write(folder / "data.xyz", frames, format="extxyz")
    run_python(TO_FRAME, peers, folder / "data.xyz", folder / "data.pckl.gzip")
    settings = {
        "name": "fit",
        "cutoff": data.potential.cutoff,
        "seed": 42,
        "potential": SECTIONS[data.name],
        "data": {"filename": "data.pckl.gzip"},
        "fit": {
            "loss": {"kappa": 0.3, **dict.fromkeys(("L1_coeffs", "L2_coeffs", "w0_rad", "w1_rad", "w2_rad"), 1e-8)},
            "optimizer": "BFGS",
            "maxiter": ITERATIONS[data.name],
        },
        "backend": {"evaluator": "tensorpot", "batch_size": 10 if data.name == "cu-large" else 100, "display_step": 1000},
    }
    (folder / "input.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


def compare(data: TrainingSet, options: Options, threads: int) -> Iterator[Row]:
    """Both fits one after the other."""
    assert options.peers is not None
    neighbors = build(data.structures, data.potential.cutoff)
    size: dict[str, Any] = {
        "atoms": neighbors.n_atoms,
        "neighbours": neighbors.n_pairs / neighbors.n_atoms,
        "functions": data.potential.n_functions,
        "synthetic": data.synthetic,
    }
    fits: dict[str, Fit] = {}
    for program in ("pacemaker", "acefit"):
        with tempfile.TemporaryDirectory(prefix="acefit-peers-") as name:
            folder = Path(name)
            write_input(data, folder, options.peers)
            fits[program] = (
                run_pacemaker(folder, options.peers, threads, options.limit)
                if program == "pacemaker"
                else run_acefit(folder, neighbors.n_atoms, threads, options.limit)
            )
    theirs, ours = fits["pacemaker"], fits["acefit"]
    units = {"evaluation": "µs/atom", "minimising": "s", "wall": "s"}
    for field in Fit._fields:
        for program, fit in fits.items():
            value = float(getattr(fit, field))
            title = {"evaluation": "loss and gradient", "wall": "whole run"}.get(field, field)
            yield Row("peers", f"fit {data.name}", f"{title}, {program}", units.get(field, ""), threads, value, value, 1, **size)
        if field in units:
            value = getattr(theirs, field) / max(getattr(ours, field), 1e-9)
            yield Row("peers", f"fit {data.name}", f"{title}, pacemaker / acefit", "", threads, value, value, 1, **size)


def fits(options: Options) -> Iterator[Iterator[Row]]:
    """Comparisons of all fits (of the smallest one when quick)."""
    for name in list(ITERATIONS)[: 1 if options.quick else None]:
        data = load_training_set(name, options.shared, options.quick)
        for threads in options.threads:
            yield compare(data, options, threads)
