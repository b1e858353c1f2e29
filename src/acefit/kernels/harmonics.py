"""Real spherical harmonics of unit vectors, their derivative along a displacement, and the adjoint of that derivative.

S_l0 = Y_l0, S_lm = sqrt(2) (-1)^m Re Y_lm and S_l,-m = sqrt(2) (-1)^m Im Y_lm for m > 0, with the complex Y_lm of the file
formats (Condon-Shortley phase, Y_00 = 1). Row lm = l*l + l + m. All rows come from one linear recursion in the components of
the unit vector,

    S_l,+-l = sector_l (x S_l-1,+-(l-1) -+ y S_l-1,-+(l-1)),   S_lm = climb_lm,0 z S_l-1,m + climb_lm,1 S_l-2,m

so that derivatives cost no more than the values: forwards for the change along a given displacement, backwards for the gradient
of a given combination. Gradients in the space of unit vectors are made tangential by the caller.

References
----------
Bigi, Fraux, Browning, Ceriotti, J. Chem. Phys. 159, 064802 (2023): Cartesian recursion of solid harmonics.
"""

from functools import cache
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.kernels._jit import kernel, operation
from acefit.kernels.radial import N_PAIR, UX, UY, UZ
from acefit.kernels.vectors import item, load, splat, store


class HarmonicsTables(NamedTuple):
    """Constants of the recursion up to some l_max.

    Attributes
    ----------
    sector : (l_max + 1,) factor of S_mm from S_m-1,m-1
    climb : (n_lm, 2) factors of z S_l-1,m and of S_l-2,m
    """

    sector: NDArray[np.float64]
    climb: NDArray[np.float64]


def _norm(l: int, m: int) -> float:
    """Norm of q_lm Re (x + iy)^m, where q_lm is the associated Legendre polynomial without phase."""
    value = float(2 * l + 1) * (1.0 if m == 0 else 2.0)
    for k in range(l - m + 1, l + m + 1):
        value /= k
    return sqrt(value)


@cache
def harmonics_tables(l_max: int) -> HarmonicsTables:
    """Build the constants."""
    sector, climb = np.zeros(l_max + 1), np.zeros(((l_max + 1) ** 2, 2))
    for m in range(1, l_max + 1):
        sector[m] = (2 * m - 1) * _norm(m, m) / _norm(m - 1, m - 1)
    for l in range(1, l_max + 1):
        for m in range(l):
            first = (2 * l - 1) / (l - m) * _norm(l, m) / _norm(l - 1, m)
            second = -(l + m - 1) / (l - m) * _norm(l, m) / _norm(l - 2, m) if l >= m + 2 else 0.0
            climb[l * l + l + m] = climb[l * l + l - m] = first, second
    return HarmonicsTables(sector, climb)


@kernel
def harmonics_into(l_max, sector, climb, pairs, start, stop, width, values):
    """Fill values (n_slots, width, LANES) of the slots start..stop-1; width >= (l_max + 1)^2.

    Parameters
    ----------
    sector, climb : HarmonicsTables of at least l_max
    pairs : (n_slots, N_PAIR, LANES) with unit vectors in the rows UX, UY, UZ
    """
    for slot in range(start, stop):
        x, y, z = load(pairs, slot * N_PAIR + UX), load(pairs, slot * N_PAIR + UY), load(pairs, slot * N_PAIR + UZ)
        first = slot * width
        store(values, first, splat(1.0))
        if l_max > 0:
            scale = item(sector, 1)
            store(values, first + 1, scale * y)
            store(values, first + 2, item(climb, 4) * z)
            store(values, first + 3, scale * x)
        for l in range(2, l_max + 1):
            row, below, scale = first + l * l, first + (l - 1) * (l - 1), item(sector, l)
            sine, cosine = load(values, below), load(values, below + 2 * l - 2)
            store(values, row, scale * (x * sine + y * cosine))
            store(values, row + 2 * l, scale * (x * cosine - y * sine))
            lowest = first + (l - 2) * (l - 2)
            store(values, row + 1, item(climb, 2 * l * l + 2) * (z * sine))
            store(values, row + 2 * l - 1, item(climb, 2 * (l * l + 2 * l - 1)) * (z * cosine))
            for m in range(2, 2 * l - 1):
                one, two = load(values, below + m - 1), load(values, lowest + m - 2)
                store(values, row + m, item(climb, 2 * (l * l + m)) * (z * one) + item(climb, 2 * (l * l + m) + 1) * two)


