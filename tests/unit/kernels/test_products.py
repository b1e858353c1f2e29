"""Products and densities along a graph, their adjoints and tangents, against dense arithmetic. Tolerance 1e-12."""

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.kernels import products
from acefit.kernels._jit import LANES
from models import random_potential

N_A, N_NODES, P_MAX = 5, 9, 3
SKIPPED = 2  # entries of another element before those of this one
MU = 1


class Graph:
    """Random nodes and terms of element MU, behind entries of another element."""

    def __init__(self, p):
        self.p = p
        rng = np.random.default_rng(1)
        operands = np.array([rng.integers(0, N_A + t, 2) for t in range(N_NODES)])
        operands[3, 1] = operands[3, 0]  # a square
        self.operands = operands
        # groups of 1, 3, 4, 5, 8, 11 and 12 terms: every remainder of the unrolled loops
        sizes = (1, 3, 4, 5, 8, 11, 12)
        outer = rng.choice(N_A + N_NODES, len(sizes), replace=False)
        inner = [rng.choice(N_A + N_NODES, n, replace=False) for n in sizes]
        inner[1][0] = outer[1] if outer[1] not in inner[1] else inner[1][0]  # a square
        self.terms = [(int(o), int(i)) for o, row in zip(outer, inner, strict=True) for i in row]
        other = np.full(SKIPPED, 999, dtype=np.int32)
        starts = np.concatenate([np.arange(SKIPPED + 1), SKIPPED + np.cumsum(sizes)])
        # a `Shape` of the model and no type of these tests, which would end up in the cache of compiled kernels
        self.shape = compile_potential(random_potential(2)).shape._replace(
            n_a=np.array([0, N_A]),
            n_nodes=np.array([SKIPPED, N_NODES]),
            node_start=np.array([0, SKIPPED]),
            n_density=np.array([1, p]),
            left=np.concatenate([other, operands[:, 0]]).astype(np.int32),
            right=np.concatenate([other, operands[:, 1]]).astype(np.int32),
            outer_start=np.array([0, SKIPPED, SKIPPED + len(sizes)]),
            outer=np.concatenate([other, outer]).astype(np.int32),
            term_start=starts,
            inner=np.concatenate([other, *inner]).astype(np.int32),
        )
        self.n_outer = len(sizes)
        self.a, self.da = rng.normal(size=(2, N_A, LANES))
        self.ct = rng.normal(size=(P_MAX, SKIPPED + len(self.terms)))
        self.u, self.v = rng.normal(size=(2, P_MAX, LANES))

    def nodes(self, a):
        rows = list(a)
        for left, right in self.operands:
            rows.append(rows[left] * rows[right])
        return np.array(rows)

    def values(self, a):
        """Products of all terms, (n_terms, LANES)."""
        rows = self.nodes(a)
        return np.array([rows[o] * rows[i] for o, i in self.terms])

    def rho(self, a):
        return self.ct[: self.p, SKIPPED:] @ self.values(a)

    def evaluated(self):
        """Nodes, tangents, sums and their tangents by the kernels, and the tangents of the densities."""
        nodes, tangents = np.full((2, N_A + N_NODES, LANES), np.nan)
        nodes[:N_A], tangents[:N_A] = self.a, self.da
        sums, dsums = self.values_alone()[1], np.full((self.n_outer, P_MAX, LANES), np.nan)
        drho = np.ones((P_MAX, LANES))
        products.nodes_and_tangents_into(self.shape, MU, nodes, tangents)
        products.density_tangents_into(self.shape, MU, self.ct, nodes, tangents, sums, dsums, drho)
        return nodes, tangents, sums, dsums, drho

    def values_alone(self):
        """Nodes, sums and densities by the kernels of the first pass."""
        nodes, sums, rho = (
            np.full((N_A + N_NODES, LANES), np.nan),
            np.full((self.n_outer, P_MAX, LANES), np.nan),
            np.ones((P_MAX, LANES)),
        )
        nodes[:N_A] = self.a
        products.nodes_into(self.shape, MU, nodes)
        products.densities_into(self.shape, MU, self.ct, nodes, sums, rho)
        return nodes, sums, rho


