"""Loss and its gradient with respect to function and radial coefficients: second pass over groups of atoms.

With e = dLo/dE, phi = dLo/dF and W = dLo/dVirial of a structure, the loss changes with the parameters as
S_i = e E_i + sum_j delta_ij . g_ij, delta_ij = phi_i - phi_j + W r_ij. The second term is the derivative of E_i along the
displacement field delta, a forward-mode tangent; its adjoint gives the parameter gradient without ever storing derivatives of
single functions (docs/kernels.md derives the formulas).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import contraction, products, radial
from acefit.kernels._jit import LANES, WIDE, driver, inlined, kernel, operation, scratch
from acefit.kernels.energy import adjoint_group, evaluate_group, largest_group
from acefit.kernels.harmonics import along_into
from acefit.kernels.pairs import CHUNK, add_columns, chunk_into, core_into, geometry_into, make_work, sum_tangents_into
from acefit.kernels.radial import F0, F1, F2, INVERSE, N_PAIR, UX, UY, UZ
from acefit.kernels.states import copy_rows, state_at
from acefit.kernels.turns import take
from acefit.kernels.vectors import item, load, put, splat, store, total, zeros

Floats = NDArray[np.float64]


class Tangents(NamedTuple):
    """Scratch of the second pass, all with LANES as last axis; n is the largest number of slots of a group.

    Attributes
    ----------
    along : (n) displacements of the neighbours along the bonds
    turn : (CHUNK, 3) changes of the unit vectors
    dylm : (n, n_lm) changes of the harmonics
    radial, dradial : (CHUNK, stride) radial functions and slopes, later the derivatives by P and Q
    constants : (9) force slopes of the centres, then their virial slopes xx yy zz yz xz xy
    nodes : (n_rows) tangents of A and of the products; second : (n_rows) adjoint of A and of the products
    sums : (n_outer, p_max) tangents of the sums of inner factors
    rho, u, v : (p_max) tangents of the densities, derivatives of S by densities and by their tangents
    rho_core : tangent of the core energy
    value, slope : (n_matrix_rows, k_width) derivatives by the contraction matrices, before the sum over lanes
    """

    along: Floats
    turn: Floats
    dylm: Floats
    radial: Floats
    dradial: Floats
    constants: Floats
    nodes: Floats
    second: Floats
    sums: Floats
    rho: Floats
    u: Floats
    v: Floats
    rho_core: Floats
    value: Floats
    slope: Floats


@scratch
def make_tangents(shape, work, matrix):
    """Allocate scratch; matrix is one of the contraction matrices."""
    n, n_lm, p_max = work.ylm.shape[0], work.ylm.shape[1], work.sums.shape[1]
    stride, n_rows, n_outer = work.radial.shape[1], len(work.nodes), len(work.sums)
    height, k_width = matrix.shape
    return Tangents(
        zeros(n),
        zeros(CHUNK * 3).reshape((CHUNK, 3, LANES)),
        zeros(n * n_lm).reshape((n, n_lm, LANES)),
        # the rows that fill up the last block are read along with the others: their sums are not used, but must be finite
        zeros(CHUNK * stride).reshape((CHUNK, stride, LANES)),
        zeros(CHUNK * stride).reshape((CHUNK, stride, LANES)),
        zeros(9),
        zeros(n_rows),
        zeros(n_rows),
        zeros(n_outer * p_max).reshape((n_outer, p_max, LANES)),
        zeros(p_max),
        zeros(p_max),
        zeros(p_max),
        zeros(1).reshape(-1),
        zeros(height * k_width).reshape((height, k_width, LANES)),
        zeros(height * k_width).reshape((height, k_width, LANES)),
    )


@kernel
def residuals_into(low, high, offsets, targets, energies, forces, virials, totals, slopes, losses):
    """Weighted squared errors of the structures low..high-1 and their derivatives.

    totals (n_structures,) gets the energies of the structures, and virials become stresses; losses the energy, force and stress
    part; slopes is energy (n_structures,), force (n_atoms, 3) and virial (n_structures, 3, 3).
    """
    for s in range(low, high):
        energy = 0.0
        for i in range(offsets[s], offsets[s + 1]):
            energy += energies[i]
        totals[s] = energy
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
        for k in range(6):
            virials[s, k] /= targets.volume[s]
        if targets.stress_weight[s] != 0.0:
            for k in range(6):
                a = k if k < 3 else (1 if k == 3 else 0)
                b = k if k < 3 else (1 if k == 5 else 2)
                error = virials[s, k] - targets.stress[s, k]
                slopes.virial[s, a, b] = 2.0 * targets.stress_weight[s] * error / targets.volume[s]
                slopes.virial[s, b, a] = slopes.virial[s, a, b]
                losses[2] += (1.0 if k < 3 else 2.0) * targets.stress_weight[s] * error * error


@kernel
def constants_into(atoms, structure, slopes, out):
    """Slopes of the loss by the forces of the centres and by the virials of their structures, lane by lane."""
    for lane in range(LANES):
        # the values in unused lanes take no part; they come from an atom of the group, whose block is this one
        i = atoms[lane] if atoms[lane] >= 0 else atoms[0]
        w = slopes.virial[structure[i]]
        for axis in range(3):
            out[axis, lane] = slopes.force[i, axis]
            out[3 + axis, lane] = w[axis, axis]
        out[6, lane], out[7, lane], out[8, lane] = w[1, 2], w[0, 2], w[0, 1]


@kernel
def displacements_into(begin, low, high, vectors, neighbor, force_slope, constants, pairs, along, turn):
    """Displacements of the neighbours in the slots low..high-1: along the bonds, and as turns of the unit vectors."""
    fx, fy, fz = load(constants, 0), load(constants, 1), load(constants, 2)
    xx, yy, zz = load(constants, 3), load(constants, 4), load(constants, 5)
    yz, xz, xy = load(constants, 6), load(constants, 7), load(constants, 8)
    for slot in range(low, high):
        own = 3 * (slot - low)
        for lane in range(LANES):
            j, out = 3 * item(neighbor, (begin + slot) * LANES + lane), own * LANES + lane
            put(turn, out, item(force_slope, j))
            put(turn, out + LANES, item(force_slope, j + 1))
            put(turn, out + 2 * LANES, item(force_slope, j + 2))
        row = 3 * (begin + slot)
        x, y, z = load(vectors, row), load(vectors, row + 1), load(vectors, row + 2)
        dx = fx - load(turn, own) + (xx * x + xy * y + xz * z)
        dy = fy - load(turn, own + 1) + (xy * x + yy * y + yz * z)
        dz = fz - load(turn, own + 2) + (xz * x + yz * y + zz * z)
        row = slot * N_PAIR
        x, y, z, inverse = load(pairs, row + UX), load(pairs, row + UY), load(pairs, row + UZ), load(pairs, row + INVERSE)
        component = x * dx + y * dy + z * dz
        store(along, slot, component)
        store(turn, own, (dx - component * x) * inverse)
        store(turn, own + 1, (dy - component * y) * inverse)
        store(turn, own + 2, (dz - component * z) * inverse)


@kernel
def scale_slopes(low, high, along, pairs):
    """Multiply f1 and f2 of some slots by the displacements along the bonds.

    What the contraction then makes of R' is the change of R, for all rows at once; likewise its derivatives by P and Q.
    """
    for slot in range(low, high):
        row, displacement = slot * N_PAIR, load(along, slot)
        store(pairs, row + F1, load(pairs, row + F1) * displacement)
        store(pairs, row + F2, load(pairs, row + F2) * displacement)


@kernel
def tangent_segment_into(
    kind, bond, table, table_start, k_rows, first_row, n_rows, row_first, row_l, row_a, n_density,
    l_max, sector, climb, value, slope, vectors, begin, start, stop, pairs, base, dbase, radials, dradials, ylm,
    neighbor, force_slope, constants, along, turn, dylm, tangents, drho,
):  # fmt: skip
    """Tangents of A and of the order-1 densities, for the slots of one bond."""
    stride, width = radials.shape[1], ylm.shape[1]
    for low in range(start, stop, CHUNK):
        high = min(low + CHUNK, stop)
        n = high - low
        geometry_into(vectors, begin, low, high, pairs)
        radial.arguments_into(kind, bond, pairs, low, high)
        displacements_into(begin, low, high, vectors, neighbor, force_slope, constants, pairs, along, turn)
        scale_slopes(low, high, along, pairs)
        chunk_into(
            kind, bond, table, table_start, k_rows, first_row, n_rows, n_density, l_max, sector, climb, value, slope, low, high,
            pairs, base, dbase, 0, radials, dradials, ylm,
        )  # fmt: skip
        along_into(l_max, sector, climb, pairs, low, high, width, ylm, turn, dylm)
        sum_tangents_into(n_rows, row_first, row_l, row_a, n, radials, dradials, stride, ylm, dylm, low, width, tangents)
        add_columns(n_density, dradials, stride, n_rows, 0, n, drho)


@kernel
def core_tangents_into(n, along, core, rho_core):
    """Add the changes of the core energies of n slots."""
    for slot in range(n):
        store(rho_core, 0, load(rho_core, 0) + load(core, 2 * slot + 1) * load(along, slot))


@kernel
def tangent_base_into(shape, coefficients, groups, group, work, tangents, structure, slopes):
    """Pair quantities; tangents of A components, order-1 densities and core energies."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin = slots[0]
    tangents.rho[:] = 0.0
    tangents.rho_core[:] = 0.0
    for a in range(shape.n_a[mu_i]):
        store(tangents.nodes, a, splat(0.0))
    constants_into(groups.atoms[group], structure, slopes, tangents.constants)
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        start, stop = slots[mu_j] - begin, slots[mu_j + 1] - begin
        kind, bond, table_start, k_rows = shape.kind[b], shape.bond[b], shape.table_start[b], shape.k_rows[b]
        tangent_segment_into(
            kind, bond, shape.table, table_start, k_rows, shape.matrix_start[b], shape.n_rows[b], shape.row_start[b],
            shape.row_l, shape.row_a, shape.n_density[mu_i], shape.l_max[mu_i], shape.sector, shape.climb,
            coefficients.value, coefficients.slope, groups.vectors, begin, start, stop,
            work.pairs, work.base, work.dbase, tangents.radial, tangents.dradial, work.ylm,
            groups.neighbor, slopes.force, tangents.constants, tangents.along, tangents.turn, tangents.dylm,
            tangents.nodes, tangents.rho,
        )  # fmt: skip
        if shape.has_core:
            core_into(kind, bond, shape.table, table_start, k_rows, start, stop, work.pairs, work.core)
    if shape.has_core:
        core_tangents_into(slots[shape.n_elements] - begin, tangents.along, work.core, tangents.rho_core)


