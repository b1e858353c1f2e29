"""Operation counts of the benchmarks against a count that goes through every pair, row, component, term and node."""

from collections import Counter

import numpy as np
import pytest

import operations
from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import element_indices
from models import prepared, random_potential, random_structures

# Elementary functions of the radial families, and what is added to k_max for the length of the polynomial base
FAMILIES = {"ChebExpCos": (3, 0), "ChebPow": (1, 1), "ChebLinear": (0, 1), "SBessel": (2, 2)}


def each_m(l):
    return range(-l, l + 1)


def count_harmonics(count, largest):
    """The recursion of one pair, its tangent, and backwards."""
    for l in range(1, largest + 1):
        for m in each_m(l):
            if l == 1:
                forward, tangent, backward = 1, 1, 2
            elif abs(m) == l:
                forward, tangent, backward = 4, 8, 1 + 4 + 4
            elif abs(m) == l - 1:
                forward, tangent, backward = 2, 4, 1 + 2 + 2
            else:
                forward, tangent, backward = 4, 6, 7
            count["harmonics"] += forward
            count["changes of harmonics"] += tangent
            count["pair gradients"] += backward


def count_pair(count, bond, ls, largest, densities):
    """One pair with the radial functions of the given l."""
    elementary, longer = FAMILIES[bond.radbase]
    k = bond.k_max + longer
    count["geometry"] += 3 + 2 + 1 + 1 + 3
    count["radial arguments"] += elementary * operations.EXP + 10
    for phase in ("polynomial base", "outer products"):
        count[phase] += 1
        for _ in range(2, k):
            count[phase] += 2
    for _ in range(len(ls) + densities):
        for _ in range(k):
            count["contraction"] += 2 + 2
            count["outer products"] += 2 + 2
        count["contraction"] += 1 + 3
        count["radial adjoints"] += 4
    count_harmonics(count, largest)
    for l in ls:
        count["radial adjoints"] += 1
        for _ in each_m(l):
            count["sums over neighbours"] += 2
            count["tangents of sums"] += 2 + 2
            count["pair gradients"] += 2 + 2
            count["radial adjoints"] += 2 + 2 + 2
    for phase, each in (("sums over neighbours", 1), ("tangents of sums", 1), ("pair gradients", 2)):
        count[phase] += each * densities
    for l in range(largest + 1):
        for _ in each_m(l):
            count["pair gradients"] += 2
    count["pair gradients"] += 5 + 2 + 3 * 3
    count["scatter"] += 24
    count["displacements"] += 3 * (1 + 5 + 1) + 5 + 3 * 3 + 2


def count_atom(count, graph, densities):
    """One atom."""
    for _ in graph.left:
        count["products"] += 1
        count["reverse"] += 2 + 2
        count["tangents of products"] += 1 + 3
        count["second adjoint"] += 2 * (2 + 2)
    for _ in graph.outer:
        count["reverse"] += 1
        count["second adjoint"] += 1
    for _ in range(densities):
        for _ in graph.inner:
            count["products"] += 2
            count["reverse"] += 2
            count["tangents of products"] += 2
            count["second adjoint"] += 2 + 3 + 1
        for _ in graph.outer:
            count["products"] += 2
            count["reverse"] += 1 + 2
            count["tangents of products"] += 2 + 2
            count["second adjoint"] += 4 + 3 + 1
        count["embedding"] += 2 * operations.EXP + 15
        count["tangents of products"] += 6


def brute_force(compiled, structures, neighbors):
    """Operations by phase, one by one."""
    potential, count = compiled.potential, Counter()
    elements = element_indices(potential, structures.numbers)
    for i in range(structures.n_atoms):
        centre = potential.elements[elements[i]]
        graph, densities = compiled.graphs[elements[i]], potential.embeddings[centre].ndensity
        largest = max(l for _, _, l in graph.channels)
        for pair in range(neighbors.offsets[i], neighbors.offsets[i + 1]):
            other = potential.elements[elements[neighbors.j[pair]]]
            bond = potential.bond(centre, other)
            if np.linalg.norm(neighbors.vectors[pair]) < bond.rcut:
                ls = [l for element, _, l in graph.channels if element == other]
                count_pair(count, bond, ls, largest, densities)
        count_atom(count, graph, densities)
    return count


@pytest.fixture(params=[1, 2, 3])
def case(request):
    """Elements of the potential give all radial families between them."""
    potential = random_potential(request.param, radbases=tuple(FAMILIES))
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff + 0.4)
    return compile_potential(potential), structures, neighbors


REVERSE = {"reverse", "pair gradients", "scatter"}
VALUES = {"sums over neighbours", "products", "embedding"}  # which the second pass takes from the first
SECOND = {
    "displacements",
    "changes of harmonics",
    "tangents of sums",
    "tangents of products",
    "second adjoint",
    "radial adjoints",
    "outer products",
}


def test_evaluation_operations__equal_a_count_one_by_one(case):
    work, expected = operations.evaluation_operations(*case), brute_force(*case)
    assert work.phases == {phase: value for phase, value in expected.items() if phase not in SECOND}
    assert work.flops == sum(work.phases.values())


def test_gradient_operations__equal_a_count_one_by_one(case):
    expected = brute_force(*case)
    assert operations.gradient_operations(*case) == {
        phase: value for phase, value in expected.items() if phase not in REVERSE | VALUES
    }


def test_evaluation_operations__scratch_is_that_of_the_pairs():
    potential = random_potential(1, orders=((2, 1), (0, 1)))
    compiled = compile_potential(potential)
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff)
    # two radial functions (l = 0, 1) and two densities, four harmonics
    numbers = 9 + 2 * (2 + 2) + 4 + 3
    found = operations.evaluation_operations(compiled, structures, neighbors).scratch
    assert found == neighbors.n_pairs * numbers * 2 * 8


def test_reachable__is_limited_by_arithmetic_or_by_memory():
    peaks = {"fma_1": 40.0, "triad_1": 10.0}
    assert operations.Work({"sums": 100.0}, 10.0).reachable(peaks, 1) == 40.0
    assert operations.Work({"sums": 100.0}, 50.0).reachable(peaks, 1) == 20.0
    assert operations.Work({"sums": 100.0}, 50.0).reachable(peaks, 7) == 0.0
