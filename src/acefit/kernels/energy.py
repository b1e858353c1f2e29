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
from acefit.kernels._jit import LANES, inlined, kernel
from acefit.kernels.embedding import embed
from acefit.kernels.pairs import atomic_base_into, make_work, prepare_pairs

Floats = NDArray[np.float64]


class Lanes(NamedTuple):
    """Per-atom quantities of one group, last axis the lane.

    Attributes
    ----------
    rho, slope, curvature : (p_max, LANES) densities, dF/drho_p and d2F/drho_p2 (without f_cut)
    value : F
    rho_core, cut, dcut : core energy, f_cut and its derivative (with respect to rho_core, or to the nearest distance for zbl)
    nearest : int64, pair of the nearest neighbour for zbl, -1 if none
    """

    rho: Floats
    slope: Floats
    curvature: Floats
    value: Floats
    rho_core: Floats
    cut: Floats
    dcut: Floats
    nearest: NDArray[np.int64]


@kernel
def make_lanes(shape):
    """Allocate the per-atom quantities of a group."""
    p = shape.n_density.max()
    return Lanes(
        np.zeros((p, LANES)),
        np.zeros((p, LANES)),
        np.zeros((p, LANES)),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.full(LANES, -1),
    )


@kernel
def nearest_into(shape, groups, group, work, lanes, reduced):
    """For zbl: the pair with the smallest r - (r_in - delta_in) of each lane, and this smallest value."""
    mu_i = groups.species[group]
    segments = groups.segments[group]
    begin = segments[0, 0]
    reduced[:] = np.inf
    lanes.nearest[:] = -1
    for mu_j in range(shape.n_elements):
        bond = shape.bond[mu_i * shape.n_elements + mu_j]
        offset = bond[radial.CORE_IN] - bond[radial.CORE_WIDTH]
        for lane in range(LANES):
            for j in range(segments[mu_j, lane] - begin, segments[mu_j, lane + 1] - begin):
                if work.r[j] - offset < reduced[lane]:
                    reduced[lane] = work.r[j] - offset
                    lanes.nearest[lane] = j


@kernel
def core_cut_into(shape, groups, group, work, lanes, reduced):
    """Fill f_cut and its derivative."""
    mu_i = groups.species[group]
    if not shape.is_zbl:
        for lane in range(LANES):
            lanes.cut[lane], lanes.dcut[lane] = radial.f_poly(
                lanes.rho_core[lane], shape.core_cut[mu_i, 0], shape.core_cut[mu_i, 1]
            )
        return
    nearest_into(shape, groups, group, work, lanes, reduced)
    segments = groups.segments[group]
    begin = segments[0, 0]
    for lane in range(LANES):
        lanes.cut[lane], lanes.dcut[lane] = 1.0, 0.0
        j = lanes.nearest[lane]
        if j < 0:
            continue
        mu_j = 0
        while j >= segments[mu_j, LANES] - begin:
            mu_j += 1
        width = shape.bond[mu_i * shape.n_elements + mu_j, radial.CORE_WIDTH]
        if width > 0.0:
            value, slope = radial.f_poly(width - reduced[lane], width, width)
            lanes.cut[lane], lanes.dcut[lane] = value, -slope
        elif reduced[lane] < 0.0:
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
def forward_group(shape, coefficients, groups, group, work, lanes, reduced):
    """From pairs to embedding and f_cut for all lanes of a group; returns the number of pairs."""
    mu_i = groups.species[group]
    n = prepare_pairs(shape, coefficients, groups, group, work)
    atomic_base_into(shape, groups, group, work, work.nodes, lanes.rho, lanes.rho_core)
    first, n_a, n_nodes = shape.node_start[mu_i], shape.n_a[mu_i], shape.n_nodes[mu_i]
    products.products_into(shape.left, shape.right, first, n_a, n_nodes, work.nodes)
    products.densities_into(coefficients.ct, first, n_a, n_nodes, shape.n_density[mu_i], work.nodes, lanes.rho)
    embedding_into(shape, mu_i, lanes)
    core_cut_into(shape, groups, group, work, lanes, reduced)
    return n


@kernel
def add_scaled(out, c, values):
    """Out += c values."""
    for j in range(len(out)):
        out[j] += c * values[j]


@kernel
def add_product(out, a, b):
    """Out += a b, element by element."""
    for j in range(len(out)):
        out[j] += a[j] * b[j]


