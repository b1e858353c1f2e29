"""What the first pass over a group of atoms leaves for the second, so that this need not compute it again.

Kept are A, the sums of the terms, the adjoint of A and of the nodes, and the embedding: they do not depend on the slopes of the
loss and cost more to compute than to move. Quantities of pairs would be too many, nodes are quickly multiplied again. Only so
many groups of a block have a place, and a large block computes the others again.
"""

import numpy as np
from numpy.typing import NDArray

from acefit.kernels._jit import LANES, kernel
from acefit.kernels.energy import Lanes
from acefit.kernels.model import Shape
from acefit.kernels.pairs import Work
from acefit.kernels.vectors import load, store, zeros

PER_DENSITY, PER_ATOM = 4, 6
"""Vectors of `Lanes` for each density, and others."""

ROOM_BYTES = 16_000_000
"""Memory of a thread for states; a block of the usual size takes 1 to 10 MB."""


def make_room(shape: Shape, n_groups: int) -> NDArray[np.float64]:
    """Room (n_places, n_rows, LANES) for the states of a block of n_groups groups, or of as many as `ROOM_BYTES` hold."""
    p_max, n_outer = int(shape.n_density.max()), max(int(np.diff(shape.outer_start).max()), 1)
    nodes = max(int((shape.n_a + shape.n_nodes).max()), 1)
    n_rows = int(shape.n_a.max()) + nodes + n_outer * p_max + PER_DENSITY * p_max + PER_ATOM
    places = max(1, min(n_groups, ROOM_BYTES // (8 * LANES * n_rows)))
    room: NDArray[np.float64] = zeros(places * n_rows).reshape((places, n_rows, LANES))
    return room


@kernel
def lanes_at(rows, p):
    """Quantities of the atoms in their rows of a state, p densities each."""
    return Lanes(
        rows[:p], rows[p : 2 * p], rows[2 * p : 3 * p], rows[3 * p : 4 * p],
        rows[4 * p], rows[4 * p + 1], rows[4 * p + 2], rows[4 * p + 3], rows[4 * p + 4], rows[4 * p + 5].view(np.int64),
    )  # fmt: skip


@kernel
def state_at(work, room, place):
    """A (n_a, LANES), scratch with adjoint and sums, and quantities of the atoms of a place."""
    rows, (n_outer, p_max) = room[place], work.sums.shape[:2]
    # from the end to the front
    lanes = len(rows) - PER_DENSITY * p_max - PER_ATOM
    sums = lanes - n_outer * p_max
    adjoint = sums - len(work.nodes)
    here = Work(
        work.pairs, work.base, work.dbase, work.radial, work.dradial, work.ylm, work.core, work.gradient, work.nodes,
        rows[adjoint:sums], rows[sums:lanes].reshape((n_outer, p_max, LANES)), work.combined, work.totals,
    )  # fmt: skip
    return rows[:adjoint], here, lanes_at(rows[lanes:], p_max)


@kernel
def copy_rows(source, n, target):
    """Copy the first n rows."""
    for row in range(n):
        store(target, row, load(source, row))
