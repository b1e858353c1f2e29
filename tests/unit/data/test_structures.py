from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.structures import StructureSet, concatenate, consecutive_ranges, ranges
from acefit.errors import DataError


def labelled():
    atoms = bulk("Cu", cubic=True)
    atoms.info |= {"name": "fcc", "config_type": "bulk"}
    atoms.calc = SinglePointCalculator(atoms, energy=-14.0, forces=np.full((4, 3), 0.5), stress=np.arange(6.0))
    return atoms


def make_set():
    return StructureSet.from_ase([labelled(), Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]), Atoms("Al", cell=[3, 3, 3], pbc=[1, 1, 0])])


def test_from_ase__collects_labels_and_marks_absent_ones():
    structures = make_set()
    assert (structures.n_structures, structures.n_atoms) == (3, 7)
    assert structures.names == ("fcc", "1", "2")
    assert structures.groups == ("bulk", "", "")
    assert structures.energies[0] == -14.0
    assert np.isnan(structures.energies[1:]).all()
    assert np.isnan(structures.forces[4:]).all()
    assert structures.has_stress.tolist() == [True, False, False]
    assert structures.structure_of_atom.tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert structures.volumes == pytest.approx([3.61**3, 0, 27], rel=1e-13)


def test_from_ase__does_not_run_calculators():
    atoms = bulk("Cu")
    atoms.calc = EMT()
    assert np.isnan(StructureSet.from_ase([atoms]).energies).all()


def test_to_ase__gives_back_what_was_put_in():
    atoms = make_set().to_ase(0)
    assert atoms == labelled()
    assert atoms.info == {"name": "fcc", "config_type": "bulk"}
    assert atoms.get_potential_energy() == -14.0
    assert np.array_equal(atoms.get_forces(), np.full((4, 3), 0.5))
    assert np.array_equal(atoms.get_stress(), np.arange(6.0))
    bare = make_set().to_ase(2)
    assert bare.calc is None
    assert bare.pbc.tolist() == [True, True, False]


def test_select__by_index_and_mask_keeps_dataset_rows():
    structures = make_set()
    chosen = structures.select([2, 0])
    assert chosen.names == ("2", "fcc")
    assert chosen.ids.tolist() == [2, 0]
    assert chosen.numbers.tolist() == [13, 29, 29, 29, 29]
    assert structures.select(np.array([True, False, False])).names == ("fcc",)
    assert structures.select([]).n_structures == 0


def test_select__refuses_what_does_not_exist():
    with pytest.raises(DataError, match=r"structure 3 is not among 0 \.\. 2"):
        make_set().select([0, 3])
    with pytest.raises(DataError, match="cannot select from 3 structures"):
        make_set().select(np.array([True]))


def test_concatenate__equals_one_set():
    structures = make_set()
    joined = concatenate([structures.select([0]), structures.select([]), structures.select([1, 2])])
    for name in ("numbers", "positions", "offsets", "cells", "pbc", "ids"):
        assert np.array_equal(getattr(joined, name), getattr(structures, name))
    assert (joined.names, joined.groups) == (structures.names, structures.groups)
    assert concatenate([]).n_structures == 0


def test_arrays__are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        make_set().positions[0, 0] = 1.0


def test_structure_set__refuses_shapes_that_do_not_fit():
    structures = make_set()
    with pytest.raises(DataError, match=r"forces of a StructureSet has shape \(2, 3\) where \(7, 3\)"):
        replace(structures, forces=np.zeros((2, 3)))
    with pytest.raises(DataError, match="names of a StructureSet has length 1 where 3"):
        replace(structures, names=("a",))
    with pytest.raises(DataError, match="offsets of a StructureSet must rise"):
        replace(structures, offsets=np.array([0, 5, 3, 7]))


def test_ranges__concatenates_integer_ranges():
    assert ranges(np.array([5, 2, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert ranges(np.array([], dtype=int), np.array([], dtype=int)).tolist() == []


@pytest.mark.parametrize(
    ("sizes", "most", "bounds"),
    [([], 5, [0]), ([9], 5, [0, 1]), ([1, 2, 2, 1], 5, [0, 3, 4]), ([2, 9, 1, 4, 0], 5, [0, 1, 2, 5]), ([0, 0, 6], 5, [0, 2, 3])],
)
def test_consecutive_ranges__are_as_long_as_they_may_be(sizes, most, bounds):
    assert consecutive_ranges(np.array(sizes, dtype=np.int64), most).tolist() == bounds
