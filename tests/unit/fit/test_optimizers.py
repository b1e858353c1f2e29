"""Optimisers on small analytic functions."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

from acefit.errors import FitError
from acefit.fit.optimizers import MAX_NON_FINITE, OPTIONS, check_options, minimize

# L-BFGS-B ends by its ftol, Adam by maxiter
OPTIMUM_TOLERANCE = {"Adam": 1e-4, "trust-constr": 1e-6, "L-BFGS-B": 1e-4}


class Sample(NamedTuple):
    value: float
    gradient: np.ndarray


def quadratic(x):
    scales = np.arange(1.0, len(x) + 1.0)
    residual = x - np.linspace(-1.0, 1.0, len(x))
    return Sample(
        float(0.5 * np.sum(scales * residual**2) + 0.25 * np.sum(residual) ** 2), scales * residual + 0.5 * np.sum(residual)
    )


def rosenbrock(x):
    return Sample(float(rosen(x)), rosen_der(x))


def options_for(method):
    return {"learning_rate": 0.05, "decay": 1e-3} if method == "Adam" else None


@pytest.mark.parametrize("method", OPTIONS)
def test_minimize__all_methods_agree_on_a_convex_problem(method):
    found = minimize(quadratic, np.zeros(6), method=method, maxiter=2000, options=options_for(method))
    np.testing.assert_allclose(found.x, np.linspace(-1.0, 1.0, 6), atol=OPTIMUM_TOLERANCE.get(method, 1e-7))
    assert found.value == quadratic(found.x).value
    assert found.evaluations >= found.iterations > 0


@pytest.mark.parametrize("method", OPTIONS)
def test_minimize__frozen_parameters_stay_and_equal_masked_gradients(method):
    x0 = np.array([0.3, -0.2, 0.5, 0.1])
    mask = np.array([True, False, True, False])

    def masked(x):
        sample = quadratic(x)
        return Sample(sample.value, np.where(mask, sample.gradient, 0.0))

    frozen = minimize(quadratic, x0, method=method, maxiter=2000, options=options_for(method), trainable=mask)
    reference = minimize(masked, x0, method=method, maxiter=2000, options=options_for(method))
    np.testing.assert_array_equal(frozen.x[~mask], x0[~mask])
    np.testing.assert_allclose(frozen.x, reference.x, atol=OPTIMUM_TOLERANCE.get(method, 1e-7))


def test_bfgs__follows_scipy_on_rosenbrock():
    x0 = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
    for maxiter in (1, 2, 5, 10, 20):
        ours = minimize(rosenbrock, x0, maxiter=maxiter)
        theirs = scipy_minimize(rosen, x0, jac=rosen_der, method="BFGS", options={"maxiter": maxiter, "gtol": 1e-8})
        # rounding differs and is amplified along the path
        np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-6, atol=1e-6)
        assert ours.evaluations == theirs.nfev
    ours = minimize(rosenbrock, x0, maxiter=200)
    np.testing.assert_allclose(ours.x, 1.0, atol=1e-7)
    assert ours.reason == "converged: gradient below gtol"
    assert ours.converged


@pytest.mark.parametrize("method", [name for name in OPTIONS if name != "Adam"])
def test_minimize__non_finite_trial_points_shorten_the_step(method):
    def walled(x):
        # minimum at (1, 1), no number beyond 1.05 and a steep start, so that the first step lands behind the wall
        if np.any(x > 1.05):
            return Sample(math.nan, np.full(2, math.nan))
        return Sample(float(np.sum((x - 1.0) ** 2 * 10.0)), 20.0 * (x - 1.0))

    found = minimize(walled, np.array([-3.0, 0.5]), method=method, maxiter=500)
    np.testing.assert_allclose(found.x, 1.0, atol=1e-5)
    assert math.isfinite(found.value)


def test_minimize__adam_leaves_non_finite_points():
    def walled(x):
        return Sample(math.inf if x[0] > 0.5 else float(-x[0]), np.array([-1.0]))

    found = minimize(walled, np.zeros(1), method="Adam", maxiter=30, options={"learning_rate": 0.2})
    assert 0.4 < found.x[0] <= 0.5
    assert found.non_finite > 0


def test_minimize__start_that_is_not_finite_is_an_error():
    with pytest.raises(FitError, match="loss of the start potential is not finite"):
        minimize(lambda x: Sample(math.nan, x), np.zeros(2))
    with pytest.raises(FitError, match=r"not finite \(value nan; the terms of all\); look for atoms"):
        minimize(lambda x: Sample(math.nan, x), np.zeros(2), explain=lambda evaluation: "; the terms of all")


@pytest.mark.parametrize("method", ["BFGS", "Adam"])
def test_minimize__loss_that_stays_not_finite_ends_at_the_best_point(method):
    values = iter([1.0])

    def only_at_first(x):
        return Sample(next(values, math.nan), np.ones_like(x))

    found = minimize(only_at_first, np.zeros(2), method=method, maxiter=10)
    assert found.reason.startswith(
        f"stopped: the loss was not finite at {MAX_NON_FINITE} trial points in a row after iteration 0"
    )
    assert not found.converged
    assert (found.value, found.non_finite) == (1.0, MAX_NON_FINITE)
    np.testing.assert_array_equal(found.x, 0.0)


@pytest.mark.parametrize("method", [name for name in OPTIONS if name != "Adam"])
def test_minimize__loss_that_is_not_finite_after_some_iterations_keeps_the_best_point(method):
    n_good = 8

    def breaks_down(x, calls=[]):  # noqa: B006 - counts the calls of one test
        calls.append(1)
        return rosenbrock(x) if len(calls) <= n_good else Sample(math.nan, np.full_like(x, math.nan))

    seen = []
    start = np.array([-1.2, 1.0])
    found = minimize(breaks_down, start, method=method, maxiter=50, callback=lambda i, x, e: seen.append(e.value))
    assert not found.converged
    assert found.reason
    assert found.value == min(seen) == rosenbrock(found.x).value


@pytest.mark.parametrize("rate", [1e6, 1e200])
def test_minimize__exploding_parameters_are_noticed_and_the_best_point_is_kept(rate):
    with np.errstate(over="ignore", invalid="ignore"):
        found = minimize(quadratic, np.ones(3), method="Adam", maxiter=100, options={"learning_rate": rate})
    assert found.reason.startswith(("stopped: diverging, the loss of iteration 1 is", "stopped: the loss was not finite"))
    assert found.value == quadratic(found.x).value <= quadratic(np.ones(3)).value


@pytest.mark.parametrize("method", [name for name in OPTIONS if name != "Adam"])
def test_minimize__huge_first_step_does_not_explode(method):
    def steep(x):
        return Sample(float(np.sum(np.expm1(np.abs(50.0 * x)))), 50.0 * np.sign(x) * np.exp(np.abs(50.0 * x)))

    with np.errstate(over="ignore", invalid="ignore"):
        found = minimize(steep, np.full(3, 3.0), method=method, maxiter=200)
    assert math.isfinite(found.value)
    # Newton-CG leaves its line search instead
    assert found.value < steep(np.full(3, 3.0)).value or found.reason == "line search failed (precision loss)"


def test_minimize__says_when_nothing_was_gained():
    found = minimize(quadratic, np.linspace(-1.0, 1.0, 3) + 1e-3, method="Adam", maxiter=2, options={"learning_rate": 5.0})
    assert found.reason == "maxiter reached; none of 2 iterations improved on the start, which is kept"


def test_minimize__stalled_optimiser_ends_with_a_reason():
    def rounded(x):
        # flat to the precision of its values although the gradient does not vanish
        return Sample(1.0, np.full_like(x, 1e-3))

    for method in ("BFGS", "L-BFGS-B", "CG", "Newton-CG"):
        found = minimize(rounded, np.ones(3), method=method, maxiter=50)
        assert found.reason in (
            "line search failed (precision loss)",
            "converged: relative decrease below ftol",
            "converged: step below xtol",
        )
        assert found.iterations < 50
        np.testing.assert_array_equal(found.value, 1.0)


@pytest.mark.parametrize("method", OPTIONS)
def test_minimize__callback_sees_every_iteration_and_may_stop(method):
    seen = []

    def callback(iteration, x, evaluation):
        assert evaluation.value == quadratic(x).value
        seen.append(iteration)
        if iteration == 2:
            raise StopIteration("enough")

    found = minimize(quadratic, np.full(5, 3.0), method=method, maxiter=50, callback=callback)
    assert seen == [0, 1, 2]
    assert found.reason == "enough"
    assert not found.converged
    assert found.iterations == 2


@pytest.mark.parametrize("method", [name for name in OPTIONS if name != "Adam"])
def test_minimize__reports_maxiter(method):
    found = minimize(rosenbrock, np.array([-1.2, 1.0]), method=method, maxiter=2)
    # trust-constr counts steps that it rejects
    assert found.reason.removesuffix("; none of 2 iterations improved on the start, which is kept") == "maxiter reached"
    assert not found.converged


def test_minimize__no_iterations_return_the_start():
    found = minimize(quadratic, np.ones(3), maxiter=0)
    np.testing.assert_array_equal(found.x, 1.0)
    assert (found.iterations, found.evaluations, found.reason) == (0, 1, "maxiter reached")


def test_minimize__line_search_failure_is_named():
    def wrong_gradient(x):
        return Sample(float(np.sum(x**2)), -2.0 * x)

    for method in ("BFGS", "L-BFGS-B", "CG"):
        found = minimize(wrong_gradient, np.ones(3), method=method, maxiter=20)
        assert found.reason == "line search failed (precision loss)"


def test_minimize__evaluation_limit_of_lbfgsb_is_named():
    found = minimize(rosenbrock, np.array([-1.2, 1.0]), method="L-BFGS-B", options={"maxfun": 3})
    assert found.reason == "number of evaluations (maxfun) reached"


@pytest.mark.parametrize("method", OPTIONS)
def test_minimize__same_path_twice(method):
    paths = [[], []]
    for path in paths:
        minimize(
            rosenbrock,
            np.array([-1.2, 1.0, 0.4]),
            method=method,
            maxiter=15,
            callback=lambda i, x, e, p=path: p.append(x.tobytes()),
        )
    assert paths[0] == paths[1]


def test_minimize__returns_the_best_point_not_the_last():
    found = minimize(quadratic, np.array([0.0, 0.0]), method="Adam", maxiter=2, options={"learning_rate": 5.0})
    np.testing.assert_array_equal(found.x, 0.0)
    assert found.value == quadratic(np.zeros(2)).value


def test_check_options__keeps_gtol_and_drops_printing():
    assert check_options("BFGS", None) == {"gtol": 1e-8}
    assert check_options("BFGS", {"disp": True, "c1": 1e-3}) == {"c1": 1e-3, "gtol": 1e-8}
    assert check_options("CG", {"gtol": 1e-5}) == {"gtol": 1e-5}


def test_check_options__batch_size_is_a_whole_number():
    assert check_options("Adam", {"batch_size": 16.0})["batch_size"] == 16
    for wrong in (0, 1.5, False, float("inf"), float("nan")):
        with pytest.raises(FitError, match=r"fit\.options: batch_size must be a whole number, 1 or more; got"):
            check_options("Adam", {"batch_size": wrong})
    with pytest.raises(FitError, match="BFGS has no option 'batch_size'"):
        check_options("BFGS", {"batch_size": 16})


def test_minimize__adam_takes_steps_along_minibatches_of_the_trainable_parameters():
    x0, mask = np.array([0.3, -0.2, 0.5]), np.array([True, False, True])
    seen = []

    def halves(epoch):
        def half(x):
            seen.append((epoch, x.copy()))
            return quadratic(x)

        return [half, half]

    options = {"learning_rate": 0.05}
    found = minimize(quadratic, x0, method="Adam", maxiter=3, options=options, trainable=mask, minibatches=halves)
    assert [epoch for epoch, _ in seen] == [1, 1, 2, 2, 3, 3]
    assert all(x[1] == x0[1] for _, x in seen)
    assert (found.iterations, found.evaluations) == (3, 4)
    longer = minimize(quadratic, x0, method="Adam", maxiter=6, options=options, trainable=mask)
    np.testing.assert_array_equal(found.x, longer.x)


def test_check_options__unknown_names_are_errors():
    with pytest.raises(FitError, match=r"fit\.optimizer: 'Nelder-Mead' is not available"):
        check_options("Nelder-Mead", None)
    with pytest.raises(FitError, match=r"BFGS has no option 'gtoll'; it knows gtol"):
        check_options("BFGS", {"gtoll": 1e-3})


def test_minimize__masks_are_checked():
    with pytest.raises(FitError, match="no parameter is trainable"):
        minimize(quadratic, np.zeros(2), trainable=np.zeros(2, dtype=bool))
    with pytest.raises(FitError, match=r"mask of trainable parameters has shape \(3,\)"):
        minimize(quadratic, np.zeros(2), trainable=np.ones(3, dtype=bool))


def test_minimize__step_tolerance_of_bfgs():
    found = minimize(rosenbrock, np.array([-1.2, 1.0]), options={"gtol": 0.0, "xrtol": 1e-3})
    assert found.reason == "converged: step below xrtol"


def test_minimize__callback_may_stop_without_a_reason_and_at_the_start():
    def stop(iteration, x, evaluation):
        raise StopIteration

    found = minimize(rosenbrock, np.array([-1.2, 1.0]), callback=stop)
    assert (found.reason, found.iterations, found.evaluations) == ("stopped by callback", 0, 1)


def test_minimize__scales_are_units_of_the_parameters():
    """The path in units is that of the transformed function, and frozen parameters keep their places."""
    scales, x0, mask = np.array([1.0, 2.0, 0.5, 4.0]), np.array([0.3, -0.2, 0.5, 0.1]), np.array([True, True, False, True])

    def transformed(z):
        sample = quadratic(z * scales)
        return Sample(sample.value, sample.gradient * scales)

    points = []
    found = minimize(
        quadratic, x0, method="ScaledBFGS", trainable=mask, scales=scales, callback=lambda *state: points.append(state[1])
    )
    expected = []
    minimize(transformed, x0 / scales, trainable=mask, callback=lambda *state: expected.append(state[1] * scales))
    np.testing.assert_allclose(points, expected, rtol=1e-14)
    assert found.x[2] == x0[2]


def test_minimize__scaled_bfgs_without_scales_is_bfgs():
    one, two = (minimize(rosenbrock, np.array([-1.2, 1.0]), method=method) for method in ("BFGS", "ScaledBFGS"))
    np.testing.assert_array_equal(one.x, two.x)
    assert one.evaluations == two.evaluations
