"""MaxVol: rows of a tall matrix whose square submatrix has a locally maximal determinant.

References
----------
Goreinov et al., "How to find a good submatrix", in: Matrix Methods: Theory, Algorithms and Applications, 247 (2010).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve, qr, solve_triangular
from scipy.linalg.blas import dger, idamax

Floats = NDArray[np.float64]

TOLERANCE = 1.01
"""Rows are exchanged while that makes the determinant larger by more than this factor."""

ITERATIONS = 3000
"""Exchanges of one search; more than sets of some thousand functions need."""

RANK = 1e-12
"""Part of the largest pivot up to which others count as zero: in a direction that small, rounding of projections (1e-14) is a
hundredth of what all rows span."""

EQUAL = 1e-9
"""Difference, in units of the chosen rows, up to which rows count as equal."""

SOUND = 1e-9
"""Smallest pivot of rows from which a search may begin."""

UNSEEN = 1e-8
"""Size, in units of the columns' scales, of the rows that stand for directions which no row of the matrix has.

Rounding of projections (1e-13) is graded far below 1 in such a direction, a physical difference far above it.
"""


class MaxVol(NamedTuple):
    """Result of a search in a matrix A (M, D).

    Attributes
    ----------
    rows : (r,) chosen rows of A, r its numerical rank
    largest : largest |entry| of A S^-1; at most the tolerance if the search converged
    n_exchanges : number of exchanges made
    """

    rows: NDArray[np.int64]
    largest: float
    n_exchanges: int


class Inverse(NamedTuple):
    """Inverse of the square matrix S of chosen rows.

    Attributes
    ----------
    matrix : (D, D)
    rank : rows of S; the others were added for directions that none of them has
    condition : condition number of the chosen rows
    scaled_condition : the same after division of each column by its scale, as it is inverted
    log_determinant : log |det S|, -inf if rows had to be added
    """

    matrix: Floats
    rank: int
    condition: float
    scaled_condition: float
    log_determinant: float


def column_scales(matrix: Floats) -> Floats:
    """Largest |entry| of each column (D,); for columns of zeros the smallest of the others, or 1."""
    largest = np.abs(matrix).max(axis=0, initial=0.0)
    filled = largest[largest > 0.0]
    return np.where(largest > 0.0, largest, filled.min() if len(filled) else 1.0)


def _orthonormal(matrix: Floats) -> Floats:
    """Orthonormal columns that span what the scaled columns of a matrix span, as many as its numerical rank."""
    q, r, _ = qr(matrix / column_scales(matrix), mode="economic", pivoting=True, check_finite=False)
    pivots = np.abs(np.diag(r))
    rank = int(np.count_nonzero(pivots > RANK * pivots[0]))
    return np.ascontiguousarray(q[:, :rank], dtype=np.float64)


def maxvol(
    matrix: Floats, tolerance: float = TOLERANCE, iterations: int = ITERATIONS, start: NDArray[np.int64] | None = None
) -> MaxVol:
    """Search for rows of a matrix, as many as its rank, that span the largest volume.

    The columns are scaled and made orthonormal by a pivoted QR decomposition, which changes neither the rows nor A S^-1 and
    leaves out columns that depend on others; so a singular matrix, or one with fewer rows than columns, is no error. Of equal
    entries the first one counts, columns outside, rows inside; of equal rows the first one is chosen.

    Parameters
    ----------
    matrix : (M, D) finite
    tolerance : at least 1
    iterations : largest number of exchanges
    start : rows to begin with instead of the pivots of an LU decomposition; ignored if they are not as many as the rank, or
        nearly dependent beside the other rows
    """
    if matrix.size == 0:
        return MaxVol(np.zeros(0, dtype=np.int64), 0.0, 0)
    q = _orthonormal(matrix)
    rank = q.shape[1]
    if rank == 0:
        return MaxVol(np.zeros(0, dtype=np.int64), 0.0, 0)
    rows = _pivot_rows(lu_factor(q, check_finite=False)[1], len(q))[:rank]
    if start is not None and len(start) == rank and _is_sound(q[start]):
        rows = np.array(start, dtype=np.int64)
    tolerance, n_exchanges = max(tolerance, 1.0), 0
    while True:
        # entries are computed anew at the end, since rounding of many updates adds up
        entries = _in_units_of(q, rows)
        n = _exchange(entries, rows, tolerance, iterations - n_exchanges)
        n_exchanges += n
        if n == 0 or n_exchanges >= iterations:
            break
    entries = _in_units_of(q, rows)
    return MaxVol(_first_of_equals(entries, rows), float(np.abs(entries).max()), n_exchanges)


def _pivot_rows(pivots: NDArray[Any], n_rows: int) -> NDArray[np.int64]:
    """Rows in the order of the pivots of an LU decomposition."""
    order = np.arange(n_rows)
    for k, other in enumerate(pivots):
        order[k], order[other] = order[other], order[k]
    return order


def _is_sound(square: Floats) -> bool:
    """Whether rows of an orthonormal matrix are far from dependent."""
    _, r, _ = qr(square, mode="economic", pivoting=True, check_finite=False)
    return bool(np.abs(np.diag(r)).min(initial=1.0) > SOUND)


def _in_units_of(q: Floats, rows: NDArray[np.int64]) -> Floats:
    """Q S^-1 in Fortran order for the rows S of Q."""
    return np.asfortranarray(lu_solve(lu_factor(q[rows].T, check_finite=False), q.T, check_finite=False).T)


def _first_of_equals(entries: Floats, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of equal rows the first, where rounding chose another one."""
    result = rows.copy()
    for j in range(len(rows)):
        for i in np.flatnonzero(np.abs(entries[: rows[j], j] - 1.0) < EQUAL):
            if np.count_nonzero(np.abs(entries[i]) > EQUAL) == 1:
                result[j] = i
                break
    return result


