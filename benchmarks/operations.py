"""Floating point operations and memory traffic of an evaluation, counted from the potential and the pairs.

An addition, multiplication, division or square root counts as one operation, exp as `EXP`. Counted is what the formulas need when
each quantity of a pair is computed once, without core repulsion, not what a kernel happens to do: a rate computed from it falls
when a kernel computes something twice, and shares of the peak are comparable between versions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.neighborlists import NeighborList
from acefit.data.structures import StructureSet
from acefit.evaluation.predict import element_indices

EXP = 20
"""Operations of one exponential or power."""


class Work(NamedTuple):
    """Operations by phase, and bytes that must move between memory and caches."""

    phases: dict[str, float]
    bytes: float

    @property
    def flops(self) -> float:
        """All operations."""
        return sum(self.phases.values())

    def reachable(self, peaks: dict[str, float], threads: int) -> float:
        """Gflop/s that the machine allows this work: limited by arithmetic or by memory; 0 where no peak is known."""
        arithmetic, memory = peaks.get(f"fma_{threads}", 0.0), peaks.get(f"triad_{threads}", 0.0)
        if not arithmetic or not memory:
            return 0.0
        return min(arithmetic, memory * self.flops / self.bytes)


def pair_counts(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> NDArray[np.int64]:
    """Pairs of each ordered bond mu_i * n_elements + mu_j that are within the cutoff of the bond."""
    elements, n = element_indices(compiled.potential, structures.numbers), len(compiled.potential.elements)
    bond = elements[neighbors.i] * n + elements[neighbors.j]
    symbols = compiled.potential.elements
    bonds = [compiled.potential.bond(a, b) for a in symbols for b in symbols]
    rcut = np.array([found.rcut if found else 0.0 for found in bonds])
    return np.bincount(bond[neighbors.distances() < rcut[bond]], minlength=n * n)


def pair_operations(k: int, rows: int, components: int, n_lm: int, densities: int) -> dict[str, float]:
    """Operations of one pair.

    Parameters
    ----------
    k : length of the radial base
    rows : radial functions R_nl of this bond
    components : A components of these, sum of 2 l + 1 over the rows
    n_lm : harmonics
    densities : of the centre
    """
    return {
        # r^2: 3 * and 2 +; root; 1/r; unit vector: 3 *
        "geometry": 10,
        # argument and window with derivatives (one exp); T_m: 2; T_m': 4; times window, values 1 and slopes 3
        "radial base": EXP + 20 + 10 * k,
        # values and slopes of R_nl and of one row per density: * and + for each base function
        "radial functions": 4 * k * (rows + densities),
        # one step of the recursion (3); gradient: for 3 axes two terms, the radial part, and division by r
        "harmonics": (3 + 3 * 6) * (n_lm - 1),
        # A += R Y, and the density rows
        "sums": 2 * components + densities,
        # value and slope of each lm from the adjoint of A; density rows; products with Y and its gradient; bond direction
        "pair gradients": 4 * components + 2 * densities + 8 * n_lm + 6,
        # force on both atoms; virial: 3 products, 3 sums of two products with factor 1/2, additions
        "scatter": 6 + 6 + 12 + 3,
    }


def atom_operations(nodes: int, densities: int) -> dict[str, float]:
    """Operations of one atom in the product graph with the given number of nodes, and in the embedding."""
    return {
        # one multiplication per node; densities: * and + for each
        "products": nodes + 2 * densities * nodes,
        # seeds: one product and sum per density; two adjoints with * and +
        "reverse": (2 * densities - 1 + 4) * nodes,
        "embedding": densities * (2 * EXP + 15),
    }


def evaluation_operations(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> Work:
    """Operations and memory traffic of energies, forces and virials of structures with this neighbour list."""
    potential = compiled.potential
    elements = potential.elements
    atoms = np.bincount(element_indices(potential, structures.numbers), minlength=len(elements))
    pairs = pair_counts(compiled, structures, neighbors)
    phases: dict[str, float] = {}

    def add(number: int, operations: dict[str, float]) -> None:
        for phase, value in operations.items():
            phases[phase] = phases.get(phase, 0.0) + float(number) * value

    for mu, (centre, graph) in enumerate(zip(elements, compiled.graphs, strict=True)):
        densities = potential.embeddings[centre].ndensity
        n_lm = (max((l for _, _, l in graph.channels), default=0) + 1) ** 2
        for nu, other in enumerate(elements):
            bond, of_bond = potential.bond(centre, other), [l for element, _, l in graph.channels if element == other]
            components = sum(2 * l + 1 for l in of_bond)
            k = bond.k_max if bond else 0
            add(pairs[mu * len(elements) + nu], pair_operations(k, len(of_bond), components, n_lm, densities))
        add(atoms[mu], atom_operations(graph.n_nodes, densities))
    # A pair: vector (24 bytes) and index (4) are read; forces and virials stay in the cache. An atom: 80 bytes of results, read
    # and written. Constants of the potential are read once.
    constants = compiled.coefficients(compiled.layout.vector())
    tables = sum(array.nbytes for array in constants) + sum(g.left.nbytes + g.right.nbytes for g in compiled.graphs)
    return Work(phases, 28.0 * float(pairs.sum()) + 160.0 * structures.n_atoms + tables)
