"""Line search of More and Thuente: a step that satisfies the strong Wolfe conditions.

Written out here, instead of taken from scipy, for two reasons: scipy offers this search only as a private function, and a trial
point with a value that is not a number must shorten the step (an ACE density far from the data easily overflows).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

EXTRAPOLATE_LOW = 1.1
EXTRAPOLATE_HIGH = 4.0
SHRINK_NON_FINITE = 0.1
MAX_TRIALS = 100


class Trial(NamedTuple):
    """Step length, value and slope along the search direction."""

    step: float
    value: float
    slope: float


@dataclass
class Interval:
    """Best point `x`, other end `y` of the interval of uncertainty, and whether it brackets a minimum."""

    x: Trial
    y: Trial
    bracketed: bool = False


def search_step(
    phi: Callable[[float], tuple[float, float]],
    start: Trial,
    first_step: float,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    step_min: float = 1e-100,
    step_max: float = 1e100,
    xtol: float = 1e-14,
) -> Trial | None:
    """Search a step with sufficient decrease and sufficiently small slope.

    Parameters
    ----------
    phi : value and slope at a step length; they need not be finite
    start : value and (negative) slope at step 0
    first_step : first trial, > 0
    c1, c2 : constants of the Armijo and of the curvature condition, 0 < c1 < c2 < 1
    step_min, step_max, xtol : bounds of the step, and relative width of the interval at which the search gives up

    Returns
    -------
    The accepted step; None if there is none to the precision of the values.

    Notes
    -----
    More and Thuente, ACM Trans. Math. Softw. 20, 286 (1994); the constants are those of MINPACK-2.
    """
    if not start.slope < 0.0:
        return None
    interval = Interval(start, start)
    decrease_slope = c1 * start.slope
    stage_one = True
    low, high = 0.0, first_step + EXTRAPOLATE_HIGH * first_step
    widths = (step_max - step_min, 2.0 * (step_max - step_min))
    step = min(max(first_step, step_min), step_max)
    for _ in range(MAX_TRIALS):
        trial = Trial(step, *phi(step))
        if not (math.isfinite(trial.value) and math.isfinite(trial.slope)):
            step_max = step
            step = interval.x.step + SHRINK_NON_FINITE * (step - interval.x.step)
            if not step_min < step < step_max:
                return None
            continue
        decrease = start.value + step * decrease_slope
        if trial.value <= decrease and abs(trial.slope) <= -c2 * start.slope:
            return trial
        if _gives_up(interval, trial, decrease, decrease_slope, (low, high, step_min, step_max, xtol)):
            return None
        stage_one = stage_one and not (trial.value <= decrease and trial.slope >= 0.0)
        advance = _advance_modified if stage_one and decrease < trial.value <= interval.x.value else _advance
        step = advance(interval, trial, decrease_slope, low, high)
        if not math.isfinite(step):
            return None
        step, low, high, widths = _safeguard(interval, step, widths)
        step = min(max(step, step_min), step_max)
        if interval.bracketed and (not low < step < high or high - low <= xtol * high):
            step = interval.x.step
    return None


def _safeguard(interval: Interval, step: float, widths: tuple[float, float]) -> tuple[float, float, float, tuple[float, float]]:
    """Next step, its bounds and the last two widths: bisect if the interval shrinks too slowly, else limit extrapolation."""
    best, other = interval.x.step, interval.y.step
    if not interval.bracketed:
        return step, step + EXTRAPOLATE_LOW * (step - best), step + EXTRAPOLATE_HIGH * (step - best), widths
    if abs(other - best) >= 0.66 * widths[1]:
        step = best + 0.5 * (other - best)
    return step, min(best, other), max(best, other), (abs(other - best), widths[0])


def _gives_up(interval: Interval, trial: Trial, decrease: float, slope_test: float, limits: tuple[float, ...]) -> bool:
    """Say whether rounding or the bounds of the step prevent any progress."""
    low, high, step_min, step_max, xtol = limits
    if interval.bracketed and (not low < trial.step < high or high - low <= xtol * high):
        return True
    if trial.step == step_max and trial.value <= decrease and trial.slope <= slope_test:
        return True
    return trial.step == step_min and (trial.value > decrease or trial.slope >= slope_test)


def _advance_modified(interval: Interval, trial: Trial, slope_test: float, low: float, high: float) -> float:
    """Advance on psi(step) = phi(step) - c1 phi'(0) step, used until a step with sufficient decrease is known."""

    def shifted(point: Trial, sign: float) -> Trial:
        return Trial(point.step, point.value + sign * point.step * slope_test, point.slope + sign * slope_test)

    modified = Interval(shifted(interval.x, -1.0), shifted(interval.y, -1.0), interval.bracketed)
    step = _advance(modified, shifted(trial, -1.0), slope_test, low, high)
    interval.x, interval.y, interval.bracketed = shifted(modified.x, 1.0), shifted(modified.y, 1.0), modified.bracketed
    return step


