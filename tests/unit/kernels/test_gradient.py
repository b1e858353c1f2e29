"""Second pass: derivatives of the loss along random directions, and what must not contribute. Relative tolerance 1e-7."""

import numpy as np
import pytest

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.fit.loss import Loss, LossSettings
from gradients import random_loss, random_weights
from models import MODES, RADBASES, prepared, random_potential, random_structures

SETTINGS = LossSettings(kappa=0.4, kappa_stress=1.0)


def assert_directional(loss, x, seed=0, step=1e-3, tolerance=1e-7):
    """Fourth-order differences along random directions."""
    gradient, rng = loss(x).gradient, np.random.default_rng(seed)
    for _ in range(3):
        direction = rng.normal(size=len(x)) / np.sqrt(len(x))
        values = [loss(x + s * step * direction, with_gradient=False).value for s in (-2, -1, 1, 2)]
        difference = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        assert gradient @ direction == pytest.approx(difference, rel=tolerance, abs=tolerance * np.abs(gradient).max())


@pytest.mark.parametrize("radbase", RADBASES)
@pytest.mark.parametrize("tables", [False, True])
def test_gradient__of_every_radial_base(radbase, tables):
    loss = random_loss(random_potential(1, (radbase,)), SETTINGS, tables=tables)
    assert_directional(loss, loss.layout.vector())


@pytest.mark.parametrize("mode", MODES)
def test_gradient__with_and_without_core(mode):
    for core in (True, False):
        loss = random_loss(random_potential(2, mode=mode, core=core), SETTINGS)
        assert_directional(loss, loss.layout.vector())


def test_gradient__of_bonds_that_lack_some_l():
    loss = random_loss(random_potential(2, orders=((3, 2, 1), (0, 3, 3)), gaps=True), SETTINGS)
    assert_directional(loss, loss.layout.vector())


def test_gradient__at_zero_coefficients_is_finite():
    """All densities vanish there; the linear terms still have a slope."""
    loss = random_loss(random_potential(2), SETTINGS)
    x = loss.layout.vector()
    x[loss.layout.n_radial :] = 0.0
    found = loss(x)
    assert np.isfinite(found.gradient).all()
    assert found.gradient[loss.layout.n_radial :].any()
    assert not found.gradient[: loss.layout.n_radial].any()


def test_gradient__values_without_weight_do_not_count():
    potential = random_potential(1)
    frames = random_structures(potential.elements)
    structures, neighbors = prepared(frames, potential.cutoff)
    weights = random_weights(structures)
    for atoms in frames:
        atoms.calc.results["energy"] += 100.0
        atoms.calc.results["forces"] = atoms.calc.results["forces"] + 10.0
    changed = StructureSet.from_ase(frames)
    none = Weights(np.zeros_like(weights.energy), np.zeros_like(weights.force), np.zeros_like(weights.stress))
    losses = [Loss(potential, s, neighbors, none, SETTINGS) for s in (structures, changed)]
    for loss in losses:
        found = loss(loss.layout.vector())
        assert found.value == 0.0
        assert not found.gradient.any()


def test_gradient__pairs_beyond_the_cutoffs_do_not_count():
    potential = random_potential(2)
    structures = StructureSet.from_ase(random_structures(potential.elements))
    weights = random_weights(structures)
    results = []
    for margin in (0.0, 1.0):
        loss = Loss(potential, structures, build(structures, potential.cutoff + margin), weights, SETTINGS)
        results.append(loss(loss.layout.vector()).gradient)
    np.testing.assert_allclose(results[1], results[0], rtol=0, atol=1e-12 * np.abs(results[0]).max())
