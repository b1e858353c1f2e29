"""Core repulsion of a pair. Tolerances: published digits, 1e-12 against the naive twin, 1e-7 for slopes (relative)."""

import numpy as np
import pytest

import naive
from acefit.basis.compiled import bond_parameters
from acefit.kernels.core import pair_core, zbl_screened
from acefit.potential.model import Bond


def make_bond(mode, core, dcut=0.01, rcut_in=1.5, dcut_in=0.5):
    return Bond("SBessel", (1.0,), 5.0, dcut, np.zeros((1, 1, 1)), rcut_in, dcut_in, mode, core)


def core(bond, r):
    return pair_core(bond_parameters(bond, ("Al", "Ni")), r)


@pytest.mark.parametrize(
    ("mode", "parameters", "dcut", "r", "value", "slope"),
    [
        ("density", (100.0, 2.0), 0.01, 1.2, 4.04396849366, -23.7870361274),
        ("distance", (100.0, 2.0), 0.01, 1.2, 2.76025113504, -30.2120344932),
        ("zbl", (1.0, 1.0), 0.01, 1.5, 6.80785184124, -21.2300106452),
        ("zbl", (1.0, 1.0), 1.0, 1.5, 6.80413465932, -21.2300106452),
    ],
)
def test_pair_core__has_the_published_values(mode, parameters, dcut, r, value, slope):
    np.testing.assert_allclose(core(make_bond(mode, parameters, dcut), r), (value, slope), rtol=1e-11)


BONDS = [
    make_bond("density", (100.0, 2.0)),
    make_bond("density", (-30.0, -0.3)),
    make_bond("distance", (100.0, 2.0)),
    make_bond("distance", (20.0, 0.1), rcut_in=2.5, dcut_in=0.0),
    make_bond("zbl", (1.0, 1.0)),
    make_bond("zbl", (0.5, 7.0), dcut=1.5),
]


def name_of(bond):
    return f"{bond.inner_cutoff_type}-{bond.core_repulsion}"


@pytest.mark.parametrize("bond", BONDS, ids=name_of)
def test_pair_core__equals_the_naive_twin(bond):
    for r in (0.2, 0.7, 1.0, 1.2, 1.5, 2.5, 3.6, 4.2, 4.995, 5.0, 6.0):
        np.testing.assert_allclose(core(bond, r)[0], naive.pair_core(bond, ("Al", "Ni"), r), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("bond", BONDS, ids=name_of)
def test_pair_core__slope_is_the_derivative(bond):
    h = 1e-5
    for r in (0.3, 0.9, 1.2, 1.4, 2.2, 3.7, 4.5, 4.993):
        difference = (core(bond, r + h)[0] - core(bond, r - h)[0]) / (2 * h)
        np.testing.assert_allclose(core(bond, r)[1], difference, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("bond", BONDS, ids=name_of)
def test_pair_core__vanishes_at_the_cutoff(bond):
    assert core(bond, 5.0) == (0.0, 0.0)
    np.testing.assert_allclose(core(bond, 5.0 - 1e-9), 0.0, atol=1e-8)


def test_pair_core__without_prefactor_is_zero():
    assert core(make_bond("zbl", (0.0, 1.0)), 0.5) == (0.0, 0.0)


def test_zbl_screened__equals_the_naive_twin():
    np.testing.assert_allclose(zbl_screened(1.3, 0.11), naive.screened(1.3, 0.11)[:2], rtol=1e-13)
