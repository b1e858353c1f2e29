"""Loss and its gradient with respect to function and radial coefficients: second pass over groups of atoms.

With e = dLo/dE, phi = dLo/dF and W = dLo/dVirial of a structure, the loss changes with the parameters as
S_i = e E_i + sum_j delta_ij . g_ij, delta_ij = phi_i - phi_j + W r_ij. The second term is the derivative of E_i along the
displacement field delta, a forward-mode tangent; its adjoint gives the parameter gradient without ever storing derivatives of
single functions (docs/kernels.md derives the formulas).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import products, radial
from acefit.kernels._jit import LANES, driver, inlined, kernel, operation
from acefit.kernels.energy import evaluate_group, forward_group, largest_group, make_lanes
from acefit.kernels.harmonics import along_into
from acefit.kernels.pairs import CHUNK, add_columns, make_work, sums_into
from acefit.kernels.radial import F0, F1, F2, INVERSE, N_PAIR, ROW_BLOCK, UX, UY, UZ
from acefit.kernels.vectors import item, load, splat, store, total

Floats = NDArray[np.float64]


class Tangents(NamedTuple):
    """Scratch of the second pass, all with LANES as last axis; n is the largest number of slots of a group.

    Attributes
    ----------
    delta : (n, 4) displacements of the neighbours and their component along the bond
    turn : (n, 4) changes of the unit vectors (the fourth row is unused)
    along : (n, n_lm) changes of the harmonics
    nodes : (n_rows) tangents of A and of the products; second : (n_rows) adjoint of A and of the products
    sums : (n_outer, p_max) tangents of the sums of inner factors
    rho, u, v : (p_max) tangents of the densities, derivatives of S by densities and by their tangents
    rho_core : tangent of the core energy
    value, slope : (n_matrix_rows, k_width) derivatives by the contraction matrices, before the sum over lanes
    """

    delta: Floats
    turn: Floats
    along: Floats
    nodes: Floats
    second: Floats
    sums: Floats
    rho: Floats
    u: Floats
    v: Floats
    rho_core: Floats
    value: Floats
    slope: Floats


@driver
def make_tangents(shape, work, matrix):
    """Allocate scratch; matrix is one of the contraction matrices."""
    n, n_lm, p_max = work.ylm.shape[0], work.ylm.shape[1], work.sums.shape[1]
    return Tangents(
        np.empty((n, 4, LANES)),
        np.empty((n, 4, LANES)),
        np.empty((n, n_lm, LANES)),
        np.empty_like(work.nodes),
        np.empty_like(work.nodes),
        np.empty_like(work.sums),
        np.zeros((p_max, LANES)),
        np.zeros((p_max, LANES)),
        np.zeros((p_max, LANES)),
        np.zeros(LANES),
        np.zeros((matrix.shape[0], matrix.shape[1], LANES)),
        np.zeros((matrix.shape[0], matrix.shape[1], LANES)),
    )


@kernel
def residuals_into(low, high, offsets, targets, energies, forces, virials, slopes, losses):
    """Weighted squared errors of the structures low..high-1 and their derivatives.

    losses gets the energy, force and stress part; slopes is energy (n_structures,), force (n_atoms, 3) and virial
    (n_structures, 3, 3).
    """
    for s in range(low, high):
        energy = 0.0
        for i in range(offsets[s], offsets[s + 1]):
            energy += energies[i]
        slopes.energy[s] = 0.0
        if targets.energy_weight[s] != 0.0:
            error = energy - targets.energy[s]
            slopes.energy[s] = 2.0 * targets.energy_weight[s] * error
            losses[0] += targets.energy_weight[s] * error * error
        for i in range(offsets[s], offsets[s + 1]):
            for axis in range(3):
                slopes.force[i, axis] = 0.0
            if targets.force_weight[i] != 0.0:
                for axis in range(3):
                    error = forces[i, axis] - targets.force[i, axis]
                    slopes.force[i, axis] = 2.0 * targets.force_weight[i] * error
                    losses[1] += targets.force_weight[i] * error * error
        slopes.virial[s] = 0.0
        if targets.stress_weight[s] != 0.0:
            volume = targets.volume[s]
            for k in range(6):
                a = k if k < 3 else (1 if k == 3 else 0)
                b = k if k < 3 else (1 if k == 5 else 2)
                error = virials[s, k] / volume - targets.stress[s, k]
                slopes.virial[s, a, b] = 2.0 * targets.stress_weight[s] * error / volume
                slopes.virial[s, b, a] = slopes.virial[s, a, b]
                losses[2] += (1.0 if k < 3 else 2.0) * targets.stress_weight[s] * error * error


@kernel
def displacements_into(groups, group, n, structure, slopes, pairs, delta, turn):
    """Delta of every pair, its component along the bond, and the change of the unit vector."""
    begin = groups.slots[group, 0]
    for lane in range(LANES):
        # the values in unused lanes take no part; they come from an atom of the group, whose block is this one
        i = groups.atoms[group, lane] if groups.atoms[group, lane] >= 0 else groups.atoms[group, 0]
        w = slopes.virial[structure[i]]
        for slot in range(n):
            j = groups.neighbor[begin + slot, lane]
            x, y, z = (
                groups.vectors[begin + slot, 0, lane],
                groups.vectors[begin + slot, 1, lane],
                groups.vectors[begin + slot, 2, lane],
            )
            for axis in range(3):
                value = slopes.force[i, axis] - slopes.force[j, axis]
                delta[slot, axis, lane] = value + w[axis, 0] * x + w[axis, 1] * y + w[axis, 2] * z
    for slot in range(n):
        row, out = slot * N_PAIR, 4 * slot
        x, y, z, inverse = load(pairs, row + UX), load(pairs, row + UY), load(pairs, row + UZ), load(pairs, row + INVERSE)
        dx, dy, dz = load(delta, out), load(delta, out + 1), load(delta, out + 2)
        along = x * dx + y * dy + z * dz
        store(delta, out + 3, along)
        store(turn, out, (dx - along * x) * inverse)
        store(turn, out + 1, (dy - along * y) * inverse)
        store(turn, out + 2, (dz - along * z) * inverse)


@kernel
def tangent_base_into(shape, groups, group, work, tangents):
    """Tangents of A, of the order-1 densities and of the core energy; scales dradial by the displacement along the bond."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin, stride, width = slots[0], work.dradial.shape[1], work.ylm.shape[1]
    for a in range(shape.n_a[mu_i]):
        store(tangents.nodes, a, splat(0.0))
    tangents.rho[:] = 0.0
    tangents.rho_core[:] = 0.0
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        n_rows, first, start, stop = shape.n_rows[b], shape.row_start[b], slots[mu_j] - begin, slots[mu_j + 1] - begin
        for slot in range(start, stop):
            along = load(tangents.delta, 4 * slot + 3)
            for row in range(slot * stride, slot * stride + n_rows + shape.n_density[mu_i]):
                store(work.dradial, row, load(work.dradial, row) * along)
            if shape.has_core:
                store(tangents.rho_core, 0, load(tangents.rho_core, 0) + load(work.core, 2 * slot + 1) * along)
        sums_into(n_rows, first, shape.row_l, shape.row_a, start, stop, work.dradial, stride, work.ylm, width, tangents.nodes)
        sums_into(
            n_rows, first, shape.row_l, shape.row_a, start, stop, work.radial, stride, tangents.along, width, tangents.nodes
        )
        add_columns(shape.n_density[mu_i], work.dradial, stride, n_rows, start, stop, tangents.rho)


