"""Canonical order of functions: the order of coefficient vectors, projections and active sets.

Within one central element functions are sorted by (order, elements, n, l, number of coupling terms, m-tuples), slots in
file order, terms in the half m-space before equal products are merged, m_1 running fastest.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from acefit.basis.couplings import clebsch_gordan_tensor, coupling_tree, tree_momenta
from acefit.potential.model import Function, Potential

# Coefficients (j1 m1 j2 m2 | j m) that are zero but come out as rounding noise of the recursion the reference uses; it counts
# them as terms, and so they decide the order of some functions (measured, each also with all three signs of m changed)
NOISE = (
    (3, 2, 3, -2, 2, 0),
    (3, 2, 3, -1, 3, 1),
    (3, -1, 3, 2, 3, 1),
    (3, 2, 4, -1, 4, 1),
    (4, -1, 3, 2, 4, 1),
    (5, -1, 6, 0, 3, -1),
    (6, 0, 5, -1, 3, -1),
    (6, 5, 6, -5, 3, 0),
)


@cache
def counted_terms(j1: int, j2: int, j: int) -> NDArray[np.bool_]:
    """Which (m_1, m_2) of a coupling count as terms, shape (2 j1 + 1, 2 j2 + 1)."""
    counted = (clebsch_gordan_tensor(j1, j2, j) != 0).any(axis=2)
    for a, m1, b, m2, c, _ in NOISE:
        if (a, b, c) == (j1, j2, j):
            counted[j1 + m1, j2 + m2] = counted[j1 - m1, j2 - m2] = True
    return counted


@lru_cache(maxsize=65536)
def term_key(ls: tuple[int, ...], lint: tuple[int, ...]) -> tuple[int, bytes]:
    """Number of terms and their m-tuples, encoded so that bytes compare as the lists of integers do."""
    if len(ls) == 1:
        return 1, b"\x80"
    # m_1 follows from the others; the grid runs over m_2 .. m_nu, the last slowest
    grids = np.meshgrid(*[np.arange(-l, l + 1) for l in reversed(ls[1:])], indexing="ij")
    others = [grid.ravel() for grid in reversed(grids)]
    ms = np.stack([-np.sum(others, axis=0), *others])
    ms = ms[:, np.abs(ms[0]) <= ls[0]]
    leading = np.zeros(ms.shape[1], dtype=ms.dtype)
    for row in ms[::-1]:
        leading = np.where(row != 0, row, leading)
    ms = ms[:, leading >= 0]
    momenta = tree_momenta(ls, lint)
    sums = list(ms)
    kept = np.ones(ms.shape[1], dtype=bool)
    for i, (a, b) in enumerate(coupling_tree(len(ls))):
        sums.append(sums[a] + sums[b])
        # Where a sum exceeds its momentum the term is already gone, so that its index may be anything within bounds
        j1, j2 = momenta[a], momenta[b]
        row, column = np.clip(sums[a] + j1, 0, 2 * j1), np.clip(sums[b] + j2, 0, 2 * j2)
        kept &= counted_terms(j1, j2, momenta[len(ls) + i])[row, column]
    ms = ms[:, kept]
    return ms.shape[1], (ms.T + 128).astype(np.uint8).tobytes()


def sort_canonically(indexed: Iterable[tuple[tuple[int, int], Function]]) -> list[tuple[int, int]]:
    """Labels of labelled functions in canonical order, central elements in alphabetical order.

    The coupling terms are only looked at where everything before them is equal.
    """

    def shape(item: tuple[tuple[int, int], Function]) -> tuple[object, ...]:
        elements, ns, ls = item[1][:3]
        return elements[0], len(ns), elements, ns, ls

    result: list[tuple[int, int]] = []
    for _, run in groupby(sorted(indexed, key=shape), key=shape):
        alike = list(run)
        if len(alike) > 1:
            alike.sort(key=lambda item: term_key(item[1].ls, item[1].lint))
        result.extend(label for label, _ in alike)
    return result


def canonical_functions(potential: Potential) -> list[tuple[int, int]]:
    """(block index, function index) of every function that takes part, in canonical order, species by species."""
    return sort_canonically(
        ((b, f), function)
        for b, block in enumerate(potential.blocks)
        for f, function in enumerate(block.functions)
        if not function.skip
    )
