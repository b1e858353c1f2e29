"""One interface to all optimisers: frozen parameters are left out, non-finite losses shorten the step, the best point is kept.

`BFGS`, `ScaledBFGS` (the same in the units of `acefit.fit.scaling`) and `Adam` are our own (`acefit.fit.quasi_newton`,
`acefit.fit.adam`); `L-BFGS-B`, `CG`, `Newton-CG` and `trust-constr` are scipy's. Newton-CG multiplies Hessian and vector by
finite differences of the gradient, as scipy does without a Hessian.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acefit.errors import FitError
from acefit.fit.adam import AdamOptions, Epochs, StateMemory, minimize_adam
from acefit.fit.quasi_newton import BfgsOptions, Outcome, Vector, minimize_bfgs

GTOL = 1e-8
SCIPY_OPTIONS = {
    "L-BFGS-B": ("gtol", "ftol", "maxcor", "maxfun", "maxls"),
    "CG": ("gtol", "norm", "c1", "c2"),
    "Newton-CG": ("xtol", "c1", "c2"),
    "trust-constr": ("gtol", "xtol", "initial_tr_radius"),
}
SCALES = ("order_scale", "radial_scale")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "BFGS": BfgsOptions._fields,
    "ScaledBFGS": (*BfgsOptions._fields, *SCALES),
    **SCIPY_OPTIONS,
    "Adam": AdamOptions._fields,
}
# accepted for the sake of old input files: the log says what they would print, gradients are exact
IGNORED_OPTIONS = ("disp", "iprint", "verbose", "return_all", "eps", "finite_diff_rel_step", "maxiter")
REMEMBERED = 4
MAX_NON_FINITE = 100
SHORTEST_STEP = 1e-150
DIVERGED = 1e10
"""A minimisation whose loss is this many times that of its start is beyond hope."""

SMALL_LOSS = 1e-8
"""Losses of a start below this count as this, so that a good start may get a little worse."""


class HasGradient(Protocol):
    """What an evaluation must offer: the loss and its gradient (n,) by all parameters."""

    @property
    def value(self) -> float:
        """Loss."""
        ...

    @property
    def gradient(self) -> NDArray[np.float64]:
        """Gradient, shape (n,)."""
        ...


Evaluate = Callable[[Vector], HasGradient]
Callback = Callable[[int, Vector, HasGradient], None]
Explain = Callable[[HasGradient], str]
"""Says in words where an evaluation is not finite."""

Minibatches = Callable[[int], Iterable[Evaluate]]
"""Estimates of the loss by the minibatches of the epoch with a number (from 1)."""


@dataclass(frozen=True)
class Minimum:
    """Result of a minimisation.

    Attributes
    ----------
    x : best accepted point, all parameters, shape (n,)
    value : loss there
    reason : why the minimisation ended
    converged : True if a tolerance was met
    iterations, evaluations : numbers of accepted steps and of loss evaluations
    non_finite : number of trial points whose loss was not finite
    seconds, seconds_evaluating : wall time in total and inside the loss; the rest is the optimiser's own and the callbacks'
    """

    x: Vector
    value: float
    reason: str
    converged: bool
    iterations: int
    evaluations: int
    non_finite: int
    seconds: float
    seconds_evaluating: float


def minimize(
    evaluate: Evaluate,
    x0: Vector,
    *,
    method: str = "BFGS",
    maxiter: int = 100,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    trainable: NDArray[np.bool_] | None = None,
    minibatches: Minibatches | None = None,
    memory: StateMemory | None = None,
    scales: NDArray[np.float64] | None = None,
    explain: Explain | None = None,
) -> Minimum:
    """Minimise a loss over its trainable parameters; the best point, also if the loss diverged or was not finite any more.

    Parameters
    ----------
    evaluate : callable
        evaluate(x) with x (n,) gives an object with `value` and `gradient` (n,).
    x0 : float64, shape (n,)
        Start.
    method : str
        A key of `OPTIONS`.
    maxiter : int
        Largest number of iterations.
    options : mapping or None
        Options of the method, see `OPTIONS`; `gtol` stays 1e-8 unless it is given (pacemaker loses it as soon as any other
        option is given).
    callback : callable or None
        callback(iteration, x, evaluation) at the start (iteration 0) and after each accepted step; StopIteration("reason")
        ends the minimisation.
    trainable : bool, shape (n,), or None
        Parameters that may change; the others do not enter the optimisation vector. All if None.
    minibatches : callable or None
        For Adam: what its steps follow; None: the full gradient, as all others do.
    memory : StateMemory or None
        Where Adam keeps its state after each epoch of minibatches (trainable parameters).
    scales : float64, shape (n,), or None
        Units in which the method sees the parameters (and the tolerances of its gradient); None: all 1.
    explain : callable or None
        What an evaluation that is not finite suffers from, for the error at the start.

    Raises
    ------
    FitError
        Unknown method or option, nothing trainable, loss not finite at the start.
    """
    mask, chosen = _checked_mask(np.shape(x0), trainable), check_options(method, options)
    began = time.perf_counter()
    objective = _Objective(evaluate, np.asarray(x0, dtype=np.float64), mask, callback, scales, explain)
    try:
        outcome = _run_method(objective, method, maxiter, chosen, minibatches, memory)
    except _HopelessError as end:
        outcome = Outcome(objective.reduced_start, f"stopped: {end}", False, objective.iterations)
    return objective.result(outcome, time.perf_counter() - began)


class _HopelessError(Exception):
    """Ends a minimisation that cannot get any better; its text is the reason."""


def _checked_mask(shape: tuple[int, ...], trainable: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    mask = np.ones(shape, dtype=bool) if trainable is None else np.asarray(trainable, dtype=bool)
    if mask.shape != shape:
        raise FitError(f"the mask of trainable parameters has shape {mask.shape}, the parameters {shape}; they must agree")
    if not mask.any():
        raise FitError("no parameter is trainable; widen fit.trainable_parameters")
    return mask


def check_options(method: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Validate the options of a method and add the default tolerance.

    Parameters
    ----------
    method : str
        A key of `OPTIONS`.
    options : mapping or None
        What the user gave.

    Returns
    -------
    dict
        Options without those that only print.

    Raises
    ------
    FitError
        Unknown method or option.
    """
    if method not in OPTIONS:
        raise FitError(f"fit.optimizer: {method!r} is not available; choose one of {', '.join(OPTIONS)}")
    chosen = {key: value for key, value in (options or {}).items() if key not in IGNORED_OPTIONS}
    for key in chosen:
        if key not in OPTIONS[method]:
            raise FitError(f"fit.options: {method} has no option {key!r}; it knows {', '.join(OPTIONS[method])}")
    tolerance = "gtol" if "gtol" in OPTIONS[method] else "xtol"
    chosen.setdefault(tolerance, GTOL)
    if "batch_size" in chosen:
        chosen["batch_size"] = _whole_number("batch_size", chosen["batch_size"])
    return chosen


