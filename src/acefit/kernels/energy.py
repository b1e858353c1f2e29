"""Energies, forces and virials: first pass over groups of atoms.

Forces are sums of pair gradients g_ij = dE_i/dr_j: F_i += g_ij, F_j -= g_ij. Each block of groups writes to a buffer that no
other block of the same call touches concurrently, so results do not depend on the number of threads.

References
----------
Drautz, Phys. Rev. B 99, 014104 (2019), energies and forces by the adjoint of A.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import products, radial
from acefit.kernels._jit import LANES, driver, inlined, kernel, operation, scratch
from acefit.kernels.embedding import embed
from acefit.kernels.harmonics import backwards
from acefit.kernels.pairs import atomic_base_into, make_work
from acefit.kernels.radial import INVERSE, N_PAIR, UX, UY, UZ, R
from acefit.kernels.turns import take
from acefit.kernels.vectors import item, load, put, splat, store, zeros

Floats = NDArray[np.float64]


class Lanes(NamedTuple):
    """Per-atom quantities of one group, last axis the lane.

    Attributes
    ----------
    rho, slope, curvature : (p_max, LANES) densities, dF/drho_p and d2F/drho_p2 (without f_cut)
    weight : (p_max, LANES) f_cut dF/drho_p
    value : F
    reduced : smallest r - (r_in - delta_in) for zbl
    rho_core, cut, dcut : core energy, f_cut and its derivative (with respect to rho_core, or to the nearest distance for zbl)
    nearest : int64, slot of the nearest neighbour for zbl, -1 if none
    """

    rho: Floats
    slope: Floats
    curvature: Floats
    weight: Floats
    value: Floats
    reduced: Floats
    rho_core: Floats
    cut: Floats
    dcut: Floats
    nearest: NDArray[np.int64]


@scratch
def make_lanes(shape):
    """Allocate the per-atom quantities of a group."""
    p = shape.n_density.max()
    return Lanes(
        zeros(p),
        zeros(p),
        zeros(p),
        zeros(p),
        zeros(1).reshape(-1),
        zeros(1).reshape(-1),
        zeros(1).reshape(-1),
        zeros(1).reshape(-1),
        zeros(1).reshape(-1),
        np.full(LANES, -1),
    )


@kernel
def nearest_into(shape, groups, group, pairs, lanes):
    """For zbl: the slot with the smallest r - (r_in - delta_in) of each lane, and this smallest value."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin = slots[0]
    lanes.reduced[:] = np.inf
    lanes.nearest[:] = -1
    for mu_j in range(shape.n_elements):
        bond = shape.bond[mu_i * shape.n_elements + mu_j]
        offset = bond[radial.CORE_IN] - bond[radial.CORE_WIDTH]
        for slot in range(slots[mu_j] - begin, slots[mu_j + 1] - begin):
            for lane in range(LANES):
                r = pairs[slot, R, lane]
                # places without a neighbour are filled with pairs beyond the cutoff
                if r < bond[radial.RC] and r - offset < lanes.reduced[lane]:
                    lanes.reduced[lane] = r - offset
                    lanes.nearest[lane] = slot


@kernel
def core_cut_into(shape, groups, group, pairs, lanes):
    """Fill f_cut and its derivative."""
    mu_i = groups.species[group]
    if not shape.is_zbl:
        for lane in range(LANES):
            lanes.cut[lane], lanes.dcut[lane] = radial.f_poly(
                lanes.rho_core[lane], shape.core_cut[mu_i, 0], shape.core_cut[mu_i, 1]
            )
        return
    nearest_into(shape, groups, group, pairs, lanes)
    slots = groups.slots[group]
    for lane in range(LANES):
        lanes.cut[lane], lanes.dcut[lane] = 1.0, 0.0
        slot = lanes.nearest[lane]
        if slot < 0:
            continue
        mu_j = 0
        while slot >= slots[mu_j + 1] - slots[0]:
            mu_j += 1
        width = shape.bond[mu_i * shape.n_elements + mu_j, radial.CORE_WIDTH]
        if width > 0.0:
            value, slope = radial.f_poly(width - lanes.reduced[lane], width, width)
            lanes.cut[lane], lanes.dcut[lane] = value, -slope
        elif lanes.reduced[lane] < 0.0:
            lanes.cut[lane] = 0.0