@kernel
def segment_slopes_into(shape, b, adjoint, lane, start, stop, work, along, gx, gy, gz):
    """Pair gradients of one lane and neighbour species, but for the part along the bond, which is collected in along."""
    n_rows, first = shape.n_rows[b], shape.row_start[b]
    value, slope = work.row[start:stop], work.drow[start:stop]
    row = 0
    while row < n_rows:
        l, last = shape.row_l[first + row], row
        while last < n_rows and shape.row_l[first + last] == l:
            last += 1
        for m in range(2 * l + 1):
            lm = l * l + m
            value[:] = 0.0
            slope[:] = 0.0
            for q in range(row, last):
                c = adjoint[shape.row_a[first + q] + m, lane]
                add_scaled(value, c, work.radial[q, start:stop])
                add_scaled(slope, c, work.dradial[q, start:stop])
            add_product(along, slope, work.ylm[lm, start:stop])
            add_product(gx, value, work.dylm[0, lm, start:stop])
            add_product(gy, value, work.dylm[1, lm, start:stop])
            add_product(gz, value, work.dylm[2, lm, start:stop])
        row = last


@kernel
def pair_slopes_into(shape, groups, group, work, lanes, gradient):
    """Gradients g_ij (3, n) of all pairs of a group from the adjoint of A."""
    mu_i = groups.species[group]
    segments = groups.segments[group]
    begin = segments[0, 0]
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        for lane in range(LANES):
            start, stop = segments[mu_j, lane] - begin, segments[mu_j, lane + 1] - begin
            # work.core is free after the sums: it collects the slope along the bond
            along = work.core[start:stop]
            gx, gy, gz = gradient[0, start:stop], gradient[1, start:stop], gradient[2, start:stop]
            along[:] = 0.0
            gx[:] = 0.0
            gy[:] = 0.0
            gz[:] = 0.0
            if shape.has_core:
                core_slope = 1.0 - lanes.cut[lane] if shape.is_zbl else 1.0 + lanes.value[lane] * lanes.dcut[lane]
                add_scaled(along, core_slope, work.dcore[start:stop])
            for p in range(shape.n_density[mu_i]):
                add_scaled(along, lanes.cut[lane] * lanes.slope[p, lane], work.dradial[shape.n_rows[b] + p, start:stop])
            segment_slopes_into(shape, b, work.adjoint, lane, start, stop, work, along, gx, gy, gz)
            nearest = lanes.nearest[lane] - start
            if shape.is_zbl and 0 <= nearest < stop - start:
                along[nearest] += (lanes.value[lane] - lanes.rho_core[lane]) * lanes.dcut[lane]
            add_product(gx, along, work.unit[0, start:stop])
            add_product(gy, along, work.unit[1, start:stop])
            add_product(gz, along, work.unit[2, start:stop])


@kernel
def scatter(groups, group, n_elements, gradient, structure, forces, virials):
    """Add pair gradients to forces (n_atoms, 3) and virials (n_structures, 6: xx yy zz yz xz xy)."""
    segments = groups.segments[group]
    begin = segments[0, 0]
    for mu_j in range(n_elements):
        for lane in range(LANES):
            i = groups.atoms[group, lane]
            if i < 0:
                continue
            s = structure[i]
            for pair in range(segments[mu_j, lane], segments[mu_j, lane + 1]):
                j, q = groups.neighbor[pair], pair - begin
                gx, gy, gz = gradient[0, q], gradient[1, q], gradient[2, q]
                x, y, z = groups.vectors[0, pair], groups.vectors[1, pair], groups.vectors[2, pair]
                forces[i, 0] += gx
                forces[i, 1] += gy
                forces[i, 2] += gz
                forces[j, 0] -= gx
                forces[j, 1] -= gy
                forces[j, 2] -= gz
                virials[s, 0] += x * gx
                virials[s, 1] += y * gy
                virials[s, 2] += z * gz
                virials[s, 3] += 0.5 * (y * gz + z * gy)
                virials[s, 4] += 0.5 * (x * gz + z * gx)
                virials[s, 5] += 0.5 * (x * gy + y * gx)


