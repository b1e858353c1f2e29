"""Where the time of an evaluation and of a gradient goes: single kernels by themselves on the arrays of a real case.

`FIRST`, `REVERSE` and `SECOND` name the phases; each calls one kernel on the state of one group of atoms. They follow the
signatures of the kernels and are what to adapt when these change. A few groups of a case are measured: the state is that of a
whole evaluation and gradient of the group, restored before every run; within a run the phase is repeated in compiled code, and
writes the same numbers each time or adds to sums that begin at zero. So everything is in the caches. The kernels as the package
calls them are measured beside the sum of their phases; for few atoms the call itself counts. The shares of the peak are those of
the operations that `operations.py` counts.

The loops are compiled without a cache. They hand kernels arrays and types of `acefit` only: numba's index of cached kernels holds
the types of their arguments, and one of this module would make it unreadable for everybody else.
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
from acefit.evaluation.grouping import Layout, build_layout
from acefit.evaluation.predict import element_indices
from acefit.fit.batch import Slopes, Targets
from acefit.fit.quasi_newton import inverse_hessian
from acefit.kernels import energy, gradient, pairs, products, radial
from acefit.kernels._jit import LANES
from acefit.kernels.contraction import contract_into, outer_products_into
from acefit.kernels.harmonics import along_into, harmonics_into
from acefit.kernels.model import Coefficients
from acefit.kernels.states import make_room
from acefit.kernels.turns import all_blocks
from measure_evaluation import shape_names
from measuring import Options, Row, seconds, summary
from operations import evaluation_operations, gradient_operations
from shapes import load_shape

CHUNK = pairs.CHUNK
SECONDS = 3e-3
"""Time that the repeats of a phase take in one run, against which the call of the loop is nothing."""

N_GROUPS = 3
"""Groups of a case that are measured."""


class State(NamedTuple):
    """Everything a phase may read or write; names as in the kernels."""

    shape: Any
    coefficients: Any
    groups: Any
    structure: Any
    slopes: Any
    work: Any
    lanes: Any
    tangents: Any
    owner: Any
    energies: Any
    forces: Any
    virials: Any
    dct: Any


def geometry(s, group):
    """Distances and unit vectors."""
    begin, end = s.groups.slots[group, 0], s.groups.slots[group, -1]
    pairs.geometry_into(s.groups.vectors, begin, 0, end - begin, s.work.pairs)


def radial_arguments(s, group):
    """Arguments of the polynomials, windows and their factors."""
    mu, slots, c = s.groups.species[group], s.groups.slots[group], s.shape
    for nu in range(c.n_elements):
        b = mu * c.n_elements + nu
        radial.arguments_into(c.kind[b], c.bond[b], s.work.pairs, slots[nu] - slots[0], slots[nu + 1] - slots[0])


def polynomial_base(s, group):
    """Chebyshev polynomials."""
    mu, slots, c, w = s.groups.species[group], s.groups.slots[group], s.shape, s.work
    for nu in range(c.n_elements):
        b, stop = mu * c.n_elements + nu, slots[nu + 1] - slots[0]
        for low in range(slots[nu] - slots[0], stop, CHUNK):
            radial.base_into(
                c.kind[b], c.bond[b], c.table, c.table_start[b], c.k_rows[b], w.pairs, low, min(CHUNK, stop - low),
                w.base.shape[1], w.base, w.dbase,
            )  # fmt: skip


def contraction(s, group):
    """Radial functions and slopes; from the polynomials of the last chunk for all chunks."""
    mu, slots, c, w = s.groups.species[group], s.groups.slots[group], s.shape, s.work
    for nu in range(c.n_elements):
        b, stop = mu * c.n_elements + nu, slots[nu + 1] - slots[0]
        for low in range(slots[nu] - slots[0], stop, CHUNK):
            contract_into(
                c.k_rows[b], c.matrix_start[b], s.coefficients.value, s.coefficients.slope, w.pairs, low, min(CHUNK, stop - low),
                c.n_rows[b] + c.n_density[mu], w.base.shape[1], w.base, w.base, w.radial.shape[1], low, w.radial, w.dradial,
            )  # fmt: skip


def harmonics(s, group):
    """Real harmonics."""
    c, w, n = s.shape, s.work, s.groups.slots[group, -1] - s.groups.slots[group, 0]
    harmonics_into(c.l_max[s.groups.species[group]], c.sector, c.climb, w.pairs, 0, n, w.ylm.shape[1], w.ylm)


def sums_over_neighbours(s, group):
    """A components and order-1 densities."""
    mu, slots, c, w = s.groups.species[group], s.groups.slots[group], s.shape, s.work
    w.nodes[: c.n_a[mu]] = 0.0
    s.lanes.rho[:] = 0.0
    stride, width = w.radial.shape[1], w.ylm.shape[1]
    for nu in range(c.n_elements):
        b, stop = mu * c.n_elements + nu, slots[nu + 1] - slots[0]
        for low in range(slots[nu] - slots[0], stop, CHUNK):
            n = min(CHUNK, stop - low)
            pairs.sums_into(c.n_rows[b], c.row_start[b], c.row_l, c.row_a, n, w.radial, low, stride, w.ylm, low, width, w.nodes)
            pairs.add_columns(c.n_density[mu], w.radial, stride, c.n_rows[b], low, low + n, s.lanes.rho)


def product_densities(s, group):
    """Nodes and densities."""
    mu = s.groups.species[group]
    s.lanes.rho[:] = 0.0
    products.nodes_into(s.shape, mu, s.work.nodes)
    products.densities_into(s.shape, mu, s.coefficients.ct, s.work.nodes, s.work.sums, s.lanes.rho)


def embedding(s, group):
    """Embedding and the cutoff by the core energy."""
    energy.embedding_into(s.shape, s.groups.species[group], s.lanes)
    energy.core_cut_into(s.shape, s.groups, group, s.work.pairs, s.lanes)


def reverse(s, group):
    """Adjoints of nodes and of A."""
    mu, w = s.groups.species[group], s.work
    products.adjoints_into(s.shape, mu, s.coefficients.ct, s.lanes.weight, w.nodes, w.sums, w.adjoint)


def pair_gradients(s, group):
    """Gradients of all pairs."""
    energy.pair_slopes_into(s.shape, s.groups, group, s.work, s.lanes)


def scatter(s, group):
    """Forces and virials from pair gradients."""
    begin, end = s.groups.slots[group, 0], s.groups.slots[group, -1]
    energy.scatter(
        begin, end - begin, s.groups.vectors, s.groups.neighbor, s.groups.atoms[group], s.work.gradient, s.owner, s.forces,
        s.virials, s.work.totals,
    )  # fmt: skip


def displacements(s, group):
    """Displacements along the bonds and turns of the unit vectors."""
    begin, n = s.groups.slots[group, 0], s.groups.slots[group, -1] - s.groups.slots[group, 0]
    gradient.constants_into(s.groups.atoms[group], s.structure, s.slopes, s.tangents.constants)
    for low in range(0, n, CHUNK):
        gradient.displacements_into(
            begin, low, min(low + CHUNK, n), s.groups.vectors, s.groups.neighbor, s.slopes.force, s.tangents.constants,
            s.work.pairs, s.tangents.along, s.tangents.turn,
        )  # fmt: skip


def changes_of_harmonics(s, group):
    """Changes of the harmonics along the turns; those of the last chunk for all chunks."""
    c, w, t, n = s.shape, s.work, s.tangents, s.groups.slots[group, -1] - s.groups.slots[group, 0]
    l_max, width = c.l_max[s.groups.species[group]], w.ylm.shape[1]
    for low in range(0, n, CHUNK):
        along_into(l_max, c.sector, c.climb, w.pairs, low, min(low + CHUNK, n), width, w.ylm, t.turn, t.dylm)


def tangents_of_sums(s, group):
    """Tangents of A components and order-1 densities."""
    mu, slots, c, w, t = s.groups.species[group], s.groups.slots[group], s.shape, s.work, s.tangents
    t.nodes[: c.n_a[mu]] = 0.0
    t.rho[:] = 0.0
    stride, width = w.radial.shape[1], w.ylm.shape[1]
    for nu in range(c.n_elements):
        b, stop = mu * c.n_elements + nu, slots[nu + 1] - slots[0]
        rows, first = c.n_rows[b], c.row_start[b]
        for low in range(slots[nu] - slots[0], stop, CHUNK):
            n = min(CHUNK, stop - low)
            pairs.sum_tangents_into(
                rows, first, c.row_l, c.row_a, n, t.radial, t.dradial, stride, w.ylm, t.dylm, low, width, t.nodes
            )
            pairs.add_columns(c.n_density[mu], t.dradial, stride, rows, 0, n, t.rho)


def tangents_of_products(s, group):
    """Tangents of nodes and densities, and the derivatives of S by both."""
    mu, w, t = s.groups.species[group], s.work, s.tangents
    t.rho[:] = 0.0
    products.nodes_and_tangents_into(s.shape, mu, w.nodes, t.nodes)
    products.density_tangents_into(s.shape, mu, s.coefficients.ct, w.nodes, t.nodes, w.sums, t.sums, t.rho)
    gradient.density_weights_into(s.shape, mu, s.groups, group, s.lanes, s.structure, s.slopes, t)


def second_adjoint(s, group):
    """Adjoint of the values and the gradient by the coefficients of the terms."""
    mu, w, t = s.groups.species[group], s.work, s.tangents
    products.second_adjoint_into(
        s.shape, mu, s.coefficients.ct, t.u, t.v, w.nodes, t.nodes, w.sums, t.sums, w.adjoint, t.second, s.dct
    )


def radial_adjoints(s, group):
    """Derivatives by the polynomials P and Q of each radial function."""
    mu, slots, c, w, t = s.groups.species[group], s.groups.slots[group], s.shape, s.work, s.tangents
    for nu in range(c.n_elements):
        b, stop = mu * c.n_elements + nu, slots[nu + 1] - slots[0]
        for low in range(slots[nu] - slots[0], stop, CHUNK):
            gradient.radial_adjoints_into(
                c.n_rows[b], c.row_start[b], c.row_l, c.row_a, c.n_density[mu], low, min(low + CHUNK, stop), w.pairs,
                w.ylm, t.dylm, w.ylm.shape[1], w.adjoint, t.second, t.u, t.v, t.radial, t.dradial, t.radial.shape[1],
            )  # fmt: skip


def outer_products(s, group):
    """Polynomials again, and the gradient by the contraction matrices."""
    mu, slots, c, w, t = s.groups.species[group], s.groups.slots[group], s.shape, s.work, s.tangents
    for nu in range(c.n_elements):
        b, stop = mu * c.n_elements + nu, slots[nu + 1] - slots[0]
        for low in range(slots[nu] - slots[0], stop, CHUNK):
            n, width = min(CHUNK, stop - low), w.base.shape[1]
            radial.base_into(
                c.kind[b], c.bond[b], c.table, c.table_start[b], c.k_rows[b], w.pairs, low, n, width, w.base, w.dbase
            )
            outer_products_into(
                c.k_rows[b], c.matrix_start[b], c.n_rows[b] + c.n_density[mu], n, t.radial, t.dradial, t.radial.shape[1], w.base,
                w.base, width, t.value, t.slope,
            )  # fmt: skip


def everything(s, group):
    """Both passes, to leave the state that phases begin with."""
    energy.evaluate_group(s.shape, s.coefficients, s.groups, group, s.work, s.lanes, s.owner, s.energies, s.forces, s.virials)
    gradient.gradient_group(s.shape, s.coefficients, s.groups, group, s.work, s.lanes, s.tangents, s.structure, s.slopes, s.dct)


PAIRS = (geometry, radial_arguments, polynomial_base, contraction, harmonics)
FIRST = (*PAIRS, sums_over_neighbours, product_densities, embedding)
REVERSE = (reverse, pair_gradients, scatter)
TANGENTS = (displacements, changes_of_harmonics, tangents_of_sums, tangents_of_products)
SECOND = (*TANGENTS, second_adjoint, radial_adjoints, outer_products)
PARTS = {"whole evaluation": (*FIRST, *REVERSE), "whole loss and gradient": (*FIRST, *REVERSE, *PAIRS, *SECOND)}
"""Phases of the calls of `whole_calls`."""


def title(phase: Callable[..., Any]) -> str:
    """Name of a phase in the tables and in `operations.py`."""
    return {"product_densities": "products"}.get(phase.__name__, phase.__name__.replace("_", " "))


def compiled_loop(phase: Callable[[Any, int], None]) -> Any:
    """Compiled function of state, group and number of repeats; as the kernels, without reference counts where possible."""
    with_arrays = phase is everything
    step = njit(error_model="numpy", nogil=True, _nrt=with_arrays)(phase)

    @njit(error_model="numpy", nogil=True, _nrt=with_arrays)
    def run(state, group, repeats):
        for _ in range(repeats):
            step(state, group)

    return run


def prepare(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> tuple[State, Layout]:
    """Arrays of a case, with random slopes of the loss."""
    elements = element_indices(compiled.potential, structures.numbers)
    layout = build_layout(compiled.shape, elements, structures, neighbors)
    rng, n_atoms = np.random.default_rng(1), structures.n_atoms
    n_structures, groups = structures.n_structures, layout.groups
    coefficients = compiled.coefficients(compiled.layout.vector())
    work = pairs.make_work(compiled.shape, coefficients.value.shape[1], int(np.ptp(groups.slots, axis=1).max(initial=1)))
    slopes = Slopes(np.ones(n_structures), rng.normal(size=(n_atoms, 3)), np.full((n_structures, 3, 3), 0.1))
    state = State(
        shape=compiled.shape,
        coefficients=coefficients,
        groups=groups,
        structure=layout.structure,
        slopes=slopes,
        work=work,
        lanes=energy.make_lanes(compiled.shape),
        tangents=gradient.make_tangents(compiled.shape, work, coefficients.value),
        owner=np.zeros(LANES, dtype=np.int32),
        energies=np.zeros(n_atoms),
        forces=np.zeros((n_atoms, 3)),
        virials=np.zeros((n_structures, 6)),
        dct=np.zeros_like(coefficients.ct),
    )
    return state, layout


def restore(loop: Any, state: State, group: int) -> None:
    """State of both passes of the group (a loop over `everything`), with all sums at zero."""
    for array in (state.forces, state.virials, state.dct, state.tangents.value, state.tangents.slope):
        array[:] = 0.0
    loop(state, group, 1)


def run_times(loop: Any, whole: Any, state: State, groups: list[int], repeats: int) -> list[float]:
    """Times of a phase for one atom, us: sums over the given groups, divided by their atoms."""
    used, found = sum(int((state.groups.atoms[group] >= 0).sum()) for group in groups), np.zeros(repeats)
    for group in groups:
        restore(whole, state, group)
        once = timed(lambda group=group: loop(state, group, 50), 2)[-1] / 50
        n = max(1, round(SECONDS / once))
        for k in range(repeats):
            restore(whole, state, group)
            found[k] += timed(lambda group=group, n=n: loop(state, group, n), 1)[0] / n
    return list(1e6 * found / used)


def whole_calls(structures: StructureSet, state: State, layout: Layout) -> dict[str, Callable[[], Any]]:
    """The kernels as the package calls them, on all atoms in one thread."""
    n_atoms, n_structures, n_blocks = structures.n_atoms, structures.n_structures, len(layout.block_groups) - 1
    forces, virials = np.zeros((1, n_atoms, 3)), np.zeros((n_atoms, 6))
    ones, offsets = np.ones(n_structures), np.array(structures.offsets)
    targets = Targets(ones, ones, state.forces, np.ones(n_atoms), np.zeros((n_structures, 6)), ones, ones)
    share_start, blocks, losses = np.array([0, n_blocks]), np.arange(n_blocks), np.zeros((n_blocks, 3))
    gradients = Coefficients(*(np.zeros((1, *part.shape)) for part in state.coefficients))
    slopes = Slopes(*(np.zeros_like(part) for part in state.slopes))
    room = make_room(state.shape, len(state.groups.species))
    potential = (state.shape, state.coefficients, state.groups, layout.block_groups)

    def evaluation() -> None:
        energy.evaluate(all_blocks(n_blocks), *potential, layout.block_buffer, state.energies, forces, virials)

    def loss_and_gradient() -> None:
        gradient.loss_and_gradient(
            all_blocks(1), np.arange(1), share_start, blocks, *potential, layout.block_structures, offsets, layout.structure,
            targets, slopes, state.energies, state.forces, state.virials, np.zeros(n_structures), losses, gradients, room,
        )  # fmt: skip

    return {"whole evaluation": evaluation, "whole loss and gradient": loss_and_gradient}


def python_phases(compiled: Compiled, state: State, n_shares: int) -> dict[str, Callable[[], Any]]:
    """What happens once per evaluation or iteration outside the kernels."""
    x = compiled.layout.vector()
    gradients = Coefficients(*(np.zeros((n_shares, *part.shape)) for part in state.coefficients))
    hessian, s = inverse_hessian(len(x)), np.linspace(1.0, 2.0, len(x))

    def iteration() -> None:
        hessian.apply(s)
        hessian.update(s, s, s)

    return {
        "coefficients": lambda: compiled.coefficients(x),
        "reduction": lambda: compiled.parameter_gradient(gradients),
        "step and update of BFGS": iteration,
    }


def timed(function: Callable[[], Any], repeats: int) -> list[float]:
    """Wall times."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return times


