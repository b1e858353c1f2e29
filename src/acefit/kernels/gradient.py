"""Loss and its gradient with respect to function and radial coefficients: second pass over groups of atoms.

With e = dLo/dE, phi = dLo/dF and W = dLo/dVirial of a structure, the loss changes with the parameters as
S_i = e E_i + sum_j delta_ij . g_ij, delta_ij = phi_i - phi_j + W r_ij. The second term is the derivative of E_i along the
displacement field delta, a forward-mode tangent; its adjoint gives the parameter gradient without ever storing derivatives of
single functions (docs/kernels.md derives the formulas).
"""

import numpy as np

from acefit.kernels import products, radial
from acefit.kernels._jit import LANES, inlined, kernel
from acefit.kernels.energy import add_scaled, evaluate_group, forward_group, largest_group, make_lanes
from acefit.kernels.pairs import CHUNK, dot, make_work, row_sum


@kernel
def residuals_into(low, high, offsets, targets, energies, forces, virials, slopes, losses):
    """Weighted squared errors of the structures low..high-1 and their derivatives.

    losses gets the energy, force and stress part; slopes is energy (n_structures,), force (n_atoms, 3) and virial
    (n_structures, 3, 3).
    """
    for s in range(low, high):
        total = 0.0
        for i in range(offsets[s], offsets[s + 1]):
            total += energies[i]
        slopes.energy[s] = 0.0
        if targets.energy_weight[s] != 0.0:
            error = total - targets.energy[s]
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
def displacements_into(groups, group, n_elements, structure, slopes, work, delta, along_bond):
    """Delta of every pair (3, n), its component along the bond, and the change of the harmonics along it."""
    segments = groups.segments[group]
    begin = segments[0, 0]
    for mu_j in range(n_elements):
        for lane in range(LANES):
            i = groups.atoms[group, lane]
            if i < 0:
                continue
            w = slopes.virial[structure[i]]
            for pair in range(segments[mu_j, lane], segments[mu_j, lane + 1]):
                j, q = groups.neighbor[pair], pair - begin
                x, y, z = groups.vectors[0, pair], groups.vectors[1, pair], groups.vectors[2, pair]
                for axis in range(3):
                    value = slopes.force[i, axis] - slopes.force[j, axis]
                    delta[axis, q] = value + w[axis, 0] * x + w[axis, 1] * y + w[axis, 2] * z
    n = segments[n_elements - 1, LANES] - begin
    dx, dy, dz = delta[0, :n], delta[1, :n], delta[2, :n]
    ux, uy, uz = work.unit[0, :n], work.unit[1, :n], work.unit[2, :n]
    for q in range(n):
        along_bond[q] = ux[q] * dx[q] + uy[q] * dy[q] + uz[q] * dz[q]
    for lm in range(len(work.along)):
        out, gx, gy, gz = work.along[lm], work.dylm[0, lm], work.dylm[1, lm], work.dylm[2, lm]
        for q in range(n):
            out[q] = gx[q] * dx[q] + gy[q] * dy[q] + gz[q] * dz[q]


@kernel
def tangent_base_into(shape, groups, group, work, along_bond, drho, drho_core):
    """Tangents of A, of the order-1 densities and of the core energy; scales dradial by the displacement along the bond."""
    mu_i = groups.species[group]
    segments = groups.segments[group]
    begin = segments[0, 0]
    drho[:] = 0.0
    drho_core[:] = 0.0
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        n_rows, first = shape.n_rows[b], shape.row_start[b]
        low, high = segments[mu_j, 0] - begin, segments[mu_j, LANES] - begin
        for row in range(n_rows + shape.n_density[mu_i]):
            multiply(work.dradial[row, low:high], along_bond[low:high])
        for lane in range(LANES):
            start, stop = segments[mu_j, lane] - begin, segments[mu_j, lane + 1] - begin
            for row in range(n_rows):
                l, a = shape.row_l[first + row], shape.row_a[first + row]
                value, slope = work.radial[row, start:stop], work.dradial[row, start:stop]
                for m in range(2 * l + 1):
                    lm = l * l + m
                    tangent = dot(slope, work.ylm[lm, start:stop]) + dot(value, work.along[lm, start:stop])
                    work.tangents[a + m, lane] = tangent
            for p in range(shape.n_density[mu_i]):
                drho[p, lane] += row_sum(work.dradial[n_rows + p, start:stop])
            if shape.has_core:
                drho_core[lane] += dot(work.dcore[start:stop], along_bond[start:stop])


