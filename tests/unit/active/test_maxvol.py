import itertools

import numpy as np
import pytest

from acefit.active.maxvol import UNSEEN, column_scales, invert, maxvol


def matrix(n_rows=60, n_columns=7, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns))


def largest_entry(a, rows):
    return np.abs(a @ np.linalg.inv(a[rows])).max()


@pytest.mark.parametrize("seed", range(5))
def test_maxvol__no_exchange_makes_the_determinant_larger(seed):
    a = matrix(seed=seed)
    found = maxvol(a, 1.0)
    volume = abs(np.linalg.det(a[found.rows]))
    assert len(set(found.rows.tolist())) == 7
    assert found.largest == pytest.approx(1.0, abs=1e-12)
    for place, other in itertools.product(range(7), range(60)):
        changed = found.rows.copy()
        changed[place] = other
        assert abs(np.linalg.det(a[changed])) <= volume * (1 + 1e-10)


def test_maxvol__largest_is_that_of_the_entries():
    a = matrix(200, 12)
    found = maxvol(a, 1.3)
    assert found.largest == pytest.approx(largest_entry(a, found.rows), rel=1e-10)
    assert found.largest <= 1.3


def test_maxvol__does_not_depend_on_the_scale_or_mixture_of_columns():
    a = matrix(80, 6)
    mixed = a @ (matrix(6, 6, seed=3) * np.logspace(-20, 3, 6))
    assert np.abs(np.linalg.slogdet(a[maxvol(mixed, 1.0).rows])[1] - np.linalg.slogdet(a[maxvol(a, 1.0).rows])[1]) < 0.5
    scaled = a * np.logspace(-30, 5, 6)
    assert largest_entry(a, maxvol(scaled, 1.0).rows) == pytest.approx(1.0, abs=1e-9)


def test_maxvol__of_a_singular_matrix_chooses_as_many_rows_as_its_rank():
    a = matrix(50, 4) @ matrix(4, 9, seed=1)
    a[:, 5] = 0.0
    found = maxvol(a)
    assert len(found.rows) == 4
    assert found.largest <= 1.01
    coefficients = np.linalg.lstsq(a[found.rows].T, a.T, rcond=None)[0]
    assert np.abs(coefficients).max() <= 1.0101


def test_maxvol__takes_all_rows_where_they_are_few():
    assert sorted(maxvol(matrix(3, 7)).rows.tolist()) == [0, 1, 2]


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (3, 2)])
def test_maxvol__without_anything_chooses_nothing(shape):
    assert maxvol(np.zeros(shape)).rows.tolist() == []


def test_maxvol__stops_after_its_iterations():
    a = np.vander(np.linspace(0, 1, 300), 12)
    found = maxvol(a, 1.0, iterations=3)
    assert found.n_exchanges == 3
    assert found.largest > 1.0


def test_maxvol__begins_with_given_rows_and_ends_no_worse():
    a = matrix(300, 8)
    best = maxvol(a, 1.0).rows
    found = maxvol(a, 1.0, start=best)
    assert found.n_exchanges == 0
    assert sorted(found.rows) == sorted(best)


@pytest.mark.parametrize("start", [[0, 1, 2, 3, 4, 5, 6, 0], [0, 1]])
def test_maxvol__given_rows_that_cannot_begin_are_ignored(start):
    a = matrix(40, 8)
    assert maxvol(a, start=np.array(start)).rows.tolist() == maxvol(a).rows.tolist()


def test_maxvol__of_equal_rows_takes_the_first():
    a = matrix(30, 6)
    found = maxvol(np.vstack([a, a * (1 + 1e-14), a]))
    assert sorted(found.rows.tolist()) == sorted(maxvol(a).rows.tolist())


def test_column_scales__of_a_column_of_zeros_is_the_smallest_of_the_others():
    assert column_scales(np.array([[2.0, 0.0, -8.0], [1.0, 0.0, 3.0]])).tolist() == [2.0, 2.0, 8.0]
    assert column_scales(np.zeros((2, 2))).tolist() == [1.0, 1.0]


def test_invert__is_the_inverse_also_of_badly_scaled_columns():
    a = matrix(6, 6) * np.logspace(-15, 10, 6)
    found = invert(a)
    np.testing.assert_allclose(a @ found.matrix, np.eye(6), atol=1e-12)
    assert found.condition > 1e15
    assert found.scaled_condition < 1e3
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(a)[1], rel=1e-12)
    assert found.rank == 6


def test_invert__grades_what_no_row_has_instead_of_overlooking_it():
    rows = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    found = invert(rows)
    assert (found.rank, found.log_determinant) == (2, -np.inf)
    np.testing.assert_allclose(np.abs(rows @ found.matrix).max(axis=1), 1.0, rtol=1e-12)
    assert np.abs(np.array([0.5, 0.5, 1e-3]) @ found.matrix).max() == pytest.approx(1e-3 / UNSEEN)
    assert np.abs(np.array([0.5, 0.5, 1e-14]) @ found.matrix).max() < 1.0


def test_invert__without_rows_grades_everything():
    found = invert(np.zeros((0, 2)))
    assert np.abs(np.array([1.0, 0.0]) @ found.matrix).max() == pytest.approx(1.0 / UNSEEN)
    assert (found.rank, found.condition) == (0, 1.0)
