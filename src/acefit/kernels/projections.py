"""B projections: the functions of every atom one by one, not only the densities that are their sums."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels import radial
from acefit.kernels._jit import LANES, driver, inlined, kernel
from acefit.kernels.energy import forward_group, largest_group, make_lanes
from acefit.kernels.pairs import make_work
from acefit.kernels.radial import F0, N_PAIR
from acefit.kernels.turns import take
from acefit.kernels.vectors import item, load, splat, store, zeros


class Couplings(NamedTuple):
    """Functions of order >= 2 as sparse sums of terms, element after element.

    Attributes
    ----------
    function_start : (n_elements + 1,) range of the functions of each element
    start : (n_functions + 1,) range of entries of each function
    term : int32 (n_entries,) term, counted within its element
    weight : (n_entries,) coefficient
    order_one : (n_elements,) number of order-1 functions, which come first
    """

    function_start: NDArray[np.int64]
    start: NDArray[np.int64]
    term: NDArray[np.int32]
    weight: NDArray[np.float64]
    order_one: NDArray[np.int64]


@kernel
def terms_into(shape, mu, nodes, terms):
    """Fill all terms of an element: outer times inner factor."""
    begin = shape.outer_start[mu]
    first_term = item(shape.term_start, begin)
    for o in range(begin, shape.outer_start[mu + 1]):
        factor = load(nodes, item(shape.outer, o))
        for t in range(item(shape.term_start, o), item(shape.term_start, o + 1)):
            store(terms, t - first_term, factor * load(nodes, item(shape.inner, t)))


@kernel
def functions_into(couplings, mu, terms, functions):
    """Fill the functions of order >= 2 of an element from its terms."""
    first = couplings.function_start[mu]
    for f in range(first, couplings.function_start[mu + 1]):
        even, odd = splat(0.0), splat(0.0)
        k, end = item(couplings.start, f), item(couplings.start, f + 1)
        while k + 2 <= end:
            even = even + item(couplings.weight, k) * load(terms, item(couplings.term, k))
            odd = odd + item(couplings.weight, k + 1) * load(terms, item(couplings.term, k + 1))
            k += 2
        if k < end:
            even = even + item(couplings.weight, k) * load(terms, item(couplings.term, k))
        store(functions, f - first, even + odd)


@kernel
def base_sums_into(shape, groups, group, work, k_width, sums):
    """Sums (n_elements * k_width, LANES) of the radial base (f0 T_k) over the neighbours of each element."""
    mu_i = groups.species[group]
    slots = groups.slots[group]
    for k in range(shape.n_elements * k_width):
        store(sums, k, splat(0.0))
    for mu_j in range(shape.n_elements):
        b = mu_i * shape.n_elements + mu_j
        kind, bond, first, k_rows = shape.kind[b], shape.bond[b], shape.table_start[b], shape.k_rows[b]
        for slot in range(slots[mu_j] - slots[0], slots[mu_j + 1] - slots[0]):
            radial.base_into(kind, bond, shape.table, first, k_rows, work.pairs, slot, 1, k_width, work.base, work.dbase)
            window = load(work.pairs, slot * N_PAIR + F0)
            for k in range(k_rows):
                row = mu_j * k_width + k
                store(sums, row, load(sums, row) + window * load(work.base, k))


@kernel
def copy_lanes(groups, group, first, n, rows, out):
    """Copy n rows (n, LANES) to the entries from `first` on of out (n_atoms, width)."""
    for lane in range(LANES):
        i = groups.atoms[group, lane]
        if i >= 0:
            for k in range(n):
                out[i, first + k] = rows[k, lane]


@inlined
def project_group(shape, coefficients, couplings, groups, group, work, lanes, scratch, out):
    """Everything about one group."""
    terms, functions, sums = scratch
    values, base, rho, slope, cut = out
    mu_i, k_width = groups.species[group], coefficients.value.shape[1]
    forward_group(shape, coefficients, groups, group, work, lanes)
    terms_into(shape, mu_i, work.nodes, terms)
    functions_into(couplings, mu_i, terms, functions)
    n_functions = couplings.function_start[mu_i + 1] - couplings.function_start[mu_i]
    copy_lanes(groups, group, couplings.order_one[mu_i], n_functions, functions, values)
    base_sums_into(shape, groups, group, work, k_width, sums)
    copy_lanes(groups, group, 0, shape.n_elements * k_width, sums, base)
    copy_lanes(groups, group, 0, shape.n_density[mu_i], lanes.rho, rho)
    copy_lanes(groups, group, 0, shape.n_density[mu_i], lanes.slope, slope)
    copy_lanes(groups, group, 0, 1, lanes.cut.reshape((1, LANES)), cut)


@kernel
def project_blocks(turns, shape, coefficients, couplings, groups, block_groups, work, lanes, scratch, out):
    """The work of `project` with its scratch; by itself because a driver counts references to arrays at every step."""
    block = take(turns)
    while block >= 0:
        for group in range(block_groups[block], block_groups[block + 1]):
            project_group(shape, coefficients, couplings, groups, group, work, lanes, scratch, out)
        block = take(turns)


@driver
def project(turns, shape, coefficients, couplings, groups, block_groups, values, base, rho, slope, cut):
    """B functions of order >= 2, order-1 sums, densities and slopes of the atoms in some blocks.

    Parameters
    ----------
    turns : blocks to take (see `acefit.kernels.turns`)
    shape, coefficients, groups : see `acefit.kernels.model`
    couplings : Couplings
    block_groups : (n_blocks + 1,) range of groups of each block
    values : (n_atoms, largest number of functions of an element) filled behind the columns of the order-1 functions
    base : (n_atoms, n_elements * k_width) filled with the sums of the radial base (f0 T_k) over the neighbours of each element
    rho, slope : (n_atoms, p_max) filled with densities and dF/drho_p without f_cut
    cut : (n_atoms, 1) filled with f_cut
    """
    k_width = coefficients.value.shape[1]
    work = make_work(shape, k_width, largest_group(groups, block_groups[0], block_groups[-1]))
    lanes = make_lanes(shape)
    n_terms, n_functions = 1, 1
    for mu in range(shape.n_elements):
        last = shape.term_start[shape.outer_start[mu + 1]]
        n_terms = max(n_terms, last - shape.term_start[shape.outer_start[mu]])
        n_functions = max(n_functions, couplings.function_start[mu + 1] - couplings.function_start[mu])
    scratch = (zeros(n_terms), zeros(n_functions), zeros(max(shape.n_elements * k_width, 1)))
    out = (values, base, rho, slope, cut)
    project_blocks(turns, shape, coefficients, couplings, groups, block_groups, work, lanes, scratch, out)
