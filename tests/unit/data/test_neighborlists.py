from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from acefit.data.neighborlists import NeighborList, build, concatenate, pair_vectors, shard_bounds
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from naive import find_pairs

RNG = np.random.default_rng(7)
CELL = np.diag([4.0, 4.2, 4.5]) + RNG.normal(size=(3, 3)) * 0.3
POSITIONS = RNG.random((4, 3)) @ CELL
FLAT = np.array([[3.0, 0, 0], [2.7, 0.5, 0], [1, 1, 3]])
SKEW = np.array([[3.0, 0, 0], [15, 3, 0], [0, 18, 3]])
WIRE = np.array([[1.0, 2.0, 2.0], [0, 0, 0], [0, 0, 0]])
SHEET = np.array([[3.0, 0, 1.0], [0.5, 3, -1.0], [0, 0, 0]])


def pairs_of(neighbors):
    return [(int(i), int(j), *map(int, s)) for i, j, s in zip(neighbors.i, neighbors.j, neighbors.shifts, strict=True)]


@pytest.mark.parametrize(
    ("positions", "cell", "pbc", "cutoff"),
    [
        pytest.param(POSITIONS, CELL, (1, 1, 1), 4.0, id="three periodic directions"),
        pytest.param(POSITIONS, CELL[[1, 0, 2]], (1, 1, 1), 4.0, id="left-handed"),
        pytest.param(
            POSITIONS + np.array([[9, 0, 0], [0, -30, 0], [0, 0, 17], [40, 40, -40]]), CELL, (1, 1, 1), 4.0, id="atoms outside"
        ),
        pytest.param(POSITIONS, CELL, (0, 0, 0), 4.0, id="cell without periodicity"),
        pytest.param(POSITIONS, np.zeros((3, 3)), (0, 0, 0), 4.0, id="no cell"),
        pytest.param(POSITIONS, CELL, (1, 1, 0), 4.0, id="two periodic directions"),
        pytest.param(POSITIONS, CELL, (0, 1, 0), 5.0, id="one periodic direction"),
        pytest.param(
            POSITIONS + np.array([[40, 0, 0], [0, -30, 0], [0, 0, 25], [0, 0, 0]]), SHEET, (1, 1, 0), 5.0, id="tilted sheet"
        ),
        pytest.param(
            POSITIONS + np.array([[4, 8, 8], [0, 0, 0], [-5, -10, -10], [0, 0, 9]]), WIRE, (1, 0, 0), 5.0, id="oblique wire"
        ),
        pytest.param(POSITIONS[:2], FLAT, (1, 1, 1), 6.0, id="flat"),
        pytest.param(POSITIONS[:2], SKEW, (1, 1, 1), 4.0, id="very skew"),
        pytest.param(POSITIONS[:1], np.eye(3) * 1.5, (1, 1, 1), 6.0, id="cutoff four times the cell"),
        pytest.param(POSITIONS[:1], np.zeros((3, 3)), (0, 0, 0), 6.0, id="isolated atom"),
        pytest.param(np.zeros((0, 3)), np.zeros((3, 3)), (0, 0, 0), 6.0, id="no atoms"),
    ],
)
def test_build__finds_exactly_the_pairs_of_the_naive_search(positions, cell, pbc, cutoff):
    structures = StructureSet.from_ase([Atoms(f"Cu{len(positions)}" if len(positions) else "", positions, cell=cell, pbc=pbc)])
    neighbors = build(structures, cutoff)
    assert pairs_of(neighbors) == find_pairs(positions, cell, pbc, cutoff)
    assert np.array_equal(neighbors.vectors, pair_vectors(structures, neighbors.i, neighbors.j, neighbors.shifts))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_atoms=st.integers(1, 4),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    cutoff=st.floats(1.0, 5.0),
)
def test_build__agrees_with_the_naive_search_for_random_cells(seed, n_atoms, pbc, cutoff):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) * rng.uniform(1, 4)
    cell[np.abs(np.linalg.norm(cell, axis=1)) < 0.8] *= 4
    if abs(np.linalg.det(cell)) < 3:
        cell = cell + 3 * np.eye(3)
    positions = rng.normal(size=(n_atoms, 3)) * 4
    neighbors = build(StructureSet.from_ase([Atoms(f"Cu{n_atoms}", positions, cell=cell, pbc=pbc)]), cutoff)
    assert pairs_of(neighbors) == find_pairs(positions, cell, pbc, cutoff)


