"""Atoms share groups with others of their element: which ones they are changes nothing. Tolerance 1e-12, scaled."""

import numpy as np
import pytest
from ase import Atoms

from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import predict_compiled, project_compiled
from acefit.fit.loss import Loss, LossSettings
from gradients import random_weights
from models import arranged, prepared, random_potential, random_structures


@pytest.fixture(scope="module")
def compiled():
    return compile_potential(random_potential(2))


@pytest.fixture(scope="module")
def alone(compiled):
    """A cluster with both elements, and predictions of nine translated copies of it, each on its own."""
    atoms = arranged(np.random.default_rng(1), ["Al", "Cu"], 9, 5.5 * np.eye(3), False)
    return atoms, predict_compiled(compiled, compiled.layout.vector(), *prepared(atoms, compiled.potential.cutoff))


@pytest.mark.parametrize("n_atoms", range(1, 10))
def test_groups__with_unused_lanes_give_the_same_results(compiled, n_atoms):
    cell = [[2.9, 0, 0], [0.2, 2.8, 0], [0.1, 0.3, 3.0]]
    frames = [Atoms("Al", cell=np.array(cell) * (1 + 0.02 * k), pbc=True) for k in range(n_atoms)]
    x, cutoff = compiled.layout.vector(), compiled.potential.cutoff
    # One structure holds all atoms in one block; here they are separate structures of the same block or of several
    together = predict_compiled(compiled, x, *prepared(frames, cutoff))
    apart = [predict_compiled(compiled, x, *prepared(atoms, cutoff)) for atoms in frames]
    np.testing.assert_allclose(together.energies, [p.energies[0] for p in apart], rtol=1e-13)
    np.testing.assert_allclose(together.stresses, [p.stresses[0] for p in apart], rtol=0, atol=1e-13)


@pytest.mark.parametrize("n_atoms", range(1, 10))
def test_groups__of_one_structure_give_the_same_results(compiled, alone, n_atoms):
    """Supercells of one cell: n_atoms equal atoms in one structure fill groups to every remainder."""
    cell = Atoms("Cu", cell=[[2.9, 0, 0], [0.2, 2.8, 0], [0.1, 0.3, 3.0]], pbc=True)
    x, cutoff = compiled.layout.vector(), compiled.potential.cutoff
    one = predict_compiled(compiled, x, *prepared(cell, cutoff))
    many = predict_compiled(compiled, x, *prepared(cell.repeat((n_atoms, 1, 1)), cutoff))
    np.testing.assert_allclose(many.atomic_energies, np.full(n_atoms, one.energies[0]), rtol=1e-12)
    np.testing.assert_allclose(many.stresses, one.stresses, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_structures", [1, 2, 9, 70])
def test_groups__of_both_elements_give_the_same_results(compiled, alone, n_structures):
    atoms, expected = alone
    found = predict_compiled(compiled, compiled.layout.vector(), *prepared([atoms] * n_structures, compiled.potential.cutoff))
    scale = 1 + np.abs(expected.forces).max()
    np.testing.assert_allclose(found.forces, np.tile(expected.forces, (n_structures, 1)), rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(found.energies, np.full(n_structures, expected.energies[0]), rtol=1e-12)


@pytest.mark.parametrize("n_structures", [1, 3, 65])
def test_groups__gradients_of_equal_structures_add_up(n_structures):
    potential = random_potential(2)
    atoms = random_structures(potential.elements)[0]
    settings = LossSettings(kappa=0.3, kappa_stress=1.0)
    results = []
    for frames in ([atoms], [atoms] * n_structures):
        structures, neighbors = prepared(frames, potential.cutoff)
        weights = random_weights(prepared([atoms] * 2, potential.cutoff)[0]).select(
            [0] * len(frames), prepared([atoms] * 2, 1.0)[0]
        )
        loss = Loss(potential, structures, neighbors, weights, settings)
        results.append(loss(loss.layout.vector()))
    one, many = results
    np.testing.assert_allclose(many.value, n_structures * one.value, rtol=1e-12)
    scale = np.abs(many.gradient).max()
    np.testing.assert_allclose(many.gradient, n_structures * one.gradient, rtol=0, atol=1e-12 * scale)


def test_groups__projections_are_those_of_each_atom(compiled, alone):
    atoms, _ = alone
    x, cutoff = compiled.layout.vector(), compiled.potential.cutoff
    one = project_compiled(compiled, x, *prepared(atoms, cutoff))
    two = project_compiled(compiled, x, *prepared([atoms, atoms[::-1]], cutoff))
    for k, values in enumerate(one.values):
        np.testing.assert_allclose(two.values[k], values, rtol=0, atol=1e-13)
        np.testing.assert_allclose(two.values[-1 - k], values, rtol=0, atol=1e-12)
