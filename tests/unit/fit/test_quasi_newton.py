"""BFGS with its O(n^2) update."""

import numpy as np

from acefit.fit.quasi_newton import BfgsOptions, InverseHessian, dot, minimize_bfgs


def test_inverse_hessian__equals_the_textbook_update():
    rng = np.random.default_rng(1)
    n = 37
    hessian = InverseHessian(n)
    hessian._rows, hessian._scratch = 5, np.empty((5, n))
    dense = np.eye(n)
    gradient = rng.normal(size=n)
    for _ in range(4):
        s, y, gradient = rng.normal(size=(3, n))
        y = y if s @ y > 0 else -y
        rho = 1.0 / (s @ y)
        left = np.eye(n) - rho * np.outer(s, y)
        dense = left @ dense @ left.T + rho * np.outer(s, s)
        np.testing.assert_allclose(hessian.update(s, y, gradient), dense @ gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(hessian.apply(gradient)[0], dense @ gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(hessian.matrix, hessian.matrix.T, rtol=1e-12, atol=1e-12)


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
