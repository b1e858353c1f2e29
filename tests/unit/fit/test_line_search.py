"""More-Thuente line search."""

import math

import numpy as np
import pytest

from acefit.fit.line_search import Trial, search_step

FUNCTIONS = {
    # test functions 1 to 3 of More and Thuente (1994): value, slope
    "one": (lambda a: -a / (a**2 + 2.0), lambda a: (a**2 - 2.0) / (a**2 + 2.0) ** 2, 1e-3, 0.1),
    "two": (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3, 0.1, 0.1),
    "three": (
        lambda a: -a + 0.1 * math.sin(3 * a) + 0.5 * a * a / 4 if a < 8 else 1e3,
        lambda a: -1 + 0.3 * math.cos(3 * a) + a / 4,
        1e-4,
        0.1,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
def test_search_step__satisfies_the_wolfe_conditions(name, first):
    value, slope, c1, c2 = FUNCTIONS[name]
    found = search_step(lambda a: (value(a), slope(a)), Trial(0.0, value(0.0), slope(0.0)), first, c1=c1, c2=c2)
    assert found is not None
    assert found.value <= value(0.0) + c1 * found.step * slope(0.0)
    assert abs(found.slope) <= -c2 * slope(0.0)


def test_search_step__values_that_are_no_numbers_shorten_the_step():
    def phi(a):
        return (math.nan, math.nan) if a > 0.3 else ((a - 0.2) ** 2, 2 * (a - 0.2))

    found = search_step(phi, Trial(0.0, 0.04, -0.4), 50.0, c2=0.1)
    assert found is not None
    assert 0.15 < found.step < 0.25


def test_search_step__gives_up_without_descent():
    assert search_step(lambda a: (a, 1.0), Trial(0.0, 0.0, 1.0), 1.0) is None
    assert search_step(lambda a: (a, -1.0), Trial(0.0, 0.0, -1.0), 1.0) is None
    assert search_step(lambda a: (math.nan, 0.0), Trial(0.0, 0.0, -1.0), 1.0) is None
    assert search_step(lambda a: (-a, -1.0), Trial(0.0, 0.0, -1.0), 1.0, step_max=100.0) is None


def test_search_step__counts_evaluations_like_a_sane_search():
    steps = []

    def phi(a):
        steps.append(a)
        return float(np.cosh(a - 2.0)), float(np.sinh(a - 2.0))

    found = search_step(phi, Trial(0.0, math.cosh(2.0), -math.sinh(2.0)), 1.0)
    assert found is not None
    assert len(steps) <= 3
