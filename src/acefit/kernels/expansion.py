"""The linear map between the parameter vector and the coefficients of the kernels, and its transpose.

It is little work, but done once per evaluation by one thread, with the caches full of other data: compiled as a whole it takes
half the time of the same in a few calls of NumPy and SciPy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels._jit import driver, kernel
from acefit.kernels.model import Coefficients
from acefit.kernels.projections import Couplings


class Expansion(NamedTuple):
    """What the map consists of.

    Attributes
    ----------
    source : (n_matrix_rows, k_max) place in x of the coefficient of each g_k in the rows of the contraction matrices, -1 for none
    rows : (n_bonds, 2) range of rows of each ordered bond
    value_map, slope_map : (n_bonds, k_max, k_width) from the g_k to the polynomials P and Q of `acefit.kernels.radial`
    couplings : of the functions of order >= 2
    places : (n_elements, 3) first term, place in x, and number of densities of the functions of order >= 2 of each element
    """

    source: NDArray[np.int64]
    rows: NDArray[np.int64]
    value_map: NDArray[np.float64]
    slope_map: NDArray[np.float64]
    couplings: Couplings
    places: NDArray[np.int64]


@driver
def expand_into(x, expansion, coefficients):
    """Add the coefficients that belong to the parameters x to coefficients, which must be zero."""
    for b in range(len(expansion.rows)):
        for row in range(expansion.rows[b, 0], expansion.rows[b, 1]):
            for k in range(expansion.source.shape[1]):
                place = expansion.source[row, k]
                if place >= 0:
                    for column in range(coefficients.value.shape[1]):
                        coefficients.value[row, column] += x[place] * expansion.value_map[b, k, column]
                        coefficients.slope[row, column] += x[place] * expansion.slope_map[b, k, column]
    couplings = expansion.couplings
    for mu in range(len(expansion.places)):
        first, place, n_density = expansion.places[mu]
        for f in range(couplings.function_start[mu], couplings.function_start[mu + 1]):
            for entry in range(couplings.start[f], couplings.start[f + 1]):
                for p in range(n_density):
                    coefficients.ct[p, first + couplings.term[entry]] += couplings.weight[entry] * x[place + p]
            place += n_density


@kernel
def sum_into(shares, total):
    """Add to total the shares (n_shares, ...) in their order."""
    flat, out = shares.reshape(len(shares), total.size), total.reshape(-1)
    for share in range(len(flat)):
        for i in range(len(out)):
            out[i] += flat[share, i]


@kernel
def gather_into(slopes, expansion, gradient):
    """Add to gradient (n_parameters,) the derivatives by x that follow from those by the coefficients."""
    for b in range(len(expansion.rows)):
        for row in range(expansion.rows[b, 0], expansion.rows[b, 1]):
            for k in range(expansion.source.shape[1]):
                if expansion.source[row, k] >= 0:
                    total = 0.0
                    for column in range(slopes.value.shape[1]):
                        total += slopes.value[row, column] * expansion.value_map[b, k, column]
                        total += slopes.slope[row, column] * expansion.slope_map[b, k, column]
                    gradient[expansion.source[row, k]] += total
    couplings = expansion.couplings
    for mu in range(len(expansion.places)):
        first, place, n_density = expansion.places[mu]
        for f in range(couplings.function_start[mu], couplings.function_start[mu + 1]):
            for entry in range(couplings.start[f], couplings.start[f + 1]):
                for p in range(n_density):
                    gradient[place + p] += couplings.weight[entry] * slopes.ct[p, first + couplings.term[entry]]
            place += n_density


@driver
def gather_shares_into(shares, expansion, gradient):
    """`gather_into` of the sum of shares: `Coefficients` with one more axis in front, (n_shares, ...)."""
    _, n_rows, width = shares.value.shape
    _, p_max, n_terms = shares.ct.shape
    total = Coefficients(np.zeros((n_rows, width)), np.zeros((n_rows, width)), np.zeros((p_max, n_terms)))
    sum_into(shares.value, total.value)
    sum_into(shares.slope, total.slope)
    sum_into(shares.ct, total.ct)
    gather_into(total, expansion, gradient)
