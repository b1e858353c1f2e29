"""The layout filled piece by piece is that of the whole neighbour list, in memory and in files."""

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.data import pairs
from acefit.data.pairs import as_pairs
from acefit.errors import DataError
from acefit.evaluation.grouping import build_layout
from acefit.evaluation.predict import element_indices
from acefit.fit.layout import lay_out, slot_range
from models import prepared, random_potential, random_structures


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch):
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 13)
    monkeypatch.setattr("acefit.fit.layout.GROUPS_AT_ONCE", 3)


@pytest.mark.parametrize("n_elements", [1, 2, 3])
@pytest.mark.parametrize("n_blocks", [None, 7])
@pytest.mark.parametrize("stored", [False, True])
def test_lay_out__is_bitwise_the_layout_of_the_whole_list(tmp_path, n_elements, n_blocks, stored):
    compiled = compile_potential(random_potential(n_elements))
    frames = [atoms for seed in range(3) for atoms in random_structures(compiled.potential.elements, seed)]
    structures, neighbors = prepared(frames, compiled.potential.cutoff + 0.3)
    elements = element_indices(compiled.potential, structures.numbers)
    expected = build_layout(compiled.shape, elements, structures, neighbors, n_blocks=n_blocks)
    found, pages = lay_out(compiled, structures, as_pairs(neighbors), n_blocks, tmp_path if stored else None)
    assert (pages is not None) == stored
    for one, other in zip((*found.groups, *found[1:]), (*expected.groups, *expected[1:]), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert found.groups.vectors.ctypes.data % 64 == 0
    ranges = [slot_range(found, block) for block in range(len(found.block_groups) - 1)]
    filled = [part for part in ranges if part[1] > part[0]]
    assert sum(last - first for first, last in filled) == len(found.groups.vectors)


def test_lay_out__refuses_coinciding_atoms():
    compiled = compile_potential(random_potential(1))
    twice = random_structures(("Al",))[0].copy()
    twice.positions[1] = twice.positions[0]
    structures, neighbors = prepared(twice, compiled.potential.cutoff)
    with pytest.raises(DataError, match="two atoms are 0 A apart"):
        lay_out(compiled, structures, as_pairs(neighbors))


def test_lay_out__bears_a_set_without_structures(tmp_path):
    compiled = compile_potential(random_potential(1))
    structures, neighbors = prepared([], compiled.potential.cutoff)
    for folder in (None, tmp_path):
        layout, _ = lay_out(compiled, structures, as_pairs(neighbors), None, folder)
        assert len(layout.groups.vectors) == 0
        assert slot_range(layout, 0) == (0, 0)
