"""Adam on the full gradient with a decaying step; deterministic, as no batches are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from acefit.fit.quasi_newton import Outcome, Vector


class AdamOptions(NamedTuple):
    """Options of Adam.

    Attributes
    ----------
    learning_rate : first step length, in units of the parameters
    decay : the step at iteration t is learning_rate / (1 + decay t)
    beta_1, beta_2 : memory of the first and second moment of the gradient
    epsilon : added to the root of the second moment
    gtol : converged when no component of the gradient exceeds it
    """

    learning_rate: float = 1e-3
    decay: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    gtol: float = 1e-8


def minimize_adam(
    evaluate: Callable[[Vector], tuple[float, Vector]],
    x0: Vector,
    *,
    maxiter: int,
    options: AdamOptions,
    accept: Callable[[Vector], None],
) -> Outcome:
    """Minimise by Adam; one evaluation per iteration.

    A point whose loss is not finite is left again: the step length is halved for good and the iteration repeated.

    Parameters
    ----------
    evaluate : callable
        Value and gradient (n,) at x (n,).
    x0 : float64, shape (n,)
        Start, where value and gradient are finite.
    maxiter : int
        Number of iterations.
    options : AdamOptions
        Step length and memory.
    accept : callable
        Called with each accepted point; StopIteration ends the minimisation there.

    Returns
    -------
    Outcome

    References
    ----------
    Kingma and Ba, arXiv:1412.6980 (2015), algorithm 1.
    """
    x = x0.copy()
    _, gradient = evaluate(x)
    mean, variance = np.zeros_like(x), np.zeros_like(x)
    rate = options.learning_rate
    for iteration in range(1, maxiter + 1):
        if np.max(np.abs(gradient)) <= options.gtol:
            return Outcome(x, "converged: gradient below gtol", True, iteration - 1)
        mean = options.beta_1 * mean + (1.0 - options.beta_1) * gradient
        variance = options.beta_2 * variance + (1.0 - options.beta_2) * gradient**2
        direction = (mean / (1.0 - options.beta_1**iteration)) / (
            np.sqrt(variance / (1.0 - options.beta_2**iteration)) + options.epsilon
        )
        while True:
            trial = x - rate / (1.0 + options.decay * (iteration - 1)) * direction
            value, trial_gradient = evaluate(trial)
            if math.isfinite(value):
                break
            rate *= 0.5
        x, gradient = trial, trial_gradient
        try:
            accept(x)
        except StopIteration as stop:
            return Outcome(x, str(stop) or "stopped by callback", False, iteration)
    if np.max(np.abs(gradient)) <= options.gtol:
        return Outcome(x, "converged: gradient below gtol", True, maxiter)
    return Outcome(x, "maxiter reached", False, maxiter)