def _advance(interval: Interval, trial: Trial, _slope_test: float, low: float, high: float) -> float:
    """Choose the next step and shrink the interval; NaN if the values are too flat for an interpolation."""
    best = interval.x
    opposite = trial.slope * math.copysign(1.0, best.slope) < 0.0
    try:
        step = _interpolate(interval, trial, opposite, (low, high))
    except ZeroDivisionError:
        return math.nan
    interval.bracketed = interval.bracketed or trial.value > best.value or opposite
    if trial.value > best.value:
        interval.y = trial
    else:
        if opposite:
            interval.y = best
        interval.x = trial
    return step


def _interpolate(interval: Interval, trial: Trial, opposite: bool, bounds: tuple[float, float]) -> float:
    """Next step by cubic or quadratic interpolation: the four cases of the paper."""
    best, other = interval.x, interval.y
    low, high = bounds
    if trial.value > best.value:
        return _case_higher_value(best, trial)
    if opposite:
        return _case_opposite_slopes(best, trial)
    if abs(trial.slope) < abs(best.slope):
        return _case_smaller_slope(interval, trial, low, high)
    if not interval.bracketed:
        return high if trial.step > best.step else low
    theta, gamma = _cubic(other, trial, 3.0 * (trial.value - other.value) / (other.step - trial.step))
    gamma = -gamma if trial.step > other.step else gamma
    r = ((gamma - trial.slope) + theta) / (((gamma - trial.slope) + gamma) + other.slope)
    return trial.step + r * (other.step - trial.step)


def _cubic(end: Trial, trial: Trial, secant: float) -> tuple[float, float]:
    """Auxiliary quantities theta and gamma >= 0 of the cubic through both points."""
    theta = secant + end.slope + trial.slope
    s = max(abs(theta), abs(end.slope), abs(trial.slope))
    if s == 0.0:
        return 0.0, 0.0
    gamma = s * math.sqrt(max(0.0, (theta / s) ** 2 - (end.slope / s) * (trial.slope / s)))
    return theta, gamma


def _case_higher_value(best: Trial, trial: Trial) -> float:
    """Minimum is bracketed: cubic step if closer to the best point, else half way between cubic and quadratic."""
    secant = (best.value - trial.value) / (trial.step - best.step)
    theta, gamma = _cubic(best, trial, 3.0 * secant)
    gamma = -gamma if trial.step < best.step else gamma
    r = ((gamma - best.slope) + theta) / (((gamma - best.slope) + gamma) + trial.slope)
    cubic = best.step + r * (trial.step - best.step)
    quadratic = best.step + ((best.slope / (secant + best.slope)) / 2.0) * (trial.step - best.step)
    if abs(cubic - best.step) <= abs(quadratic - best.step):
        return cubic
    return cubic + (quadratic - cubic) / 2.0


def _case_opposite_slopes(best: Trial, trial: Trial) -> float:
    """Lower value and slopes of opposite sign: the farther of cubic and secant step."""
    theta, gamma = _cubic(best, trial, 3.0 * (best.value - trial.value) / (trial.step - best.step))
    gamma = -gamma if trial.step > best.step else gamma
    r = ((gamma - trial.slope) + theta) / (((gamma - trial.slope) + gamma) + best.slope)
    cubic = trial.step + r * (best.step - trial.step)
    secant = trial.step + (trial.slope / (trial.slope - best.slope)) * (best.step - trial.step)
    return cubic if abs(cubic - trial.step) > abs(secant - trial.step) else secant


def _case_smaller_slope(interval: Interval, trial: Trial, low: float, high: float) -> float:
    """Lower value, same sign, slope decreases: the cubic may have no minimum in the direction of the step."""
    best, other = interval.x, interval.y
    theta, gamma = _cubic(best, trial, 3.0 * (best.value - trial.value) / (trial.step - best.step))
    gamma = -gamma if trial.step > best.step else gamma
    r = ((gamma - trial.slope) + theta) / ((gamma + (best.slope - trial.slope)) + gamma)
    limit = high if trial.step > best.step else low
    cubic = trial.step + r * (best.step - trial.step) if r < 0.0 and gamma != 0.0 else limit
    secant = trial.step + (trial.slope / (trial.slope - best.slope)) * (best.step - trial.step)
    closer = abs(cubic - trial.step) < abs(secant - trial.step)
    if interval.bracketed:
        step = cubic if closer else secant
        inside = trial.step + 0.66 * (other.step - trial.step)
        return min(inside, step) if trial.step > best.step else max(inside, step)
    step = secant if closer else cubic
    return min(max(step, low), high)
