"""Neighbours used again while atoms move: the same results as with a new search. Tolerance 1e-12, scaled."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit.basis.compiled import compile_potential
from acefit.errors import DataError
from acefit.evaluation.predict import predict_compiled, predict_layout
from acefit.evaluation.skin import SkinLayout
from models import prepared, random_potential, random_structures


def assert_equal(compiled, skin_layout, atoms, threads=None):
    x = compiled.layout.vector()
    structures, layout = skin_layout.follow(atoms, threads)
    found = predict_layout(compiled, compiled.coefficients(x), structures, layout, threads)
    expected = predict_compiled(compiled, x, *prepared(atoms, compiled.potential.cutoff))
    scale = 1 + np.abs(expected.forces).max(initial=0.0)
    np.testing.assert_allclose(found.atomic_energies, expected.atomic_energies, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(found.forces, expected.forces, rtol=0, atol=1e-12 * scale)
    if atoms.cell.rank == 3:
        np.testing.assert_allclose(found.stresses, expected.stresses, rtol=0, atol=1e-12 * scale)


@pytest.fixture(params=["density", "zbl"])
def compiled(request):
    return compile_potential(random_potential(2, mode=request.param))


@pytest.mark.parametrize("index", range(10))
def test_follow__gives_the_results_of_a_new_search(compiled, index):
    atoms = random_structures(compiled.potential.elements)[index]
    skin_layout, rng = SkinLayout(compiled, 0.6), np.random.default_rng(index)
    for _ in range(6):
        assert_equal(compiled, skin_layout, atoms)
        atoms.positions += rng.normal(0.0, 0.02, atoms.positions.shape)
    assert skin_layout.n_searches == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_follow__divides_large_structures(compiled, threads):
    atoms = bulk("Al", cubic=True).repeat(4)
    atoms.symbols[::3] = "Cu"
    skin_layout, rng = SkinLayout(compiled, 0.4), np.random.default_rng(0)
    for _ in range(3):
        assert_equal(compiled, skin_layout, atoms, threads)
        atoms.positions += rng.normal(0.0, 0.02, atoms.positions.shape)
    assert skin_layout.n_searches == 1


def test_follow__searches_anew_when_an_atom_leaves_half_the_skin(compiled):
    atoms, skin_layout = Atoms("AlCu", [[0, 0, 0], [0, 0, 4.4]]), SkinLayout(compiled, 0.5)
    searches = []
    for step in range(8):
        assert_equal(compiled, skin_layout, atoms)
        searches.append(skin_layout.n_searches)
        atoms.positions[1, 2] -= 0.1 if step < 7 else 0.0
    assert searches == [1, 1, 1, 2, 2, 2, 3, 3]


def changed_cell(atoms):
    atoms.set_cell(atoms.cell * 1.01)


def changed_periodicity(atoms):
    atoms.pbc = [True, False, True]


def changed_elements(atoms):
    atoms.symbols[0] = "Cu" if atoms.symbols[0] == "Al" else "Al"


def more_atoms(atoms):
    atoms += Atoms("Al", [[2.2, 2.1, 2.0]])


def wrapped(atoms):
    atoms.positions[0] += atoms.cell[0]


@pytest.mark.parametrize("change", [changed_cell, changed_periodicity, changed_elements, more_atoms, wrapped])
def test_follow__searches_anew_after_other_changes(compiled, change):
    atoms, skin_layout = random_structures(compiled.potential.elements)[0].copy(), SkinLayout(compiled, 0.5)
    assert_equal(compiled, skin_layout, atoms)
    change(atoms)
    assert_equal(compiled, skin_layout, atoms)
    assert skin_layout.n_searches == 2


def test_follow__without_a_skin_always_searches(compiled):
    atoms, skin_layout = random_structures(compiled.potential.elements)[0], SkinLayout(compiled, 0.0)
    for count in (1, 2):
        assert_equal(compiled, skin_layout, atoms)
        assert skin_layout.n_searches == count


def test_follow__refuses_atoms_that_come_together(compiled):
    atoms, skin_layout = Atoms("AlCu", [[0, 0, 0], [0, 0, 0.2]]), SkinLayout(compiled, 1.0)
    assert_equal(compiled, skin_layout, atoms)
    atoms.positions[1, 2] = 0.0
    with pytest.raises(DataError, match=r"two atoms are .* apart"):
        skin_layout.follow(atoms)


def test_follow__an_error_in_a_search_leaves_nothing_behind(compiled):
    atoms, skin_layout = Atoms("AlCu", [[0, 0, 0], [0, 0, 2.2]]), SkinLayout(compiled, 0.5)
    assert_equal(compiled, skin_layout, atoms)
    atoms.symbols[0] = "Fe"
    with pytest.raises(DataError, match="elements Fe are not in the potential"):
        skin_layout.follow(atoms)
    atoms.symbols[0] = "Al"
    assert_equal(compiled, skin_layout, atoms)