@kernel
def along_into(l_max, sector, climb, pairs, start, stop, width, values, turn, along):
    """Fill along (n_slots, width, LANES) with the changes of the values of the slots start..stop-1 when unit vectors turn.

    Parameters
    ----------
    values : from `harmonics_into`
    turn : (stop - start, 3, LANES) tangential displacements of the unit vectors
    """
    for slot in range(start, stop):
        x, y, z = load(pairs, slot * N_PAIR + UX), load(pairs, slot * N_PAIR + UY), load(pairs, slot * N_PAIR + UZ)
        own = 3 * (slot - start)
        dx, dy, dz = load(turn, own), load(turn, own + 1), load(turn, own + 2)
        first = slot * width
        store(along, first, splat(0.0))
        if l_max > 0:
            scale = item(sector, 1)
            store(along, first + 1, scale * dy)
            store(along, first + 2, item(climb, 4) * dz)
            store(along, first + 3, scale * dx)
        for l in range(2, l_max + 1):
            row, below, scale = first + l * l, first + (l - 1) * (l - 1), item(sector, l)
            sine, cosine = load(values, below), load(values, below + 2 * l - 2)
            dsine, dcosine = load(along, below), load(along, below + 2 * l - 2)
            store(along, row, scale * (dx * sine + x * dsine + dy * cosine + y * dcosine))
            store(along, row + 2 * l, scale * (dx * cosine + x * dcosine - dy * sine - y * dsine))
            lowest = first + (l - 2) * (l - 2)
            store(along, row + 1, item(climb, 2 * l * l + 2) * (dz * sine + z * dsine))
            store(along, row + 2 * l - 1, item(climb, 2 * (l * l + 2 * l - 1)) * (dz * cosine + z * dcosine))
            for m in range(2, 2 * l - 1):
                one, done, dtwo = load(values, below + m - 1), load(along, below + m - 1), load(along, lowest + m - 2)
                store(
                    along, row + m, item(climb, 2 * (l * l + m)) * (dz * one + z * done) + item(climb, 2 * (l * l + m) + 1) * dtwo
                )


@operation
def backwards(l_max, sector, climb, x, y, z, values, first, adjoint, base):
    """Derivative of sum_lm adjoint_lm S_lm by the components of the unit vector; overwrites adjoint.

    Parameters
    ----------
    x, y, z : vectors
    values : array from `harmonics_into`; first : its first row of this slot
    adjoint : array of vectors; base : row of its first harmonic
    """
    gx, gy, gz = splat(0.0), splat(0.0), splat(0.0)
    for l in range(l_max, 1, -1):
        row, below, lowest, scale = l * l, (l - 1) * (l - 1), (l - 2) * (l - 2), item(sector, l)
        for m in range(2, 2 * l - 1):
            a = load(adjoint, base + row + m)
            b = item(climb, 2 * (row + m)) * a
            gz = gz + b * load(values, first + below + m - 1)
            store(adjoint, base + below + m - 1, load(adjoint, base + below + m - 1) + b * z)
            store(adjoint, base + lowest + m - 2, load(adjoint, base + lowest + m - 2) + item(climb, 2 * (row + m) + 1) * a)
        sine, cosine = load(values, first + below), load(values, first + below + 2 * l - 2)
        a, b = scale * load(adjoint, base + row), scale * load(adjoint, base + row + 2 * l)
        c, d = (
            item(climb, 2 * row + 2) * load(adjoint, base + row + 1),
            item(climb, 2 * (row + 2 * l - 1)) * load(adjoint, base + row + 2 * l - 1),
        )
        gx = gx + a * sine + b * cosine
        gy = gy + a * cosine - b * sine
        gz = gz + c * sine + d * cosine
        store(adjoint, base + below, load(adjoint, base + below) + a * x - b * y + c * z)
        store(adjoint, base + below + 2 * l - 2, load(adjoint, base + below + 2 * l - 2) + a * y + b * x + d * z)
    if l_max > 0:
        gx = gx + item(sector, 1) * load(adjoint, base + 3)
        gy = gy + item(sector, 1) * load(adjoint, base + 1)
        gz = gz + item(climb, 4) * load(adjoint, base + 2)
    return gx, gy, gz
