"""The map between parameters and coefficients against dense matrices, potentials with one to three elements. Tolerance 1e-13."""

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.kernels.expansion import expand_into, gather_shares_into
from acefit.kernels.model import Coefficients
from models import random_potential


def zero_coefficients(compiled):
    shape = compiled.shape
    n_rows, k_width = compiled.n_rows, compiled.k_width
    return Coefficients(
        np.zeros((n_rows, k_width)), np.zeros((n_rows, k_width)), np.zeros((shape.n_density.max(), len(shape.inner)))
    )


def dense(compiled):
    """Matrices from x to each kind of coefficients."""
    x = np.eye(compiled.layout.n_parameters)
    k_max = max(bond.k_max for bond in compiled.potential.bonds.values())
    raw = np.zeros((compiled.n_rows * k_max, len(x)))
    raw[compiled.entries[0], compiled.entries[1]] = 1.0
    raw = raw.reshape(compiled.n_rows, k_max, len(x))
    matrices = np.zeros((2, compiled.n_rows, compiled.k_width, len(x)))
    for (start, stop), maps in zip(compiled.row_ranges, compiled.maps, strict=True):
        for matrix, base in zip(matrices, maps, strict=True):
            matrix[start:stop, : base.shape[1]] = np.einsum("rkx,kc->rcx", raw[start:stop, : base.shape[0]], base)
    ct = np.zeros((int(compiled.shape.n_density.max()), len(compiled.shape.inner), len(x)))
    for graph, (first, offset, p) in zip(compiled.graphs, compiled.term_blocks, strict=True):
        n_functions, n_terms = graph.couplings.shape
        c = x[:, offset : offset + n_functions * p].reshape(len(x), n_functions, p)
        ct[:p, first : first + n_terms] = np.einsum("xfp,ft->ptx", c, graph.couplings.toarray())
    return Coefficients(matrices[0], matrices[1], ct)


@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_expand_into__is_the_dense_map(n_elements):
    compiled = compile_potential(random_potential(n_elements))
    x = np.random.default_rng(1).normal(size=compiled.layout.n_parameters)
    found = zero_coefficients(compiled)
    expand_into(x, compiled._expansion, found)
    for part, matrix in zip(found, dense(compiled), strict=True):
        np.testing.assert_allclose(part, matrix @ x, rtol=0, atol=1e-13 * np.abs(matrix @ x).max())


@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_gather_into__is_the_transpose_and_adds(n_elements):
    compiled, rng = compile_potential(random_potential(n_elements)), np.random.default_rng(2)
    slopes = Coefficients(*(rng.normal(size=part.shape) for part in zero_coefficients(compiled)))
    gradient = np.ones(compiled.layout.n_parameters)
    shares = Coefficients(*(np.array([0.25 * part, 0.5 * part, 0.25 * part]) for part in slopes))
    gather_shares_into(shares, compiled._expansion, gradient)
    matrices = dense(compiled)
    expected = 1.0 + sum(np.tensordot(part, matrix, part.ndim) for part, matrix in zip(slopes, matrices, strict=True))
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