@kernel
def density_weights_into(shape, mu_i, groups, group, lanes, structure, slopes, tangents):
    """Derivatives of S with respect to the densities (u) and their tangents (v); zero in unused lanes."""
    for lane in range(LANES):
        i = groups.atoms[group, lane]
        cut_tangent = 0.0
        if shape.is_zbl:
            if lanes.nearest[lane] >= 0:
                cut_tangent = lanes.dcut[lane] * tangents.along[lanes.nearest[lane], lane]
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
def store_adjoints(pairs, slot, out, value, slope, radials, dradials):
    """Store the derivatives by P and Q of a radial function from those by its value and by its change (see `scale_slopes`)."""
    row = slot * N_PAIR
    store(radials, out, value * load(pairs, row + F0) + slope * load(pairs, row + F2))
    store(dradials, out, slope * load(pairs, row + F1))


@operation
def add_adjoints(g, h, a, y, dy, value, slope, extra):
    """Add the terms of one A component to the derivatives by value and change of its radial function (see below)."""
    gm = load(g, a)
    return value + load(h, a) * y, slope + gm * y, extra + gm * dy


@kernel
def radial_adjoints_into(
    n_rows, first, row_l, row_a, n_density, low, high, pairs, ylm, dylm, width, g, h, u, v, radials, dradials, stride
):
    """Fill radials and dradials (CHUNK, stride, LANES) with the derivatives of S by P and Q of each row.

    With g and h the adjoints of the tangent and of the value of A: dS/dR_nl = sum_m h Y_lm + g dY_lm, and
    dS/d(change of R_nl) = sum_m g Y_lm. Two slots at a time, and two rows of the same l where there are registers for their sums.
    """
    zero = splat(0.0)
    for slot in range(low, high, 2):
        # an odd last slot is done twice rather than by other code
        other = min(slot + 1, high - 1)
        out0, out1, row = (slot - low) * stride, (other - low) * stride, 0
        while row < n_rows:
            l, a = item(row_l, first + row), item(row_a, first + row)
            y0, y1 = slot * width + l * l, other * width + l * l
            value0, slope0, value1, slope1, extra0, extra1 = zero, zero, zero, zero, zero, zero
            if WIDE and row + 1 < n_rows and item(row_l, first + row + 1) == l:
                b = item(row_a, first + row + 1)
                value2, slope2, value3, slope3, extra2, extra3 = zero, zero, zero, zero, zero, zero
                for m in range(2 * l + 1):
                    ylm0, ylm1, dylm0, dylm1 = load(ylm, y0 + m), load(ylm, y1 + m), load(dylm, y0 + m), load(dylm, y1 + m)
                    value0, slope0, extra0 = add_adjoints(g, h, a + m, ylm0, dylm0, value0, slope0, extra0)
                    value1, slope1, extra1 = add_adjoints(g, h, a + m, ylm1, dylm1, value1, slope1, extra1)
                    value2, slope2, extra2 = add_adjoints(g, h, b + m, ylm0, dylm0, value2, slope2, extra2)
                    value3, slope3, extra3 = add_adjoints(g, h, b + m, ylm1, dylm1, value3, slope3, extra3)
                store_adjoints(pairs, slot, out0 + row + 1, value2 + extra2, slope2, radials, dradials)
                store_adjoints(pairs, other, out1 + row + 1, value3 + extra3, slope3, radials, dradials)
                step = 2
            else:
                for m in range(2 * l + 1):
                    ylm0, ylm1, dylm0, dylm1 = load(ylm, y0 + m), load(ylm, y1 + m), load(dylm, y0 + m), load(dylm, y1 + m)
                    value0, slope0, extra0 = add_adjoints(g, h, a + m, ylm0, dylm0, value0, slope0, extra0)
                    value1, slope1, extra1 = add_adjoints(g, h, a + m, ylm1, dylm1, value1, slope1, extra1)
                step = 1
            store_adjoints(pairs, slot, out0 + row, value0 + extra0, slope0, radials, dradials)
            store_adjoints(pairs, other, out1 + row, value1 + extra1, slope1, radials, dradials)
            row += step
        for p in range(n_density):
            store_adjoints(pairs, slot, out0 + n_rows + p, load(u, p), load(v, p), radials, dradials)
            store_adjoints(pairs, other, out1 + n_rows + p, load(u, p), load(v, p), radials, dradials)


