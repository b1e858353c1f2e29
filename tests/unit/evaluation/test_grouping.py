import itertools

import numpy as np
import pytest
from ase import Atoms

from acefit.basis.compiled import compile_potential
from acefit.evaluation.grouping import balanced_blocks, build_layout, equal_ranges
from acefit.evaluation.predict import element_indices
from acefit.kernels import radial
from acefit.kernels._jit import LANES
from models import prepared, random_potential, random_structures


@pytest.mark.parametrize("n_blocks", [1, 2, 5, 40])
@pytest.mark.parametrize("cost", [[], [3], [1] * 17, [100, 1, 1, 1], [1, 1, 1, 100], [5, 0, 0, 7, 2]], ids=len)
def test_balanced_blocks__cover_everything_in_order(cost, n_blocks):
    bounds = balanced_blocks(np.array(cost, dtype=np.int64), n_blocks)
    assert len(bounds) == n_blocks + 1
    assert (bounds[0], bounds[-1]) == (0, len(cost))
    assert (np.diff(bounds) >= 0).all()


def test_balanced_blocks__have_nearly_equal_cost():
    cost = np.random.default_rng(0).integers(1, 50, 400)
    bounds = balanced_blocks(cost, 10)
    sums = [cost[a:b].sum() for a, b in itertools.pairwise(bounds)]
    assert max(sums) - min(sums) <= 2 * cost.max()


@pytest.mark.parametrize(("n", "n_ranges"), [(0, 1), (5, 5), (17, 4), (300, 64)])
def test_equal_ranges__cover_everything_and_differ_by_one(n, n_ranges):
    bounds = equal_ranges(n, n_ranges)
    assert (len(bounds), bounds[0], bounds[-1], bounds.dtype) == (n_ranges + 1, 0, n, np.int64)
    assert np.ptp(np.diff(bounds)) <= 1


@pytest.mark.parametrize("n_blocks", [1, 7, 1000])
def test_build_layout__blocks_for_minibatches_hold_equal_numbers_of_structures(n_blocks):
    compiled = compile_potential(random_potential(1))
    structures, neighbors = prepared(random_structures(("Al",)), compiled.potential.cutoff)
    elements = element_indices(compiled.potential, structures.numbers)
    layout = build_layout(compiled.shape, elements, structures, neighbors, n_blocks=n_blocks)
    sizes = np.diff(layout.block_structures)
    assert (len(sizes), sizes.sum()) == (min(n_blocks, structures.n_structures), structures.n_structures)
    assert np.ptp(sizes) <= 1


@pytest.mark.parametrize("split", [False, True])
def test_build_layout__depends_on_the_structures_only(split):
    compiled = compile_potential(random_potential(2))
    frames = [atoms for seed in range(10) for atoms in random_structures(compiled.potential.elements, seed)]
    structures, neighbors = prepared(frames, compiled.potential.cutoff)
    elements = element_indices(compiled.potential, structures.numbers)
    layouts = [build_layout(compiled.shape, elements, structures, neighbors, split_structures=split) for _ in range(2)]
    atoms = layouts[0].groups.atoms
    assert sorted(atoms[atoms >= 0]) == list(range(structures.n_atoms))
    np.testing.assert_array_equal(layouts[0].groups.atoms, layouts[1].groups.atoms)
    np.testing.assert_array_equal(layouts[0].structure, structures.structure_of_atom)
    assert layouts[0].n_buffers == (len(layouts[0].block_groups) - 1 if split else 1)


@pytest.fixture(scope="module")
def many():
    """Layout of random structures in several blocks, their structures, neighbour list and cutoffs of the bonds."""
    compiled = compile_potential(random_potential(2))
    frames = [atoms for seed in range(10) for atoms in random_structures(compiled.potential.elements, seed)]
    structures, neighbors = prepared(frames, compiled.potential.cutoff)
    elements = element_indices(compiled.potential, structures.numbers)
    return build_layout(compiled.shape, elements, structures, neighbors), elements, neighbors, compiled.shape.bond[:, radial.RC]


def test_build_layout__lanes_are_filled_before_a_group_is_opened(many):
    layout, elements, *_ = many
    assert len(layout.block_groups) > 3
    for low, high in itertools.pairwise(layout.block_groups):
        atoms, species = layout.groups.atoms[low:high], layout.groups.species[low:high]
        for mu in (0, 1):
            members = atoms[species == mu]
            members = members[members >= 0]
            assert (elements[members] == mu).all()
            assert (species == mu).sum() == -(-len(members) // LANES)


def test_build_layout__unused_places_are_far_away_and_belong_to_the_group(many):
    """A thread adds zeros to the atoms of unused places, so these must be atoms of its own."""
    layout, elements, neighbors, rcut = many
    n_unused = 0
    for atoms, slots, mu in zip(layout.groups.atoms, layout.groups.slots, layout.groups.species, strict=True):
        distances = np.linalg.norm(layout.groups.vectors[slots[0] : slots[-1]], axis=1)
        unused = distances > 1e5
        assert (distances[~unused] < rcut.max()).all()
        n_unused += unused.sum()
        neighbor = layout.groups.neighbor[slots[0] : slots[-1]]
        assert np.isin(neighbor[unused], atoms[atoms >= 0]).all()
        for lane, i in enumerate(atoms):
            mine = slice(neighbors.offsets[i], neighbors.offsets[i + 1])
            near = neighbors.distances()[mine] < rcut[2 * mu + elements[neighbors.j[mine]]]
            assert (~unused[:, lane]).sum() == (near.sum() if i >= 0 else 0)
    assert n_unused > 0


def test_build_layout__atoms_of_a_group_have_similar_numbers_of_neighbours():
    """Atoms with few neighbours and with many, in turn: no group has both."""
    compiled = compile_potential(random_potential(1))
    frames = [
        Atoms("Al2", [[0, 0, 0], [2.5, 0, 0]]),
        Atoms("Al", cell=[2.5] * 3, pbc=True),
        Atoms("Al", cell=[2.5] * 3, pbc=True),
    ]
    structures, neighbors = prepared(frames * 16, compiled.potential.cutoff)
    layout = build_layout(compiled.shape, element_indices(compiled.potential, structures.numbers), structures, neighbors, True)
    assert len(layout.groups.atoms) == 8
    assert LANES * len(layout.groups.vectors) == neighbors.n_pairs


def test_build_layout__blocks_that_share_a_buffer_share_no_structure():
    compiled = compile_potential(random_potential(1))
    structures, neighbors = prepared(random_structures(("Al",)), compiled.potential.cutoff)
    elements = element_indices(compiled.potential, structures.numbers)
    layout = build_layout(compiled.shape, elements, structures, neighbors)
    owners = []
    for low, high in zip(layout.block_groups[:-1], layout.block_groups[1:], strict=True):
        atoms = layout.groups.atoms[low:high]
        owners += sorted(set(layout.structure[atoms[atoms >= 0]]))
    assert len(owners) == len(set(owners)) == structures.n_structures