def test_build__cutoff_is_strict():
    pair = StructureSet.from_ase([Atoms("Cu2", [[0, 0, 0], [3.0, 0, 0]])])
    assert build(pair, 3.0).n_pairs == 0
    assert build(pair, np.nextafter(3.0, 4.0)).n_pairs == 2


def test_build__both_directions_of_a_pair_have_opposite_vectors():
    neighbors = build(StructureSet.from_ase([Atoms("Cu4", POSITIONS, cell=CELL, pbc=True)]), 5.0)
    forward = {(i, j, *s): v for (i, j, *s), v in zip(pairs_of(neighbors), neighbors.vectors, strict=True)}
    for (i, j, *shift), vector in forward.items():
        assert np.array_equal(forward[j, i, *(-s for s in shift)], -vector)


def make_set():
    frames = [
        bulk("Cu", cubic=True),
        Atoms("Cu"),
        Atoms("Cu4", POSITIONS, cell=CELL, pbc=True),
        Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]]),
    ]
    return StructureSet.from_ase(frames)


def assert_same(one, other):
    for name in ("offsets", "j", "vectors", "shifts", "structure_offsets"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("indices", [[2, 0], [3], [], [1, 1, 2], [0, 1, 2, 3]])
def test_select__equals_building_from_the_selected_structures(indices):
    structures = make_set()
    assert_same(build(structures, 4.0).select(indices), build(structures.select(indices), 4.0))


def test_concatenate__equals_building_at_once():
    structures = make_set()
    parts = [build(structures.select(np.arange(*bounds)), 4.0) for bounds in ((0, 1), (1, 1), (1, 4))]
    assert_same(concatenate(parts), build(structures, 4.0))


def test_concatenate__refuses_different_cutoffs():
    structures = make_set()
    with pytest.raises(DataError, match="must have one cutoff"):
        concatenate([build(structures, 3.0), build(structures, 4.0)])
    with pytest.raises(DataError, match="must have one cutoff"):
        concatenate([])


def test_shortest__is_infinite_without_neighbours():
    neighbors = build(make_set(), 4.0)
    nearest = 3.61 / np.sqrt(2)
    assert neighbors.shortest_per_structure()[[0, 1, 3]] == pytest.approx([nearest, np.inf, 2.5], abs=1e-12)
    assert neighbors.shortest_per_atom()[:5] == pytest.approx([nearest] * 4 + [np.inf], abs=1e-12)


def test_build__empty_set():
    neighbors = build(StructureSet.from_ase([]), 3.0)
    assert (neighbors.n_atoms, neighbors.n_pairs) == (0, 0)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_build__refuses_impossible_cutoffs(cutoff):
    with pytest.raises(DataError, match="must be a positive number"):
        build(make_set(), cutoff)


def test_build__names_a_periodic_structure_without_volume():
    flat = Atoms("Cu", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True, info={"name": "pancake"})
    with pytest.raises(DataError, match="'pancake' is periodic but its cell has no volume"):
        build(StructureSet.from_ase([flat]), 3.0)


def test_build__names_a_structure_whose_shifts_are_too_large():
    far = Atoms("Cu2", [[0, 0, 0], [0, 0, 40000.5]], cell=np.eye(3), pbc=True, info={"name": "far"})
    with pytest.raises(DataError, match="'far' has atoms more than 32767 cells apart"):
        build(StructureSet.from_ase([far]), 0.9)


def test_neighbor_list__refuses_arrays_that_disagree():
    good = {"offsets": [0, 1], "j": [0], "vectors": np.zeros((1, 3)), "shifts": np.zeros((1, 3)), "structure_offsets": [0, 1]}
    with pytest.raises(DataError, match="disagree on the number of pairs"):
        NeighborList(**{**good, "offsets": [0, 2]}, cutoff=1.0)
    with pytest.raises(DataError, match="disagree on the number of atoms"):
        NeighborList(**{**good, "structure_offsets": [0, 2]}, cutoff=1.0)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 8))
def test_shard_bounds__cover_everything_in_balanced_parts(sizes, n_shards):
    bounds = shard_bounds(np.array(sizes, dtype=np.int64), n_shards)
    assert (len(bounds), bounds[0], bounds[-1]) == (n_shards + 1, 0, len(sizes))
    assert np.all(np.diff(bounds) >= 0)
    parts = [sum(sizes[a:b]) for a, b in pairwise(bounds)]
    assert max(parts) <= sum(sizes) / n_shards + max(sizes, default=0)


def test_shard_bounds__refuses_no_shards():
    with pytest.raises(DataError, match="must be at least 1, not 0"):
        shard_bounds(np.array([1]), 0)