@kernel
def embedding_into(shape, mu_i, lanes):
    """Fill F and its derivatives from the densities."""
    for lane in range(LANES):
        lanes.value[lane] = 0.0
        for p in range(shape.n_density[mu_i]):
            weight, exponent = shape.embedding_parameters[mu_i, p, 0], shape.embedding_parameters[mu_i, p, 1]
            phi, dphi, ddphi = embed(shape.embedding[mu_i], lanes.rho[p, lane], exponent)
            lanes.value[lane] += weight * phi
            lanes.slope[p, lane] = weight * dphi
            lanes.curvature[p, lane] = weight * ddphi


@inlined
def embed_group(shape, groups, group, work, lanes):
    """From the densities to embedding and f_cut for all lanes of a group."""
    embedding_into(shape, groups.species[group], lanes)
    core_cut_into(shape, groups, group, work.pairs, lanes)


@inlined
def forward_group(shape, coefficients, groups, group, work, lanes):
    """From pairs to embedding and f_cut for all lanes of a group; returns the number of slots."""
    mu_i = groups.species[group]
    atomic_base_into(shape, coefficients, groups, group, work, lanes.rho, lanes.rho_core)
    products.nodes_into(shape, mu_i, work.nodes)
    products.densities_into(shape, mu_i, coefficients.ct, work.nodes, work.sums, lanes.rho)
    embed_group(shape, groups, group, work, lanes)
    return groups.slots[group, shape.n_elements] - groups.slots[group, 0]


@inlined
def adjoint_group(shape, coefficients, groups, group, work, lanes):
    """`forward_group`, and the adjoint of the nodes and of A."""
    mu_i = groups.species[group]
    n = forward_group(shape, coefficients, groups, group, work, lanes)
    for p in range(shape.n_density[mu_i]):
        store(lanes.weight, p, load(lanes.cut, 0) * load(lanes.slope, p))
    products.adjoints_into(shape, mu_i, coefficients.ct, lanes.weight, work.nodes, work.sums, work.adjoint)
    return n


@operation
def combine_step(w, r0, r1, dr0, dr1, s0, s1, d0, d1):
    """One term of the sums of `combine_into` at two slots."""
    return s0 + w * r0, s1 + w * r1, d0 + w * dr0, d1 + w * dr1


@operation
def combine_finish(s0, s1, d0, d1, lm, y0, y1, ylm, width, along0, along1, combined):
    """Store the adjoints of one harmonic at two slots and add its part to the slopes."""
    store(combined, lm, s0)
    store(combined, width + lm, s1)
    return along0 + d0 * load(ylm, y0 + lm), along1 + d1 * load(ylm, y1 + lm)


