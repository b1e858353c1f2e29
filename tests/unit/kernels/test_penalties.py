import numpy as np
import pytest

from acefit.kernels.penalties import norms_into, smoothness_into

RNG = np.random.default_rng(3)
DERIVATIVES, FACTOR, WEIGHTS = RNG.normal(size=(4, 3, 11)), RNG.uniform(0.1, 1.0, 11), np.array([0.3, 0.0, 2.0])


def smoothness(x, start=2, n_rows=3):
    values, gradient = np.zeros(3), np.zeros(len(x))
    smoothness_into(x, start, n_rows, DERIVATIVES, FACTOR, WEIGHTS, values, gradient)
    return values, gradient


def test_smoothness_into__sums_and_their_subgradient():
    x = RNG.normal(size=17)
    values, gradient = smoothness(x)
    r = np.einsum("nk,kqg->nqg", x[2:14].reshape(3, 4), DERIVATIVES)
    np.testing.assert_allclose(values, np.einsum("nqg,g->q", np.abs(r), FACTOR), rtol=1e-13)
    expected = np.einsum("nqg,g,q,kqg->nk", np.sign(r), FACTOR, WEIGHTS, DERIVATIVES)
    np.testing.assert_allclose(gradient[2:14], expected.ravel(), rtol=0, atol=1e-13)
    assert not gradient[[0, 1, 14, 15, 16]].any()


def test_smoothness_into__has_no_slope_where_functions_are_zero():
    values, gradient = smoothness(np.zeros(17))
    assert not values.any()
    assert not gradient.any()


def test_smoothness_into__adds():
    x = RNG.normal(size=17)
    once, twice = smoothness(x), (np.zeros(3), np.zeros(17))
    for _ in range(2):
        smoothness_into(x, 2, 3, DERIVATIVES, FACTOR, WEIGHTS, *twice)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=1e-15)


def test_smoothness_into__of_no_functions():
    values, gradient = smoothness(RNG.normal(size=17), n_rows=0)
    assert not values.any()
    assert not gradient.any()


def test_norms_into__are_those_of_the_parameters_from_the_start_on():
    x = np.array([5.0, -7.0, 1.5, 0.0, -2.0])
    norms, gradient = np.zeros(2), np.full(5, 10.0)
    norms_into(x, 2, 0.3, 0.1, norms, gradient)
    assert norms.tolist() == [3.5, 6.25]
    assert gradient.tolist() == pytest.approx([10.0, 10.0, 10.0 + 0.3 + 0.3, 10.0, 10.0 - 0.3 - 0.4], rel=1e-15)
