"""Both forms of the contraction and of the outer products against NumPy. Tolerance 1e-14, scaled by the sum of magnitudes."""

import numpy as np
import pytest

from acefit.kernels import contraction
from acefit.kernels._jit import LANES
from acefit.kernels.radial import F0, F1, F2, N_PAIR

FIRST, SLOT, OUT = 4, 1, 2
SIZES = [(1, 1, 1), (3, 2, 3), (4, 5, 8), (5, 3, 4), (6, 7, 5), (9, 15, 7), (11, 4, 3), (13, 8, 2)]  # rows, polynomials, slots
CONTRACTIONS = {"wide": contraction.contract_wide_into, "narrow": contraction.contract_narrow_into}
OUTER_PRODUCTS = {"wide": contraction.outer_products_wide_into, "narrow": contraction.outer_products_narrow_into}


def up(n, block=contraction.ROW_BLOCK):
    return -(-n // block) * block


def assert_close(found, expected, scale):
    assert np.abs(found - expected).max() <= 1e-14 * scale


@pytest.mark.parametrize("form", CONTRACTIONS)
@pytest.mark.parametrize(("n_rows", "k_rows", "n"), SIZES)
def test_contract_into__is_the_product_of_matrix_and_polynomials(form, n_rows, k_rows, n):
    rng = np.random.default_rng(n_rows)
    stride, k_width = up(n_rows), up(k_rows, 2)
    value, slope = rng.normal(size=(2, FIRST + stride, k_width))
    pairs = rng.normal(size=(SLOT + n, N_PAIR, LANES))
    base, dbase = rng.normal(size=(2, n, k_width, LANES))
    radial, dradial = np.full((2, OUT + n, stride, LANES), 7.0)
    CONTRACTIONS[form](
        k_rows, FIRST, value, slope, pairs, SLOT, n, n_rows, k_width, base, dbase, stride, OUT, radial, dradial
    )  # fmt: skip
    rows = slice(FIRST, FIRST + n_rows)
    p = np.einsum("rk,skx->srx", value[rows, :k_rows], base[:, :k_rows])
    q = np.einsum("rk,skx->srx", slope[rows, :k_rows], dbase[:, :k_rows])
    f0, f1, f2 = (pairs[SLOT:, f, None] for f in (F0, F1, F2))
    assert_close(radial[OUT:, :n_rows], f0 * p, 30 * k_rows)
    assert_close(dradial[OUT:, :n_rows], f1 * q + f2 * p, 60 * k_rows)
    # slots before the first one are not touched
    assert (radial[:OUT] == 7.0).all()
    assert (dradial[:OUT] == 7.0).all()


@pytest.mark.parametrize("form", OUTER_PRODUCTS)
@pytest.mark.parametrize(("n_rows", "k_rows", "n"), SIZES)
def test_outer_products_into__add_the_sums_over_slots(form, n_rows, k_rows, n):
    rng = np.random.default_rng(n_rows)
    stride, k_width = up(n_rows), up(k_rows, 2)
    p, q = rng.normal(size=(2, n, stride, LANES))
    base, dbase = rng.normal(size=(2, n, k_width, LANES))
    value, slope = rng.normal(size=(2, FIRST + stride, k_width, LANES))
    before = value.copy(), slope.copy()
    OUTER_PRODUCTS[form](k_rows, FIRST, n_rows, n, p, q, stride, base, dbase, k_width, value, slope)
    rows = slice(FIRST, FIRST + n_rows)
    for found, start, factors, polynomials in ((value, before[0], p, base), (slope, before[1], q, dbase)):
        added = np.einsum("srx,skx->rkx", factors[:, :n_rows], polynomials[:, :k_rows])
        assert_close(found[rows, :k_rows], start[rows, :k_rows] + added, 30 * n)
        assert (found[:FIRST] == start[:FIRST]).all()


def test_contract_into__is_the_same_in_both_forms():
    rng = np.random.default_rng(0)
    value, slope, pairs = *rng.normal(size=(2, 4, 4)), rng.normal(size=(2, N_PAIR, LANES))
    base = rng.normal(size=(2, 4, LANES))
    found = []
    for kernel in (contraction.contract_into, *CONTRACTIONS.values()):
        radial, dradial = np.zeros((2, 2, 4, LANES))
        kernel(4, 0, value, slope, pairs, 0, 2, 4, 4, base, base, 4, 0, radial, dradial)
        found.append(np.stack([radial, dradial]))
    assert np.abs(found[0]).max() > 0.1
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
