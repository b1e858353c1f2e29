"""Operations on vectors of lanes against NumPy; exact."""

import numba
import numpy as np
import pytest

from acefit.kernels._jit import LANES, kernel
from acefit.kernels.vectors import (
    add_at,
    any_below,
    item,
    load,
    put,
    root,
    splat,
    store,
    times_power_of_two,
    total,
    totals,
    where_below,
    zeros,
)


@kernel
def arithmetic_into(a, out):
    x, y = load(a, 0), load(a, 1)
    store(out, 0, x + y)
    store(out, 1, x - y)
    store(out, 2, x * y)
    store(out, 3, x / y)
    store(out, 4, 2.0 - x)
    store(out, 5, x / 3.0)
    x += y
    x *= 0.5
    store(out, 6, x)
    store(out, 7, root(y))


@kernel
def chosen_into(a, out):
    store(out, 0, where_below(load(a, 0), load(a, 1), splat(1.0), splat(-1.0)))
    store(out, 1, times_power_of_two(load(a, 1), splat(3.0) + 6755399441055744.0))
    store(out, 2, times_power_of_two(load(a, 1), splat(-2.0) + 6755399441055744.0))
    return any_below(load(a, 0), splat(0.01)), any_below(load(a, 0), splat(0.0))


@kernel
def sums_into(a, out):
    store(out, 0, totals(load(a, 0), load(a, 1), load(a, 2), load(a, 3), load(a, 4), load(a, 5), load(a, 6), load(a, 7)))
    flat = out.reshape(-1)
    add_at(flat, 11, splat(1.0))
    return total(load(a, 3))


@kernel
def entry(a, position):
    return item(a, position)


@kernel
def changed(a, position):
    put(a, position, 2.5)


@kernel
def copied(a, row, out):
    store(out, 0, load(a, row))


@pytest.fixture
def rows():
    return np.random.default_rng(0).uniform(0.05, 1.0, (8, LANES))


def test_operators__are_those_of_every_lane(rows):
    x, y = rows[:2]
    out = np.empty((8, LANES))
    arithmetic_into(rows, out)
    np.testing.assert_array_equal(out, [x + y, x - y, x * y, x / y, 2.0 - x, x / 3.0, (x + y) * 0.5, np.sqrt(y)])


def test_choices__are_made_lane_by_lane(rows):
    x, y = rows[:2]
    x[3] = 0.001
    out = np.empty((3, LANES))
    assert chosen_into(rows, out) == (True, False)
    np.testing.assert_array_equal(out, [np.where(x < y, 1.0, -1.0), 8.0 * y, 0.25 * y])


def test_comparisons__with_nan_are_false():
    out = np.empty((3, LANES))
    rows = np.full((2, LANES), np.nan)
    assert chosen_into(rows, out) == (False, False)
    assert (out[0] == -1.0).all()


def test_sums__over_lanes(rows):
    out = np.zeros((3, LANES))
    single = sums_into(rows, out)
    expected = rows.sum(axis=1)
    np.testing.assert_allclose(out[0], expected, rtol=1e-15)
    assert single == pytest.approx(expected[3], rel=1e-15)
    np.testing.assert_array_equal(out.ravel()[8:], [0, 0, 0, *[1] * 8, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
def test_zeros__begin_at_lines_of_the_cache(rows):
    arrays = [zeros(rows) for _ in range(5)]
    for array in arrays:
        assert array.shape == (rows, LANES)
        assert array.flags.c_contiguous
        assert not array.any()
        assert array.ctypes.data % 64 == 0


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.int64])
def test_item__counts_entries_of_the_flat_array(dtype):
    assert entry(np.arange(12, dtype=dtype).reshape(3, 4), 7) == 7


def test_put__sets_one_entry_of_the_flat_array():
    array = np.zeros((3, 4))
    changed(array, 7)
    np.testing.assert_array_equal(array.ravel(), np.where(np.arange(12) == 7, 2.5, 0.0))


@pytest.mark.skipif(not numba.config.BOUNDSCHECK, reason="rows are checked with NUMBA_BOUNDSCHECK=1 only")
@pytest.mark.parametrize("row", [-1, 2])
def test_load__checks_rows_in_check_mode(row):
    with pytest.raises(IndexError, match="vector out of range"):
        copied(np.zeros((2, LANES)), row, np.zeros((1, LANES)))
