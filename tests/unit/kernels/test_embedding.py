"""Embedding functions. Tolerances: published digits; derivatives 1e-7 relative (central differences)."""

import numpy as np
import pytest

from acefit.kernels.embedding import FINNIS_SINCLAIR, SHIFTED_SCALED, embed
from naive import phi

NAMES = {FINNIS_SINCLAIR: "FinnisSinclair", SHIFTED_SCALED: "FinnisSinclairShiftedScaled"}
PUBLISHED = [
    (FINNIS_SINCLAIR, 0.5, 1e-11, 1e-08, 1000.0),
    (FINNIS_SINCLAIR, 0.5, 1e-7, 1.00216119688e-04, 1007.06119775),
    (FINNIS_SINCLAIR, 0.5, 1e-6, 1e-03, 683.939720586),
    (FINNIS_SINCLAIR, 0.5, 0.5, 0.707106781187, 0.707106781187),
    (FINNIS_SINCLAIR, 0.5, -0.5, -0.707106781187, 0.707106781187),
    (FINNIS_SINCLAIR, 2.0, 0.5, 0.25, 1.0),
    (SHIFTED_SCALED, 0.5, 1e-11, 1.25000010343e-11, 1.25),
    (SHIFTED_SCALED, 0.5, 1e-7, 1.24999993e-07, 1.24999986),
    (SHIFTED_SCALED, 0.5, 1e-6, 1.249999312e-06, 1.249998625),
    (SHIFTED_SCALED, 0.5, 0.5, 0.503972345756, 0.828740887243),
    (SHIFTED_SCALED, 0.5, -0.5, -0.503972345756, 0.828740887243),
    (SHIFTED_SCALED, 2.0, 0.5, 0.493602525221, 1.2709582742),
]


@pytest.mark.parametrize(("kind", "m", "rho", "value", "slope"), PUBLISHED)
def test_embed__has_the_published_values(kind, m, rho, value, slope):
    # The shifted form cancels near zero, so its value has a few 1e-16 absolute; one slope is published with nine digits
    found = embed(kind, rho, m)
    np.testing.assert_allclose(found[0], value, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found[1], slope, rtol=3e-9)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("m", [0.4, 0.5, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("rho", [-3.0, -0.2, 1e-7, 6e-7, 1e-6, 2.7e-6, 3.2e-6, 1e-3, 0.7, 5.0])
def test_embed__derivatives_are_those_of_the_value(kind, m, rho):
    h = 1e-4 * abs(rho)
    value, slope, curvature = embed(kind, rho, m)
    np.testing.assert_allclose(value, phi(NAMES[kind], rho, m), rtol=1e-13)
    above, below = embed(kind, rho + h, m), embed(kind, rho - h, m)
    # Differences of the value lose eps/1e-4 of its digits, and the shifted form has only 1e-16 absolute near zero
    np.testing.assert_allclose(slope, (above[0] - below[0]) / (2 * h), rtol=3e-7, atol=2e-16 / h)
    np.testing.assert_allclose(curvature, (above[1] - below[1]) / (2 * h), rtol=1e-6, atol=1e-6 * abs(slope / rho) + 2e-16 / h)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("m", [0.5, 1.0, 2.0])
def test_embed__is_odd_and_zero_without_density(kind, m):
    assert embed(kind, 0.0, m)[0] == 0.0
    plus, minus = embed(kind, 0.3, m), embed(kind, -0.3, m)
    assert (plus[0], plus[1], abs(plus[2])) == (-minus[0], minus[1], abs(minus[2]))
    assert plus[2] == -minus[2] or m == 1.0


def test_embed__exponent_one_is_the_identity():
    assert embed(SHIFTED_SCALED, -0.7, 1.0) == (-0.7, 1.0, 0.0)
    np.testing.assert_allclose(embed(FINNIS_SINCLAIR, -0.7, 1.0), (-0.7, 1.0, 0.0), atol=1e-15)
