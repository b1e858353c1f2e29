"""Real spherical harmonics and their gradients, rows of values over pairs.

S_l0 = Y_l0, S_lm = sqrt(2) (-1)^m Re Y_lm and S_l,-m = sqrt(2) (-1)^m Im Y_lm for m > 0, with the complex Y_lm of the file
formats (Condon-Shortley phase, Y_00 = 1). Row lm = l*l + l + m. Both values and gradients come from linear recursions, in
which neighbouring rows are multiplied by constants; `harmonics_tables` holds these constants.

References
----------
Bigi, Fraux, Browning, Ceriotti, J. Chem. Phys. 159, 064802 (2023): Cartesian recursion and gradients of solid harmonics.
"""

from functools import cache
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels._jit import kernel


class HarmonicsTables(NamedTuple):
    """Constants of the recursions up to some l_max.

    Attributes
    ----------
    sector : (l_max + 1,) factor of S_mm from S_m-1,m-1
    climb : (n_lm, 2) factors of z S_l-1,m and of S_l-2,m
    row : int64 (n_lm, 3, 2) rows of degree l - 1 in the gradient of the solid harmonic, per axis
    factor : (n_lm, 3, 2) their factors
    """

    sector: NDArray[np.float64]
    climb: NDArray[np.float64]
    row: NDArray[np.int64]
    factor: NDArray[np.float64]


def _norm(l: int, m: int) -> float:
    """Norm of q_lm Re (x + iy)^m, where q_lm is the associated Legendre polynomial without phase."""
    value = float(2 * l + 1) * (1.0 if m == 0 else 2.0)
    for k in range(l - m + 1, l + m + 1):
        value /= k
    return sqrt(value)


def _add(row: NDArray[np.int64], factor: NDArray[np.float64], target: tuple[int, int], source: int, value: float) -> None:
    """Put one term into the first free place of a gradient entry."""
    place = 0 if factor[(*target, 0)] == 0.0 else 1
    row[(*target, place)], factor[(*target, place)] = source, value


@cache
def harmonics_tables(l_max: int) -> HarmonicsTables:
    """Build the constants.

    With solid harmonics N_lm q_lm c_m (c_m = Re (x+iy)^m; s_m = Im for -m): d q_lm/dx = -x q_l-1,m+1 and d q_lm/dz =
    (l + m) q_l-1,m, and x c_m = (c_m+1 + r_xy^2 c_m-1)/2, so each component is a sum of at most two harmonics of degree l - 1.
    """
    n_lm = (l_max + 1) ** 2
    sector, climb = np.zeros(l_max + 1), np.zeros((n_lm, 2))
    row, factor = np.zeros((n_lm, 3, 2), dtype=np.int64), np.zeros((n_lm, 3, 2))
    for m in range(1, l_max + 1):
        sector[m] = (2 * m - 1) * _norm(m, m) / _norm(m - 1, m - 1)
    for l in range(1, l_max + 1):
        for m in range(l):
            first = (2 * l - 1) / (l - m) * _norm(l, m) / _norm(l - 1, m)
            second = -(l + m - 1) / (l - m) * _norm(l, m) / _norm(l - 2, m) if l >= m + 2 else 0.0
            climb[l * l + l + m] = climb[l * l + l - m] = first, second
        below = l * l - l
        for m in range(l + 1):
            up = -0.5 * _norm(l, m) / _norm(l - 1, m + 1) if m + 1 <= l - 1 else 0.0
            down = 0.5 * (l + m) * (l + m - 1) * _norm(l, m) / _norm(l - 1, m - 1) if m >= 1 else 0.0
            along = (l + m) * _norm(l, m) / _norm(l - 1, m) if m <= l - 1 else 0.0
            for sign in (1, -1) if m else (1,):
                lm = l * l + l + sign * m
                if m == 0:
                    # x q_l-1,1 = q_l-1,1 c_1 and y q_l-1,1 = q_l-1,1 s_1
                    terms = [(0, below + 1, 2 * up), (1, below - 1, 2 * up)]
                elif sign > 0:
                    terms = [(0, below + m + 1, up), (0, below + m - 1, down), (1, below - m - 1, up), (1, below - m + 1, -down)]
                else:
                    terms = [(0, below - m - 1, up), (0, below - m + 1, down), (1, below + m + 1, -up), (1, below + m - 1, down)]
                for axis, source, value in (*terms, (2, below + sign * m, along)):
                    # s_0 = 0: the row -0 does not exist
                    vanishes = m == 1 and ((sign > 0 and axis == 1) or (sign < 0 and axis == 0)) and source == below
                    if value != 0.0 and not vanishes:
                        _add(row, factor, (lm, axis), source, value)
    return HarmonicsTables(sector, climb, row, factor)


@kernel
def harmonics_into(l_max, sector, climb, row, factor, unit, inverse_r, n, values, gradients):
    """Fill values and gradients with respect to the bond vector.

    Parameters
    ----------
    l_max : int
    sector, climb, row, factor : HarmonicsTables of at least l_max
    unit : (3, >= n) unit vectors
    inverse_r : (>= n,) 1/Angstrom
    n : number of pairs
    values : (n_lm, >= n), filled
    gradients : (3, n_lm, >= n), filled; the tangential gradient divided by r, 1/Angstrom
    """
    ux, uy, uz, inverse = unit[0, :n], unit[1, :n], unit[2, :n], inverse_r[:n]
    values[0, :n] = 1.0
    gradients[:, 0, :n] = 0.0
    for l in range(1, l_max + 1):
        cosine, sine = values[l * l + 2 * l], values[l * l]
        below_cosine, below_sine = values[l * l - 1], values[(l - 1) * (l - 1)]
        scale = sector[l]
        if l == 1:
            for j in range(n):
                cosine[j] = scale * ux[j]
                sine[j] = scale * uy[j]
        else:
            for j in range(n):
                cosine[j] = scale * (ux[j] * below_cosine[j] - uy[j] * below_sine[j])
            for j in range(n):
                sine[j] = scale * (ux[j] * below_sine[j] + uy[j] * below_cosine[j])
        for m in range(-l + 1, l):
            lm = l * l + l + m
            first, second = climb[lm, 0], climb[lm, 1]
            out, one = values[lm], values[l * l - l + m]
            if second == 0.0:
                for j in range(n):
                    out[j] = first * uz[j] * one[j]
            else:
                two = values[(l - 2) * (l - 2) + l - 2 + m]
                for j in range(n):
                    out[j] = first * uz[j] * one[j] + second * two[j]
        for lm in range(l * l, (l + 1) * (l + 1)):
            value = values[lm]
            for axis in range(3):
                a, b = values[row[lm, axis, 0]], values[row[lm, axis, 1]]
                fa, fb = factor[lm, axis, 0], factor[lm, axis, 1]
                u, out = unit[axis, :n], gradients[axis, lm]
                for j in range(n):
                    out[j] = (fa * a[j] + fb * b[j] - l * value[j] * u[j]) * inverse[j]
