"""Product graphs: every B function as a sparse sum of shared products. Tolerance 1e-12."""

import numpy as np
import pytest

from acefit.basis.couplings import real_coupling_tensor
from acefit.basis.graph import build_graph, list_channels
from acefit.potential.model import Function
from models import random_potential


def function(ns, ls, lint=(), elements=None):
    return Function(("Al", *(elements or ["Al"] * len(ns))), ns, ls, lint, (1.0,))


FUNCTIONS = [
    function((1, 2), (1, 1)),
    function((2, 1), (1, 1)),  # the same product with slots exchanged
    function((1, 1), (0, 0), elements=["Al", "Ni"]),
    function((1, 1, 2), (1, 1, 2), (2,)),
    function((1, 1, 1, 1), (1, 1, 1, 1), (0, 0)),
    function((1, 1, 1, 1), (1, 1, 1, 1), (2, 2)),
    function((1, 2, 1, 2), (1, 1, 1, 1), (1, 1)),
    function((1, 1, 1, 1, 1), (1, 1, 1, 1, 2), (1, 2, 2)),
    function((1, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1), (2, 2, 2, 2)),
]


def evaluate(graph, a):
    """Values of all functions for random A components."""
    rows = list(a)
    for left, right in zip(graph.left, graph.right, strict=True):
        rows.append(rows[left] * rows[right])
    outer = np.repeat(graph.outer, np.diff(graph.term_start))
    rows = np.array(rows)
    return graph.couplings @ (rows[outer] * rows[graph.inner])


def direct(graph, f, a):
    """Value of one function by contraction of the full coupling tensor."""
    first = dict(zip(graph.channels, graph.starts, strict=True))
    tensor = real_coupling_tensor(f.ls, f.lint)
    for e, n, l in zip(f.elements[1:], f.ns, f.ls, strict=True):
        start = first[e, n, l]
        tensor = np.tensordot(tensor, a[start : start + 2 * l + 1], axes=([0], [0]))
    return float(tensor)


@pytest.mark.parametrize("functions", [FUNCTIONS, FUNCTIONS[:1], FUNCTIONS[-1:], FUNCTIONS[::-1]], ids=len)
def test_build_graph__equals_the_contraction_of_the_coupling_tensors(functions):
    graph = build_graph(functions)
    a = np.random.default_rng(0).normal(size=graph.n_a)
    np.testing.assert_allclose(evaluate(graph, a), [direct(graph, f, a) for f in functions], rtol=1e-12, atol=1e-13)


def test_build_graph__operands_come_before_their_products():
    graph = build_graph(FUNCTIONS)
    own = graph.n_a + np.arange(graph.n_nodes)
    assert (graph.left < own).all()
    assert (graph.right < own).all()
    assert max(graph.outer.max(), graph.inner.max()) < graph.n_a + graph.n_nodes
    assert {array.dtype for array in (graph.left, graph.right, graph.outer, graph.inner)} == {np.dtype(np.int32)}


def test_build_graph__terms_of_an_outer_factor_stand_together():
    graph = build_graph(FUNCTIONS)
    assert len(np.unique(graph.outer)) == len(graph.outer)
    assert graph.term_start[0] == 0
    assert graph.term_start[-1] == graph.n_terms
    assert (np.diff(graph.term_start) > 0).all()
    for first, last in zip(graph.term_start[:-1], graph.term_start[1:], strict=True):
        assert len(np.unique(graph.inner[first:last])) == last - first


def test_build_graph__shares_equal_products():
    assert build_graph(FUNCTIONS[:2]).n_terms == build_graph(FUNCTIONS[:1]).n_terms
    both, single = build_graph(FUNCTIONS[4:6]), build_graph(FUNCTIONS[5:6])
    assert (both.n_nodes, both.n_terms) == (single.n_nodes, single.n_terms)
    products = {tuple(sorted(pair)) for pair in zip(both.left.tolist(), both.right.tolist(), strict=True)}
    assert len(products) == both.n_nodes


def test_build_graph__large_bases_need_few_nodes():
    functions = [f for f in random_potential(1).functions() if f.order > 1]
    graph = build_graph(functions)
    assert graph.n_nodes <= 0.5 * graph.n_terms


def test_build_graph__violated_triangles_give_functions_that_are_zero():
    graph = build_graph([function((1, 1, 1), (1, 1, 3), (3,)), function((1, 1), (1, 1))])
    assert graph.couplings.shape[0] == 2
    assert graph.couplings[[0]].nnz == 0


def test_build_graph__no_functions_are_an_empty_graph():
    graph = build_graph([])
    assert (graph.n_a, graph.n_nodes, graph.n_terms, graph.channels) == (0, 0, 0, ())
    assert graph.couplings.shape == (0, 0)


def test_list_channels__sorts_by_element_l_and_n():
    functions = [function((2, 1), (1, 1), elements=["Ni", "Al"]), function((1, 3), (0, 0))]
    assert list_channels(functions) == (("Al", 1, 0), ("Al", 3, 0), ("Al", 1, 1), ("Ni", 2, 1))
