"""Radial base functions of a bond, as g_k. Tolerances: published digits, 1e-12 against the naive twin, 1e-7 for derivatives."""

import numpy as np
import pytest

import naive
from acefit.basis import compiled
from acefit.basis.compiled import base_maps, bond_parameters, radial_kind
from acefit.kernels import radial
from acefit.kernels._jit import LANES, kernel
from acefit.kernels.vectors import load, store
from acefit.potential.model import Bond

DISTANCES = np.array([0.02, 0.3, 0.99, 1.3, 1.6, 1.99, 2.0, 2.2, 2.5, 3.1, 4.2, 4.49, 4.5, 4.501, 4.999, 5.0, 5.7])


def make_bond(radbase, lam=2.0, dcut=0.01, k_max=4, rcut=5.0, **others):
    return Bond(radbase, (lam,), rcut, dcut, np.zeros((1, 1, k_max)), **others)


def radial_base(bond, r):
    """g_k and slopes, shape (k_max, n), through the kernels and the base maps."""
    parameters = bond_parameters(bond, ("Al", "Ni"))
    return compiled.radial_base(radial_kind(bond), parameters, base_maps(bond), np.asarray(r, dtype=float))


PUBLISHED = [
    ("ChebExpCos", 5.25, 0.01, 1.0, [0.904508497187, 0.31341991937, 0.819268961988, 0.816423073658]),
    ("ChebExpCos", 5.25, 0.01, 2.5, [0.5, 0.0337733455698, 0.125968271311, 0.25167492853]),
    ("ChebExpCos", 5.25, 0.01, 4.5, [0.0244717418524, 8.91336356127e-05, 0.000355235933624, 0.000794429987287]),
    ("ChebExpCos", 5.25, 1.0, 4.5, [0.0122358709262, 4.45668178064e-05, 0.000177617966812, 0.000397214993643]),
    ("ChebPow", 2.0, 0.01, 1.0, [0.64, 0.9216, 0.123904, 0.28901376]),
    ("ChebPow", 2.0, 0.01, 4.5, [0.01, 0.0396, 0.087616, 0.15212736]),
    ("ChebLinear", 2.0, 0.01, 2.5, [0.25, 0.75, 1.0, 0.75]),
    ("ChebLinear", 2.0, 0.01, 4.5, [0.45, 0.99, 0.648, 0.0396]),
    ("SBessel", 2.0, 0.01, 1.0, [0.601500955008, -0.657527099088, 0.443911005727, -0.0632374101137]),
    ("SBessel", 2.0, 0.01, 2.5, [0.22627416998, 0.241897262726, -0.0987541439757, -0.249119662132]),
    ("TEST_SBessel", 2.0, 0.01, 4.5, [0.00190125214857, 0.00686513712752, 0.0159910575982, 0.0296844164082]),
]
PUBLISHED_SLOPES = [
    ("ChebExpCos", 5.25, [-0.184658183049, -0.398086589356, -0.5775094119, 0.457805461558]),
    ("ChebPow", 2.0, [-0.32, 0.3584, 0.658944, -1.20881152]),
    ("SBessel", 2.0, [-0.204117424376, 0.816834922957, -1.57122154942, 2.00690854999]),
]
BONDS = [
    make_bond("ChebExpCos", 5.25),
    make_bond("ChebExpCos", 3.0, dcut=0.5, k_max=7),
    make_bond("ChebPow", 2.0),
    make_bond("ChebPow", 2.7, k_max=1),
    make_bond("ChebLinear"),
    make_bond("SBessel", k_max=8),
    make_bond("SBessel", k_max=1, rcut=4.5),
    make_bond("SBessel", rcut_in=2.0, dcut_in=0.5, inner_cutoff_type="distance"),
    make_bond("ChebExpCos", 3.0, 0.5, rcut_in=2.0, dcut_in=0.0, inner_cutoff_type="distance"),
    make_bond("ChebPow", rcut_in=2.0, dcut_in=0.5, inner_cutoff_type="density"),
    make_bond("ChebPow", rcut_in=2.0, dcut_in=0.5, inner_cutoff_type="zbl"),
    make_bond("ChebPow", rcut_in=2.0, dcut_in=0.0, inner_cutoff_type="zbl"),
    make_bond("TEST_nothing"),
]


def name_of(bond):
    return f"{bond.radbase}-{bond.k_max}-{bond.inner_cutoff_type}-{bond.rcut_in}-{bond.dcut_in}-{bond.dcut}"


@pytest.mark.parametrize(("radbase", "lam", "dcut", "r", "expected"), PUBLISHED)
def test_radial_base__has_the_published_values(radbase, lam, dcut, r, expected):
    values, _ = radial_base(make_bond(radbase, lam, dcut), [r])
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-11)


@pytest.mark.parametrize(("radbase", "lam", "expected"), PUBLISHED_SLOPES)
def test_radial_base__has_the_published_slopes(radbase, lam, expected):
    _, slopes = radial_base(make_bond(radbase, lam), [1.0])
    np.testing.assert_allclose(slopes[:, 0], expected, rtol=1e-11)


@pytest.mark.parametrize("bond", BONDS, ids=name_of)
def test_radial_base__equals_the_naive_twin(bond):
    values, _ = radial_base(bond, DISTANCES)
    if bond.radbase == "TEST_nothing":
        expected = np.zeros_like(values)
    else:
        expected = np.transpose([naive.radial_base(bond, r) for r in DISTANCES])
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bond", BONDS, ids=name_of)
def test_radial_base__slope_is_the_derivative(bond):
    r, h = np.array([0.3, 1.55, 1.7, 1.95, 2.4, 3.3, 4.3, 4.6, 4.9]), 1e-5
    _, slopes = radial_base(bond, r)
    difference = (radial_base(bond, r + h)[0] - radial_base(bond, r - h)[0]) / (2 * h)
    np.testing.assert_allclose(slopes, difference, atol=1e-7 * max(1.0, np.abs(difference).max()))


