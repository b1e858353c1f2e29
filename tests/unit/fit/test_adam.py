"""Adam."""

import math

import numpy as np

from acefit.fit.adam import AdamOptions, minimize_adam


def test_minimize_adam__first_step_has_the_length_of_the_rate():
    accepted = []
    minimize_adam(
        lambda x: (float(x @ x), 2.0 * x),
        np.array([3.0, -5.0]),
        maxiter=1,
        options=AdamOptions(learning_rate=0.25),
        accept=accepted.append,
    )
    np.testing.assert_allclose(accepted[0], [2.75, -4.75], rtol=1e-8)


def test_minimize_adam__steps_decay():
    accepted = [np.zeros(1)]
    minimize_adam(
        lambda x: (float(x[0]), np.ones(1)),
        np.zeros(1),
        maxiter=3,
        options=AdamOptions(learning_rate=1.0, decay=1.0),
        accept=accepted.append,
    )
    np.testing.assert_allclose(np.diff(np.ravel(accepted)), [-1.0, -1.0 / 2.0, -1.0 / 3.0], rtol=1e-6)


def test_minimize_adam__halves_the_rate_where_the_loss_is_not_finite():
    values = []

    def evaluate(x):
        values.append(x[0])
        return (math.nan if x[0] < -0.3 else float(x[0])), np.ones(1)

    found = minimize_adam(evaluate, np.zeros(1), maxiter=1, options=AdamOptions(learning_rate=1.0), accept=lambda x: None)
    np.testing.assert_allclose(values, [0.0, -1.0, -0.5, -0.25], rtol=1e-6)
    assert found.reason == "maxiter reached"


def test_minimize_adam__ends_where_the_gradient_vanishes():
    found = minimize_adam(lambda x: (0.0, np.zeros(1)), np.ones(1), maxiter=5, options=AdamOptions(), accept=lambda x: None)
    assert (found.reason, found.iterations) == ("converged: gradient below gtol", 0)