def shares(found: dict[str, list[float]], flops: dict[str, float], peak: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Share of the peak (Gflop/s) of every phase and of the whole calls."""
    for name, times in found.items():
        work = sum(flops[title(phase)] for phase in PARTS[name]) if name in PARTS else flops[name]
        rates = [work / us * 1e-3 / peak for us in times]
        yield name, {"median": float(np.median(rates)), "minimum": min(rates), "runs": len(rates)}


def measure(options: Options, peaks: dict[str, float]) -> Iterator[Row]:
    """Times of all phases for every shape, per atom, and their shares of the peak; what is outside the kernels, per call."""
    whole = compiled_loop(everything)
    loops = {title(phase): compiled_loop(phase) for phase in (*FIRST, *REVERSE, *SECOND)}
    for name in shape_names(options):
        shape = load_shape(name, options.shared, options.quick)
        compiled, structures = compile_potential(shape.potential), StructureSet.from_ase([shape.atoms])
        neighbors = build(structures, shape.potential.cutoff)
        (state, layout), n_atoms = prepare(compiled, structures, neighbors), structures.n_atoms
        chosen = sorted({int(k) for k in np.linspace(0, len(state.groups.species) - 1, N_GROUPS)})
        common = {
            "neighbours": neighbors.n_pairs / n_atoms,
            "functions": shape.potential.n_functions,
            "synthetic": shape.synthetic,
        }
        common["atoms"] = n_atoms
        found = {}
        for quantity, loop in loops.items():
            found[quantity] = run_times(loop, whole, state, chosen, options.repeats)
            yield Row("phases", name, quantity, "µs/atom", 1, **summary(found[quantity]), **common)
        for quantity, parts in PARTS.items():
            sums = np.sum([found[title(phase)] for phase in parts], axis=0)
            yield Row("phases", name, f"{quantity}, sum of phases", "µs/atom", 1, **summary(sums), **common)
        for quantity, call in whole_calls(structures, state, layout).items():
            found[quantity] = [1e6 / n_atoms * value for value in seconds(call, options.repeats)]
            yield Row("phases", name, quantity, "µs/atom", 1, **summary(found[quantity]), **common)
        counted = evaluation_operations(compiled, structures, neighbors).phases
        counted |= gradient_operations(compiled, structures, neighbors)
        if peaks.get("fma_1"):
            flops = {phase: value / n_atoms for phase, value in counted.items()}
            for quantity, fields in shares(found, flops, peaks["fma_1"]):
                yield Row("phases", name, f"{quantity}, share of the peak", "", 1, **fields, **common)
        for quantity, function in python_phases(compiled, state, 64).items():
            timed(function, 1)
            yield Row("phases", name, quantity, "µs", 1, **summary(timed(function, options.repeats), 1e6), **common)