@pytest.mark.parametrize("bond", [b for b in BONDS if b.radbase != "ChebLinear"], ids=name_of)
def test_radial_base__vanishes_at_and_beyond_the_cutoff(bond):
    values, slopes = radial_base(bond, [bond.rcut, np.nextafter(bond.rcut, 9), bond.rcut + 1.0])
    assert not values.any()
    assert not slopes.any()
    values, slopes = radial_base(bond, [bond.rcut - 1e-9])
    np.testing.assert_allclose(values, 0.0, atol=1e-12)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-7)


def test_radial_base__cheb_linear_does_not_vanish_at_the_cutoff():
    values, _ = radial_base(make_bond("ChebLinear"), [5.0 - 1e-9, 5.0])
    np.testing.assert_allclose(values[:, 0], [0.5, 1.0, 0.5, 0.0], atol=1e-8)
    assert not values[:, 1].any()


def test_radial_base__zbl_without_width_has_no_hidden_window():
    values, _ = radial_base(make_bond("ChebPow", rcut_in=2.0, dcut_in=0.0, inner_cutoff_type="zbl"), [0.5])
    np.testing.assert_array_equal(values, radial_base(make_bond("ChebPow"), [0.5])[0])


def test_radial_base__no_pairs_are_no_work():
    values, slopes = radial_base(make_bond("SBessel"), [])
    assert values.shape == slopes.shape == (4, 0)


def test_f_poly__is_a_step_of_the_given_width():
    r = np.linspace(0.5, 3.5, 61)
    values, slopes = np.transpose([radial.f_poly(x, 2.5, 1.5) for x in r])
    np.testing.assert_allclose(values, [naive.f_poly(x, 2.5, 1.5) for x in r], atol=1e-14)
    assert (np.diff(values) <= 0).all()
    difference = [(naive.f_poly(x + 1e-5, 2.5, 1.5) - naive.f_poly(x - 1e-5, 2.5, 1.5)) / 2e-5 for x in r]
    np.testing.assert_allclose(slopes, difference, atol=1e-8)


def test_f_poly__without_width_is_one_at_the_step():
    assert [radial.f_poly(r, 2.0, 0.0) for r in (1.9, 2.0, 2.1)] == [(1.0, 0.0), (1.0, 0.0), (0.0, 0.0)]


@kernel
def apply_into(which, x, out):
    """One of the functions of vectors to all rows of x."""
    for row in range(len(x)):
        if which == 0:
            store(out, row, radial.exponential(load(x, row)))
        elif which == 1:
            store(out, row, radial.step(load(x, row), 2.5, 1.5)[0])
        else:
            store(out, row, radial.step(load(x, row), 2.5, 1.5)[1])


def applied(which, x):
    out = np.empty((len(x) // LANES, LANES))
    apply_into(which, x.reshape(-1, LANES), out)
    return out.ravel()


def test_exponential__is_exact_to_rounding():
    x = np.concatenate([np.linspace(-30.0, 5.0, 200), [-690.0, -1e-300, 0.0, -745.0, -800.0, -1e9, -700.0, 1.0]])
    np.testing.assert_allclose(applied(0, x)[:-8], np.exp(x)[:-8], rtol=4e-16)
    np.testing.assert_allclose(applied(0, x), np.exp(x), rtol=4e-16, atol=1e-303)


def test_step__is_f_poly_of_every_lane():
    x = np.linspace(0.5, 3.5, 64)
    expected = np.array([radial.f_poly(r, 2.5, 1.5) for r in x])
    np.testing.assert_allclose(applied(1, x), expected[:, 0], atol=1e-15)
    np.testing.assert_allclose(applied(2, x), expected[:, 1], atol=1e-15)


@pytest.mark.parametrize("function", ["sin_pi", "cos_pi"])
def test_short_series__are_exact_to_rounding(function):
    y = np.linspace(-0.5, 0.5, 101)
    expected = {"sin_pi": np.sin, "cos_pi": np.cos}[function](np.pi * y)
    np.testing.assert_allclose([getattr(radial, function)(v) for v in y], expected, rtol=0, atol=2.5e-16)


def test_hermite__reproduces_cubics_exactly():
    def cubic(r):
        return 0.3 + r - 0.5 * r**2 + 0.1 * r**3, 1 - r + 0.3 * r**2

    parameters, h = np.zeros(radial.N_BOND_PARAMETERS), 0.25
    parameters[radial.TABLE_BIN], parameters[radial.TABLE_N] = h, 8
    values, slopes = cubic(h * np.arange(9))
    table = np.ascontiguousarray(np.transpose([values, h * slopes]))
    for r in (0.25, 0.3, 0.99, 1.5, 1.99):
        np.testing.assert_allclose(radial.hermite(parameters, table, 0, 0, r), cubic(r), rtol=1e-13)
    assert radial.hermite(parameters, table, 0, 0, 2.0) == (0.0, 0.0)


def test_radial_base__of_a_pair_below_a_narrow_window_does_not_depend_on_its_neighbours_in_the_vector():
    bond = make_bond("ChebExpCos", lam=5.25, dcut=1e-6)
    alone = radial_base(bond, np.array([2.4]))
    beside = radial_base(bond, np.array([2.4, 4.9999999, 6.0]))
    for one, other in zip(alone, beside, strict=True):
        assert (one[:, 0] == other[:, 0]).all()