@kernel
def density_weights_into(shape, mu_i, groups, group, lanes, structure, slopes, along_bond, drho, drho_core, u, v):
    """Derivatives of S with respect to the densities (u) and their tangents (v); zero in unused lanes."""
    for lane in range(LANES):
        i = groups.atoms[group, lane]
        cut_tangent = 0.0
        if shape.is_zbl:
            if lanes.nearest[lane] >= 0:
                cut_tangent = lanes.dcut[lane] * along_bond[lanes.nearest[lane]]
        else:
            cut_tangent = lanes.dcut[lane] * drho_core[lane]
        for p in range(shape.n_density[mu_i]):
            if i < 0:
                u[p, lane], v[p, lane] = 0.0, 0.0
                continue
            cut = lanes.cut[lane]
            v[p, lane] = cut * lanes.slope[p, lane]
            u[p, lane] = (slopes.energy[structure[i]] * cut + cut_tangent) * lanes.slope[p, lane]
            u[p, lane] += cut * lanes.curvature[p, lane] * drho[p, lane]


@kernel
def radial_adjoints_into(shape, groups, group, work, along_bond, u, v):
    """Overwrite work.radial and work.dradial with the derivatives of S with respect to R_nl and R'_nl."""
    mu_i = groups.species[group]
    segments = groups.segments[group]
    begin = segments[0, 0]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        n_rows, first = shape.n_rows[b], shape.row_start[b]
        for lane in range(LANES):
            start, stop = segments[mu_j, lane] - begin, segments[mu_j, lane + 1] - begin
            for row in range(n_rows):
                l, a = shape.row_l[first + row], shape.row_a[first + row]
                value, slope = work.radial[row, start:stop], work.dradial[row, start:stop]
                value[:] = 0.0
                slope[:] = 0.0
                for m in range(2 * l + 1):
                    lm, g, h = l * l + m, work.adjoint[a + m, lane], work.second[a + m, lane]
                    add_scaled(value, h, work.ylm[lm, start:stop])
                    add_scaled(value, g, work.along[lm, start:stop])
                    add_scaled(slope, g, work.ylm[lm, start:stop])
            for p in range(shape.n_density[mu_i]):
                work.radial[n_rows + p, start:stop] = u[p, lane]
                work.dradial[n_rows + p, start:stop] = v[p, lane]
        low, high = segments[mu_j, 0] - begin, segments[mu_j, LANES] - begin
        for row in range(n_rows + shape.n_density[mu_i]):
            multiply(work.dradial[row, low:high], along_bond[low:high])


@kernel
def multiply(out, values):
    """Out *= values."""
    for j in range(len(out)):
        out[j] *= values[j]


@kernel
def double_dot(a, b, c, d):
    """Sum of a b + c d."""
    total = 0.0
    for j in range(len(a)):
        total += a[j] * b[j] + c[j] * d[j]
    return total


@kernel
def matrix_gradient_into(shape, groups, group, work, dmatrix):
    """Add the derivative with respect to the contraction matrix."""
    mu_i = groups.species[group]
    segments = groups.segments[group]
    begin = segments[0, 0]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        k_rows, first = shape.k_rows[b], shape.matrix_start[b]
        start, stop = segments[mu_j, 0] - begin, segments[mu_j, LANES] - begin
        for low in range(start, stop, CHUNK):
            high = min(low + CHUNK, stop)
            n = high - low
            radial.radial_base_into(
                shape.kind[b],
                shape.bond[b],
                shape.table,
                shape.table_start[b],
                k_rows,
                work.r[low:high],
                work.chunk,
                work.base,
                work.dbase,
            )
            for row in range(shape.n_rows[b] + shape.n_density[mu_i]):
                value, slope = work.radial[row, low:high], work.dradial[row, low:high]
                for k in range(k_rows):
                    dmatrix[first + row, k] += double_dot(value, work.base[k, :n], slope, work.dbase[k, :n])


