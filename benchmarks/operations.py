"""Floating point operations and memory traffic of the two passes, counted from the potential and the pairs.

An addition, multiplication, division or square root counts as one operation, an exponential, power, sine or cosine as `EXP`.
Counted are the operations of the kernels' algorithm for neighbours inside the cutoff, without core repulsion and inner windows:
what a kernel does for unused places, or twice, lowers the rate that follows from the count. The phases are those of `phases.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.neighborlists import NeighborList
from acefit.data.structures import StructureSet
from acefit.evaluation.predict import element_indices
from acefit.kernels import radial

EXP = 20
"""Operations of one exponential, power, sine or cosine."""

ELEMENTARY = {radial.NONE: 0, radial.CHEB_EXP_COS: 3, radial.CHEB_POW: 1, radial.CHEB_LINEAR: 0, radial.SINE: 2, radial.TABLE: 0}
"""Functions of cost `EXP` in the argument and the factors of a radial family."""

Phases = dict[str, float]


class Work(NamedTuple):
    """Operations by phase, and traffic.

    Attributes
    ----------
    phases : operations of each phase
    bytes : that must move between memory and caches
    scratch : bytes of the quantities of pairs that are written in one step and read in a later one, beyond the first-level cache
    """

    phases: Phases
    bytes: float
    scratch: float = 0.0

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


class Bond(NamedTuple):
    """Sizes that the work of one pair depends on.

    Attributes
    ----------
    kind : radial family
    k : length of the polynomial base
    rows : radial functions R_nl
    components : A components of these, sum of 2 l + 1 over the rows
    l_max, densities : of the centre
    """

    kind: int
    k: int
    rows: int
    components: int
    l_max: int
    densities: int


class Graph(NamedTuple):
    """Sizes that the work of one atom depends on: nodes, outer factors, terms and densities."""

    nodes: int
    outer: int
    terms: int
    densities: int


def pair_counts(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> NDArray[np.int64]:
    """Pairs of each ordered bond mu_i * n_elements + mu_j that are within the cutoff of the bond."""
    elements, n = element_indices(compiled.potential, structures.numbers), len(compiled.potential.elements)
    bond = elements[neighbors.i] * n + elements[neighbors.j]
    symbols = compiled.potential.elements
    bonds = [compiled.potential.bond(a, b) for a in symbols for b in symbols]
    rcut = np.array([found.rcut if found else 0.0 for found in bonds])
    return np.bincount(bond[neighbors.distances() < rcut[bond]], minlength=n * n)


def _by_level(l_max: int, first: int, edges: int, inside: int) -> int:
    """Operations of a recursion: for l = 1; for m = +-l and +-(l - 1) of a larger l together; for each other m."""
    return (first if l_max > 0 else 0) + sum(edges + inside * (2 * l - 3) for l in range(2, l_max + 1))


def first_pair(b: Bond) -> Phases:
    """Operations of one pair from the vector to the sums over neighbours."""
    rows = b.rows + b.densities
    return {
        # r^2: 3 * and 2 +; root; 1/r; unit vector: 3 *
        "geometry": 10,
        # x, W, dW and their products
        "radial arguments": EXP * ELEMENTARY[b.kind] + 10,
        # 2 x once, * and - for each T_k from k = 2 on
        "polynomial base": 1 + 2 * max(b.k - 2, 0),
        # P and Q: * and + for each T_k; f0 P, f1 Q + f2 P
        "contraction": rows * (4 * b.k + 4),
        # l = 1: one * each; m = +-l: 4 each; m = +-(l - 1): 2 each; others: 3 * and 1 +
        "harmonics": _by_level(b.l_max, 3, 12, 4),
        # A += R Y, and the density rows
        "sums over neighbours": 2 * b.components + b.densities,
    }


def reverse_pair(b: Bond) -> Phases:
    """Operations of one pair from the adjoint of A to forces and virials."""
    return {
        # adjoint of each Y_lm and slope, of each component; slope times Y; density rows; harmonics backwards; to the direction
        "pair gradients": 4 * b.components + 2 * (b.l_max + 1) ** 2 + 2 * b.densities + _by_level(b.l_max, 6, 28, 7) + 16,
        # force on both atoms; virial: 3 products with sums, 3 sums of two products
        "scatter": 6 + 6 + 12,
    }


def first_atom(g: Graph) -> Phases:
    """Operations of one atom in the products and in the embedding."""
    p = g.densities
    return {
        # one * per node; * and + for each term and density; outer factor times sum
        "products": g.nodes + 2 * p * (g.terms + g.outer),
        "embedding": p * (2 * EXP + 15),
    }


def reverse_atom(g: Graph) -> Phases:
    """Operations of one atom for the adjoint of A."""
    p = g.densities
    # inner rows: * and + for each term and density; outer rows: factor, * and +, addition; nodes: two times * and +
    return {"reverse": 2 * p * g.terms + (3 * p + 1) * g.outer + 4 * g.nodes}


def second_pair(b: Bond) -> Phases:
    """Operations that the second pass adds to `first_pair`."""
    rows = b.rows + b.densities
    return {
        # delta: 3 times -, product with a matrix row (5), +; along the bond: 5; turn: 3 times *, -, *; f1 and f2: *
        "displacements": 21 + 5 + 9 + 2,
        # l = 1: 3; m = +-l: 8 each; m = +-(l - 1): 4 each; others: 6
        "changes of harmonics": _by_level(b.l_max, 3, 24, 6),
        # two sums for each component; density rows
        "tangents of sums": 4 * b.components + b.densities,
        # three sums for each component; by P and Q: 1 and 4 for each row
        "radial adjoints": 6 * b.components + 5 * b.rows + 4 * b.densities,
        # T_k again; * and + for P and Q
        "outer products": 1 + 2 * max(b.k - 2, 0) + 4 * rows * b.k,
    }


def second_atom(g: Graph) -> Phases:
    """Operations of one atom in the second pass."""
    p = g.densities
    return {
        # nodes again: 3 * and 1 +; terms: * and +; outer: 2 * and 2 +; derivatives of S by densities: 6
        "tangents of products": 4 * g.nodes + p * (2 * g.terms + 4 * g.outer + 6),
        # terms: * and + to the adjoint, and 3 and the sum over atoms for the coefficient; outer: 8 and 1; nodes: 4 by operand
        "second adjoint": p * (6 * g.terms + 8 * g.outer) + g.outer + 8 * g.nodes,
    }


FIRST, REVERSE, SECOND = (first_pair, first_atom), (reverse_pair, reverse_atom), (second_pair, second_atom)


def _bonds(compiled: Compiled) -> list[Bond]:
    """Sizes of every ordered bond."""
    shape, n, found = compiled.shape, compiled.shape.n_elements, []
    for b in range(n * n):
        start, rows, centre = shape.row_start[b], shape.n_rows[b], b // n
        components = (2 * shape.row_l[start : start + rows] + 1).sum()
        sizes = (shape.kind[b], shape.k_rows[b], rows, components, shape.l_max[centre], shape.n_density[centre])
        found.append(Bond(*map(int, sizes)))
    return found


def _add(phases: Phases, number: int, operations: Phases) -> None:
    for phase, value in operations.items():
        phases[phase] = phases.get(phase, 0.0) + float(number) * value


def _count(
    compiled: Compiled, structures: StructureSet, neighbors: NeighborList, parts: tuple[tuple, ...]
) -> tuple[Phases, NDArray[np.int64]]:
    """Operations of the given functions of pair and atom, and the pairs of each bond."""
    atoms = np.bincount(element_indices(compiled.potential, structures.numbers), minlength=compiled.shape.n_elements)
    pairs, phases = pair_counts(compiled, structures, neighbors), Phases()
    for of_pair, of_atom in parts:
        for bond, number in zip(_bonds(compiled), pairs, strict=True):
            _add(phases, number, of_pair(bond))
        for mu, (graph, number) in enumerate(zip(compiled.graphs, atoms, strict=True)):
            sizes = Graph(graph.n_nodes, len(graph.outer), graph.n_terms, int(compiled.shape.n_density[mu]))
            _add(phases, number, of_atom(sizes))
    return phases, pairs


def evaluation_operations(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> Work:
    """Operations and memory traffic of energies, forces and virials of structures with this neighbour list."""
    phases, pairs = _count(compiled, structures, neighbors, (FIRST, REVERSE))
    # A pair: vector (24 bytes) and index (4) are read; forces and virials stay in the cache. An atom: 80 bytes of results, read
    # and written. Constants of the potential are read once.
    constants = compiled.coefficients(compiled.layout.vector())
    graphs = [(g.left, g.right, g.outer, g.term_start, g.inner) for g in compiled.graphs]
    tables = sum(array.nbytes for array in constants) + sum(array.nbytes for graph in graphs for array in graph)
    # A pair: 9 numbers of geometry, R and R' of all rows, harmonics, gradient; written and read
    kept = [9 + 2 * (b.rows + b.densities) + (b.l_max + 1) ** 2 + 3 for b in _bonds(compiled)]
    scratch = 16.0 * float(pairs @ np.array(kept))
    return Work(phases, 28.0 * float(pairs.sum()) + 160.0 * structures.n_atoms + tables, scratch)


def gradient_operations(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> Phases:
    """Operations of the second pass, which takes sums, products and embedding from the first."""
    phases, _ = _count(compiled, structures, neighbors, (FIRST, SECOND))
    return {phase: value for phase, value in phases.items() if phase not in ("sums over neighbours", "products", "embedding")}