@operation
def combine_into(n_rows, first, row_l, row_a, slot, other, radials, dradials, stride, ylm, width, adjoint, combined):
    """Adjoints of the harmonics of two slots into combined (2, n_lm, LANES), and their slopes along the bonds.

    Adjoint of Y_lm: sum_n R_nl w_nlm; slope along the bond: sum_nlm R'_nl w_nlm Y_lm. Four values of m at a time, then the
    one or three that are left, keep all sums in registers.
    """
    zero = splat(0.0)
    v0, v1, y0, y1 = slot * stride, other * stride, slot * width, other * width
    along0, along1 = zero, zero
    row, lm = 0, 0
    while row < n_rows:
        l, last = item(row_l, first + row), row + 1
        while last < n_rows and item(row_l, first + last) == l:
            last += 1
        while lm < l * l:
            # no radial function has this l
            store(combined, lm, zero)
            store(combined, width + lm, zero)
            lm += 1
        while lm + 4 <= (l + 1) * (l + 1):
            s0, s1, d0, d1, s2, s3, d2, d3 = zero, zero, zero, zero, zero, zero, zero, zero
            s4, s5, d4, d5, s6, s7, d6, d7 = zero, zero, zero, zero, zero, zero, zero, zero
            for q in range(row, last):
                a = item(row_a, first + q) + lm - l * l
                r0, r1, dr0, dr1 = load(radials, v0 + q), load(radials, v1 + q), load(dradials, v0 + q), load(dradials, v1 + q)
                s0, s1, d0, d1 = combine_step(load(adjoint, a), r0, r1, dr0, dr1, s0, s1, d0, d1)
                s2, s3, d2, d3 = combine_step(load(adjoint, a + 1), r0, r1, dr0, dr1, s2, s3, d2, d3)
                s4, s5, d4, d5 = combine_step(load(adjoint, a + 2), r0, r1, dr0, dr1, s4, s5, d4, d5)
                s6, s7, d6, d7 = combine_step(load(adjoint, a + 3), r0, r1, dr0, dr1, s6, s7, d6, d7)
            along0, along1 = combine_finish(s0, s1, d0, d1, lm, y0, y1, ylm, width, along0, along1, combined)
            along0, along1 = combine_finish(s2, s3, d2, d3, lm + 1, y0, y1, ylm, width, along0, along1, combined)
            along0, along1 = combine_finish(s4, s5, d4, d5, lm + 2, y0, y1, ylm, width, along0, along1, combined)
            along0, along1 = combine_finish(s6, s7, d6, d7, lm + 3, y0, y1, ylm, width, along0, along1, combined)
            lm += 4
        if lm + 3 == (l + 1) * (l + 1):
            s0, s1, d0, d1, s2, s3, d2, d3 = zero, zero, zero, zero, zero, zero, zero, zero
            s4, s5, d4, d5 = zero, zero, zero, zero
            for q in range(row, last):
                a = item(row_a, first + q) + lm - l * l
                r0, r1, dr0, dr1 = load(radials, v0 + q), load(radials, v1 + q), load(dradials, v0 + q), load(dradials, v1 + q)
                s0, s1, d0, d1 = combine_step(load(adjoint, a), r0, r1, dr0, dr1, s0, s1, d0, d1)
                s2, s3, d2, d3 = combine_step(load(adjoint, a + 1), r0, r1, dr0, dr1, s2, s3, d2, d3)
                s4, s5, d4, d5 = combine_step(load(adjoint, a + 2), r0, r1, dr0, dr1, s4, s5, d4, d5)
            along0, along1 = combine_finish(s0, s1, d0, d1, lm, y0, y1, ylm, width, along0, along1, combined)
            along0, along1 = combine_finish(s2, s3, d2, d3, lm + 1, y0, y1, ylm, width, along0, along1, combined)
            along0, along1 = combine_finish(s4, s5, d4, d5, lm + 2, y0, y1, ylm, width, along0, along1, combined)
            lm += 3
        if lm + 1 == (l + 1) * (l + 1):
            s0, s1, d0, d1 = zero, zero, zero, zero
            for q in range(row, last):
                a = item(row_a, first + q) + lm - l * l
                r0, r1, dr0, dr1 = load(radials, v0 + q), load(radials, v1 + q), load(dradials, v0 + q), load(dradials, v1 + q)
                s0, s1, d0, d1 = combine_step(load(adjoint, a), r0, r1, dr0, dr1, s0, s1, d0, d1)
            along0, along1 = combine_finish(s0, s1, d0, d1, lm, y0, y1, ylm, width, along0, along1, combined)
            lm += 1
        row = last
    while lm < width:
        store(combined, lm, zero)
        store(combined, width + lm, zero)
        lm += 1
    return along0, along1


