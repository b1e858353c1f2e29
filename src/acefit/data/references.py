"""Reference energies: what is subtracted from total energies before they are fitted.

E_corrected = E - sum over elements of n_el * e_el + shift * N, with N atoms. Predictions are on the corrected scale.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.untrusted import read_text

ISOLATION = 6.0
"""Å; a single atom without a periodic image closer than this counts as isolated."""

RANK_TOLERANCE = 1e-10
"""Singular values of the numbers of atoms below this part of the largest count as zero."""

NO_ENERGIES = "needs total energies, and no structure has one; if the files name them otherwise, say how with data.energy_key"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class References:
    """Reference energies of elements.

    Parameters
    ----------
    energies : dict
        Element -> energy per atom, eV; elements that are missing count as 0.
    shift : float
        Added per atom, eV.
    mode : str
        Where they come from: map, number, auto, isolated or table.
    note : str
        What the user should know about them; empty if nothing.
    """

    energies: dict[str, float]
    shift: float
    mode: str
    note: str = ""

    def to_json(self) -> str:
        """Map element -> energy with the entry ``shift`` as JSON, the form stored in the metadata of potentials."""
        return json.dumps({**self.energies, "shift": self.shift})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], mode: str = "map") -> References:
        """Build references from a map element -> energy with an optional entry ``shift``.

        Raises
        ------
        DataError
            If a key is no element or a value is not a finite number.
        """
        for key, value in values.items():
            if key != "shift" and key not in atomic_numbers:
                raise DataError(f"reference_energy: {key!r} is no chemical element; give a map such as {{Cu: -3.7, shift: 0}}")
            if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
                raise DataError(f"reference_energy: the value of {key} must be a number of eV, not {value!r}")
        energies = {key: float(value) for key, value in sorted(values.items()) if key != "shift"}
        return cls(energies, float(values.get("shift", 0.0)), mode)

    @classmethod
    def from_json(cls, text: str) -> References:
        """Read the form that `to_json` writes."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"reference_energy in the metadata is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise DataError("reference_energy in the metadata must be a map element -> energy")
        return cls.from_mapping(values, "metadata")

    def correct(self, composition: Composition, raw_energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Subtract the references: corrected total energies, eV, shape (S,); NaN where the energy is absent."""
        per_number = np.zeros(len(chemical_symbols))
        for element, energy in self.energies.items():
            per_number[atomic_numbers[element]] = energy
        return raw_energies - composition.counts @ per_number[composition.numbers] + self.shift * composition.n_atoms


@dataclass(frozen=True, eq=False)
class Composition:
    """What reference energies depend on besides energies, for S structures; atoms themselves need not be in memory.

    Attributes
    ----------
    numbers : (n_elements,) atomic numbers that occur, elements in alphabetical order
    counts : (S, n_elements) numbers of atoms
    volumes : (S,) Å^3, 0 without a three-dimensional cell
    isolated : (S,) bool, single atoms without an image within `ISOLATION`
    """

    numbers: NDArray[np.int64]
    counts: NDArray[np.float64]
    volumes: NDArray[np.float64]
    isolated: NDArray[np.bool_]

    @property
    def n_atoms(self) -> NDArray[np.float64]:
        """Number of atoms of each structure, shape (S,)."""
        return self.counts.sum(axis=1)

    @classmethod
    def of(cls, structures: StructureSet) -> Composition:
        """Composition of structures in memory."""
        counts, numbers = count_elements(structures)
        isolated = np.zeros(structures.n_structures, dtype=bool)
        single = np.flatnonzero(structures.atoms_per_structure == 1)
        isolated[single] = np.diff(build(structures.select(single), ISOLATION).offsets) == 0
        return cls(numbers, counts, structures.volumes, isolated)

    def select(self, indices: NDArray[np.integer]) -> Composition:
        """Structures at the given positions, with the elements that occur in them."""
        counts = self.counts[indices]
        present = counts.any(axis=0)
        return Composition(self.numbers[present], counts[:, present], self.volumes[indices], self.isolated[indices])


def join_compositions(parts: Sequence[Composition]) -> Composition:
    """Compositions of structures one after the other."""
    numbers = _in_alphabetical_order(np.concatenate([part.numbers for part in parts]))
    counts = [np.zeros((len(part.counts), len(numbers))) for part in parts]
    for joined, part in zip(counts, parts, strict=True):
        joined[:, [int(np.flatnonzero(numbers == z)[0]) for z in part.numbers]] = part.counts
    volumes, isolated = (np.concatenate([getattr(part, name) for part in parts]) for name in ("volumes", "isolated"))
    return Composition(numbers, np.concatenate(counts), volumes, isolated)


def _in_alphabetical_order(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array(sorted(np.unique(numbers), key=lambda z: chemical_symbols[z]), dtype=np.int64)


def count_elements(structures: StructureSet) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Numbers of atoms per structure and element, (S, n_elements), and the atomic numbers, elements in alphabetical order."""
    numbers = _in_alphabetical_order(structures.numbers)
    column = np.zeros(len(chemical_symbols), dtype=np.int64)
    column[numbers] = np.arange(len(numbers))
    counts = np.zeros((structures.n_structures, len(numbers)))
    np.add.at(counts, (structures.structure_of_atom, column[structures.numbers]), 1.0)
    return counts, numbers


def determine_references(setting: Any, composition: Composition, raw_energies: NDArray[np.float64]) -> References:
    """Determine the references that a setting asks for.

    Parameters
    ----------
    setting : mapping, number or str
        Map element -> eV/atom (and ``shift``), one number for all elements, ``auto``, ``isolated``, or the path of a CSV table
        with the columns element and energy.
    composition : Composition
        Of the training data (with data that are still to be split).
    raw_energies : float64, shape (S,)
        Total energies, eV; structures without one (NaN) take no part.

    Returns
    -------
    references : References

    Raises
    ------
    DataError
        If the setting cannot be understood, or needs energies or elements that are not there.
    """
    elements = [chemical_symbols[z] for z in composition.numbers]
    if isinstance(setting, Mapping):
        references = References.from_mapping(setting)
        _report_missing(references, elements)
        return references
    if isinstance(setting, int | float) and not isinstance(setting, bool):
        return References(dict.fromkeys(elements, float(setting)), 0.0, "number")
    if setting == "auto":
        return _fit_references(elements, composition, raw_energies)
    if setting == "isolated":
        return _isolated_references(elements, composition, raw_energies)
    if isinstance(setting, str):
        return _table_references(setting, elements)
    raise DataError(f"reference_energy {setting!r} is not a map, a number, 'auto', 'isolated' or the path of a CSV table")


def _report_missing(references: References, elements: list[str]) -> None:
    missing = [element for element in elements if element not in references.energies]
    if missing:
        logger.warning("reference_energy has no entry for %s; it counts as 0 eV", ", ".join(missing))


def _fit_references(elements: list[str], composition: Composition, raw_energies: NDArray[np.float64]) -> References:
    """Least squares of the total energies by the numbers of atoms; the shift makes the most dilute structure's energy zero."""
    known = np.flatnonzero(np.isfinite(raw_energies))
    if not len(known):
        raise DataError(f"reference_energy: auto {NO_ENERGIES}")
    counts, n_atoms = composition.counts[known], composition.n_atoms[known]
    energies = np.linalg.pinv(counts, rcond=RANK_TOLERANCE) @ raw_energies[known]
    residual = raw_energies[known] - counts @ energies
    volumes = composition.volumes[known] / n_atoms
    dilute = int(np.argmax(volumes))
    shift = -residual[dilute] / n_atoms[dilute] if volumes[dilute] > 0 else 0.0
    rank = int(np.linalg.matrix_rank(counts, rtol=RANK_TOLERANCE))
    note = ""
    if rank < len(elements):
        note = (
            f"reference_energy: auto: the compositions determine only {rank} of {len(elements)} reference energies "
            f"({', '.join(elements)}); of all solutions the one of the smallest energies is taken. Fits of these data do not "
            "depend on it; for other compositions give a map, or add structures of other compositions"
        )
    return References(dict(zip(elements, map(float, energies), strict=True)), float(shift), "auto", note)


def _isolated_references(elements: list[str], composition: Composition, raw_energies: NDArray[np.float64]) -> References:
    """Energies of the single atoms in the data; the lowest one of each element."""
    if not np.isfinite(raw_energies).any():
        raise DataError(f"reference_energy: isolated {NO_ENERGIES}")
    energies: dict[str, float] = {}
    for s in np.flatnonzero(composition.isolated & np.isfinite(raw_energies)):
        element = elements[int(composition.counts[s].argmax())]
        energies[element] = min(float(raw_energies[s]), energies.get(element, np.inf))
    missing = [element for element in elements if element not in energies]
    if missing:
        raise DataError(
            f"reference_energy: isolated finds no single atom of {', '.join(missing)} with an energy; add one or use a map"
        )
    return References(dict(sorted(energies.items())), 0.0, "isolated")


def _table_references(name: str, elements: list[str]) -> References:
    path = Path(name)
    if not path.is_file():
        raise DataError(
            f"reference_energy: {name!r} is not 'auto', 'isolated' or an existing CSV table (columns element, energy); "
            "no tables of free-atom energies are built in: give the path of one, or a map {element: energy}"
        )
    try:
        lines = read_text(path).splitlines()
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        if not {"element", "energy"} <= set(rows.fieldnames or ()):
            raise DataError(f"{path}: a table of reference energies must have the columns element and energy")
        table = {(row["element"] or "").strip(): float(row["energy"] or "nan") for row in rows}
    except DataError:
        raise
    except (csv.Error, OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; energies must be numbers of eV") from error
    if not np.isfinite(list(table.values())).all():
        raise DataError(f"{path}: energies must be finite numbers of eV")
    missing = [element for element in elements if element not in table]
    if missing:
        raise DataError(f"{path} has no reference energy of {', '.join(missing)}; add it")
    return References.from_mapping({element: table[element] for element in elements}, "table")
