"""BFGS with the inverse Hessian updated in O(n^2) operations or less, and the step rule shared with nothing else.

The iterates are those of scipy's `BFGS` up to rounding, which multiplies dense n x n matrices in each iteration, O(n^3). All
sums over parameters run in an order that does not depend on the number of threads (no BLAS), so that a fit can be replayed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.fit.line_search import Trial, search_step
from acefit.kernels.updates import add_updates, update_and_apply

Vector = NDArray[np.float64]

DENSE_PARAMETERS = 2000
"""Most parameters of which the inverse Hessian is one matrix; it does not depend on the iterations to come, which may grow."""

UPDATE_ROWS = 32
"""Vectors in one block of updates."""


class Outcome(NamedTuple):
    """Last point of a minimisation, why it ended, whether that is convergence, and the iterations made."""

    x: Vector
    reason: str
    converged: bool
    iterations: int


class InverseHessian:
    """Inverse Hessian of BFGS: the unit matrix and the update of each iteration, s w^T + w s^T.

    Parameters
    ----------
    n : int
        Number of parameters; k updates take 16 n k bytes, and a product with a vector 4 n k operations.
    """

    def __init__(self, n: int) -> None:
        self._blocks: list[Vector] = []
        self._n, self._used = n, UPDATE_ROWS

    def apply(self, *vectors: Vector) -> list[Vector]:
        """Products of the matrix with vectors, shape (n,) each."""
        stack = np.array(vectors)
        results = stack.copy()
        for block in self._blocks:
            add_updates(block, self._used if block is self._blocks[-1] else UPDATE_ROWS, stack, results)
        return list(results)

    def add(self, s: Vector, w: Vector) -> None:
        """Add s w^T + w s^T."""
        if self._used == UPDATE_ROWS:
            self._blocks.append(np.empty((UPDATE_ROWS, self._n)))
            self._used = 0
        self._blocks[-1][self._used] = s
        self._blocks[-1][self._used + 1] = w
        self._used += 2

    def update(self, s: Vector, y: Vector, gradient: Vector) -> Vector:
        """Add the pair (s, y) and return the product of the new matrix with the new gradient.

        H' = (1 - rho s y^T) H (1 - rho y s^T) + rho s s^T, written as H' = H + s w^T + w s^T.
        """
        v, u = self.apply(y, gradient)
        curvature = dot(y, s)
        rho = 1000.0 if curvature == 0.0 else 1.0 / curvature
        w = 0.5 * (rho * rho * dot(y, v) + rho) * s - rho * v
        self.add(s, w)
        return u + s * dot(w, gradient) + w * dot(s, gradient)


class DenseInverseHessian(InverseHessian):
    """The same as one matrix of 8 n^2 bytes, kept with its last update pending so that each iteration passes over it once."""

    def __init__(self, n: int) -> None:
        self.matrix = np.eye(n)
        self._pending = np.empty(0), np.empty(0)

    def apply(self, *vectors: Vector) -> list[Vector]:
        """Products of the matrix with vectors, shape (n,) each."""
        stack = np.array(vectors)
        results = np.empty_like(stack)
        update_and_apply(self.matrix, *self._pending, stack, results)
        self._pending = np.empty(0), np.empty(0)
        return list(results)

    def add(self, s: Vector, w: Vector) -> None:
        """Add s w^T + w s^T at the next product."""
        self._pending = s, w


def inverse_hessian(n: int) -> InverseHessian:
    """The cheaper form: a matrix of many parameters costs more than the updates of n / 2 iterations."""
    return InverseHessian(n) if n > DENSE_PARAMETERS else DenseInverseHessian(n)


def dot(a: Vector, b: Vector) -> float:
    """Scalar product in an order that is independent of threads."""
    return float(np.einsum("i,i->", a, b))


class BfgsOptions(NamedTuple):
    """Options of BFGS, named as in scipy.

    Attributes
    ----------
    gtol, norm : converged when the norm of that order of the gradient is at most gtol
    xrtol : converged when the step is at most xrtol (xrtol + norm of x)
    c1, c2 : constants of the Wolfe conditions
    """

    gtol: float = 1e-8
    norm: float = math.inf
    xrtol: float = 0.0
    c1: float = 1e-4
    c2: float = 0.9


def minimize_bfgs(
    evaluate: Callable[[Vector], tuple[float, Vector]],
    x0: Vector,
    *,
    maxiter: int,
    options: BfgsOptions,
    accept: Callable[[Vector], None],
) -> Outcome:
    """Minimise by BFGS.

    Parameters
    ----------
    evaluate : callable
        Value and gradient (n,) at x (n,); trial points may give values that are not finite.
    x0 : float64, shape (n,)
        Start, where value and gradient are finite.
    maxiter : int
        Largest number of iterations.
    options : BfgsOptions
        Tolerances.
    accept : callable
        Called with each accepted point; StopIteration ends the minimisation there.

    Returns
    -------
    Outcome

    References
    ----------
    Nocedal and Wright, Numerical Optimization (2006), Eq. 6.17; first steps as in scipy.
    """
    x = x0.copy()
    value, gradient = evaluate(x)
    previous_value = value + math.sqrt(dot(gradient, gradient)) / 2.0
    hessian = inverse_hessian(len(x))
    direction = -gradient
    for iteration in range(maxiter):
        if np.linalg.norm(gradient, options.norm) <= options.gtol:
            return Outcome(x, "converged: gradient below gtol", True, iteration)
        found = _find_step(evaluate, x, direction, (value, previous_value), gradient, (options.c1, options.c2))
        if found is None:
            return Outcome(x, "line search failed (precision loss)", False, iteration)
        alpha, new_value, new_gradient = found
        s, y = alpha * direction, new_gradient - gradient
        x = x + s
        value, previous_value, gradient = new_value, value, new_gradient
        try:
            accept(x)
        except StopIteration as stop:
            return Outcome(x, str(stop) or "stopped by callback", False, iteration + 1)
        if np.linalg.norm(s, options.norm) <= options.xrtol * (options.xrtol + np.linalg.norm(x, options.norm)):
            return Outcome(x, "converged: step below xrtol", True, iteration + 1)
        direction = -hessian.update(s, y, gradient)
    converged = bool(np.linalg.norm(gradient, options.norm) <= options.gtol)
    return Outcome(x, "converged: gradient below gtol" if converged else "maxiter reached", converged, maxiter)


def _find_step(
    evaluate: Callable[[Vector], tuple[float, Vector]],
    x: Vector,
    direction: Vector,
    values: tuple[float, float],
    gradient: Vector,
    wolfe: tuple[float, float],
) -> tuple[float, float, Vector] | None:
    """Step length, value and gradient that satisfy the Wolfe conditions; None if neither search finds any."""
    value, previous_value = values
    slope = dot(gradient, direction)
    gradients: dict[float, Vector] = {}

    def phi(step: float) -> tuple[float, float]:
        trial_value, trial_gradient = evaluate(x + step * direction)
        gradients.clear()
        gradients[step] = trial_gradient
        return trial_value, dot(trial_gradient, direction)

    first = 1.0
    if slope != 0.0:
        guess = 1.01 * 2.0 * (value - previous_value) / slope
        first = min(1.0, guess) if guess >= 0.0 else 1.0
    trial = search_step(phi, Trial(0.0, value, slope), first, c1=wolfe[0], c2=wolfe[1]) if first > 0.0 else None
    if trial is not None:
        return trial.step, trial.value, gradients[trial.step]
    return _fallback_step(evaluate, x, direction, values, gradient, wolfe)


def _fallback_step(
    evaluate: Callable[[Vector], tuple[float, Vector]],
    x: Vector,
    direction: Vector,
    values: tuple[float, float],
    gradient: Vector,
    wolfe: tuple[float, float],
) -> tuple[float, float, Vector] | None:
    """Second search (bracketing and zoom), as scipy does when the first one fails."""
    # Needed in few fits, and a sixth of the time a fit takes to start
    from scipy.optimize import line_search

    memory: dict[bytes, tuple[float, Vector]] = {}

    def remembered(point: Vector) -> tuple[float, Vector]:
        key = point.tobytes()
        if key not in memory:
            memory.clear()
            result = evaluate(point)
            memory[key] = result if math.isfinite(result[0]) else (math.inf, np.zeros_like(point))
        return memory[key]

    def value_at(point: Vector) -> float:
        return remembered(point)[0]

    def gradient_at(point: Vector) -> Vector:
        return remembered(point)[1]

    with warnings.catch_warnings():
        # scipy announces a failed search by a warning; here the stop reason says it
        warnings.simplefilter("ignore")
        alpha, _, _, new_value, _, new_slope = line_search(
            value_at,
            gradient_at,
            x,
            direction,
            gradient,
            values[0],
            values[1],
            c1=wolfe[0],
            c2=wolfe[1],
            amax=1e100,
        )
    if alpha is None or new_value is None or new_slope is None or not math.isfinite(new_value):
        return None
    return float(alpha), float(new_value), remembered(x + alpha * direction)[1]