@kernel
def matrix_segment_into(
    kind, bond, table, table_start, k_rows, first_row, n_rows, row_first, row_l, row_a, n_density, start, stop,
    pairs, base, dbase, radials, dradials, ylm, dylm, g, h, u, v, value, slope,
):  # fmt: skip
    """Add the derivatives by the contraction matrices from the slots of one bond, lane by lane."""
    k_width, stride, width = base.shape[1], radials.shape[1], ylm.shape[1]
    own_dbase = dbase if kind == radial.TABLE else base
    for low in range(start, stop, CHUNK):
        high = min(low + CHUNK, stop)
        radial_adjoints_into(
            n_rows, row_first, row_l, row_a, n_density, low, high, pairs, ylm, dylm, width, g, h, u, v,
            radials, dradials, stride,
        )  # fmt: skip
        radial.base_into(kind, bond, table, table_start, k_rows, pairs, low, high - low, k_width, base, dbase)
        contraction.outer_products_into(
            k_rows, first_row, n_rows + n_density, high - low, radials, dradials, stride, base, own_dbase, k_width, value, slope
        )


@kernel
def matrix_gradient_into(shape, groups, group, work, tangents):
    """Add the derivatives by the contraction matrices, lane by lane."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    begin = slots[0]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        matrix_segment_into(
            shape.kind[b], shape.bond[b], shape.table, shape.table_start[b], shape.k_rows[b], shape.matrix_start[b],
            shape.n_rows[b], shape.row_start[b], shape.row_l, shape.row_a, shape.n_density[mu_i],
            slots[mu_j] - begin, slots[mu_j + 1] - begin, work.pairs, work.base, work.dbase, tangents.radial, tangents.dradial,
            work.ylm, tangents.dylm, work.adjoint, tangents.second, tangents.u, tangents.v,
            tangents.value, tangents.slope,
        )  # fmt: skip


@inlined
def gradient_group(shape, coefficients, groups, group, work, lanes, tangents, structure, slopes, dct):
    """Add one group's contribution to the gradient: to dct, and lane by lane to tangents.value and tangents.slope.

    Nodes, sums and adjoint in work, and lanes, are what the first pass left (`acefit.kernels.states`).
    """
    mu_i = groups.species[group]
    tangent_base_into(shape, coefficients, groups, group, work, tangents, structure, slopes)
    products.nodes_and_tangents_into(shape, mu_i, work.nodes, tangents.nodes)
    products.density_tangents_into(
        shape, mu_i, coefficients.ct, work.nodes, tangents.nodes, work.sums, tangents.sums, tangents.rho
    )
    density_weights_into(shape, mu_i, groups, group, lanes, structure, slopes, tangents)
    products.second_adjoint_into(
        shape, mu_i, coefficients.ct, tangents.u, tangents.v, work.nodes, tangents.nodes, work.sums, tangents.sums,
        work.adjoint, tangents.second, dct,
    )  # fmt: skip
    matrix_gradient_into(shape, groups, group, work, tangents)


@kernel
def add_lanes(lanes, out):
    """Fill out (n_rows, width) with the sums over the lanes of (n_rows, width, LANES), and empty these."""
    for row in range(out.shape[0]):
        for k in range(out.shape[1]):
            position = row * out.shape[1] + k
            out[row, k] = total(load(lanes, position))
            store(lanes, position, splat(0.0))


@kernel
def shares_into(
    turns, order, share_start, blocks, shape, coefficients, groups, block_groups, block_structures, offsets, structure,
    targets, slopes, energies, forces, virials, totals, losses, gradients, room, scratch, tangents, owner,
):  # fmt: skip
    """The work of `loss_and_gradient` with its scratch; by itself because a driver counts references to arrays at every step."""
    with_gradient = gradients.ct.shape[0] > 0
    last_place = len(room) - 1 if with_gradient else 0
    turn = take(turns)
    while turn >= 0:
        share = order[turn]
        if with_gradient:
            gradients.ct[share] = 0.0
        for block in blocks[share_start[share] : share_start[share + 1]]:
            low, high = block_groups[block], block_groups[block + 1]
            first, last = block_structures[block], block_structures[block + 1]
            forces[offsets[first] : offsets[last]] = 0.0
            virials[first:last] = 0.0
            for group in range(low, high):
                place = min(group - low, last_place)
                base, work, lanes = state_at(scratch, room, place)
                for lane in range(LANES):
                    owner[lane] = structure[max(groups.atoms[group, lane], 0)]
                evaluate_group(shape, coefficients, groups, group, work, lanes, owner, energies, forces, virials)
                if with_gradient:
                    copy_rows(work.nodes, shape.n_a[groups.species[group]], base)
            losses[block] = 0.0
            residuals_into(first, last, offsets, targets, energies, forces, virials, totals, slopes, losses[block])
            if not with_gradient:
                continue
            # backwards, since what was left last is still in the caches
            for group in range(high - 1, low - 1, -1):
                place = min(group - low, last_place)
                base, work, lanes = state_at(scratch, room, place)
                if place == last_place and group < high - 1:
                    adjoint_group(shape, coefficients, groups, group, work, lanes)
                else:
                    copy_rows(base, shape.n_a[groups.species[group]], work.nodes)
                gradient_group(shape, coefficients, groups, group, work, lanes, tangents, structure, slopes, gradients.ct[share])
        if with_gradient:
            add_lanes(tangents.value, gradients.value[share])
            add_lanes(tangents.slope, gradients.slope[share])
        turn = take(turns)


@driver
def loss_and_gradient(
    turns,
    order,
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
    totals,
    losses,
    gradients,
    room,
):
    """Loss and gradient over blocks of whole structures.

    Parameters
    ----------
    turns : shares to take, counted in their order (see `acefit.kernels.turns`); a share is a run of blocks that have one buffer
        for the gradient
    order : (n_shares,) shares, first come first served
    share_start : (n_shares + 1,) range of each share in `blocks`
    blocks : blocks to do
    block_groups, block_structures : (n_blocks + 1,) ranges of groups and of structures
    offsets : (n_structures + 1,) first atom of each structure; structure : (n_atoms,)
    targets, slopes : see `acefit.fit.batch.Targets` and `Slopes`
    energies : (n_atoms,); forces : (n_atoms, 3); totals : (n_structures,) energies; all filled
    virials : (n_structures, 6) filled with stresses, which are NaN where there is no volume
    losses : (n_blocks, 3) filled with the weighted energy, force and stress parts
    gradients : `Coefficients` with one more axis in front, (n_shares, ...), filled with each share's gradient; no gradient is
        computed when it is empty
    room : of this thread for what the second pass takes from the first (see `acefit.kernels.states`)
    """
    n = 1
    for block in blocks:
        n = max(n, largest_group(groups, block_groups[block], block_groups[block + 1]))
    work = make_work(shape, coefficients.value.shape[1], n)
    tangents, owner = make_tangents(shape, work, coefficients.value), np.zeros(LANES, dtype=np.int32)
    shares_into(
        turns, order, share_start, blocks, shape, coefficients, groups, block_groups, block_structures, offsets,
        structure, targets, slopes, energies, forces, virials, totals, losses, gradients, room, work, tangents, owner,
    )  # fmt: skip