@kernel
def density_weights_into(shape, mu_i, groups, group, lanes, structure, slopes, tangents):
    """Derivatives of S with respect to the densities (u) and their tangents (v); zero in unused lanes."""
    for lane in range(LANES):
        i = groups.atoms[group, lane]
        cut_tangent = 0.0
        if shape.is_zbl:
            if lanes.nearest[lane] >= 0:
                cut_tangent = lanes.dcut[lane] * tangents.delta[lanes.nearest[lane], 3, lane]
        else:
            cut_tangent = lanes.dcut[lane] * tangents.rho_core[lane]
        for p in range(shape.n_density[mu_i]):
            if i < 0:
                tangents.u[p, lane], tangents.v[p, lane] = 0.0, 0.0
                continue
            cut = lanes.cut[lane]
            u = (slopes.energy[structure[i]] * cut + cut_tangent) * lanes.slope[p, lane]
            tangents.u[p, lane] = u + cut * lanes.curvature[p, lane] * tangents.rho[p, lane]
            tangents.v[p, lane] = cut * lanes.slope[p, lane]


@operation
def polynomial_adjoints(pairs, slot, value, slope, along):
    """Derivatives by P and Q of a radial function from those by its value and by its slope times the displacement along."""
    row = slot * N_PAIR
    slope = slope * along
    return value * load(pairs, row + F0) + slope * load(pairs, row + F2), slope * load(pairs, row + F1)


