"""Layout of the arrays that the kernels share; built in `acefit.basis.compiled` and `acefit.evaluation.grouping`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Shape(NamedTuple):
    """Everything about a potential that does not change during a fit.

    Bond b = mu_i * n_elements + mu_j is ordered. The rows of a bond are its radial functions R_nl that some function of the
    centre uses, sorted by l, followed by one row per density (order-1 functions are one radial function per density).

    Attributes
    ----------
    n_elements : int
    kind, k_rows, n_rows, matrix_start, table_start : (n_bonds,) radial family, length of its base, number of R_nl rows,
        first row in the contraction matrices (a multiple of ROW_BLOCK) and in the table
    bond : (n_bonds, N_BOND_PARAMETERS) see `acefit.kernels.radial`
    table : (n_nodes, 2 k) values and slopes of the table mode, empty otherwise
    row_start, row_l, row_a : start per bond; l and first A component of each R_nl row
    n_a, n_nodes, node_start, n_density, l_max : (n_elements,) per central element
    left, right : operands of each node, rows of the node arrays
    outer_start : (n_elements + 1,) range of the outer factors of each element
    outer : row of each outer factor
    term_start : (n_outer + 1,) range of the terms of each outer factor
    inner : (n_terms,) row of the other factor of each term
    embedding : (n_elements,) kind
    embedding_parameters : (n_elements, p_max, 2) prefactor and exponent
    core_cut : (n_elements, 2) rho_core_cut and its width
    has_core, is_zbl : flags
    sector, climb : constants of the harmonics' recursions (`acefit.kernels.harmonics.HarmonicsTables`)
    """

    n_elements: int
    kind: Ints
    k_rows: Ints
    n_rows: Ints
    matrix_start: Ints
    table_start: Ints
    bond: Floats
    table: Floats
    row_start: Ints
    row_l: Ints
    row_a: Ints
    n_a: Ints
    n_nodes: Ints
    node_start: Ints
    n_density: Ints
    l_max: Ints
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    outer_start: Ints
    outer: NDArray[np.int32]
    term_start: Ints
    inner: NDArray[np.int32]
    embedding: Ints
    embedding_parameters: Floats
    core_cut: Floats
    has_core: bool
    is_zbl: bool
    sector: Floats
    climb: Floats


class Coefficients(NamedTuple):
    """What a fit changes.

    Attributes
    ----------
    value, slope : (n_matrix_rows, k_width) contraction of the radial base to the rows of each bond, see `acefit.kernels.radial`
    ct : (p_max, n_terms) coefficients of the terms, couplings folded in
    """

    value: Floats
    slope: Floats
    ct: Floats


class Groups(NamedTuple):
    """Atoms of one species in groups of LANES, with the neighbours of each lane in slots side by side.

    The k-th slot of a neighbour species holds the k-th neighbour of that species of every lane; lanes with fewer neighbours are
    filled with pairs far beyond every cutoff.

    Attributes
    ----------
    species : (n_groups,) central element
    atoms : (n_groups, LANES) atom index, -1 in unused lanes
    slots : (n_groups, n_elements + 1) first slot of each neighbour species, and the end
    vectors : (n_slots, 3, LANES) r_j - r_i, Angstrom
    neighbor : (n_slots, LANES) atom index of j
    """

    species: Ints
    atoms: NDArray[np.int32]
    slots: Ints
    vectors: Floats
    neighbor: NDArray[np.int32]