@operation
def pair_slope_into(l_max, sector, climb, slot, along, combined, first, pairs, ylm, width, gradient):
    """Gradient of one slot from its slope along the bond and the adjoints of its harmonics."""
    row = slot * N_PAIR
    x, y, z = load(pairs, row + UX), load(pairs, row + UY), load(pairs, row + UZ)
    gx, gy, gz = backwards(l_max, sector, climb, x, y, z, ylm, slot * width, combined, first)
    inverse = load(pairs, row + INVERSE)
    # the tangential part of the gradient by the unit vector, and the slope along the bond
    rest = along - (gx * x + gy * y + gz * z) * inverse
    store(gradient, 3 * slot, gx * inverse + rest * x)
    store(gradient, 3 * slot + 1, gy * inverse + rest * y)
    store(gradient, 3 * slot + 2, gz * inverse + rest * z)


@kernel
def segment_slopes_into(
    l_max, sector, climb, n_rows, first, row_l, row_a, start, stop, pairs, radials, dradials, stride, ylm, width, adjoint,
    weights, n_density, combined, gradient,
):  # fmt: skip
    """Gradients of the slots of one bond; weights (p_max, LANES) are the slopes along the bond per unit of order-1 slope."""
    for slot in range(start, stop, 2):
        # an odd last slot is done twice rather than by other code
        other = min(slot + 1, stop - 1)
        along, other_along = combine_into(
            n_rows, first, row_l, row_a, slot, other, radials, dradials, stride, ylm, width, adjoint, combined
        )
        for p in range(n_density):
            along = along + load(weights, p) * load(dradials, slot * stride + n_rows + p)
            other_along = other_along + load(weights, p) * load(dradials, other * stride + n_rows + p)
        pair_slope_into(l_max, sector, climb, slot, along, combined, 0, pairs, ylm, width, gradient)
        pair_slope_into(l_max, sector, climb, other, other_along, combined, width, pairs, ylm, width, gradient)


@kernel
def core_slopes_into(n, factor, pairs, core, gradient):
    """Add the slopes of the core repulsion, times a factor, to the gradients of n slots."""
    for slot in range(n):
        slope = factor * load(core, 2 * slot + 1)
        for axis in range(3):
            row = 3 * slot + axis
            store(gradient, row, load(gradient, row) + slope * load(pairs, slot * N_PAIR + UX + axis))