@kernel
def radial_adjoints_into(shape, groups, group, work, tangents):
    """Overwrite work.radial and work.dradial with the derivatives of S with respect to P and Q of each row.

    Before that, with g and h the adjoints of the tangent and of the value of A: dS/dR_nl = sum_m h Y_lm + g dY_lm and
    dS/dR'_nl = sum_m g Y_lm times the displacement along the bond.
    """
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin, stride, width = slots[0], work.radial.shape[1], work.ylm.shape[1]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        n_rows, first, stop = shape.n_rows[b], shape.row_start[b], slots[mu_j + 1] - begin
        for slot in range(slots[mu_j] - begin, stop, 2):
            # an odd last slot is done twice rather than by other code
            other = min(slot + 1, stop - 1)
            along0, along1 = load(tangents.delta, 4 * slot + 3), load(tangents.delta, 4 * other + 3)
            for row in range(n_rows):
                l, a = item(shape.row_l, first + row), item(shape.row_a, first + row)
                y0, y1 = slot * width + l * l, other * width + l * l
                value0, slope0, value1, slope1 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
                for m in range(2 * l + 1):
                    g, h = load(work.adjoint, a + m), load(tangents.second, a + m)
                    ylm0, ylm1 = load(work.ylm, y0 + m), load(work.ylm, y1 + m)
                    value0 = value0 + h * ylm0 + g * load(tangents.along, y0 + m)
                    slope0 = slope0 + g * ylm0
                    value1 = value1 + h * ylm1 + g * load(tangents.along, y1 + m)
                    slope1 = slope1 + g * ylm1
                p0, q0 = polynomial_adjoints(work.pairs, slot, value0, slope0, along0)
                p1, q1 = polynomial_adjoints(work.pairs, other, value1, slope1, along1)
                store(work.radial, slot * stride + row, p0)
                store(work.dradial, slot * stride + row, q0)
                store(work.radial, other * stride + row, p1)
                store(work.dradial, other * stride + row, q1)
        for slot in range(slots[mu_j] - begin, stop):
            along = load(tangents.delta, 4 * slot + 3)
            for p in range(shape.n_density[mu_i]):
                p0, q0 = polynomial_adjoints(work.pairs, slot, load(tangents.u, p), load(tangents.v, p), along)
                store(work.radial, slot * stride + n_rows + p, p0)
                store(work.dradial, slot * stride + n_rows + p, q0)


@kernel
def outer_product_into(k_rows, first, n_rows, n, rows, stride, slot, base, k_width, out):
    """Add sum over slots of rows (n_slots, stride) times base (n, k_width) to out (n_matrix_rows, out_width)."""
    out_width = out.shape[1]
    for row in range(0, n_rows, ROW_BLOCK):
        for k in range(0, k_rows, 2):
            o0 = (first + row) * out_width + k
            o1, o2, o3 = o0 + out_width, o0 + 2 * out_width, o0 + 3 * out_width
            a0, a1, a2, a3 = load(out, o0), load(out, o1), load(out, o2), load(out, o3)
            b0, b1, b2, b3 = load(out, o0 + 1), load(out, o1 + 1), load(out, o2 + 1), load(out, o3 + 1)
            for s in range(n):
                r, t = (slot + s) * stride + row, s * k_width + k
                t0, t1 = load(base, t), load(base, t + 1)
                r0, r1, r2, r3 = load(rows, r), load(rows, r + 1), load(rows, r + 2), load(rows, r + 3)
                a0, a1, a2, a3 = a0 + r0 * t0, a1 + r1 * t0, a2 + r2 * t0, a3 + r3 * t0
                b0, b1, b2, b3 = b0 + r0 * t1, b1 + r1 * t1, b2 + r2 * t1, b3 + r3 * t1
            store(out, o0, a0)
            store(out, o1, a1)
            store(out, o2, a2)
            store(out, o3, a3)
            store(out, o0 + 1, b0)
            store(out, o1 + 1, b1)
            store(out, o2 + 1, b2)
            store(out, o3 + 1, b3)


