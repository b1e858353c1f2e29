import re
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit.data.checks import common_structures, find_problems
from acefit.data.structures import StructureSet


def make_set(**changes):
    frames = [bulk("Cu", cubic=True), Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]), bulk("Al")]
    structures = StructureSet.from_ase(frames)
    return replace(structures, **changes)


def changed(name, index, value):
    array = np.array(getattr(make_set(), name))
    array[index] = value
    return {name: array}


def test_find_problems__finds_none_in_sound_structures():
    assert find_problems(make_set(energies=[np.nan, 1.0, 2.0])) == {}


@pytest.mark.parametrize(
    ("changes", "structure", "message"),
    [
        (changed("positions", (5, 1), np.nan), 1, "positions are not finite"),
        (changed("cells", (0, 1, 1), np.inf), 0, "cell is not made of finite numbers"),
        (changed("numbers", 6, 0), 2, "atomic number is outside"),
        (changed("energies", 2, -np.inf), 2, "energy is infinite"),
        (changed("forces", (slice(0, 3)), 0.0), 0, "components of forces are not finite"),
        (changed("forces", (4, 0), 1.0), 1, "components of forces are not finite"),
        (changed("stresses", (2, 0), 1.0), 2, "components of the stress are not finite"),
        (changed("cells", 0, [[1, 0, 0], [2, 0, 0], [0, 0, 1]]), 0, "no volume along the periodic directions"),
        (changed("cells", 2, 0.0), 2, "no volume along the periodic directions"),
        (changed("positions", 5, [0, 0, 0.1]), 1, r"0\.1 Å apart, closer than 0\.3 Å"),
        (changed("cells", 2, np.eye(3) * 0.2), 2, r"0\.2 Å apart, closer than 0\.3 Å"),
    ],
)
def test_find_problems__describes(changes, structure, message):
    problems = find_problems(make_set(**changes))
    assert list(problems) == [structure]
    assert re.search(message, problems[structure])


def test_find_problems__empty_structure_and_foreign_element():
    structures = StructureSet.from_ase([Atoms(), Atoms("Cu"), Atoms("Al")])
    assert find_problems(structures, elements=[29]) == {0: "no atoms", 2: "Al: not among the elements of the potential"}


def test_find_problems__distance_limit_can_be_changed():
    assert "closer than 1.2 Å" in find_problems(make_set(), minimum_distance=1.2)[1]
    assert find_problems(make_set(**changed("positions", 5, [0, 0, 0.1])), minimum_distance=0.0) == {}


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Cu2", [[0, 0, 0], [1e300, 0, 0]]), r"more than 1e\+06 Å away"),
        (Atoms("Cu", cell=[1e200] * 3, pbc=True), r"the cell is larger than 1e\+06 Å"),
        (Atoms("Cu", cell=[1e-3, 1e-3, 2e-3], pbc=True), r"0\.001 Å apart"),
        (Atoms("Cu", cell=[[1e5, 0, 0], [1e5, 1e-3, 0], [0, 0, 3]], pbc=True), r"0\.001 Å apart"),
        (Atoms("Cu20000", np.zeros((20000, 3))), "0 Å apart"),
        (Atoms("Cu100", np.arange(300.0).reshape(100, 3), cell=[1.0] * 3, pbc=True), r"1 Å\^3 are too little room"),
    ],
)
def test_find_problems__finds_what_a_search_for_neighbours_would_not_survive(atoms, message):
    (problem,) = find_problems(StructureSet.from_ase([atoms])).values()
    assert re.search(message, problem)


def test_common_structures__are_the_same_atoms_in_the_same_places():
    one, other = bulk("Cu", cubic=True), bulk("Cu", cubic=True)
    other.rattle(0.01, seed=1)
    moved, renamed, nearly = one.copy(), one.copy(), one.copy()
    moved.set_cell(1.01 * one.cell)
    renamed.numbers[:] = 47
    nearly.positions += 1e-9
    structures = StructureSet.from_ase([one, other, moved, renamed, nearly, one])
    assert common_structures(structures, np.array([0, 1]), np.array([2, 3, 4, 5])).tolist() == [4, 5]
    assert common_structures(structures, np.array([], dtype=int), np.array([0])).tolist() == []