@inlined
def evaluate_group(shape, coefficients, groups, group, work, lanes, reduced, gradient, structure, energies, forces, virials):
    """Atomic energies of one group, and its contributions to forces and virials."""
    mu_i = groups.species[group]
    forward_group(shape, coefficients, groups, group, work, lanes, reduced)
    for lane in range(LANES):
        i = groups.atoms[group, lane]
        if i >= 0:
            core = lanes.rho_core[lane] * (1.0 - lanes.cut[lane] if shape.is_zbl else 1.0)
            energies[i] = lanes.cut[lane] * lanes.value[lane] + core
    slope = np.empty_like(lanes.slope)
    for p in range(shape.n_density[mu_i]):
        for lane in range(LANES):
            slope[p, lane] = lanes.cut[lane] * lanes.slope[p, lane]
    products.adjoints_into(
        shape.left,
        shape.right,
        coefficients.ct,
        shape.node_start[mu_i],
        shape.n_a[mu_i],
        shape.n_nodes[mu_i],
        shape.n_density[mu_i],
        slope,
        work.nodes,
        work.adjoint,
    )
    pair_slopes_into(shape, groups, group, work, lanes, gradient)
    scatter(groups, group, shape.n_elements, gradient, structure, forces, virials)


@kernel
def largest_group(groups, low, high):
    """Largest number of pairs in the groups low..high-1."""
    largest = 1
    for group in range(low, high):
        n = groups.segments[group, -1, LANES] - groups.segments[group, 0, 0]
        largest = max(largest, n)
    return largest


@kernel
def evaluate(
    first_block, last_block, shape, coefficients, groups, block_groups, block_buffer, structure, energies, forces, virials
):
    """Energies, forces and virials of the groups in a range of blocks.

    Parameters
    ----------
    first_block, last_block : range of blocks
    shape, coefficients, groups : see `acefit.kernels.model`
    block_groups : (n_blocks + 1,) range of groups of each block
    block_buffer : (n_blocks,) buffer of each block; blocks that share one must not share atoms or structures
    structure : (n_atoms,) structure of each atom
    energies : (n_atoms,) filled, eV
    forces : (n_buffers, n_atoms, 3) added to, eV/Angstrom
    virials : (n_buffers, n_structures, 6) added to, eV, order xx yy zz yz xz xy, sum of r_ij (x) dE_i/dr_j
    """
    for block in range(first_block, last_block):
        low, high, buffer = block_groups[block], block_groups[block + 1], block_buffer[block]
        n = largest_group(groups, low, high)
        work, lanes, reduced, gradient = make_work(shape, n, False), make_lanes(shape), np.empty(LANES), np.empty((3, n))
        for group in range(low, high):
            evaluate_group(
                shape,
                coefficients,
                groups,
                group,
                work,
                lanes,
                reduced,
                gradient,
                structure,
                energies,
                forces[buffer],
                virials[buffer],
            )


@kernel
def project(first_block, last_block, shape, coefficients, groups, block_groups, nodes, base, rho, cut, slope):
    """Product rows and order-1 sums of every atom, for B projections.

    Parameters
    ----------
    nodes : (n_atoms, largest n_a + n_nodes) filled with the rows of each atom
    base : (n_atoms, n_elements, k_max) filled with the sums of the radial base over the neighbours of each element
    rho, slope : (n_atoms, p_max) filled with densities and dF/drho_p without f_cut
    cut : (n_atoms,) filled with f_cut
    """
    for block in range(first_block, last_block):
        low, high = block_groups[block], block_groups[block + 1]
        work, lanes = make_work(shape, largest_group(groups, low, high), False), make_lanes(shape)
        reduced = np.empty(LANES)
        for group in range(low, high):
            mu_i = groups.species[group]
            forward_group(shape, coefficients, groups, group, work, lanes, reduced)
            segments = groups.segments[group]
            begin = segments[0, 0]
            for lane in range(LANES):
                i = groups.atoms[group, lane]
                if i < 0:
                    continue
                for t in range(shape.n_a[mu_i] + shape.n_nodes[mu_i]):
                    nodes[i, t] = work.nodes[t, lane]
                cut[i] = lanes.cut[lane]
                for p in range(shape.n_density[mu_i]):
                    rho[i, p], slope[i, p] = lanes.rho[p, lane], lanes.slope[p, lane]
                for mu_j in range(shape.n_elements):
                    b = mu_i * shape.n_elements + mu_j
                    for j in range(segments[mu_j, lane] - begin, segments[mu_j, lane + 1] - begin):
                        radial.radial_base_into(
                            shape.kind[b],
                            shape.bond[b],
                            shape.table,
                            shape.table_start[b],
                            shape.k_rows[b],
                            work.r[j : j + 1],
                            work.chunk,
                            work.base,
                            work.dbase,
                        )
                        for k in range(shape.k_rows[b]):
                            base[i, mu_j, k] += work.base[k, 0]
