"""Products along a graph, their adjoints and tangents, on a random graph against dense arithmetic. Tolerance 1e-12."""

import numpy as np
import pytest

from acefit.kernels import products
from acefit.kernels._jit import LANES

N_A, N_NODES, FIRST, P = 5, 9, 2, 2


class Graph:
    """A random graph that starts at row FIRST of arrays shared with another element."""

    def __init__(self):
        rng = np.random.default_rng(1)
        operands = [(rng.integers(0, N_A + t, 2)) for t in range(N_NODES)]
        operands[3][1] = operands[3][0]  # a square
        self.left, self.right = np.full((2, FIRST + N_NODES), 999, dtype=np.int32)
        self.left[FIRST:], self.right[FIRST:] = np.transpose(operands)
        self.a, self.da = rng.normal(size=(2, N_A, LANES))
        self.ct = rng.normal(size=(FIRST + N_NODES, P))
        self.u, self.v = rng.normal(size=(2, P, LANES))

    def nodes(self, a):
        rows = list(a)
        for left, right in zip(self.left[FIRST:], self.right[FIRST:], strict=True):
            rows.append(rows[left] * rows[right])
        return np.array(rows)

    def rho(self, a):
        return self.ct[FIRST:].T @ self.nodes(a)[N_A:]

    def evaluated(self):
        """Nodes and tangents by the kernels."""
        nodes, tangents = np.full((2, N_A + N_NODES, LANES), np.nan)
        nodes[:N_A], tangents[:N_A] = self.a, self.da
        products.products_into(self.left, self.right, FIRST, N_A, N_NODES, nodes)
        products.tangents_into(self.left, self.right, FIRST, N_A, N_NODES, nodes, tangents)
        return nodes, tangents


@pytest.fixture(scope="module")
def graph():
    return Graph()


def derivative(function, x, h=1e-30):
    """Directional derivatives by complex steps, exact to rounding: list over entries of x."""
    return np.array([np.imag(function(x + 1j * h * e.reshape(x.shape))) / h for e in np.eye(x.size)])


def test_products_into__equals_the_recursion(graph):
    np.testing.assert_array_equal(graph.evaluated()[0], graph.nodes(graph.a))


def test_densities_into__adds_the_products(graph):
    rho = np.ones((P, LANES))
    products.densities_into(graph.ct, FIRST, N_A, N_NODES, P, graph.evaluated()[0], rho)
    np.testing.assert_allclose(rho, 1.0 + graph.rho(graph.a), rtol=1e-12)


def test_adjoints_into__is_the_derivative_by_a(graph):
    adjoint = np.full((N_A + N_NODES, LANES), np.nan)
    nodes = graph.evaluated()[0]
    products.adjoints_into(graph.left, graph.right, graph.ct, FIRST, N_A, N_NODES, P, graph.u, nodes, adjoint)
    expected = derivative(lambda a: (graph.u * graph.rho(a)).sum(), graph.a).reshape(N_A, LANES)
    np.testing.assert_allclose(adjoint[:N_A], expected, rtol=1e-12, atol=1e-12)


def test_tangents_into__is_the_derivative_along_the_given_direction(graph):
    _, tangents = graph.evaluated()
    np.testing.assert_allclose(tangents, np.imag(graph.nodes(graph.a + 1e-30j * graph.da)) / 1e-30, rtol=1e-12, atol=1e-12)


def test_coefficient_gradient_into__adds_the_derivative_by_ct(graph):
    nodes, tangents = graph.evaluated()
    found = np.ones_like(graph.ct)
    products.coefficient_gradient_into(FIRST, N_A, N_NODES, P, nodes, tangents, graph.u, graph.v, found)
    expected = nodes[N_A:] @ graph.u.T + tangents[N_A:] @ graph.v.T
    np.testing.assert_allclose(found[FIRST:], 1.0 + expected, rtol=1e-12, atol=1e-12)
    assert (found[:FIRST] == 1.0).all()


def test_second_adjoints_into__are_the_derivatives_of_value_and_tangent(graph):
    nodes, tangents = graph.evaluated()
    g, h = np.full((2, N_A + N_NODES, LANES), np.nan)
    products.second_adjoints_into(
        graph.left, graph.right, graph.ct, FIRST, N_A, N_NODES, P, graph.u, graph.v, nodes, tangents, g, h
    )
    step = 1e-6

    def scalar(a):
        """Sum of u rho + v rho', the tangent by central differences of complex-safe arithmetic."""
        tangent = (graph.rho(a + step * graph.da) - graph.rho(a - step * graph.da)) / (2 * step)
        return (graph.u * graph.rho(a) + graph.v * tangent).sum()

    expected_h = derivative(scalar, graph.a).reshape(N_A, LANES)
    expected_g = derivative(lambda a: (graph.v * graph.rho(a)).sum(), graph.a).reshape(N_A, LANES)
    np.testing.assert_allclose(g[:N_A], expected_g, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(h[:N_A], expected_h, rtol=1e-7, atol=1e-7)
