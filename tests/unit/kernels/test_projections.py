"""The projections themselves are compared with the naive twin in test_energy.py; here each step."""

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import build_prediction_layout, project_layout
from acefit.kernels._jit import LANES
from acefit.kernels.projections import Couplings, functions_into, terms_into
from acefit.kernels.vectors import zeros
from models import prepared, random_potential, random_structures


def test_terms_into__are_outer_times_inner_factor():
    compiled = compile_potential(random_potential(2))
    rng = np.random.default_rng(0)
    for mu, graph in enumerate(compiled.graphs):
        nodes, terms = zeros(graph.n_a + graph.n_nodes), zeros(graph.n_terms)
        nodes[:] = rng.normal(size=nodes.shape)
        terms_into(compiled.shape, mu, nodes, terms)
        outer = np.repeat(graph.outer, np.diff(graph.term_start))
        np.testing.assert_allclose(terms, nodes[outer] * nodes[graph.inner], rtol=1e-15)


@pytest.mark.parametrize("n_entries", [0, 1, 2, 3])
def test_functions_into__are_sums_of_odd_and_even_numbers_of_terms(n_entries):
    rng = np.random.default_rng(1)
    terms, functions = zeros(4), zeros(2)
    terms[:] = rng.normal(size=terms.shape)
    weight = rng.normal(size=n_entries + 1)
    term = np.arange(n_entries + 1, dtype=np.int32)[::-1].copy()
    none = np.zeros(1, dtype=np.int64)
    start = np.array([0, n_entries, n_entries + 1])
    functions_into(Couplings(np.array([0, 2]), start, term, weight, none), 0, terms, functions)
    np.testing.assert_allclose(functions[0], weight[:n_entries] @ terms[term[:n_entries]] + np.zeros(LANES), atol=1e-15)
    np.testing.assert_allclose(functions[1], weight[-1] * terms[term[-1]], rtol=1e-15)


def test_project__does_not_depend_on_the_threads():
    potential = random_potential(3)
    compiled = compile_potential(potential)
    structures, neighbors = prepared(random_structures(potential.elements) * 4, potential.cutoff)
    layout = build_prediction_layout(compiled, structures, neighbors)
    coefficients = compiled.coefficients(compiled.layout.vector())
    one, two = (project_layout(compiled, coefficients, structures, layout, threads) for threads in (1, 2))
    for name in ("table", "rho", "slope", "cut"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert layout.block_groups.size > 2