@kernel
def matrix_gradient_into(shape, groups, group, work, tangents):
    """Add the derivatives by the contraction matrices, lane by lane."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin, k_width, stride = slots[0], work.base.shape[1], work.radial.shape[1]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        k_rows, first, n_rows = shape.k_rows[b], shape.matrix_start[b], shape.n_rows[b] + shape.n_density[mu_i]
        kind, stop = shape.kind[b], slots[mu_j + 1] - begin
        dbase = work.dbase if kind == radial.TABLE else work.base
        for low in range(slots[mu_j] - begin, stop, CHUNK):
            n = min(CHUNK, stop - low)
            radial.base_into(
                kind,
                shape.bond[b],
                shape.table,
                shape.table_start[b],
                k_rows,
                work.pairs,
                low,
                n,
                k_width,
                work.base,
                work.dbase,
            )
            outer_product_into(k_rows, first, n_rows, n, work.radial, stride, low, work.base, k_width, tangents.value)
            outer_product_into(k_rows, first, n_rows, n, work.dradial, stride, low, dbase, k_width, tangents.slope)


@inlined
def gradient_group(shape, coefficients, groups, group, work, lanes, tangents, structure, slopes, dct):
    """Add one group's contribution to the gradient: to dct, and lane by lane to tangents.value and tangents.slope."""
    mu_i = groups.species[group]
    n = forward_group(shape, coefficients, groups, group, work, lanes)
    displacements_into(groups, group, n, structure, slopes, work.pairs, tangents.delta, tangents.turn)
    along_into(
        shape.l_max[mu_i],
        shape.sector,
        shape.climb,
        work.pairs,
        n,
        work.ylm.shape[1],
        work.ylm,
        tangents.turn,
        tangents.along,
    )
    tangent_base_into(shape, groups, group, work, tangents)
    products.node_tangents_into(shape, mu_i, work.nodes, tangents.nodes)
    products.density_tangents_into(
        shape, mu_i, coefficients.ct, work.nodes, tangents.nodes, work.sums, tangents.sums, tangents.rho
    )
    density_weights_into(shape, mu_i, groups, group, lanes, structure, slopes, tangents)
    products.second_adjoints_into(
        shape,
        mu_i,
        coefficients.ct,
        tangents.u,
        tangents.v,
        work.nodes,
        tangents.nodes,
        work.sums,
        tangents.sums,
        work.adjoint,
        tangents.second,
        dct,
    )
    radial_adjoints_into(shape, groups, group, work, tangents)
    matrix_gradient_into(shape, groups, group, work, tangents)


@kernel
def add_lanes(lanes, out):
    """Fill out (n_rows, width) with the sums over the lanes of (n_rows, width, LANES), and empty these."""
    for row in range(out.shape[0]):
        for k in range(out.shape[1]):
            position = row * out.shape[1] + k
            out[row, k] = total(load(lanes, position))
            store(lanes, position, splat(0.0))


@driver
def loss_and_gradient(
    first_share,
    last_share,
    share_start,
    blocks,
    shape,
    coefficients,
    groups,
    block_groups,
    block_structures,
    offsets,
    structure,
    targets,
    slopes,
    energies,
    forces,
    virials,
    losses,
    gradients,
):
    """Loss and gradient over blocks of whole structures.

    Parameters
    ----------
    first_share, last_share : range of shares to do; a share is a run of blocks that have one buffer for the gradient
    share_start : (n_shares + 1,) range of each share in `blocks`
    blocks : blocks to do
    block_groups, block_structures : (n_blocks + 1,) ranges of groups and of structures
    offsets : (n_structures + 1,) first atom of each structure; structure : (n_atoms,)
    targets, slopes : see `acefit.fit.batch.Targets` and `Slopes`
    energies : (n_atoms,); forces : (n_atoms, 3); virials : (n_structures, 6), filled
    losses : (n_blocks, 3) filled with the weighted energy, force and stress parts
    gradients : `Coefficients` with one more axis in front, (n_shares, ...), filled with each share's gradient; no gradient is
        computed when it is empty
    """
    n = 1
    for block in blocks[share_start[first_share] : share_start[last_share]]:
        n = max(n, largest_group(groups, block_groups[block], block_groups[block + 1]))
    work, lanes = make_work(shape, coefficients.value.shape[1], n), make_lanes(shape)
    tangents = make_tangents(shape, work, coefficients.value)
    with_gradient = gradients.ct.shape[0] > 0
    for share in range(first_share, last_share):
        if with_gradient:
            gradients.ct[share] = 0.0
        for block in blocks[share_start[share] : share_start[share + 1]]:
            low, high = block_groups[block], block_groups[block + 1]
            first, last = block_structures[block], block_structures[block + 1]
            forces[offsets[first] : offsets[last]] = 0.0
            virials[first:last] = 0.0
            for group in range(low, high):
                evaluate_group(shape, coefficients, groups, group, work, lanes, structure, energies, forces, virials)
            losses[block] = 0.0
            residuals_into(first, last, offsets, targets, energies, forces, virials, slopes, losses[block])
            if not with_gradient:
                continue
            for group in range(low, high):
                gradient_group(shape, coefficients, groups, group, work, lanes, tangents, structure, slopes, gradients.ct[share])
        if with_gradient:
            add_lanes(tangents.value, gradients.value[share])
            add_lanes(tangents.slope, gradients.slope[share])