@inlined
def gradient_group(
    shape, coefficients, groups, group, work, lanes, reduced, delta, along_bond, tangent_lanes, structure, slopes, dmatrix, dct
):
    """Add one group's contribution to the gradient."""
    mu_i = groups.species[group]
    drho, drho_core, u, v = tangent_lanes
    forward_group(shape, coefficients, groups, group, work, lanes, reduced)
    displacements_into(groups, group, shape.n_elements, structure, slopes, work, delta, along_bond)
    tangent_base_into(shape, groups, group, work, along_bond, drho, drho_core)
    first, n_a, n_nodes, n_density = shape.node_start[mu_i], shape.n_a[mu_i], shape.n_nodes[mu_i], shape.n_density[mu_i]
    products.tangents_into(shape.left, shape.right, first, n_a, n_nodes, work.nodes, work.tangents)
    products.densities_into(coefficients.ct, first, n_a, n_nodes, n_density, work.tangents, drho)
    density_weights_into(shape, mu_i, groups, group, lanes, structure, slopes, along_bond, drho, drho_core, u, v)
    products.coefficient_gradient_into(first, n_a, n_nodes, n_density, work.nodes, work.tangents, u, v, dct)
    products.second_adjoints_into(
        shape.left,
        shape.right,
        coefficients.ct,
        first,
        n_a,
        n_nodes,
        n_density,
        u,
        v,
        work.nodes,
        work.tangents,
        work.adjoint,
        work.second,
    )
    radial_adjoints_into(shape, groups, group, work, along_bond, u, v)
    matrix_gradient_into(shape, groups, group, work, dmatrix)


@kernel
def loss_and_gradient(
    first_slot,
    last_slot,
    slot_start,
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
    dmatrix,
    dct,
):
    """Loss and gradient over blocks of whole structures.

    Parameters
    ----------
    first_slot, last_slot : range of slots to do; a slot is a run of blocks that share one buffer for the gradient
    slot_start : (n_slots + 1,) range of each slot in `blocks`
    blocks : blocks to do
    block_groups, block_structures : (n_blocks + 1,) ranges of groups and of structures
    offsets : (n_structures + 1,) first atom of each structure; structure : (n_atoms,)
    targets, slopes : see `acefit.fit.batch.Targets` and `Slopes`
    energies : (n_atoms,); forces : (n_atoms, 3); virials : (n_structures, 6), filled
    losses : (n_blocks, 3) filled with the weighted energy, force and stress parts
    dmatrix, dct : (n_slots, ...) filled with each slot's gradient; no gradient is computed when dct is empty
    """
    with_gradient = dct.shape[0] > 0
    for slot in range(first_slot, last_slot):
        if with_gradient:
            dmatrix[slot] = 0.0
            dct[slot] = 0.0
        for block in blocks[slot_start[slot] : slot_start[slot + 1]]:
            low, high = block_groups[block], block_groups[block + 1]
            first, last = block_structures[block], block_structures[block + 1]
            forces[offsets[first] : offsets[last]] = 0.0
            virials[first:last] = 0.0
            n = largest_group(groups, low, high)
            work, lanes, reduced = make_work(shape, n, True), make_lanes(shape), np.empty(LANES)
            delta, along_bond = np.empty((3, n)), np.empty(n)
            for group in range(low, high):
                evaluate_group(
                    shape, coefficients, groups, group, work, lanes, reduced, delta, structure, energies, forces, virials
                )
            losses[block] = 0.0
            residuals_into(first, last, offsets, targets, energies, forces, virials, slopes, losses[block])
            if not with_gradient:
                continue
            p_max = lanes.rho.shape[0]
            tangent_lanes = (np.empty((p_max, LANES)), np.empty(LANES), np.zeros((p_max, LANES)), np.zeros((p_max, LANES)))
            for group in range(low, high):
                gradient_group(
                    shape,
                    coefficients,
                    groups,
                    group,
                    work,
                    lanes,
                    reduced,
                    delta,
                    along_bond,
                    tangent_lanes,
                    structure,
                    slopes,
                    dmatrix[slot],
                    dct[slot],
                )