@pytest.fixture(scope="module", params=range(1, P_MAX + 1))
def graph(request):
    return Graph(request.param)


def derivative(function, x, h=1e-30):
    """Directional derivatives by complex steps, exact to rounding: list over entries of x."""
    return np.array([np.imag(function(x + 1j * h * e.reshape(x.shape))) / h for e in np.eye(x.size)])


def tangent(function, graph):
    """Derivative along da."""
    return np.imag(function(graph.a + 1e-30j * graph.da)) / 1e-30


def test_nodes_into__equals_the_recursion(graph):
    np.testing.assert_array_equal(graph.values_alone()[0], graph.nodes(graph.a))


def test_nodes_and_tangents_into__equal_the_recursion_and_its_derivative_along_the_given_direction(graph):
    nodes, tangents, *_ = graph.evaluated()
    np.testing.assert_array_equal(nodes, graph.nodes(graph.a))
    np.testing.assert_allclose(tangents, tangent(graph.nodes, graph), rtol=1e-12, atol=1e-12)


def test_densities_into__adds_the_terms(graph):
    rho = graph.values_alone()[2]
    np.testing.assert_allclose(rho[: graph.p], 1.0 + graph.rho(graph.a), rtol=1e-12)
    assert (rho[graph.p :] == 1.0).all()


def test_density_tangents_into__adds_the_derivative_of_the_terms_along_the_given_direction(graph):
    drho = graph.evaluated()[4]
    np.testing.assert_allclose(drho[: graph.p], 1.0 + tangent(graph.rho, graph), rtol=1e-12)
    assert (drho[graph.p :] == 1.0).all()


def test_adjoints_into__is_the_derivative_by_a(graph):
    adjoint = np.full((N_A + N_NODES, LANES), np.nan)
    nodes, sums, _ = graph.values_alone()
    products.adjoints_into(graph.shape, MU, graph.ct, graph.u, nodes, sums, adjoint)
    expected = derivative(lambda a: (graph.u[: graph.p] * graph.rho(a)).sum(), graph.a).reshape(N_A, LANES)
    np.testing.assert_allclose(adjoint[:N_A], expected, rtol=1e-12, atol=1e-11)


@pytest.fixture(scope="module")
def second(graph):
    nodes, tangents, sums, dsums, _ = graph.evaluated()
    g, h = np.full((2, N_A + N_NODES, LANES), np.nan)
    dct = np.ones_like(graph.ct)
    products.adjoints_into(graph.shape, MU, graph.ct, graph.v, nodes, sums, g)
    products.second_adjoint_into(graph.shape, MU, graph.ct, graph.u, graph.v, nodes, tangents, sums, dsums, g, h, dct)
    return h[:N_A], dct


def test_second_adjoint_into__adds_the_derivative_by_ct(graph, second):
    expected = graph.u @ graph.values(graph.a).T + graph.v @ tangent(graph.values, graph).T
    dct = second[1]
    np.testing.assert_allclose(dct[: graph.p, SKIPPED:], 1.0 + expected[: graph.p], rtol=1e-12, atol=1e-11)
    assert (dct[:, :SKIPPED] == 1.0).all()
    assert (dct[graph.p :] == 1.0).all()


def test_second_adjoint_into__is_the_derivative_of_values_and_tangents(graph, second):
    step = 1e-6

    def scalar(a):
        """Sum of u rho + v rho', the tangent by central differences of complex-safe arithmetic."""
        tangent = (graph.rho(a + step * graph.da) - graph.rho(a - step * graph.da)) / (2 * step)
        return (graph.u[: graph.p] * graph.rho(a) + graph.v[: graph.p] * tangent).sum()

    expected = derivative(scalar, graph.a).reshape(N_A, LANES)
    np.testing.assert_allclose(second[0], expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())
