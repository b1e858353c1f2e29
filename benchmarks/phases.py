"""Where the time of an evaluation and of a gradient goes: single kernels by themselves on the arrays of a real case.

`FORWARD` and `SECOND` name the phases; each is one or a few calls of kernels on the state of one group of atoms, repeated over
all groups inside compiled code. The calls follow the kernels' signatures and are what to adapt when these change. Times of single
kernels do not add up to that of an evaluation: caches are warmer and compilers inline less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.neighborlists import NeighborList, build
from acefit.data.structures import StructureSet
from acefit.evaluation.grouping import build_layout
from acefit.evaluation.predict import element_indices
from acefit.fit.batch import Slopes
from acefit.fit.quasi_newton import InverseHessian
from acefit.kernels import energy, gradient, products
from acefit.kernels._jit import LANES
from acefit.kernels.harmonics import harmonics_into
from acefit.kernels.pairs import atomic_base_into, geometry_into, make_work, radial_into
from measure_evaluation import shape_names
from measuring import Options, Row, summary
from shapes import load_shape


class State(NamedTuple):
    """Everything a phase may read or write; names as in the kernels."""

    shape: Any
    coefficients: Any
    groups: Any
    structure: Any
    slopes: Any
    work: Any
    lanes: Any
    reduced: Any
    delta: Any
    ones: Any
    along_bond: Any
    drho: Any
    drho_core: Any
    u: Any
    v: Any
    forces: Any
    virials: Any
    dmatrix: Any
    dct: Any


def geometry(s, group):
    """Distances and unit vectors."""
    begin = s.groups.segments[group, 0, 0]
    geometry_into(s.groups.vectors, begin, s.groups.segments[group, -1, LANES] - begin, s.work)


def radial_functions(s, group):
    """Radial base and its contraction."""
    mu, segments = s.groups.species[group], s.groups.segments[group]
    for nu in range(s.shape.n_elements):
        low, high = segments[nu, 0] - segments[0, 0], segments[nu, LANES] - segments[0, 0]
        radial_into(s.shape, s.coefficients.matrix, mu * s.shape.n_elements + nu, s.shape.n_density[mu], low, high, s.work)


def harmonics(s, group):
    """Harmonics and their gradients."""
    mu, n = s.groups.species[group], s.groups.segments[group, -1, LANES] - s.groups.segments[group, 0, 0]
    w, c = s.work, s.shape
    harmonics_into(c.l_max[mu], c.sector, c.climb, c.lm_row, c.lm_factor, w.unit, w.inverse_r, n, w.ylm, w.dylm)


def sums(s, group):
    """A components: sums over neighbours."""
    atomic_base_into(s.shape, s.groups, group, s.work, s.work.nodes, s.lanes.rho, s.lanes.rho_core)


def product_graph(s, group):
    """Products, densities and embedding."""
    mu, c = s.groups.species[group], s.shape
    first, n_a, n_nodes = c.node_start[mu], c.n_a[mu], c.n_nodes[mu]
    products.products_into(c.left, c.right, first, n_a, n_nodes, s.work.nodes)
    products.densities_into(s.coefficients.ct, first, n_a, n_nodes, c.n_density[mu], s.work.nodes, s.lanes.rho)
    energy.embedding_into(c, mu, s.lanes)
    energy.core_cut_into(c, s.groups, group, s.work, s.lanes, s.reduced)


def reverse(s, group):
    """Adjoints of the products."""
    mu, c = s.groups.species[group], s.shape
    products.adjoints_into(
        c.left,
        c.right,
        s.coefficients.ct,
        c.node_start[mu],
        c.n_a[mu],
        c.n_nodes[mu],
        c.n_density[mu],
        s.lanes.slope,
        s.work.nodes,
        s.work.adjoint,
    )


def pair_gradients(s, group):
    """Gradients of all pairs."""
    energy.pair_slopes_into(s.shape, s.groups, group, s.work, s.lanes, s.delta)


def scatter(s, group):
    """Forces and virials from pair gradients."""
    energy.scatter(s.groups, group, s.shape.n_elements, s.delta, s.structure, s.forces, s.virials)


def displacements(s, group):
    """Displacement field and its part along the harmonics."""
    gradient.displacements_into(s.groups, group, s.shape.n_elements, s.structure, s.slopes, s.work, s.delta, s.along_bond)


def tangent_sums(s, group):
    """Tangents of A; with unit displacements, since the kernel scales its input in place."""
    gradient.tangent_base_into(s.shape, s.groups, group, s.work, s.ones, s.drho, s.drho_core)


def second_products(s, group):
    """Tangents, coefficient gradient and second adjoints in the product graph."""
    mu, c, w, ct = s.groups.species[group], s.shape, s.work, s.coefficients.ct
    first, n_a, n_nodes, p = c.node_start[mu], c.n_a[mu], c.n_nodes[mu], c.n_density[mu]
    products.tangents_into(c.left, c.right, first, n_a, n_nodes, w.nodes, w.tangents)
    products.densities_into(ct, first, n_a, n_nodes, p, w.tangents, s.drho)
    products.coefficient_gradient_into(first, n_a, n_nodes, p, w.nodes, w.tangents, s.u, s.v, s.dct)
    products.second_adjoints_into(c.left, c.right, ct, first, n_a, n_nodes, p, s.u, s.v, w.nodes, w.tangents, w.adjoint, w.second)


def radial_adjoints(s, group):
    """Adjoints of the radial functions."""
    gradient.radial_adjoints_into(s.shape, s.groups, group, s.work, s.ones, s.u, s.v)


def matrix_gradient(s, group):
    """Gradient of the contraction matrix, radial base included."""
    gradient.matrix_gradient_into(s.shape, s.groups, group, s.work, s.dmatrix)


FORWARD = (geometry, radial_functions, harmonics, sums, product_graph, reverse, pair_gradients, scatter)
SECOND = (displacements, tangent_sums, second_products, radial_adjoints, matrix_gradient)


def compiled_loop(phase: Callable[[Any, int], None]) -> Any:
    """Compiled function of state and number of groups that runs a phase for every group."""
    compiled = njit(error_model="numpy", nogil=True)(phase)

    @njit(error_model="numpy", nogil=True)
    def run(state, n_groups, repeats):
        for _ in range(repeats):
            for group in range(n_groups):
                compiled(state, group)

    return run


def prepare(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> State:
    """Arrays of a case with sensible contents: random adjoints of the loss, and displacements of one."""
    elements = element_indices(compiled.potential, structures.numbers)
    layout = build_layout(compiled.shape, elements, structures, neighbors)
    rng, n_atoms = np.random.default_rng(1), structures.n_atoms
    n = int((layout.groups.segments[:, -1, LANES] - layout.groups.segments[:, 0, 0]).max(initial=1))
    coefficients, lanes = compiled.coefficients(compiled.layout.vector()), energy.make_lanes(compiled.shape)
    slopes = Slopes(np.ones(1), rng.normal(size=(n_atoms, 3)), np.zeros((1, 3, 3)))
    u, v = rng.normal(size=(2, *lanes.rho.shape))
    return State(
        shape=compiled.shape,
        coefficients=coefficients,
        groups=layout.groups,
        structure=layout.structure,
        slopes=slopes,
        work=make_work(compiled.shape, n, True),
        lanes=lanes,
        reduced=np.empty(LANES),
        delta=np.empty((3, n)),
        ones=np.ones(n),
        along_bond=np.empty(n),
        drho=np.zeros_like(lanes.rho),
        drho_core=np.zeros(LANES),
        u=u,
        v=v,
        forces=np.zeros((n_atoms, 3)),
        virials=np.zeros((n_atoms, 6)),
        dmatrix=np.zeros_like(coefficients.matrix),
        dct=np.zeros_like(coefficients.ct),
    )


def python_phases(compiled: Compiled, state: State, n_blocks: int) -> dict[str, Callable[[], Any]]:
    """What happens once per evaluation or iteration outside the kernels."""
    x = compiled.layout.vector()
    dmatrix, dct = np.tile(state.dmatrix, (n_blocks, 1, 1)), np.tile(state.dct, (n_blocks, 1, 1))
    hessian, s = InverseHessian(len(x)), np.linspace(1.0, 2.0, len(x))
    return {
        "coefficients": lambda: compiled.coefficients(x),
        "reduction": lambda: compiled.parameter_gradient(dmatrix.sum(axis=0), dct.sum(axis=0)),
        "update of BFGS": lambda: hessian.update(s, s, s),
    }


def timed(function: Callable[[], Any], repeats: int) -> list[float]:
    """Wall times."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return times


