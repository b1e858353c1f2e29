"""How long evaluations of a potential take on perfect and disordered crystals of its elements."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.build import bulk

from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import build_prediction_layout, predict_layout
from acefit.evaluation.threads import default_threads
from acefit.potential.model import Potential

CRYSTALS = {"fcc": 4, "bcc": 2, "sc": 1, "diamond": 8}
"""Types of structures, and the atoms of their cubic cells."""

LONGEST, SHORTEST = 4.5, 3.5
"""Cell lengths of the fcc and bcc prototypes, Angstrom; those of the others give the same ranges of volumes per atom as fcc."""

DISPLACEMENT = 0.1
"""Standard deviation of the displacements along each axis, Angstrom."""


@dataclass(frozen=True)
class TimingSettings:
    """What is measured.

    Parameters
    ----------
    n_structures : int
        Structures of each type and set of elements.
    repeats : int
        Evaluations of each structure, of which the fastest counts.
    n_atoms : int
        Atoms that a structure has at least.
    crystals : tuple of str
        Types of structures, from `CRYSTALS`.
    threads : int or None
        Threads of the evaluation; None for all.
    seed : int
        Of lengths, displacements and elements.
    """

    n_structures: int = 5
    repeats: int = 10
    n_atoms: int = 32
    crystals: tuple[str, ...] = ("fcc", "bcc", "diamond")
    threads: int | None = 1
    seed: int = 42

    def __post_init__(self) -> None:
        if min(self.n_structures, self.repeats, self.n_atoms, 1 if self.threads is None else self.threads) < 1:
            raise DataError("timing needs at least one structure, repeat, atom and thread")
        unknown = [name for name in self.crystals if name not in CRYSTALS]
        if unknown or not self.crystals:
            raise DataError(f"unknown type of structure {', '.join(unknown) or '(none)'}; there are {', '.join(CRYSTALS)}")


class Timing(NamedTuple):
    """Measurement of one prototype.

    Attributes
    ----------
    structure : type of structure
    elements : those that its atoms have
    n_atoms : per structure
    neighbors : per atom, within the cutoffs of the bonds' largest
    microseconds : wall time of energies, forces and virials per atom; neighbours are known already
    search : wall time per atom of finding and sorting the neighbours, microseconds
    """

    structure: str
    elements: str
    n_atoms: int
    neighbors: float
    microseconds: float
    search: float


def build_prototype(crystal: str, elements: tuple[str, ...], n_atoms: int, rng: np.random.Generator) -> Atoms:
    """A disordered cubic supercell with a random length and the given elements at random; each is there if there is room."""
    per_cell = CRYSTALS[crystal]
    a = rng.uniform(SHORTEST, LONGEST) * (1.0 if crystal == "bcc" else (per_cell / 4) ** (1 / 3))
    n_cells = max(1, int(np.ceil((n_atoms / per_cell) ** (1 / 3) - 1e-9)))
    atoms = bulk("X", crystal, a=a, cubic=True) * (n_cells, n_cells, n_cells)
    symbols = [*elements, *rng.choice(elements, max(len(atoms) - len(elements), 0))][: len(atoms)]
    atoms.symbols = rng.permutation(np.array(symbols))
    atoms.positions += rng.normal(0.0, DISPLACEMENT, atoms.positions.shape)
    return atoms


def element_sets(elements: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each element by itself, and all together."""
    single: list[tuple[str, ...]] = [(element,) for element in elements]
    return single if len(elements) == 1 else [*single, elements]


Prototype = tuple[str, tuple[str, ...]]
"""Type of structure and elements."""


def measure_timings(
    potential: Potential,
    settings: TimingSettings | None = None,
    watch: Callable[[Iterable[Prototype]], Iterable[Prototype]] = iter,
) -> list[Timing]:
    """Time evaluations for each type of structure and set of elements.

    Parameters
    ----------
    potential : Potential
    settings : TimingSettings, optional
    watch : callable
        Is given the prototypes, for a progress bar.

    Returns
    -------
    list of Timing
        Means over the structures of each prototype. The first evaluation, which may compile kernels, does not count.
    """
    settings = settings or TimingSettings()
    compiled = compile_potential(potential)
    prototypes = [(crystal, elements) for crystal in settings.crystals for elements in element_sets(potential.elements)]
    results, rng = [], np.random.default_rng(settings.seed)
    for crystal, elements in watch(prototypes):
        rows = [_measure(compiled, atoms, settings) for atoms in _structures(crystal, elements, settings, rng)]
        n_atoms, neighbors, seconds, search = (float(np.mean(column)) for column in zip(*rows, strict=True))
        per_atom = 1e6 / n_atoms
        results.append(Timing(crystal, " ".join(elements), int(n_atoms), neighbors, per_atom * seconds, per_atom * search))
    return results


def _structures(crystal: str, elements: tuple[str, ...], settings: TimingSettings, rng: np.random.Generator) -> Iterator[Atoms]:
    for _ in range(settings.n_structures):
        yield build_prototype(crystal, elements, settings.n_atoms, rng)


def _measure(compiled: Compiled, atoms: Atoms, settings: TimingSettings) -> tuple[float, float, float, float]:
    """Atoms, neighbours per atom, shortest times of an evaluation and of a search, seconds."""
    structures = StructureSet.from_ase([atoms])
    cutoff, coefficients = compiled.potential.cutoff, compiled.coefficients(compiled.layout.vector())
    threads = settings.threads or default_threads()
    evaluations, searches, n_pairs = [], [], 0
    for _ in range(settings.repeats + 1):
        start = time.perf_counter()
        neighbors = build(structures, cutoff)
        layout = build_prediction_layout(compiled, structures, neighbors)
        middle = time.perf_counter()
        predict_layout(compiled, coefficients, structures, layout, threads)
        evaluations.append(time.perf_counter() - middle)
        searches.append(middle - start)
        n_pairs = neighbors.n_pairs
    return float(len(atoms)), n_pairs / len(atoms), min(evaluations[1:]), min(searches[1:])
