"""acefit beside pacemaker, run as a black box: the same potential and structure, in turn, one thread each, in the same minutes.

The evaluators of pacemaker (product form, and the recursive one that LAMMPS uses by default) stay in a process of their own that
waits while acefit is measured. Energies and forces are compared before anything is timed: with tables, as the peer uses them,
they must agree to `TOLERANCE`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np

import peer_trainer
from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import NeighborList, build
from acefit.data.structures import StructureSet
from acefit.evaluation.predict import Prediction, predict_compiled
from acefit.potential.bbasis import write_potential
from acefit.potential.model import Potential
from measure_evaluation import shape_names, sizes, without_grouping
from measuring import Options, Row, ratio, rows_of_all, seconds, summary
from shapes import Shape, load_shape

TOLERANCE = 1e-8
"""Largest difference, divided by 1 + |E_i| of an atom and by 1 + the largest force, with tables on both sides."""

CALLS_PER_TURN = 3
"""Timed calls, after one that is not, before it is the other program's turn."""

EVALUATORS = ("product", "recursive")

# Run with the Python of pacemaker's environment; answers each line of input with the seconds of one evaluation
DRIVER = """
import contextlib, io, sys, time
import numpy as np
from ase.io import read
from pyace import PyACECalculator
potential, structure, result, kind = sys.argv[1:]
options = {"recursive_evaluator": True, "recursive": True} if kind == "recursive" else {}
with contextlib.redirect_stdout(io.StringIO()):
    calculator = PyACECalculator(potential, **options)
    atoms = read(structure)
    atoms.calc = calculator
    forces = atoms.get_forces()
np.savez(result, energies=calculator.results["energies"], forces=forces)
begun = time.perf_counter()
calculator.get_atomic_env(atoms)
print("list", time.perf_counter() - begun, flush=True)
for line in sys.stdin:
    begun = time.perf_counter()
    calculator.ace.compute(calculator.ae)
    print("time", time.perf_counter() - begun, flush=True)
"""


class Reference(NamedTuple):
    """What one evaluator of the peer found for a structure, and how long it takes."""

    energies: np.ndarray
    forces: np.ndarray
    process: subprocess.Popen[str]

    def seconds(self) -> float:
        """Time of one evaluation, without neighbour list."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return read_answer(self.process, "time")

    def close(self) -> None:
        """End the process, which stops at the end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def read_answer(process: subprocess.Popen[str], word: str) -> float:
    """Read the number of the next line that starts with a word.

    Raises
    ------
    RuntimeError
        If the process ended before.
    """
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"{word} "):
            return float(line.split()[1])
    raise RuntimeError(f"the evaluator of pacemaker ended with {process.wait()}")


def start_evaluator(kind: str, potential: Path, structure: Path, peers: Path) -> Reference:
    """Start one evaluator on a structure; the recursive one reads the potential in the format of LAMMPS."""
    folder = structure.parent
    if kind == "recursive":
        lammps = folder / "potential.yace"
        subprocess.run([peers / "bin/pace_yaml2yace", potential, "-o", lammps], check=True, capture_output=True, cwd=folder)
        potential = lammps
    result = folder / f"{kind}.npz"
    command: list[Any] = [peers / "bin/python", "-c", DRIVER, potential, structure, result, kind]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=folder
    )
    read_answer(process, "list")
    found = np.load(result)
    return Reference(found["energies"], found["forces"], process)


def difference(found: Prediction, reference: Reference) -> float:
    """Largest deviation of energies and forces, on the scale of `TOLERANCE`."""
    energy = np.abs(found.atomic_energies - reference.energies) / (1.0 + np.abs(reference.energies))
    force = np.abs(found.forces - reference.forces) / (1.0 + np.abs(reference.forces).max())
    return float(max(energy.max(), force.max()))


def predict_once(potential: Potential, structures: StructureSet, neighbors: NeighborList, tables: bool) -> Prediction:
    """One prediction, with or without tables."""
    compiled = compile_potential(potential, tables)
    return predict_compiled(compiled, compiled.layout.vector(), structures, neighbors, 1)


def compare(shape: Shape, options: Options) -> Iterator[Row]:
    """Compare the evaluators for one shape, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="acefit-peers-") as folder:
        yield from compare_in(Path(folder), shape, options)


def compare_in(folder: Path, shape: Shape, options: Options) -> Iterator[Row]:
    """Differences of the results, then times taken in turn.

    Raises
    ------
    RuntimeError
        If the results differ by more than the tolerance: a time of something else would be worthless.
    """
    assert options.peers is not None
    potential_file, structure_file = folder / "potential.yaml", folder / "structure.xyz"
    write_potential(shape.potential, potential_file)
    ase.io.write(structure_file, shape.atoms, format="extxyz")
    # Read back, since the file has fewer digits
    structures = StructureSet.from_ase([ase.io.read(structure_file)])
    neighbors = build(structures, shape.potential.cutoff)
    common, per_atom = sizes(shape, neighbors), 1e6 / structures.n_atoms
    references = {kind: start_evaluator(kind, potential_file, structure_file, options.peers) for kind in EVALUATORS}
    try:
        for tables in (True, False):
            found = predict_once(shape.potential, structures, neighbors, tables)
            deviation = difference(found, references["product"])
            title = "largest difference, with tables" if tables else "largest difference, analytic"
            yield Row("peers", shape.name, title, "", 1, deviation, deviation, 1, **common)
            if tables and not deviation <= TOLERANCE:
                raise RuntimeError(f"{shape.name}: acefit and pacemaker differ by {deviation:.1e}, more than {TOLERANCE:.0e}")
        deviation = difference(predict_once(shape.potential, structures, neighbors, True), references["recursive"])
        yield Row("peers", shape.name, "largest difference, recursive", "", 1, deviation, deviation, 1, **common)
        with without_grouping(compile_potential(shape.potential), structures, neighbors) as evaluate:
            times: dict[str, list[float]] = {name: [] for name in ("acefit", *EVALUATORS)}
            for _ in range(options.repeats):
                times["acefit"] += seconds(lambda: evaluate(1), CALLS_PER_TURN)
                for kind, reference in references.items():
                    reference.seconds()
                    times[kind] += [reference.seconds() for _ in range(CALLS_PER_TURN)]
    finally:
        for reference in references.values():
            reference.close()
    for name, found_times in times.items():
        yield Row("peers", shape.name, f"energies and forces, {name}", "µs/atom", 1, **summary(found_times, per_atom), **common)
    for kind in EVALUATORS:
        yield Row("peers", shape.name, f"{kind} / acefit", "", 1, **ratio(times[kind], times["acefit"]), **common)


def measure(options: Options) -> Iterator[Row]:
    """All comparisons: evaluators, then fits.

    Raises
    ------
    RuntimeError
        If there is no environment with pacemaker.
    """
    if options.peers is None or not (options.peers / "bin/pacemaker").exists():
        raise RuntimeError("give the environment with pacemaker as --peers DIR (DIR/bin/pacemaker)")
    evaluators = (compare(load_shape(name, options.shared, options.quick), options) for name in shape_names(options))
    yield from rows_of_all(chain(evaluators, peer_trainer.fits(options)))
