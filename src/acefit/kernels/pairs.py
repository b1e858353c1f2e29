"""Pair quantities of one group of atoms, rows over its pairs: geometry, radial functions, sums over neighbours.

`Work` is the scratch space of one thread; nothing in it survives a group.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import core, radial
from acefit.kernels._jit import LANES, inlined, kernel
from acefit.kernels.harmonics import harmonics_into

CHUNK = 64
"""Pairs whose radial base is held at a time, so that it stays in the first-level cache."""

Floats = NDArray[np.float64]


class Work(NamedTuple):
    """Scratch arrays; n is the largest number of pairs in a group.

    Attributes
    ----------
    r, inverse_r : (n,)
    unit : (3, n)
    radial, dradial : (rows, n) R_nl and density rows with derivatives
    ylm, dylm : (n_lm, n), (3, n_lm, n)
    core, dcore : (n,)
    base, dbase, chunk : (k_rows, CHUNK), (k_rows, CHUNK), (4, CHUNK)
    nodes, adjoint, tangents, second : (n_rows, LANES) products and their adjoints; the last two for the gradient only
    along, row, drow : (n_lm, n), (n,), (n,) for the gradient only: tangential slopes along delta, and sums over rows
    """

    r: Floats
    inverse_r: Floats
    unit: Floats
    radial: Floats
    dradial: Floats
    ylm: Floats
    dylm: Floats
    core: Floats
    dcore: Floats
    base: Floats
    dbase: Floats
    chunk: Floats
    nodes: Floats
    adjoint: Floats
    tangents: Floats
    second: Floats
    along: Floats
    row: Floats
    drow: Floats


@kernel
def make_work(shape, n_pairs, with_gradient):
    """Allocate scratch for groups of up to n_pairs pairs."""
    n_rows = (shape.n_rows + shape.n_density.max()).max()
    n_lm = (shape.l_max.max() + 1) ** 2
    k_rows = shape.k_rows.max()
    n_nodes = (shape.n_a + shape.n_nodes).max()
    n_second = n_nodes if with_gradient else 0
    n_along = n_lm if with_gradient else 0
    return Work(
        np.empty(n_pairs),
        np.empty(n_pairs),
        np.empty((3, n_pairs)),
        np.empty((n_rows, n_pairs)),
        np.empty((n_rows, n_pairs)),
        np.empty((n_lm, n_pairs)),
        np.empty((3, n_lm, n_pairs)),
        np.zeros(n_pairs),
        np.zeros(n_pairs),
        np.empty((k_rows, CHUNK)),
        np.empty((k_rows, CHUNK)),
        np.empty((4, CHUNK)),
        np.zeros((n_nodes, LANES)),
        np.zeros((n_nodes, LANES)),
        np.zeros((n_second, LANES)),
        np.zeros((n_second, LANES)),
        np.empty((n_along, n_pairs)),
        np.empty(n_pairs),
        np.empty(n_pairs),
    )


@kernel
def geometry_into(vectors, start, n, work):
    """Distances, inverse distances and unit vectors of the pairs start..start+n-1."""
    x, y, z = vectors[0, start : start + n], vectors[1, start : start + n], vectors[2, start : start + n]
    r, inverse = work.r[:n], work.inverse_r[:n]
    for j in range(n):
        r[j] = sqrt(x[j] * x[j] + y[j] * y[j] + z[j] * z[j])
        inverse[j] = 1.0 / r[j]
    for axis in range(3):
        component, unit = vectors[axis, start : start + n], work.unit[axis, :n]
        for j in range(n):
            unit[j] = component[j] * inverse[j]


@kernel
def contract_into(coefficients, k_rows, base, out):
    """Fill out with sum_k coefficients[k] base[k]; four rows at a time save loads and stores of out."""
    n = len(out)
    for j in range(n):
        out[j] = 0.0
    k = 0
    while k + 4 <= k_rows:
        rows = base[k : k + 4]
        c0, c1, c2, c3 = coefficients[k], coefficients[k + 1], coefficients[k + 2], coefficients[k + 3]
        for j in range(n):
            out[j] += c0 * rows[0, j] + c1 * rows[1, j] + c2 * rows[2, j] + c3 * rows[3, j]
        k += 4
    while k < k_rows:
        row, c = base[k], coefficients[k]
        for j in range(n):
            out[j] += c * row[j]
        k += 1


@kernel
def radial_into(shape, matrix, bond_index, n_density, start, stop, work):
    """Fill the rows of work.radial and work.dradial for the pairs of one bond."""
    kind, k_rows = shape.kind[bond_index], shape.k_rows[bond_index]
    n_rows, first = shape.n_rows[bond_index] + n_density, shape.matrix_start[bond_index]
    bond = shape.bond[bond_index]
    for low in range(start, stop, CHUNK):
        high = min(low + CHUNK, stop)
        radial.radial_base_into(
            kind, bond, shape.table, shape.table_start[bond_index], k_rows, work.r[low:high], work.chunk, work.base, work.dbase
        )
        for row in range(n_rows):
            contract_into(matrix[first + row], k_rows, work.base, work.radial[row, low:high])
            contract_into(matrix[first + row], k_rows, work.dbase, work.dradial[row, low:high])
    if shape.has_core:
        if kind == radial.TABLE:
            first_node = shape.table_start[bond_index]
            for j in range(start, stop):
                work.core[j], work.dcore[j] = radial.hermite(bond, shape.table, first_node, k_rows, work.r[j])
        else:
            for j in range(start, stop):
                work.core[j], work.dcore[j] = core.pair_core(bond, work.r[j])


@inlined
def prepare_pairs(shape, coefficients, groups, group, work):
    """Geometry, radial functions and harmonics of all pairs of a group; returns the number of pairs."""
    mu_i = groups.species[group]
    segments = groups.segments[group]
    begin = segments[0, 0]
    n = segments[shape.n_elements - 1, LANES] - begin
    geometry_into(groups.vectors, begin, n, work)
    for mu_j in range(shape.n_elements):
        radial_into(
            shape,
            coefficients.matrix,
            mu_i * shape.n_elements + mu_j,
            shape.n_density[mu_i],
            segments[mu_j, 0] - begin,
            segments[mu_j, LANES] - begin,
            work,
        )
    harmonics_into(
        shape.l_max[mu_i],
        shape.sector,
        shape.climb,
        shape.lm_row,
        shape.lm_factor,
        work.unit,
        work.inverse_r,
        n,
        work.ylm,
        work.dylm,
    )
    return n


@kernel
def dot(a, b):
    """Sum of products of two rows."""
    total = 0.0
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@kernel
def row_sum(a):
    """Sum of a row."""
    total = 0.0
    for j in range(len(a)):
        total += a[j]
    return total


@kernel
def atomic_base_into(shape, groups, group, work, nodes, rho, rho_core):
    """Sum over neighbours: A components into nodes, order-1 densities into rho, core energies into rho_core."""
    mu_i = groups.species[group]
    n_density = shape.n_density[mu_i]
    segments = groups.segments[group]
    begin = segments[0, 0]
    rho[:] = 0.0
    rho_core[:] = 0.0
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        n_rows, first = shape.n_rows[b], shape.row_start[b]
        for lane in range(LANES):
            start, stop = segments[mu_j, lane] - begin, segments[mu_j, lane + 1] - begin
            for row in range(n_rows):
                l, a = shape.row_l[first + row], shape.row_a[first + row]
                values = work.radial[row, start:stop]
                for m in range(2 * l + 1):
                    nodes[a + m, lane] = dot(values, work.ylm[l * l + m, start:stop])
            for p in range(n_density):
                rho[p, lane] += row_sum(work.radial[n_rows + p, start:stop])
            if shape.has_core:
                rho_core[lane] += row_sum(work.core[start:stop])