def measure(options: Options) -> Iterator[Row]:
    """Times of all phases for every shape, per atom; what is outside the kernels, per call."""
    loops = {phase.__name__.replace("_", " "): compiled_loop(phase) for phase in (*FORWARD, *SECOND)}
    for name in shape_names(options):
        shape = load_shape(name, options.shared, options.quick)
        compiled, structures = compile_potential(shape.potential), StructureSet.from_ase([shape.atoms])
        neighbors = build(structures, shape.potential.cutoff)
        state, n_atoms = prepare(compiled, structures, neighbors), structures.n_atoms
        n_groups = len(state.groups.species)
        size = {"atoms": n_atoms, "neighbours": neighbors.n_pairs / n_atoms, "functions": shape.potential.n_functions}
        for title, loop in loops.items():
            timed(lambda loop=loop, state=state, n=n_groups: loop(state, n, 1), 2)
            times = timed(lambda loop=loop, state=state, n=n_groups: loop(state, n, 5), options.repeats)
            yield Row("phases", name, title, "µs/atom", 1, **summary(times, 1e6 / n_atoms / 5), **size, synthetic=shape.synthetic)
        for title, function in python_phases(compiled, state, 64).items():
            timed(function, 1)
            times = timed(function, options.repeats)
            yield Row("phases", name, title, "µs", 1, **summary(times, 1e6), **size, synthetic=shape.synthetic)
