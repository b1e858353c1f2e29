"""Operation counts of the benchmarks against a count that goes through every pair, row, component and product."""

from collections import Counter

import numpy as np
import pytest

import operations
from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import element_indices
from models import prepared, random_potential, random_structures


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
            if np.linalg.norm(neighbors.vectors[pair]) >= bond.rcut:
                continue
            count["geometry"] += 3 + 2 + 1 + 1 + 3
            count["radial base"] += operations.EXP + 20
            for _ in range(bond.k_max):
                count["radial base"] += 2 + 4 + 1 + 3
            rows = [l for element, _, l in graph.channels if element == other]
            for _ in range(len(rows) + densities):
                for _ in range(bond.k_max):
                    count["radial functions"] += 2 + 2
            for l in range(1, largest + 1):
                for _ in range(-l, l + 1):
                    count["harmonics"] += 3
                    for _ in range(3):
                        count["harmonics"] += 6
            for l in rows:
                for _ in range(-l, l + 1):
                    count["sums"] += 2
                    count["pair gradients"] += 2 + 2
            count["sums"] += densities
            count["pair gradients"] += 2 * densities + 6
            for l in range(largest + 1):
                for _ in range(-l, l + 1):
                    count["pair gradients"] += 4 * 2
            count["scatter"] += 27
        for _ in range(len(graph.left)):
            count["products"] += 1
            count["reverse"] += 4
            for density in range(densities):
                count["products"] += 2
                count["reverse"] += 2 if density else 1
        for _ in range(densities):
            count["embedding"] += 2 * operations.EXP + 15
    return count


@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_evaluation_operations__equal_a_count_one_by_one(n_elements):
    potential = random_potential(n_elements)
    compiled = compile_potential(potential)
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff + 0.4)
    work = operations.evaluation_operations(compiled, structures, neighbors)
    expected = brute_force(compiled, structures, neighbors)
    assert work.phases == dict(expected)
    assert work.flops == sum(expected.values())


def test_reachable__is_limited_by_arithmetic_or_by_memory():
    peaks = {"fma_1": 40.0, "triad_1": 10.0}
    assert operations.Work({"sums": 100.0}, 10.0).reachable(peaks, 1) == 40.0
    assert operations.Work({"sums": 100.0}, 50.0).reachable(peaks, 1) == 20.0
    assert operations.Work({"sums": 100.0}, 50.0).reachable(peaks, 7) == 0.0
