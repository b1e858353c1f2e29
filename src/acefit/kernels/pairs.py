"""Pair quantities of one group of atoms, slot by slot: geometry, radial functions, harmonics, sums over neighbours.

`Work` is the scratch space of one thread; nothing in it survives a group.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import core, radial
from acefit.kernels._jit import LANES, inlined, kernel
from acefit.kernels.harmonics import harmonics_into
from acefit.kernels.radial import INVERSE, N_PAIR, ROW_BLOCK, UX, UY, UZ, R
from acefit.kernels.vectors import item, load, root, splat, store

CHUNK = 16
"""Slots whose radial base is held at a time, so that it stays in the first-level cache."""

Floats = NDArray[np.float64]


class Work(NamedTuple):
    """Scratch arrays, all with LANES as last axis; n is the largest number of slots of a group.

    Attributes
    ----------
    pairs : (n, N_PAIR) geometry and radial arguments, see `acefit.kernels.radial`
    base, dbase : (CHUNK, k_width)
    radial, dradial : (n, stride) R_nl and density rows with derivatives
    ylm : (n, n_lm) harmonics
    core : (n, 2) core energy and slope
    gradient : (n, 3) pair gradients
    nodes, adjoint : (n_rows) products and their adjoints
    sums : (n_outer, p_max) of the inner factors
    combined : (2, n_lm) adjoints of the harmonics of two slots
    """

    pairs: Floats
    base: Floats
    dbase: Floats
    radial: Floats
    dradial: Floats
    ylm: Floats
    core: Floats
    gradient: Floats
    nodes: Floats
    adjoint: Floats
    sums: Floats
    combined: Floats


@kernel
def row_stride(shape):
    """Rows of a slot in the radial arrays: the longest bond, rounded up to whole blocks."""
    longest = ROW_BLOCK
    for b in range(len(shape.n_rows)):
        longest = max(longest, shape.n_rows[b] + shape.n_density[b // shape.n_elements])
    return (longest + ROW_BLOCK - 1) // ROW_BLOCK * ROW_BLOCK


@kernel
def most_outer(shape):
    """Largest number of outer factors of an element."""
    most = 1
    for mu in range(shape.n_elements):
        most = max(most, shape.outer_start[mu + 1] - shape.outer_start[mu])
    return most


@kernel
def make_work(shape, k_width, n_slots):
    """Allocate scratch for groups of up to n_slots slots."""
    stride = row_stride(shape)
    n_lm = (shape.l_max.max() + 1) ** 2
    n_rows = max((shape.n_a + shape.n_nodes).max(), 1)
    return Work(
        np.empty((n_slots, N_PAIR, LANES)),
        np.zeros((CHUNK, k_width, LANES)),
        np.zeros((CHUNK, k_width, LANES)),
        np.empty((n_slots, stride, LANES)),
        np.empty((n_slots, stride, LANES)),
        np.empty((n_slots, n_lm, LANES)),
        np.zeros((n_slots, 2, LANES)),
        np.empty((n_slots, 3, LANES)),
        np.zeros((n_rows, LANES)),
        np.zeros((n_rows, LANES)),
        np.empty((most_outer(shape), shape.n_density.max(), LANES)),
        np.empty((2, n_lm, LANES)),
    )


@kernel
def geometry_into(vectors, begin, n, pairs):
    """Distances, inverse distances and unit vectors of the slots begin..begin+n-1."""
    for slot in range(n):
        row = 3 * (begin + slot)
        x, y, z = load(vectors, row), load(vectors, row + 1), load(vectors, row + 2)
        r = root(x * x + y * y + z * z)
        inverse = 1.0 / r
        out = slot * N_PAIR
        store(pairs, out + R, r)
        store(pairs, out + INVERSE, inverse)
        store(pairs, out + UX, x * inverse)
        store(pairs, out + UY, y * inverse)
        store(pairs, out + UZ, z * inverse)


@kernel
def radial_into(shape, coefficients, bond_index, n_density, start, stop, work):
    """Fill the rows of work.radial and work.dradial of the slots of one bond."""
    kind, k_rows = shape.kind[bond_index], shape.k_rows[bond_index]
    n_rows, first = shape.n_rows[bond_index] + n_density, shape.matrix_start[bond_index]
    bond, table_start = shape.bond[bond_index], shape.table_start[bond_index]
    k_width, stride = work.base.shape[1], work.radial.shape[1]
    radial.arguments_into(kind, bond, work.pairs, start, stop)
    dbase = work.dbase if kind == radial.TABLE else work.base
    for low in range(start, stop, CHUNK):
        n = min(CHUNK, stop - low)
        radial.base_into(kind, bond, shape.table, table_start, k_rows, work.pairs, low, n, k_width, work.base, work.dbase)
        radial.contract_into(
            k_rows,
            first,
            coefficients.value,
            coefficients.slope,
            work.pairs,
            low,
            n,
            n_rows,
            k_width,
            work.base,
            dbase,
            stride,
            work.radial,
            work.dradial,
        )


@kernel
def core_into(shape, bond_index, start, stop, pairs, out):
    """Core energies and slopes of the slots of one bond."""
    kind, bond, k_rows = shape.kind[bond_index], shape.bond[bond_index], shape.k_rows[bond_index]
    for slot in range(start, stop):
        for lane in range(LANES):
            if kind == radial.TABLE:
                value, slope = radial.hermite(bond, shape.table, shape.table_start[bond_index], k_rows, pairs[slot, R, lane])
            else:
                value, slope = core.pair_core(bond, pairs[slot, R, lane])
            out[slot, 0, lane], out[slot, 1, lane] = value, slope


@inlined
def prepare_pairs(shape, coefficients, groups, group, work):
    """Geometry, radial functions and harmonics of all slots of a group; returns the number of slots."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin = slots[0]
    n = slots[shape.n_elements] - begin
    geometry_into(groups.vectors, begin, n, work.pairs)
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        radial_into(shape, coefficients, b, shape.n_density[mu_i], slots[mu_j] - begin, slots[mu_j + 1] - begin, work)
        if shape.has_core:
            core_into(shape, b, slots[mu_j] - begin, slots[mu_j + 1] - begin, work.pairs, work.core)
    harmonics_into(shape.l_max[mu_i], shape.sector, shape.climb, work.pairs, n, work.ylm.shape[1], work.ylm)
    return n


