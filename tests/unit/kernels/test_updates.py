"""Products with updates against the dense matrix. Tolerance 1e-13, scaled by the sum of magnitudes."""

import numpy as np
import pytest

from acefit.kernels.updates import add_updates, update_and_apply


@pytest.mark.parametrize("n_rows", [0, 2, 6])
@pytest.mark.parametrize("n_vectors", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 7, 100])
def test_add_updates__are_the_products_with_the_dense_matrix(n_rows, n_vectors, n):
    rng = np.random.default_rng(n_rows)
    rows, vectors, results = rng.normal(size=(6, n)), rng.normal(size=(n_vectors, n)), rng.normal(size=(n_vectors, n))
    s, w = rows[:n_rows:2], rows[1:n_rows:2]
    expected = results + vectors @ (s.T @ w + w.T @ s)
    add_updates(rows, n_rows, vectors, results)
    assert np.abs(results - expected).max() <= 1e-13 * (1 + n) * (1 + n_rows)


@pytest.mark.parametrize("n_vectors", [1, 2])
@pytest.mark.parametrize("n", [1, 7, 100])
def test_update_and_apply__changes_the_matrix_and_multiplies_with_the_new_one(n_vectors, n):
    rng = np.random.default_rng(n)
    matrix, s, w = rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=n)
    vectors, results = rng.normal(size=(n_vectors, n)), np.full((n_vectors, n), np.nan)
    expected = matrix + np.outer(s, w) + np.outer(w, s)
    update_and_apply(matrix, s, w, vectors, results)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-14 * 20)
    assert np.abs(results - vectors @ expected.T).max() <= 1e-13 * (1 + n)


def test_update_and_apply__without_an_update_leaves_the_matrix():
    matrix, vectors, results = np.arange(9.0).reshape(3, 3), np.eye(3), np.empty((3, 3))
    update_and_apply(matrix, np.empty(0), np.empty(0), vectors, results)
    np.testing.assert_array_equal(matrix, np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(results, matrix.T)
