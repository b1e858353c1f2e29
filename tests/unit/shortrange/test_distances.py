from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.data import covalent_radii

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.shortrange.distances import (
    atoms_with_short_pairs,
    covalent_distance,
    known_distances,
    look_through,
    shortest_per_structure,
)

FRAMES = [
    Atoms("NiAl2", [[0, 0, 0], [0, 0, 2.4], [0, 2.6, 0]]),
    Atoms("Ni2", [[0, 0, 0], [0, 0, 2.2]]),
    Atoms("Al", cell=[3.0, 4.0, 5.0], pbc=True),
]
STRUCTURES = StructureSet.from_ase(FRAMES)
NEIGHBORS = build(STRUCTURES, 5.0)


def test_shortest_per_structure__knows_both_orders_and_images():
    found = shortest_per_structure(STRUCTURES, NEIGHBORS)
    assert {pair: values.tolist() for pair, values in found.items()} == {
        ("Al", "Al"): [pytest.approx(np.hypot(2.4, 2.6)), 3.0],
        ("Al", "Ni"): [2.4],
        ("Ni", "Ni"): [2.2],
    }


def test_shortest_per_structure__of_many_elements_and_of_nothing():
    rng = np.random.default_rng(1)
    frames = [Atoms(rng.choice(["Al", "Ni", "H", "U"], n), rng.uniform(0, 6, (n, 3))) for n in (1, 2, 5, 9, 20)]
    structures = StructureSet.from_ase(frames)
    expected = {}
    for atoms in frames:
        distances, shortest = atoms.get_all_distances(), {}
        for a, b in combinations(range(len(atoms)), 2):
            if distances[a, b] < 4.0:
                pair = tuple(sorted((atoms.symbols[a], atoms.symbols[b])))
                shortest[pair] = min(shortest.get(pair, np.inf), distances[a, b])
        for pair, distance in shortest.items():
            expected.setdefault(pair, []).append(pytest.approx(distance))
    found = shortest_per_structure(structures, build(structures, 4.0))
    assert {pair: values.tolist() for pair, values in found.items()} == expected
    assert len(found) > 6
    alone = StructureSet.from_ase(frames[:1])
    assert shortest_per_structure(alone, build(alone, 4.0)) == {}


def test_look_through__does_not_depend_on_parts(monkeypatch):
    natural, found = look_through(STRUCTURES, 5.0)
    assert natural.tolist() == [2.4, 2.2, 3.0]
    monkeypatch.setattr("acefit.shortrange.distances.ATOMS_AT_ONCE", 1)
    in_parts = look_through(STRUCTURES, 5.0)
    assert in_parts[0].tolist() == natural.tolist()
    whole = shortest_per_structure(STRUCTURES, NEIGHBORS)
    for each in (found, in_parts[1]):
        assert {pair: values.tolist() for pair, values in each.items()} == {pair: v.tolist() for pair, v in whole.items()}


def test_known_distances__are_quantiles_or_covalent_radii():
    found = known_distances({("Al", "Al"): np.linspace(2.0, 3.0, 1001)}, ["Ni", "Al"])
    assert found[("Al", "Al")] == pytest.approx(2.001)
    assert found[("Al", "Ni")] == covalent_distance(("Al", "Ni")) == pytest.approx(covalent_radii[13] + covalent_radii[28])
    assert set(found) == {("Al", "Al"), ("Al", "Ni"), ("Ni", "Ni")}


def test_atoms_with_short_pairs__compares_each_pair_with_its_own_threshold():
    thresholds = {("Al", "Al"): 3.1, ("Al", "Ni"): 2.5, ("Ni", "Ni"): 2.2}
    assert atoms_with_short_pairs(STRUCTURES, NEIGHBORS, thresholds).tolist() == [True, True, False, False, False, True]