@kernel
def sums_into(n_rows, first, row_l, row_a, start, stop, values, stride, ylm, width, nodes):
    """Add to nodes the sums over slots of values times harmonics: A components from R_nl, tangents from their changes."""
    for row in range(n_rows):
        l, a = item(row_l, first + row), item(row_a, first + row)
        slot = start
        while slot + 4 <= stop:
            v, y = slot * stride + row, slot * width + l * l
            r0, r1, r2, r3 = (
                load(values, v),
                load(values, v + stride),
                load(values, v + 2 * stride),
                load(values, v + 3 * stride),
            )
            for m in range(2 * l + 1):
                now = load(nodes, a + m) + r0 * load(ylm, y + m) + r1 * load(ylm, y + width + m)
                store(nodes, a + m, now + r2 * load(ylm, y + 2 * width + m) + r3 * load(ylm, y + 3 * width + m))
            slot += 4
        while slot < stop:
            r0, y = load(values, slot * stride + row), slot * width + l * l
            for m in range(2 * l + 1):
                store(nodes, a + m, load(nodes, a + m) + r0 * load(ylm, y + m))
            slot += 1


@inlined
def column_sum(values, stride, row, start, stop):
    """Sum over slots of one row."""
    sum0 = splat(0.0)
    for slot in range(start, stop):
        sum0 = sum0 + load(values, slot * stride + row)
    return sum0


@kernel
def atomic_base_into(shape, groups, group, work, rho, rho_core):
    """Sum over neighbours: A components into work.nodes, order-1 densities into rho, core energies into rho_core."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin, stride = slots[0], work.radial.shape[1]
    rho[:] = 0.0
    rho_core[:] = 0.0
    for a in range(shape.n_a[mu_i]):
        store(work.nodes, a, splat(0.0))
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        n_rows, first, start, stop = shape.n_rows[b], shape.row_start[b], slots[mu_j] - begin, slots[mu_j + 1] - begin
        sums_into(
            n_rows,
            first,
            shape.row_l,
            shape.row_a,
            start,
            stop,
            work.radial,
            stride,
            work.ylm,
            work.ylm.shape[1],
            work.nodes,
        )
        for p in range(shape.n_density[mu_i]):
            store(rho, p, load(rho, p) + column_sum(work.radial, stride, n_rows + p, start, stop))
        if shape.has_core:
            store(rho_core, 0, load(rho_core, 0) + column_sum(work.core, 2, 0, start, stop))
