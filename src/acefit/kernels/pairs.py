"""Pair quantities of one group of atoms, slot by slot: geometry, radial functions, harmonics, sums over neighbours.

`Work` is the scratch space of one thread; nothing in it survives a group.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import core, radial
from acefit.kernels._jit import LANES, WIDE, kernel, operation, scratch
from acefit.kernels.contraction import ROW_BLOCK, contract_into
from acefit.kernels.harmonics import harmonics_into
from acefit.kernels.radial import INVERSE, N_PAIR, UX, UY, UZ, R
from acefit.kernels.vectors import item, load, root, splat, store, zeros

CHUNK = 16
"""Slots that go through all steps together; what they need fits into the first-level cache."""

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
    totals : (9) sums over the slots of a group
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
    totals: Floats


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


@scratch
def make_work(shape, k_width, n_slots):
    """Allocate scratch for groups of up to n_slots slots."""
    stride = row_stride(shape)
    n_lm = (shape.l_max.max() + 1) ** 2
    n_rows = max((shape.n_a + shape.n_nodes).max(), 1)
    p_max, n_outer = shape.n_density.max(), most_outer(shape)
    return Work(
        zeros(n_slots * N_PAIR).reshape((n_slots, N_PAIR, LANES)),
        zeros(CHUNK * k_width).reshape((CHUNK, k_width, LANES)),
        zeros(CHUNK * k_width).reshape((CHUNK, k_width, LANES)),
        zeros(n_slots * stride).reshape((n_slots, stride, LANES)),
        zeros(n_slots * stride).reshape((n_slots, stride, LANES)),
        zeros(n_slots * n_lm).reshape((n_slots, n_lm, LANES)),
        zeros(n_slots * 2).reshape((n_slots, 2, LANES)),
        zeros(n_slots * 3).reshape((n_slots, 3, LANES)),
        zeros(n_rows),
        zeros(n_rows),
        zeros(n_outer * p_max).reshape((n_outer, p_max, LANES)),
        zeros(2 * n_lm).reshape((2, n_lm, LANES)),
        zeros(9),
    )


@kernel
def geometry_into(vectors, begin, start, stop, pairs):
    """Distances, inverse distances and unit vectors of the slots start..stop-1 of the group whose first slot is begin."""
    for slot in range(start, stop):
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
def core_into(kind, bond, table, first, k_rows, start, stop, pairs, out):
    """Core energies and slopes of the slots of one bond."""
    for slot in range(start, stop):
        for lane in range(LANES):
            if kind == radial.TABLE:
                value, slope = radial.hermite(bond, table, first, k_rows, pairs[slot, R, lane])
            else:
                value, slope = core.pair_core(bond, pairs[slot, R, lane])
            out[slot, 0, lane], out[slot, 1, lane] = value, slope


@kernel
def sums_into(n_rows, first, row_l, row_a, n, values, value_first, stride, ylm, ylm_first, width, nodes):
    """Add to nodes the sums over n slots of values times harmonics: A components from R_nl, tangents from their changes.

    value_first and ylm_first are the first slots in values (n_slots, stride, LANES) and in ylm (n_slots, width, LANES).

    Four values of m at a time, then the one or three that are left, keep all sums in registers.
    """
    for row in range(n_rows):
        l, a = item(row_l, first + row), item(row_a, first + row)
        m = 0
        while m + 4 <= 2 * l + 1:
            s0, s1, s2, s3 = load(nodes, a + m), load(nodes, a + m + 1), load(nodes, a + m + 2), load(nodes, a + m + 3)
            for slot in range(n):
                value, y = load(values, (value_first + slot) * stride + row), (ylm_first + slot) * width + l * l + m
                s0, s1 = s0 + value * load(ylm, y), s1 + value * load(ylm, y + 1)
                s2, s3 = s2 + value * load(ylm, y + 2), s3 + value * load(ylm, y + 3)
            store(nodes, a + m, s0)
            store(nodes, a + m + 1, s1)
            store(nodes, a + m + 2, s2)
            store(nodes, a + m + 3, s3)
            m += 4
        if m + 3 == 2 * l + 1:
            s0, s1, s2 = load(nodes, a + m), load(nodes, a + m + 1), load(nodes, a + m + 2)
            for slot in range(n):
                value, y = load(values, (value_first + slot) * stride + row), (ylm_first + slot) * width + l * l + m
                s0, s1, s2 = s0 + value * load(ylm, y), s1 + value * load(ylm, y + 1), s2 + value * load(ylm, y + 2)
            store(nodes, a + m, s0)
            store(nodes, a + m + 1, s1)
            store(nodes, a + m + 2, s2)
            m += 3
        if m + 1 == 2 * l + 1:
            s0 = load(nodes, a + m)
            for slot in range(n):
                value = load(values, (value_first + slot) * stride + row)
                s0 = s0 + value * load(ylm, (ylm_first + slot) * width + l * l + m)
            store(nodes, a + m, s0)


@operation
def add_products(value, change, y, ylm, dylm, d, e):
    """Add R' Y to d and R Y' to e for the harmonic in row y."""
    return d + change * load(ylm, y), e + value * load(dylm, y)


@operation
def add_pairs_of_products(r0, c0, r1, c1, y, ylm, dylm, d0, d1):
    """Add R' Y + R Y' of two radial functions for the harmonic in row y."""
    value, change = load(ylm, y), load(dylm, y)
    return d0 + c0 * value + r0 * change, d1 + c1 * value + r1 * change


@operation
def sum_tangents_of_two(l, a, b, row, n, radials, changes, stride, ylm, dylm, first, width, tangents):
    """`sum_tangents_into` for two rows of the same l, whose components begin at a and b; each harmonic is loaded once for both.

    first is the row of the first harmonic of this l in the first slot. Four values of m at a time, then two, then one.
    """
    m, size = 0, 2 * l + 1
    while m + 4 <= size:
        d0, d1, d2, d3 = load(tangents, a), load(tangents, a + 1), load(tangents, a + 2), load(tangents, a + 3)
        e0, e1, e2, e3 = load(tangents, b), load(tangents, b + 1), load(tangents, b + 2), load(tangents, b + 3)
        for slot in range(n):
            place, y = slot * stride + row, first + slot * width + m
            r0, c0, r1, c1 = load(radials, place), load(changes, place), load(radials, place + 1), load(changes, place + 1)
            d0, e0 = add_pairs_of_products(r0, c0, r1, c1, y, ylm, dylm, d0, e0)
            d1, e1 = add_pairs_of_products(r0, c0, r1, c1, y + 1, ylm, dylm, d1, e1)
            d2, e2 = add_pairs_of_products(r0, c0, r1, c1, y + 2, ylm, dylm, d2, e2)
            d3, e3 = add_pairs_of_products(r0, c0, r1, c1, y + 3, ylm, dylm, d3, e3)
        store(tangents, a, d0)
        store(tangents, a + 1, d1)
        store(tangents, a + 2, d2)
        store(tangents, a + 3, d3)
        store(tangents, b, e0)
        store(tangents, b + 1, e1)
        store(tangents, b + 2, e2)
        store(tangents, b + 3, e3)
        m, a, b = m + 4, a + 4, b + 4
    while m + 2 <= size:
        d0, d1, e0, e1 = load(tangents, a), load(tangents, a + 1), load(tangents, b), load(tangents, b + 1)
        for slot in range(n):
            place, y = slot * stride + row, first + slot * width + m
            r0, c0, r1, c1 = load(radials, place), load(changes, place), load(radials, place + 1), load(changes, place + 1)
            d0, e0 = add_pairs_of_products(r0, c0, r1, c1, y, ylm, dylm, d0, e0)
            d1, e1 = add_pairs_of_products(r0, c0, r1, c1, y + 1, ylm, dylm, d1, e1)
        store(tangents, a, d0)
        store(tangents, a + 1, d1)
        store(tangents, b, e0)
        store(tangents, b + 1, e1)
        m, a, b = m + 2, a + 2, b + 2
    if m < size:
        d0, e0 = load(tangents, a), load(tangents, b)
        for slot in range(n):
            place, y = slot * stride + row, first + slot * width + m
            r0, c0, r1, c1 = load(radials, place), load(changes, place), load(radials, place + 1), load(changes, place + 1)
            d0, e0 = add_pairs_of_products(r0, c0, r1, c1, y, ylm, dylm, d0, e0)
        store(tangents, a, d0)
        store(tangents, b, e0)


@kernel
def sum_tangents_into(n_rows, first, row_l, row_a, n, radials, changes, stride, ylm, dylm, ylm_first, width, tangents):
    """Add to tangents the sums over n slots of R' Y + R Y', for all A components.

    radials and changes are R and R' (n, stride, LANES), ylm and dylm are Y and Y' (n_slots, width, LANES) from the slot ylm_first
    on. Two rows of the same l go together where there are registers for their sums. In a single one two values of m at a time,
    then one; the two parts of a tangent are added up by themselves, since a sum waits for its last term.
    """
    zero, row = splat(0.0), 0
    while row < n_rows:
        l, a, m = item(row_l, first + row), item(row_a, first + row), 0
        start = ylm_first * width + l * l
        if WIDE and row + 1 < n_rows and item(row_l, first + row + 1) == l:
            b = item(row_a, first + row + 1)
            sum_tangents_of_two(l, a, b, row, n, radials, changes, stride, ylm, dylm, start, width, tangents)
            row += 2
            continue
        while m + 2 <= 2 * l:
            d0, d1, e0, e1 = load(tangents, a), load(tangents, a + 1), zero, zero
            for slot in range(n):
                value, change = load(radials, slot * stride + row), load(changes, slot * stride + row)
                y = start + slot * width + m
                d0, e0 = add_products(value, change, y, ylm, dylm, d0, e0)
                d1, e1 = add_products(value, change, y + 1, ylm, dylm, d1, e1)
            store(tangents, a, d0 + e0)
            store(tangents, a + 1, d1 + e1)
            m, a = m + 2, a + 2
        d0, e0 = load(tangents, a), zero
        for slot in range(n):
            value, change = load(radials, slot * stride + row), load(changes, slot * stride + row)
            d0, e0 = add_products(value, change, start + slot * width + m, ylm, dylm, d0, e0)
        store(tangents, a, d0 + e0)
        row += 1


@kernel
def add_columns(n, values, stride, row, start, stop, out):
    """Add to n rows of out the sums over slots of the rows from row on."""
    for p in range(n):
        sum0 = load(out, p)
        for slot in range(start, stop):
            sum0 = sum0 + load(values, slot * stride + row + p)
        store(out, p, sum0)


@kernel
def chunk_into(
    kind, bond, table, table_start, k_rows, first_row, n_rows, n_density, l_max, sector, climb, value, slope, low, high, pairs,
    base, dbase, out, radials, dradials, ylm,
):  # fmt: skip
    """From geometry and radial arguments to radial functions, at the slots from out on, and harmonics, for some slots."""
    k_width, stride, width, n = base.shape[1], radials.shape[1], ylm.shape[1], high - low
    own_dbase = dbase if kind == radial.TABLE else base
    radial.base_into(kind, bond, table, table_start, k_rows, pairs, low, n, k_width, base, dbase)
    contract_into(
        k_rows, first_row, value, slope, pairs, low, n, n_rows + n_density, k_width, base, own_dbase,
        stride, out, radials, dradials,
    )  # fmt: skip
    harmonics_into(l_max, sector, climb, pairs, low, high, width, ylm)


@kernel
def segment_into(
    kind, bond, table, table_start, k_rows, first_row, n_rows, row_first, row_l, row_a, n_density,
    l_max, sector, climb, value, slope, vectors, begin, start, stop,
    pairs, base, dbase, radials, dradials, ylm, nodes, rho,
):  # fmt: skip
    """From vectors to A components and order-1 densities for all slots of one bond; the radial functions of each are kept.

    A few slots go through all steps at once, so that what one step leaves is still in the first-level cache for the next.
    """
    stride, width = radials.shape[1], ylm.shape[1]
    for low in range(start, stop, CHUNK):
        high = min(low + CHUNK, stop)
        geometry_into(vectors, begin, low, high, pairs)
        radial.arguments_into(kind, bond, pairs, low, high)
        chunk_into(
            kind, bond, table, table_start, k_rows, first_row, n_rows, n_density, l_max, sector, climb, value, slope, low, high,
            pairs, base, dbase, low, radials, dradials, ylm,
        )  # fmt: skip
        sums_into(n_rows, row_first, row_l, row_a, high - low, radials, low, stride, ylm, low, width, nodes)
        add_columns(n_density, radials, stride, n_rows, low, high, rho)


@kernel
def atomic_base_into(shape, coefficients, groups, group, work, rho, rho_core):
    """Pair quantities, A components into work.nodes, order-1 densities into rho, core energies into rho_core."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin = slots[0]
    rho[:] = 0.0
    rho_core[:] = 0.0
    for a in range(shape.n_a[mu_i]):
        store(work.nodes, a, splat(0.0))
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        start, stop = slots[mu_j] - begin, slots[mu_j + 1] - begin
        kind, bond, table_start, k_rows = shape.kind[b], shape.bond[b], shape.table_start[b], shape.k_rows[b]
        segment_into(
            kind, bond, shape.table, table_start, k_rows, shape.matrix_start[b], shape.n_rows[b], shape.row_start[b],
            shape.row_l, shape.row_a, shape.n_density[mu_i], shape.l_max[mu_i], shape.sector, shape.climb,
            coefficients.value, coefficients.slope, groups.vectors, begin, start, stop,
            work.pairs, work.base, work.dbase, work.radial, work.dradial, work.ylm, work.nodes, rho,
        )  # fmt: skip
        if shape.has_core:
            core_into(kind, bond, shape.table, table_start, k_rows, start, stop, work.pairs, work.core)
            add_columns(1, work.core, 2, 0, start, stop, rho_core)
