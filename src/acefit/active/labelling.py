"""Labels of structures by any ASE calculator; each is kept as soon as it is there, so that an interrupted round goes on."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.errors import ActiveSetError
from acefit.files import write_text

log = logging.getLogger(__name__)

LABELS = ("energy", "forces", "stress")


class Labelled(NamedTuple):
    """Structures with their labels as calculators' results, and those without, each with its number and what went wrong."""

    structures: list[Atoms]
    failed: list[tuple[int, str]]


def load_calculator(
    name: str, parameters: Mapping[str, Any], folders: Sequence[str | Path] = (), directory: str | Path | None = None
) -> BaseCalculator:
    """Make a calculator.

    Parameters
    ----------
    name : str
        Class or function, ``module.name``.
    parameters : mapping
        Keyword arguments.
    folders : sequence of path
        Where modules are looked for before the installed packages.
    directory : path, optional
        Where the calculator is to have its files, whatever it would choose itself: jobs side by side must not share them.

    Raises
    ------
    ActiveSetError
        If it cannot be imported or called, or is no calculator.
    """
    module, _, attribute = name.rpartition(".")
    sys.path[:0] = [str(Path(folder).resolve()) for folder in folders]
    try:
        make = getattr(importlib.import_module(module), attribute)
        calculator = make(**parameters)
    except Exception as error:  # code of the user
        raise ActiveSetError(f"active.label.calculator {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not hasattr(calculator, "get_potential_energy") or not hasattr(calculator, "get_forces"):
        raise ActiveSetError(f"active.label.calculator {name!r} gives a {type(calculator).__name__}, which is no ASE calculator")
    if directory is not None and hasattr(calculator, "directory"):
        calculator.directory = Path(directory)
    return calculator


def label_structures(
    structures: Sequence[Atoms],
    calculator: BaseCalculator,
    folder: str | Path,
    settings: Mapping[str, Any],
    on_failure: str = "stop",
) -> Labelled:
    """Calculate energies, forces and, for periodic cells where the calculator has it, stresses.

    Parameters
    ----------
    structures : sequence of Atoms
    calculator : ASE calculator
    folder : path
        Where each result is kept; what is there already for the same structure and settings is taken.
    settings : mapping
        What the results depend on, JSON-able.
    on_failure : str
        ``stop`` or ``leave_out``.

    Raises
    ------
    ActiveSetError
        If a calculation fails and that is to stop.
    """
    labelled, failed = [], []
    for number, atoms in enumerate(structures):
        path = Path(folder) / f"{_digest(atoms, settings)}.json"
        try:
            results = _kept(path) or _calculate(atoms, calculator)
        except Exception as error:  # calculators raise what they like
            problem = f"{type(error).__name__}: {error}"
            if on_failure == "stop":
                name = atoms.info.get("name", number)
                cure = "mend its input, or set active.label.on_failure: leave_out"
                raise ActiveSetError(f"the calculation of structure {name} failed: {problem}; {cure}") from error
            failed.append((number, problem))
            continue
        write_text(json.dumps(results), path)
        copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=dict(atoms.info))
        arrays = {key: np.array(value) if isinstance(value, list) else value for key, value in results.items()}
        copy.calc = SinglePointCalculator(copy, **arrays)
        labelled.append(copy)
        log.info("structure %d of %d: %.6f eV", number + 1, len(structures), results["energy"])
    return Labelled(labelled, failed)


def _calculate(atoms: Atoms, calculator: BaseCalculator) -> dict[str, Any]:
    """Labels of one structure, plain values."""
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
    results: dict[str, Any] = {"energy": float(copy.get_potential_energy(force_consistent=_is_consistent(calculator)))}
    results["forces"] = copy.get_forces().tolist()
    if copy.pbc.all() and copy.cell.rank == 3:
        try:
            results["stress"] = copy.get_stress().tolist()
        except PropertyNotImplementedError:
            log.info("the calculator gives no stress")
    if not all(np.isfinite(value).all() for value in results.values()):
        raise ValueError("results are not finite numbers")
    return results


def _is_consistent(calculator: BaseCalculator) -> bool:
    """Whether there is a free energy, whose derivatives the forces are."""
    return "free_energy" in getattr(calculator, "implemented_properties", ())


def _kept(path: Path) -> dict[str, Any] | None:
    """A result of an earlier attempt; one that is damaged is calculated again."""
    if not path.is_file():
        return None
    try:
        results = dict(json.loads(path.read_text(encoding="utf-8")))
        if np.isfinite(results["energy"]) and np.isfinite(np.array(results["forces"], dtype=np.float64)).all():
            return results
    except (ValueError, KeyError, TypeError) as error:
        log.debug("%s", error)
    log.warning("%s is damaged; its structure is calculated again", path)
    return None


def _digest(atoms: Atoms, settings: Mapping[str, Any]) -> str:
    """Name of the result of a structure."""
    content = [atoms.numbers.tolist(), atoms.positions.tolist(), atoms.cell.array.tolist(), atoms.pbc.tolist(), dict(settings)]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:20]
