"""Energies, forces, stresses and weights of one structure: under which names they are stored and what shape they must have."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from acefit.errors import DataError

# Names tried in this order when none is given: the name that most structures of a file have is taken, the first one in case of
# ties. Forces are derivatives of the free energy, which therefore comes before the energy extrapolated to zero temperature.
CANDIDATES: dict[str, tuple[str, ...]] = {
    "energy": ("REF_energy", "free_energy", "energy"),
    "forces": ("REF_forces", "forces", "force"),
    "stress": ("REF_stress", "stress"),
    "virial": ("REF_virial", "virial", "virials"),
}


_LIKE_A_LABEL = re.compile("energ|force|stress|virial", re.IGNORECASE)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keys:
    """Names under which a file stores its labels; None where it has none. A virial is used only without a stress."""

    energy: str | None
    forces: str | None
    stress: str | None
    virial: str | None

    def as_dict(self) -> dict[str, str | None]:
        """Label -> name in the file."""
        return asdict(self)


@dataclass(frozen=True)
class Labels:
    """Labels of one structure with n atoms; NaN where absent.

    Attributes
    ----------
    energy, energy_corrected : total energy as given and after subtraction of references, eV
    forces : shape (n, 3), eV/Å
    stress : shape (6,), eV/Å^3, ASE sign and order
    w_energy, w_factor : weights of the structure
    w_forces, w_forces_mask : shape (n,), weights of its atoms
    problem : what is wrong with the labels, or None
    """

    energy: float
    energy_corrected: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    w_energy: float
    w_factor: float
    w_forces: NDArray[np.float64]
    w_forces_mask: NDArray[np.float64]
    problem: str | None


def _lookup(atoms: Atoms, columns: Mapping[str, Any], name: str) -> Any:
    """Value of a label from the columns of a frame, info, arrays, or a calculator that only holds results; None if absent."""
    for place in (columns, atoms.info, atoms.arrays):
        if name in place:
            return place[name]
    if isinstance(atoms.calc, SinglePointCalculator):
        return atoms.calc.results.get(name)
    return None


def find_keys(rows: Iterable[tuple[Atoms, Mapping[str, Any]]], wanted: Mapping[str, str | None], source: str) -> Keys:
    """Find out under which names the labels of a file are stored.

    Parameters
    ----------
    rows : iterable of (atoms, columns)
        The structures of one file, gone through once.
    wanted : mapping
        ``energy``, ``forces``, ``stress`` -> name given by the user, or None (or ``auto``) to look for the usual ones.
    source : str
        The file, for messages.

    Raises
    ------
    DataError
        If a name was given that no structure has.
    """
    given = {label: name for label, name in wanted.items() if name is not None and name != "auto"}
    names = {label: (given[label],) if label in given else candidates for label, candidates in CANDIDATES.items()}
    counts: Counter[tuple[str, str]] = Counter()
    n_rows, has_corrected, others = 0, False, set[str]()
    for atoms, columns in rows:
        n_rows += 1
        has_corrected = has_corrected or "energy_corrected" in columns
        others.update(name for place in (columns, atoms.info, atoms.arrays) for name in place if _LIKE_A_LABEL.search(str(name)))
        counts.update((label, n) for label in names for n in names[label] if _lookup(atoms, columns, n) is not None)
    found: dict[str, str | None] = {}
    for label, candidates in names.items():
        best = max(candidates, key=lambda name: counts[label, name])
        found[label] = best if counts[label, best] else None
        if label in given and n_rows and found[label] is None and not (label == "energy" and has_corrected):
            raise DataError(f"{source}: no structure has {label} under the name {best!r}; mend {label}_key")
    unusual = sorted(others - {name for candidates in CANDIDATES.values() for name in candidates} - set(given.values()))
    if n_rows and found["energy"] is None and not has_corrected and unusual:
        log.warning(
            "%s: no energies under the usual names (%s); there are %s: if they are labels, name them in energy_key, forces_key",
            source, ", ".join(CANDIDATES["energy"]), ", ".join(unusual),
        )  # fmt: skip
    return Keys(**found)


def as_numbers(value: Any) -> NDArray[np.float64]:
    """Array of numbers.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If they are none, or lists within lists to a depth that NumPy would need long to find out.
    """
    inner, depth = value, 0
    while isinstance(inner, list | tuple) and inner:
        inner, depth = inner[0], depth + 1
    if depth > 3:
        raise ValueError("lists are nested too deep")
    return np.asarray(value, dtype=np.float64)


def labels_of_atoms(atoms: Atoms, columns: Mapping[str, Any], keys: Keys) -> Labels:
    """Collect the labels of one structure; values of a wrong shape become NaN and the problem is described."""
    n_atoms, problems = len(atoms), []

    def take(name: str | None, what: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        value = None if name is None else _lookup(atoms, columns, name)
        if value is None:
            return np.full(shape, np.nan)
        try:
            array = as_numbers(value)
        except (TypeError, ValueError, OverflowError):
            problems.append(f"{what} ({name}) is not made of numbers")
            return np.full(shape, np.nan)
        if array.size != int(np.prod(shape)) or (len(shape) == 2 and array.shape != shape):
            problems.append(f"{what} ({name}) has shape {array.shape} where {shape} is expected")
            return np.full(shape, np.nan)
        return array.reshape(shape)

    stress, stress_problem = _stress(atoms, columns, keys)
    labels = Labels(
        energy=float(take(keys.energy, "energy", ())),
        energy_corrected=float(take("energy_corrected", "energy", ())),
        forces=take(keys.forces, "forces", (n_atoms, 3)),
        stress=stress,
        w_energy=float(take("w_energy", "weight", ())),
        w_factor=float(take("w_factor", "weight", ())),
        w_forces=take("w_forces", "weights of atoms", (n_atoms,)),
        w_forces_mask=take("w_forces_mask", "mask of atoms", (n_atoms,)),
        problem=None,
    )
    problems += [stress_problem] if stress_problem else []
    problems += ["the energy is infinite"] if np.isinf([labels.energy, labels.energy_corrected]).any() else []
    for name in ("w_energy", "w_factor", "w_forces", "w_forces_mask"):
        values = np.asarray(getattr(labels, name))
        if np.any(np.isinf(values)) or np.any(values < 0):
            problems.append(f"weights ({name}) are negative or infinite")
    return replace(labels, problem=problems[0]) if problems else labels


def _stress(atoms: Atoms, columns: Mapping[str, Any], keys: Keys) -> tuple[NDArray[np.float64], str | None]:
    """Stress from the stress entry, else from the virial (eV, stress = -virial / volume), in ASE's order and sign."""
    absent = np.full(6, np.nan)
    value = None if keys.stress is None else _lookup(atoms, columns, keys.stress)
    factor = 1.0
    if value is None and keys.virial is not None:
        value = _lookup(atoms, columns, keys.virial)
        volume = abs(np.linalg.det(atoms.cell.array))
        if value is not None and volume < 1e-9:
            return absent, "it has a virial but no volume"
        factor = -1.0 / volume if value is not None else 1.0
    if value is None:
        return absent, None
    try:
        array = as_numbers(value)
    except (TypeError, ValueError, OverflowError):
        return absent, "stress is not made of numbers"
    if array.size == 9:
        full = array.reshape(3, 3)
        if not np.allclose(full, full.T, rtol=1e-3, atol=1e-3 * np.abs(full).max(initial=0.0), equal_nan=True):
            return absent, "stress is not symmetric"
        array = full_3x3_to_voigt_6_stress(full)
    if array.size != 6:
        return absent, f"stress has shape {array.shape} where (6,) or (3, 3) is expected"
    return factor * array.reshape(6), None
