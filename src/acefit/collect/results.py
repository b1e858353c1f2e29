"""Read one output: the steps that can be used, and what is wrong with the others."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from acefit.collect.abinit import read_abinit
from acefit.collect.convergence import Outcome, Verdict, judge
from acefit.collect.cp2k import read_cp2k
from acefit.collect.cp2k_trajectory import read_trajectory
from acefit.collect.nwchem import read_nwchem
from acefit.collect.search import CP2K, CP2K_TRAJECTORY, Output, plain_file
from acefit.collect.with_ase import energy_of, read_with_ase, results_of
from acefit.errors import AcefitError, DataError
from acefit.untrusted import bounded_memory, check_regular, first_line

READERS = {CP2K: read_cp2k, "abinit-out": read_abinit, "nwchem-out": read_nwchem}
"""Kinds of output that ASE does not read, or not well enough."""

UNFINISHED = "the calculation did not come to its end"
UNCONVERGED = "the electrons did not converge"


class Step(NamedTuple):
    """One ionic step with n atoms.

    Attributes
    ----------
    number : in the output, from 0
    atoms : the bare structure
    energy : eV, that of which the forces are derivatives where the program says it
    forces : (n, 3) eV/Å, NaN when absent; those of the program, whatever the structure keeps fixed
    stress : (6,) eV/Å^3, sign and order of ASE; NaN when absent
    """

    number: int
    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


class Problem(NamedTuple):
    """Something that is not used: file, number of the step (None: the whole file), why."""

    path: Path
    step: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.path}{'' if self.step is None else f', step {self.step}'}: {self.reason}"


class Result(NamedTuple):
    """Steps of one output that can be used, and problems with others."""

    steps: list[Step]
    problems: list[Problem]


def read_result(output: Output, keep_unfinished: bool = False) -> Result:
    """Read the result of a calculation.

    Parameters
    ----------
    output : file and its kind
    keep_unfinished : use the complete and converged steps of a calculation that did not come to its end

    Returns
    -------
    result : Result
        Steps that did not converge or have no energy are problems; of an unfinished calculation all steps are, together. Whatever
        a damaged file leads to is a problem too.
    """
    try:
        check_regular(output.path)
        with bounded_memory(output.path, DataError):
            return _sort_out(output.path, _read(output), keep_unfinished)
    except AcefitError as error:
        return Result([], [Problem(output.path, None, str(error).removeprefix(f"{output.path}: "))])
    except Exception as error:  # whatever a broken line leads to
        return Result([], [Problem(output.path, None, f"cannot be read ({type(error).__name__}: {first_line(error)})")])


def _read(output: Output) -> Outcome:
    """What the reader of its kind makes of an output."""
    if output.kind == CP2K_TRAJECTORY:
        return read_trajectory(output.path)
    with plain_file(output.path) as plain:
        if read := READERS.get(output.kind):
            try:
                return read(plain)
            except DataError as error:
                raise DataError(str(error).removeprefix(f"{plain}: ")) from error
        verdict = judge(plain, output.kind)
        try:
            return Outcome(read_with_ase(plain, output.kind), verdict)
        except Exception:  # of which the output may say the reason
            if reason := _reason(verdict):
                raise DataError(reason) from None
            raise


def _reason(verdict: Verdict) -> str | None:
    """Why a whole output cannot be used, as far as it says so itself."""
    if not verdict.finished:
        return UNFINISHED
    return UNCONVERGED if verdict.failed or verdict.lost else None


def _sort_out(path: Path, found: Outcome, keep_unfinished: bool) -> Result:
    """The steps that can be used, and what is wrong with the others."""
    frames, verdict, steps, problems = found.frames, found.verdict, [], []
    if (not verdict.finished and not keep_unfinished) or verdict.failed:
        n_steps = sum(energy_of(atoms) is not None for atoms in frames)
        count = f" ({n_steps} steps have results)" if n_steps else ""
        return Result([], [Problem(path, None, f"{_reason(verdict)}{count}")])
    have_forces = any(results_of(atoms).get("forces") is not None for atoms in frames)
    for number, atoms in enumerate(frames):
        step = _step(number, atoms)
        reason = UNCONVERGED if number in verdict.unconverged else _complaint(step, have_forces)
        if reason is None:
            steps.append(step)
        else:
            problems.append(Problem(path, number, reason))
    problems += [Problem(path, None, note) for note in found.notes]
    if verdict.lost:
        problems.append(Problem(path, None, f"{UNCONVERGED} in {verdict.lost} steps without a result"))
    if not frames and not problems:
        problems.append(Problem(path, None, "no step has a result"))
    return Result(steps, problems)


def _step(number: int, atoms: Atoms) -> Step:
    results, n_atoms, energy = results_of(atoms), len(atoms), energy_of(atoms)
    forces, stress = results.get("forces"), results.get("stress")
    return Step(
        number=number,
        atoms=Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc),
        energy=np.nan if energy is None else energy,
        forces=np.full((n_atoms, 3), np.nan) if forces is None else np.asarray(forces, dtype=float).reshape(n_atoms, 3),
        stress=np.full(6, np.nan) if stress is None else np.asarray(stress, dtype=float).reshape(6),
    )


def _complaint(step: Step, have_forces: bool) -> str | None:
    """Why a step cannot be used, if so."""
    if not np.isfinite(step.energy):
        return "it has no energy"
    known = np.isfinite(step.forces)
    if have_forces and not known.any():
        return "it has no forces, though others of this calculation have"
    return None if known.all() or not known.any() else "some forces are not numbers"
