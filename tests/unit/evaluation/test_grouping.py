import itertools

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.evaluation.grouping import balanced_blocks, build_layout, equal_ranges
from acefit.evaluation.predict import element_indices
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