def _whole_number(name: str, value: Any) -> int:
    """Whole number of at least 1; the configuration turns all numbers into floats."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value % 1 != 0:
        raise FitError(f"fit.options: {name} must be a whole number, 1 or more; got {value!r}")
    return int(value)


class _Objective:
    """The loss as a function of the trainable parameters only, with the bookkeeping of one minimisation."""

    def __init__(
        self,
        evaluate: Evaluate,
        x0: Vector,
        mask: NDArray[np.bool_],
        callback: Callback | None,
        scales: Vector | None = None,
        explain: Explain | None = None,
    ) -> None:
        self._evaluate = evaluate
        self._explain = explain
        self._scales = None if scales is None else scales[mask]
        self._base = x0
        self._mask = mask
        self._callback = callback
        self._recent: OrderedDict[bytes, HasGradient] = OrderedDict()
        self._non_finite_in_a_row = 0
        self._anchor: tuple[Vector, float, Vector] | None = None
        self.reduced_start = x0[mask].copy() if self._scales is None else x0[mask] / self._scales
        self.best_x, self.best_value, self.start_value = x0.copy(), math.inf, math.inf
        self.iterations = self.evaluations = self.non_finite = 0
        self.seconds = 0.0
        self.stop_reason: str | None = None

    def full(self, z: Vector) -> Vector:
        """All parameters, shape (n,), for the trainable ones."""
        x = self._base.copy()
        x[self._mask] = z if self._scales is None else z * self._scales
        return x

    def _reduced_gradient(self, gradient: Vector) -> Vector:
        """Gradient by the trainable parameters in their units."""
        return gradient[self._mask] if self._scales is None else gradient[self._mask] * self._scales

    def __call__(self, z: Vector) -> tuple[float, Vector]:
        """Value and gradient; infinite value and zero gradient where the loss is not finite."""
        z = np.asarray(z, dtype=np.float64)
        evaluation = self._evaluation(z)
        value, gradient = float(evaluation.value), self._reduced_gradient(evaluation.gradient)
        if math.isfinite(value) and np.isfinite(gradient).all():
            self._non_finite_in_a_row = 0
            if self._anchor is None:
                self._anchor = (z.copy(), value, gradient)
                self.best_value = self.start_value = value
            return value, gradient
        self._report_non_finite(value, evaluation)
        return math.inf, np.zeros_like(z)

    def with_barrier(self, z: Vector) -> tuple[float, Vector]:
        """Like a call, but a finite bowl around the last accepted point where the loss is not finite.

        scipy's line searches interpolate: an infinite or huge value would make their next step vanish, a bowl a few times the
        expected decrease high shortens it by about a factor of ten.
        """
        value, gradient = self(z)
        if math.isfinite(value) or self._anchor is None:
            return value, gradient
        origin, level, slope = self._anchor
        step = np.asarray(z, dtype=np.float64) - origin
        height = 10.0 * max(abs(float(step @ slope)), 0.1 * abs(level), np.finfo(float).tiny)
        length = max(float(np.linalg.norm(step)), SHORTEST_STEP)
        return level + height, (2.0 * height / length) * (step / length)

    def epochs(self, minibatches: Minibatches) -> Epochs:
        """Minibatches as functions of the trainable parameters."""
        return lambda epoch: [partial(self._estimate, evaluate) for evaluate in minibatches(epoch)]

    def _estimate(self, evaluate: Evaluate, z: Vector) -> tuple[float, Vector]:
        """Value and gradient of one minibatch; infinite value and zero gradient where it is not finite."""
        began = time.perf_counter()
        estimate = evaluate(self.full(z))
        self.seconds += time.perf_counter() - began
        value, gradient = float(estimate.value), self._reduced_gradient(estimate.gradient)
        if math.isfinite(value) and np.isfinite(gradient).all():
            return value, gradient
        self._report_non_finite(value, estimate)
        return math.inf, np.zeros_like(z)

    def begin(self) -> bool:
        """Evaluate the start and tell the callback; True if it wants no more."""
        self(self.reduced_start)
        try:
            self._tell(self.reduced_start)
        except StopIteration:
            return True
        return False

    def accept(self, z: Vector) -> None:
        """Note an accepted step and tell the callback."""
        z = np.asarray(z, dtype=np.float64)
        evaluation = self._evaluation(z)
        self.iterations += 1
        value = float(evaluation.value)
        if math.isfinite(value):
            self._anchor = (z.copy(), value, self._reduced_gradient(evaluation.gradient))
            if value < self.best_value:
                self.best_x, self.best_value = self.full(z), value
        self._tell(z)
        if value > DIVERGED * max(self.start_value, SMALL_LOSS):
            raise _HopelessError(
                f"diverging, the loss of iteration {self.iterations} is {value:.3g} (start {self.start_value:.3g}, best "
                f"{self.best_value:.3g}); the best point is kept; take shorter steps (learning_rate) or another optimizer"
            )

    def result(self, outcome: Outcome, seconds: float) -> Minimum:
        """Best point and how the minimisation ended."""
        reason, converged = self.stop_reason or outcome.reason, outcome.converged and self.stop_reason is None
        if converged and self._non_finite_in_a_row:
            # the method took a step that a wall made short for one at a minimum
            reason, converged = f"stopped: the loss is not finite around the best point, which is kept ({reason})", False
        if self.iterations and not outcome.converged and not self.best_value < self.start_value:
            reason += f"; none of {self.iterations} iterations improved on the start, which is kept"
        return Minimum(
            x=self.best_x,
            value=self.best_value,
            reason=reason,
            converged=converged,
            iterations=self.iterations,
            evaluations=self.evaluations,
            non_finite=self.non_finite,
            seconds=seconds,
            seconds_evaluating=self.seconds,
        )

    def _tell(self, z: Vector) -> None:
        if self._callback is None:
            return
        try:
            self._callback(self.iterations, self.full(z), self._evaluation(z))
        except StopIteration as stop:
            self.stop_reason = str(stop) or "stopped by callback"
            raise

    def _evaluation(self, z: Vector) -> HasGradient:
        """Evaluation at z: one of the last few, or a new one."""
        known = self._recent.get(z.tobytes())
        if known is not None:
            return known
        began = time.perf_counter()
        evaluation = self._evaluate(self.full(z))
        self.seconds += time.perf_counter() - began
        self.evaluations += 1
        self._recent[z.tobytes()] = evaluation
        while len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return evaluation

    def _report_non_finite(self, value: float, evaluation: HasGradient) -> None:
        self.non_finite += 1
        self._non_finite_in_a_row += 1
        if self._anchor is None:
            where = "" if self._explain is None else self._explain(evaluation)
            raise FitError(
                f"the loss of the start potential is not finite (value {value}{where}); look for atoms that are much too close "
                "together or for reference values that are not finite, or start from smaller coefficients"
            )
        if self._non_finite_in_a_row >= MAX_NON_FINITE:
            raise _HopelessError(
                f"the loss was not finite at {MAX_NON_FINITE} trial points in a row after iteration {self.iterations}; "
                f"the best point, loss {self.best_value:.6g}, is kept; choose another optimizer or more regularisation"
            )


def _run_method(
    objective: _Objective,
    method: str,
    maxiter: int,
    options: dict[str, Any],
    minibatches: Minibatches | None,
    memory: StateMemory | None,
) -> Outcome:
    """Run the method with a name on checked options."""
    start = objective.reduced_start
    if objective.begin() or maxiter <= 0:
        # a callback that stopped it here has left its own reason
        return Outcome(start, "maxiter reached", False, 0)
    if method in ("BFGS", "ScaledBFGS"):
        chosen = BfgsOptions(**{key: value for key, value in options.items() if key not in SCALES})
        return minimize_bfgs(objective, start, maxiter=maxiter, options=chosen, accept=objective.accept)
    if method == "Adam":
        return _minimize_adam(objective, start, maxiter, AdamOptions(**options), minibatches, memory)
    return _minimize_scipy(objective, start, method, maxiter, options)


def _minimize_adam(
    objective: _Objective,
    start: Vector,
    maxiter: int,
    options: AdamOptions,
    minibatches: Minibatches | None,
    memory: StateMemory | None,
) -> Outcome:
    """Run Adam; states are kept only where there are minibatches, the full gradient is replayed from its evaluations."""
    if minibatches is None:
        return minimize_adam(objective, start, maxiter=maxiter, options=options, accept=objective.accept)
    epochs = objective.epochs(minibatches)
    return minimize_adam(
        objective, start, maxiter=maxiter, options=options, accept=objective.accept, epochs=epochs, memory=memory
    )


def _minimize_scipy(objective: _Objective, start: Vector, method: str, maxiter: int, options: dict[str, Any]) -> Outcome:
    """Run one of scipy's methods and translate its end into words."""
    # A sixth of the time a fit takes to start, and BFGS and Adam do without
    from scipy.optimize import OptimizeResult
    from scipy.optimize import minimize as scipy_minimize

    if method == "L-BFGS-B":
        # scipy would stop a long fit after 15000 evaluations whatever maxiter is
        options.setdefault("maxfun", max(15000, 25 * maxiter))

    def accepted(intermediate_result: OptimizeResult) -> None:
        objective.accept(intermediate_result.x)

    arguments: dict[str, Any] = {"method": method, "jac": True, "callback": accepted, "options": {**options, "maxiter": maxiter}}
    result = scipy_minimize(objective.with_barrier, start, **arguments)
    reason = _scipy_reason(method, int(result.status), str(result.message))
    return Outcome(result.x, reason, reason.startswith("converged"), int(result.nit))


def _scipy_reason(method: str, status: int, message: str) -> str:
    """Stop reason in the words used for all methods."""
    text = message.upper().replace("_", " ")
    if method == "trust-constr":
        known = {0: "maxiter reached", 1: "converged: gradient below gtol", 2: "converged: trust radius below xtol"}
        return known.get(status, f"stopped: {message}")
    if status == 0:
        if "REDUCTION OF F" in text:
            return "converged: relative decrease below ftol"
        return "converged: step below xtol" if method == "Newton-CG" else "converged: gradient below gtol"
    if status == 1:
        return "number of evaluations (maxfun) reached" if "EVALUATIONS" in text and method == "L-BFGS-B" else "maxiter reached"
    if status == 2:
        return "line search failed (precision loss)"
    return f"stopped: {message}"
