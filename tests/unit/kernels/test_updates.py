"""Products with updates against the dense matrix. Tolerance 1e-13, scaled by the sum of magnitudes."""

import numpy as np
import pytest

from acefit.kernels.updates import add_updates


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
