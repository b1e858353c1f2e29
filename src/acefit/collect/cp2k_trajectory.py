"""Trajectories of CP2K: dynamics and optimisations, from several files of one run in one folder.

Coordinates are in PROJECT-pos-1.xyz, forces in PROJECT-frc-1.xyz or the main output, cells in PROJECT-1.cell or, where the cell
does not change, in the main output. A step is found in the main output by its energy, which the trajectory repeats with ten
decimals: it says whether the electrons converged, and has the stress. That in PROJECT-1.stress contains the motion of the atoms
and is not read.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

from acefit.collect.convergence import Outcome, Verdict
from acefit.collect.cp2k import Evaluation, divide, first_frame, read_cell, read_derivatives
from acefit.collect.search import OPENERS, cp2k_outputs, cp2k_project, plain_file, plain_name
from acefit.errors import DataError
from acefit.untrusted import check_regular

_COMMENT = re.compile(r"^\s*i =\s*(\d+),.*\bE =\s*(-?\d+\.\d+)\s*$")
_CELL_CHANGES = re.compile(r"^ GLOBAL\| Run type +CELL_OPT|^ MD\S*\| Ensemble [Tt]ype +(?:NP|MSST|HYDRO)", re.MULTILINE)

UNKNOWN = "their energies are in no main output of the run"
NO_FORCES = "they have no forces, neither in {forces} nor in the main output; run CP2K with &MOTION &PRINT &FORCES"
NO_CELL = "the cell changes and {cell} does not have it; run CP2K with &MOTION &PRINT &CELL"


class _Frame(NamedTuple):
    """A frame of a file: number of the step, energy (hartree, as it is written), symbols, vectors (n, 3)."""

    step: int
    energy: str
    symbols: list[str]
    vectors: NDArray[np.float64]


class _Run(NamedTuple):
    """A main output: path, text, first cell, periodic directions, whether the cell changes, energies, whether it has its end."""

    path: Path
    text: str
    cell: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    cell_changes: bool
    evaluations: list[Evaluation]
    finished: bool


def read_trajectory(path: Path) -> Outcome:
    """Read the steps of a trajectory, and the first one of an optimisation, which only the main output has.

    Parameters
    ----------
    path : PROJECT-pos-1.xyz, possibly compressed, as may be the files beside it

    Raises
    ------
    DataError
        If its name is another, a file is damaged, or there is no main output of the run beside it.
    """
    project = cp2k_project(path)
    if project is None:
        raise DataError(f"{path}: trajectories of CP2K have names like PROJECT-pos-1.xyz, by which the other files are found")
    runs = [_read_run(output) for output in cp2k_outputs(path)]
    if not runs:
        raise DataError(f"{path}: the main output of {project} is not beside it; it says what converged and what is periodic")
    number = plain_name(path.name).removeprefix(f"{project}-pos-").removesuffix(".xyz")
    names = {"forces": f"{project}-frc-{number}.xyz", "cell": f"{project}-{number}.cell"}
    forces = {(f.step, f.energy): f.vectors for f in _read_frames(_beside(path, names["forces"]), names["forces"])}
    cells = _read_cells(_beside(path, names["cell"]), names["cell"])
    known = {_as_written(evaluation): (run, evaluation) for run in runs for evaluation in run.evaluations}
    trajectory = _read_frames(_read_text(path), path.name)
    frames, unconverged, lacking, last = _start(trajectory, known), set[int](), Counter[str](), runs[-1]
    for frame in trajectory:
        if frame.energy not in known:
            lacking[UNKNOWN] += 1
            continue
        last, evaluation = known[frame.energy]
        structure = _structure(frame, cells, last)
        results = _results(frame, forces, evaluation, last.path)
        if structure is None or "forces" not in results:
            lacking[(NO_CELL if structure is None else NO_FORCES).format(**names)] += 1
            continue
        structure.calc = SinglePointCalculator(structure, **results)
        if not evaluation.converged:
            unconverged.add(len(frames))
        frames.append(structure)
    notes = tuple(f"{n} steps: {why}" for why, n in lacking.items())
    return Outcome(frames, Verdict(last.finished, frozenset(unconverged)), notes)


def _as_written(evaluation: Evaluation) -> str:
    """An energy as trajectories have it."""
    return f"{evaluation.energy:.10f}"


def _start(trajectory: list[_Frame], known: dict[str, tuple[_Run, Evaluation]]) -> list[Atoms]:
    """The first step of an optimisation, if the main output has it with forces: trajectories begin with the second."""
    if not trajectory or trajectory[0].step != 1 or trajectory[0].energy not in known:
        return []
    run = known[trajectory[0].energy][0]
    first = run.evaluations[0]
    if not first.converged or _as_written(first) in {frame.energy for frame in trajectory}:
        return []
    try:
        atoms = first_frame(run.text, first, run.path)
    except DataError:  # less is printed than it takes
        return []
    return [atoms] if "forces" in atoms.calc.results else []


def _structure(frame: _Frame, cells: dict[int, NDArray[np.float64]], run: _Run) -> Atoms | None:
    """The bare structure of a frame; nothing if its cell is not known."""
    if frame.step not in cells and run.cell_changes:
        return None
    return Atoms(frame.symbols, frame.vectors, cell=cells.get(frame.step, run.cell), pbc=run.pbc)


def _results(
    frame: _Frame, forces: dict[tuple[int, str], NDArray[np.float64]], evaluation: Evaluation, path: Path
) -> dict[str, Any]:
    """Energy, forces and stress of a frame, as far as they are there."""
    n_atoms, energy = len(frame.symbols), evaluation.energy * Hartree
    try:
        results = read_derivatives(evaluation.text, n_atoms, path)
    except DataError:  # a table that is cut off counts as none
        results = {}
    exact = forces.get((frame.step, frame.energy))
    if exact is not None:
        if len(exact) != n_atoms:
            raise DataError(f"{path.parent}: step {frame.step} has {n_atoms} atoms and {len(exact)} forces")
        results["forces"] = exact * Hartree / Bohr
    return {"energy": energy, "free_energy": energy, **results}


def _read_run(path: Path) -> _Run:
    text = _read_text(path)
    output = divide(text)
    cell, pbc = read_cell(text, path)
    return _Run(path, text, cell, pbc, bool(_CELL_CHANGES.search(text)), output.evaluations, output.finished)


def _beside(trajectory: Path, name: str) -> str:
    """The text of another file of the run, or of its compressed form; empty if there is neither."""
    for place in (trajectory.with_name(name + suffix) for suffix in ("", *OPENERS)):
        if place.exists():
            check_regular(place)
            return _read_text(place)
    return ""


def _read_text(path: Path) -> str:
    with plain_file(path) as plain:
        return plain.read_text(encoding="utf-8", errors="replace")


def _read_frames(text: str, name: str) -> list[_Frame]:
    """Frames of an XYZ file of CP2K with a name; a last one that is cut off is left out.

    Raises
    ------
    DataError
        If a frame does not begin as CP2K writes it, or has no numbers.
    """
    lines, frames, k = text.splitlines(), list[_Frame](), 0
    while k + 1 < len(lines):
        comment = _COMMENT.match(lines[k + 1])
        if not comment or not lines[k].strip().isdecimal():
            raise DataError(f"{name}: line {k + 1} does not begin a frame as CP2K writes it (a number, and i = ..., E = ...)")
        rows = [line.split()[:4] for line in lines[k + 2 : k + 2 + int(lines[k])]]
        k += 2 + int(lines[k])
        if k > len(lines):
            break
        try:
            vectors = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 3)
        except ValueError:
            raise DataError(f"{name}: the frame that ends in line {k} is damaged") from None
        frames.append(_Frame(int(comment[1]), comment[2], [row[0] for row in rows], vectors))
    return frames


def _read_cells(text: str, name: str) -> dict[int, NDArray[np.float64]]:
    """Cells (Å) by the numbers of steps.

    Raises
    ------
    DataError
    """
    cells = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            cells[int(words[0])] = np.array(words[2:11], dtype=float).reshape(3, 3)
        except ValueError:
            raise DataError(f"{name}: a line does not have a step and a cell: {line[:60]}") from None
    return cells