def _exchange(entries: Floats, rows: NDArray[np.int64], tolerance: float, iterations: int) -> int:
    """Exchange rows while an entry is larger than the tolerance; entries (Fortran order) and rows change in place."""
    flat, n_rows = entries.ravel(order="F"), len(entries)
    for done in range(iterations):
        place = int(idamax(flat))
        i, j = place % n_rows, place // n_rows
        pivot = float(entries[i, j])
        if abs(pivot) <= tolerance:
            return done
        change = entries[i].copy()
        change[j] -= 1.0
        dger(-1.0 / pivot, entries[:, j].copy(), change, a=entries, overwrite_a=1)
        rows[j] = i
    return iterations


def invert(rows: Floats, scales: Floats | None = None) -> Inverse:
    """Invert the matrix of chosen rows, completed where they are too few.

    Each row that is missing, D - r of them, stands for a direction that no chosen row has and is `UNSEEN` long, so that an
    environment with a component along it gets a large grade instead of none.

    Parameters
    ----------
    rows : (r, D) linearly independent
    scales : (D,) of the columns; default `column_scales`
    """
    n_columns = rows.shape[1]
    scales = column_scales(rows) if scales is None else scales
    scaled = rows / scales
    rank = len(rows)
    if rank < n_columns:
        missing = qr(scaled.T, check_finite=False)[0][:, rank:] if rank else np.eye(n_columns)
        scaled = np.concatenate([scaled, UNSEEN * missing.T])
    q, r, order = qr(scaled, pivoting=True, check_finite=False)
    solved = solve_triangular(r, q.T, check_finite=False)
    inverse = np.empty_like(solved)
    inverse[order] = solved
    full = rank == n_columns
    determinant = float(np.log(np.abs(np.diag(r))).sum() + np.log(scales).sum()) if full else -np.inf
    return Inverse(
        np.ascontiguousarray(inverse / scales[:, None]), rank, _condition(rows), _condition(rows / scales), determinant
    )


def _condition(rows: Floats) -> float:
    """Ratio of the largest and the smallest singular value; 1 without rows."""
    return float(np.linalg.cond(rows)) if len(rows) else 1.0
