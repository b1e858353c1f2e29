"""Pairs at and beyond all kinds of cutoff, and atoms with more neighbours than are held at a time. Tolerance 1e-12, scaled."""

import numpy as np
import pytest
from ase import Atoms

import naive
from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import predict_compiled, project_compiled
from acefit.kernels import pairs
from acefit.kernels._jit import LANES
from models import RADBASES, prepared, random_potential


@pytest.mark.parametrize("radbase", RADBASES)
@pytest.mark.parametrize("tables", [False, True])
def test_energies__with_many_neighbours_equal_the_naive_twin(radbase, tables):
    potential = random_potential(1, (radbase,), orders=((3, 2, 1), (0, 2, 1)), rcut=6.0)
    compiled = compile_potential(potential, tables)
    atoms = Atoms("Al2", [[0, 0, 0], [1.3, 1.0, 1.2]], cell=[[2.6, 0, 0], [0.1, 2.5, 0], [0, -0.2, 2.7]], pbc=True)
    structures, neighbors = prepared(atoms, potential.cutoff)
    assert neighbors.n_pairs > 2 * 64
    found = predict_compiled(compiled, compiled.layout.vector(), structures, neighbors).atomic_energies
    expected = naive.atomic_energies(potential, atoms)
    # ChebLinear jumps at the cutoff, which a table smears over its last bin; no pair is there
    limit = 1e-8 if tables else 1e-12
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("mode", ["density", "distance", "zbl"])
@pytest.mark.parametrize("distance", [0.05, 0.9, 1.5, 1.6, 1.6000001, 2.0, 2.3, 2.30001, 4.3, 4.599, 4.6, 4.7])
def test_energies__of_dimers_equal_the_naive_twin_across_all_windows(mode, distance):
    potential = random_potential(1, mode=mode)
    compiled, atoms = compile_potential(potential), Atoms("Al2", [[0, 0, 0], np.array([2, -1, 2]) / 3 * distance])
    found = predict_compiled(compiled, compiled.layout.vector(), *prepared(atoms, potential.cutoff)).atomic_energies
    expected = naive.atomic_energies(potential, atoms)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("distance", [1.0, 2.29, 2.31, 3.0])
def test_energies__zbl_without_width_is_switched_at_the_inner_cutoff(distance):
    potential = random_potential(1, mode="zbl", delta_in=0.0)
    compiled, atoms = compile_potential(potential), Atoms("Al2", [[0, 0, 0], [0, 0, distance]])
    x, prepared_atoms = compiled.layout.vector(), prepared(atoms, potential.cutoff)
    found = predict_compiled(compiled, x, *prepared_atoms).atomic_energies
    expected = naive.atomic_energies(potential, atoms)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * (1 + np.abs(expected).max()))
    assert set(project_compiled(compiled, x, *prepared_atoms).cut) == {float(distance > 2.3)}


def test_energies__zbl_takes_the_pair_that_is_deepest_inside_its_own_window():
    potential = random_potential(2, mode="zbl")
    compiled = compile_potential(potential)
    # Al-Al has the larger inner cutoff: the farther Al is deeper inside its window than the nearer Cu
    atoms = Atoms("Al2Cu", [[0, 0, 0], [0, 0, 2.02], [1.99, 0, 0]])
    found = predict_compiled(compiled, compiled.layout.vector(), *prepared(atoms, potential.cutoff)).atomic_energies
    np.testing.assert_allclose(found, naive.atomic_energies(potential, atoms), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("ls", [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]])
def test_sum_tangents_into__adds_the_sums_over_slots(ls, n):
    rng = np.random.default_rng(n)
    sizes = 2 * np.array(ls) + 1
    starts = np.concatenate([[0], np.cumsum(sizes)])
    row_l = np.array([9, *ls], dtype=np.int32)  # the first row is of another bond
    row_a = np.array([0, *starts[:-1]], dtype=np.int32)
    first, n_rows, ylm_first, stride, width = 1, len(ls), 2, 16, 36
    radials, changes = rng.normal(size=(2, n, stride, LANES))
    ylm, dylm = rng.normal(size=(2, ylm_first + n, width, LANES))
    tangents = rng.normal(size=(starts[-1], LANES))
    row = np.repeat(np.arange(n_rows), sizes)
    lm = np.concatenate([np.arange(l * l, (l + 1) ** 2) for l in ls])
    r, dr, y, dy = radials[:, row], changes[:, row], ylm[ylm_first:, lm], dylm[ylm_first:, lm]
    expected = tangents + (dr * y + r * dy).sum(axis=0)
    pairs.sum_tangents_into(n_rows, first, row_l, row_a, n, radials, changes, stride, ylm, dylm, ylm_first, width, tangents)
    np.testing.assert_allclose(tangents, expected, rtol=0, atol=1e-13)
