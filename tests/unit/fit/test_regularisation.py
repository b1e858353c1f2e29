"""Regularisation of radial functions. Tolerances 1e-12 for the sums, 1e-6 for derivatives (central differences)."""

from dataclasses import replace

import numpy as np
import pytest

import naive
from acefit.fit.regularisation import N_GRID, build_regularisation, radial_derivatives
from acefit.potential.model import Bond
from acefit.potential.parameters import parameter_layout
from models import RADBASES, random_potential


def make_bond(radbase, k_max=4):
    return Bond(radbase, (2.5,), 5.0, 0.6, np.zeros((1, 1, k_max)), 2.0, 0.5, "distance")


def bare(bond):
    """The bond without inner cutoff and without the narrow outer window."""
    return replace(bond, rcut_in=0.0, dcut_in=0.0, dcut=0.0, inner_cutoff_type="density")


@pytest.mark.parametrize("radbase", RADBASES)
def test_radial_derivatives__are_those_of_the_functions_without_windows(radbase):
    bond, r, h = make_bond(radbase), np.array([0.02, 0.4, 1.9, 2.5, 4.3, 4.7]), 1e-4
    values = [[naive.radial_base(bare(bond), x + s * h) for x in r] for s in (-1, 0, 1)]
    low, middle, high = (np.transpose(v) for v in values)
    found = radial_derivatives(bond, r)
    np.testing.assert_allclose(found[0], middle, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found[1], (high - low) / (2 * h), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[2], (high - 2 * middle + low) / h**2, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("radbase", RADBASES)
def test_radial_derivatives__are_finite_at_zero_and_zero_beyond_the_cutoff(radbase):
    found = radial_derivatives(make_bond(radbase), np.array([1e-10, 5.0, 6.0]))
    assert np.isfinite(found).all()
    assert found[:, :, 0].any()
    assert not found[:, :, 1:].any()


def test_radial_derivatives__of_placeholders_are_zero():
    assert not radial_derivatives(make_bond("TEST_nothing"), np.array([1.0])).any()
    assert radial_derivatives(make_bond("SBessel", 0), np.array([1.0])).shape == (3, 0, 1)


@pytest.fixture(scope="module")
def potential():
    return random_potential(2)


def ordered_bonds(potential):
    return [potential.bond(a, b) for a in potential.elements for b in potential.elements]


def test_smoothness__is_the_sum_of_its_formula(potential):
    layout = parameter_layout(potential)
    found, _ = build_regularisation(potential, layout).smoothness(layout.vector(), (0.0, 0.0, 0.0))
    grid = np.linspace(1e-10, potential.cutoff - 1e-5, N_GRID)
    bonds, expected = ordered_bonds(potential), np.zeros(3)
    for bond in bonds:
        g = radial_derivatives(bond, grid)
        functions = np.einsum("nlk,qkx->qnlx", bond.crad, g)
        expected += (grid[1] - grid[0]) / bond.rcut**2 * (np.abs(functions).sum(axis=(1, 2)) @ grid**2) / len(bonds)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_orthogonality__is_the_sum_of_its_formula(potential):
    layout = parameter_layout(potential)
    found, _ = build_regularisation(potential, layout).orthogonality(layout.vector())
    expected = 0.0
    for bond in ordered_bonds(potential):
        w = np.moveaxis(bond.crad, 1, 0)
        expected += ((w @ np.swapaxes(w, 1, 2) - np.eye(bond.n_max)) ** 2).mean()
        expected += ((np.swapaxes(w, 1, 2) @ w - np.eye(bond.k_max)) ** 2).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_orthogonality__vanishes_for_orthogonal_coefficients():
    potential = random_potential(1, orders=((2, 2), (0, 1)))
    bonds = {pair: replace(bond, crad=np.stack([np.eye(2)] * 2, axis=1)) for pair, bond in potential.bonds.items()}
    potential = replace(potential, bonds=bonds)
    layout = parameter_layout(potential)
    assert build_regularisation(potential, layout).orthogonality(layout.vector())[0] == 0.0


def test_orthogonality__does_not_act_without_products():
    potential = random_potential(1, orders=((3,), (0,)))
    layout = parameter_layout(potential)
    value, gradient = build_regularisation(potential, layout).orthogonality(layout.vector())
    assert value == 0.0
    assert not gradient.any()


def test_gradients__act_on_radial_coefficients_only(potential):
    layout = parameter_layout(potential)
    regularisation = build_regularisation(potential, layout)
    for _, gradient in (
        regularisation.smoothness(layout.vector(), (1.0, 1.0, 1.0)),
        regularisation.orthogonality(layout.vector()),
    ):
        assert gradient[: layout.n_radial].any()
        assert not gradient[layout.n_radial :].any()
