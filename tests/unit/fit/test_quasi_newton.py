"""BFGS with its O(n^2) update."""

import numpy as np
import pytest

from acefit.fit import quasi_newton
from acefit.fit.quasi_newton import (
    DENSE_PARAMETERS,
    UPDATE_ROWS,
    BfgsOptions,
    DenseInverseHessian,
    InverseHessian,
    dot,
    inverse_hessian,
    minimize_bfgs,
)


def small_blocks(n):
    hessian = DenseInverseHessian(n)
    hessian._rows, hessian._scratch = 5, np.empty((5, n))
    return hessian


@pytest.mark.parametrize("form", [InverseHessian, DenseInverseHessian, small_blocks])
def test_inverse_hessian__equals_the_textbook_update(form):
    rng = np.random.default_rng(1)
    n, spread = 37, np.geomspace(0.1, 10.0, 37)
    hessian, dense, gradient = form(n), np.eye(n), rng.normal(size=n)
    np.testing.assert_array_equal(hessian.apply(gradient)[0], gradient)
    for _ in range(UPDATE_ROWS):  # two blocks of updates
        s, gradient = rng.normal(size=(2, n))
        y = spread * s
        rho = 1.0 / (s @ y)
        left = np.eye(n) - rho * np.outer(s, y)
        dense = left @ dense @ left.T + rho * np.outer(s, s)
        np.testing.assert_allclose(hessian.update(s, y, gradient), dense @ gradient, rtol=1e-9, atol=1e-9)
    one, two = hessian.apply(gradient, y)
    np.testing.assert_allclose(one, dense @ gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(two, dense @ y, rtol=1e-9, atol=1e-9)


def test_inverse_hessian__matrix_stays_symmetric():
    rng = np.random.default_rng(1)
    hessian = small_blocks(37)
    for _ in range(4):
        s, y, gradient = rng.normal(size=(3, 37))
        hessian.update(s, y if s @ y > 0 else -y, gradient)
    hessian.apply(gradient)
    np.testing.assert_allclose(hessian.matrix, hessian.matrix.T, rtol=1e-12, atol=1e-12)


def test_inverse_hessian__is_a_matrix_only_where_that_is_small():
    assert type(inverse_hessian(DENSE_PARAMETERS)) is DenseInverseHessian
    assert type(inverse_hessian(DENSE_PARAMETERS + 1)) is InverseHessian


def test_minimize_bfgs__both_forms_make_the_same_steps(monkeypatch):
    spread = np.geomspace(0.05, 20.0, 50)

    def points(limit):
        monkeypatch.setattr(quasi_newton, "DENSE_PARAMETERS", limit)
        seen = []
        minimize_bfgs(
            lambda x: (float(np.sum(spread * (x**2 + 0.1 * x**4))), spread * (2.0 * x + 0.4 * x**3)),
            np.linspace(-1.0, 2.0, 50),
            maxiter=40,
            options=BfgsOptions(),
            accept=lambda x: seen.append(x.copy()),
        )
        return np.array(seen)

    np.testing.assert_allclose(points(10), points(1000), rtol=1e-8, atol=1e-9)


def test_minimize_bfgs__second_search_takes_over_when_values_do_not_change():
    # phi(0) equals the previous value at the second step, so that the first trial step would be zero
    calls = []

    def evaluate(x):
        calls.append(x.copy())
        return float(np.sum(np.abs(x) ** 1.5)), 1.5 * np.sqrt(np.abs(x)) * np.sign(x)

    found = minimize_bfgs(evaluate, np.array([1.0, 2.0]), maxiter=200, options=BfgsOptions(gtol=1e-4), accept=lambda x: None)
    np.testing.assert_allclose(found.x, 0.0, atol=1e-6)
    assert found.converged


def test_dot__sums_in_one_fixed_order():
    a = np.random.default_rng(3).normal(size=100_001)
    assert dot(a, a) == dot(a.copy(), a.copy())
    assert abs(dot(a, a) / np.sum(a * a) - 1.0) < 1e-12