@kernel
def pair_slopes_into(shape, groups, group, work, lanes):
    """Gradients g_ij of all slots of a group from the adjoint of A."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin = slots[0]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        segment_slopes_into(
            shape.l_max[mu_i], shape.sector, shape.climb, shape.n_rows[b], shape.row_start[b], shape.row_l, shape.row_a,
            slots[mu_j] - begin, slots[mu_j + 1] - begin, work.pairs, work.radial, work.dradial, work.radial.shape[1],
            work.ylm, work.ylm.shape[1], work.adjoint, lanes.weight, shape.n_density[mu_i], work.combined, work.gradient,
        )  # fmt: skip
    if shape.has_core:
        factor = 1.0 + load(lanes.value, 0) * load(lanes.dcut, 0)
        if shape.is_zbl:
            factor = 1.0 - load(lanes.cut, 0)
        core_slopes_into(slots[shape.n_elements] - begin, factor, work.pairs, work.core, work.gradient)
    if shape.is_zbl:
        for lane in range(LANES):
            slot = lanes.nearest[lane]
            if slot >= 0:
                extra = (lanes.value[lane] - lanes.rho_core[lane]) * lanes.dcut[lane]
                for axis in range(3):
                    work.gradient[slot, axis, lane] += extra * work.pairs[slot, UX + axis, lane]


@kernel
def scatter(begin, n, vectors, neighbor, atoms, gradient, owner, forces, virials, lanes):
    """Add the pair gradients of n slots to forces (n_atoms, 3) and virials (n_owners, 6: xx yy zz yz xz xy).

    owner (LANES,) is the row of virials that each lane adds to. lanes (9, LANES) is scratch.
    """
    fx, fy, fz = splat(0.0), splat(0.0), splat(0.0)
    xx, yy, zz, yz, xz, xy = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for slot in range(n):
        gx, gy, gz = load(gradient, 3 * slot), load(gradient, 3 * slot + 1), load(gradient, 3 * slot + 2)
        row = 3 * (begin + slot)
        x, y, z = load(vectors, row), load(vectors, row + 1), load(vectors, row + 2)
        fx, fy, fz = fx + gx, fy + gy, fz + gz
        xx, yy, zz = xx + x * gx, yy + y * gy, zz + z * gz
        yz, xz, xy = yz + (y * gz + z * gy), xz + (x * gz + z * gx), xy + (x * gy + y * gx)
        for lane in range(LANES):
            j, own = 3 * item(neighbor, (begin + slot) * LANES + lane), 3 * slot * LANES + lane
            put(forces, j, item(forces, j) - item(gradient, own))
            put(forces, j + 1, item(forces, j + 1) - item(gradient, own + LANES))
            put(forces, j + 2, item(forces, j + 2) - item(gradient, own + 2 * LANES))
    store(lanes, 0, fx)
    store(lanes, 1, fy)
    store(lanes, 2, fz)
    store(lanes, 3, xx)
    store(lanes, 4, yy)
    store(lanes, 5, zz)
    store(lanes, 6, 0.5 * yz)
    store(lanes, 7, 0.5 * xz)
    store(lanes, 8, 0.5 * xy)
    for lane in range(LANES):
        i = atoms[lane]
        if i >= 0:
            for axis in range(3):
                forces[i, axis] += lanes[axis, lane]
            for k in range(6):
                virials[owner[lane], k] += lanes[3 + k, lane]


@inlined
def evaluate_group(shape, coefficients, groups, group, work, lanes, owner, energies, forces, virials):
    """Atomic energies of one group, and its contributions to forces and virials."""
    n = adjoint_group(shape, coefficients, groups, group, work, lanes)
    for lane in range(LANES):
        i = groups.atoms[group, lane]
        if i >= 0:
            core = lanes.rho_core[lane] * (1.0 - lanes.cut[lane] if shape.is_zbl else 1.0)
            energies[i] = lanes.cut[lane] * lanes.value[lane] + core
    pair_slopes_into(shape, groups, group, work, lanes)
    begin = groups.slots[group, 0]
    scatter(begin, n, groups.vectors, groups.neighbor, groups.atoms[group], work.gradient, owner, forces, virials, work.totals)


@kernel
def largest_group(groups, low, high):
    """Largest number of slots in the groups low..high-1."""
    largest = 1
    for group in range(low, high):
        largest = max(largest, groups.slots[group, -1] - groups.slots[group, 0])
    return largest


@kernel
def blocks_into(turns, shape, coefficients, groups, block_groups, block_buffer, energies, forces, virials, work, lanes):
    """The work of `evaluate` with its scratch; by itself because a driver counts references to arrays at every step."""
    block = take(turns)
    while block >= 0:
        buffer = block_buffer[block]
        for group in range(block_groups[block], block_groups[block + 1]):
            # virials are collected by atom
            evaluate_group(
                shape, coefficients, groups, group, work, lanes, groups.atoms[group], energies, forces[buffer], virials
            )
        block = take(turns)


@driver
def evaluate(turns, shape, coefficients, groups, block_groups, block_buffer, energies, forces, virials):
    """Energies, forces and virials of the groups in some blocks.

    Parameters
    ----------
    turns : blocks to take (see `acefit.kernels.turns`)
    shape, coefficients, groups : see `acefit.kernels.model`
    block_groups : (n_blocks + 1,) range of groups of each block
    block_buffer : (n_blocks,) buffer of each block; blocks that share one must not share structures
    energies : (n_atoms,) filled, eV
    forces : (n_buffers, n_atoms, 3) added to, eV/Angstrom
    virials : (n_atoms, 6) added to, eV, order xx yy zz yz xz xy, sum of r_ij (x) dE_i/dr_j of each centre
    """
    k_width = coefficients.value.shape[1]
    work = make_work(shape, k_width, largest_group(groups, block_groups[0], block_groups[-1]))
    lanes = make_lanes(shape)
    blocks_into(turns, shape, coefficients, groups, block_groups, block_buffer, energies, forces, virials, work, lanes)
