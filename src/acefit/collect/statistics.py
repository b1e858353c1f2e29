"""What is in a dataset: numbers, energies, forces and shortest distances, gathered some structures at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ase.data import chemical_symbols

from acefit.data.neighborlists import build
from acefit.data.storage import Dataset

REACH = 4.0
"""Å; shortest distances are looked for up to here."""


@dataclass
class GroupStatistics:
    """Of the structures of one group, or of all of them; NaN where nothing is known.

    Attributes
    ----------
    n_structures, n_atoms, n_without_forces, n_with_stress : numbers
    lowest, highest : energies, eV/atom
    largest_force : largest norm, eV/Å
    shortest : shortest distance, Å
    """

    n_structures: int = 0
    n_atoms: int = 0
    n_without_forces: int = 0
    n_with_stress: int = 0
    lowest: float = np.nan
    highest: float = np.nan
    largest_force: float = np.nan
    shortest: float = np.nan

    def add(self, n_atoms: int, energy: float, force: float, stressed: bool, shortest: float) -> None:
        """Add a structure: its energy per atom, its largest force (NaN without forces), its shortest distance."""
        self.n_structures += 1
        self.n_atoms += n_atoms
        self.n_without_forces += bool(np.isnan(force))
        self.n_with_stress += stressed
        self.lowest, self.highest = float(np.fmin(self.lowest, energy)), float(np.fmax(self.highest, energy))
        self.largest_force = float(np.fmax(self.largest_force, force))
        self.shortest = float(np.fmin(self.shortest, shortest if np.isfinite(shortest) else np.nan))


@dataclass
class Statistics:
    """Of a dataset: all structures, every group, and atoms by element."""

    total: GroupStatistics = field(default_factory=GroupStatistics)
    groups: dict[str, GroupStatistics] = field(default_factory=dict)
    elements: dict[str, int] = field(default_factory=dict)

    def add(self, dataset: Dataset) -> None:
        """Add structures; corrected energies count where there are some, else total energies."""
        structures = dataset.structures
        energies = np.where(np.isnan(structures.energies), dataset.raw_energies, structures.energies)
        norms = np.linalg.norm(structures.forces, axis=1)
        shortest = build(structures, REACH).shortest_per_structure()
        for number, count in zip(*np.unique(structures.numbers, return_counts=True), strict=True):
            symbol = chemical_symbols[number]
            self.elements[symbol] = self.elements.get(symbol, 0) + int(count)
        for s, (first, last) in enumerate(zip(structures.offsets[:-1], structures.offsets[1:], strict=True)):
            group = self.groups.setdefault(structures.groups[s], GroupStatistics())
            force = float(norms[first:last].max(initial=0.0)) if last > first else np.nan
            for statistics in (self.total, group):
                n_atoms = int(last - first)
                stressed = bool(structures.has_stress[s])
                statistics.add(n_atoms, float(energies[s]) / n_atoms, force, stressed, float(shortest[s]))
