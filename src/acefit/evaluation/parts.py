"""How predictions for a large set of structures are divided, so that only few of its pairs need be in memory."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.data.structures import consecutive_ranges
from acefit.evaluation.grouping import ATOM_COST, LEAST_ATOMS, N_BLOCKS, balanced_blocks
from acefit.evaluation.predict import divides_structures

BLOCK_COST = 2**15
"""Work of a block of a large set in units of that of a pair."""

BLOCKS_AT_ONCE = N_BLOCKS
"""Blocks of a part, which then has about 2 million pairs, some 300 MB while they are evaluated."""


class Part(NamedTuple):
    """Consecutive structures that are evaluated together.

    Attributes
    ----------
    first, last : structures first .. last - 1
    blocks : their ranges as `acefit.evaluation.grouping.build_layout` takes them; None: it finds them itself
    """

    first: int
    last: int
    blocks: NDArray[np.int64] | None


def plan_parts(pairs: NDArray[np.int64], atoms: NDArray[np.int64]) -> list[Part]:
    """Divide a set of structures.

    The blocks are those of the whole set, so that predictions do not depend on how many of them are evaluated at once. Few large
    structures, which are divided among threads, are parts of their own as far as they are large.

    Parameters
    ----------
    pairs, atoms : (S,) numbers of each structure

    Returns
    -------
    parts : those of the set from its first to its last structure
    """
    cost = pairs + ATOM_COST * atoms
    if divides_structures(len(atoms), int(atoms.sum())):
        bounds = consecutive_ranges(cost, N_BLOCKS * BLOCK_COST)
        return [Part(int(first), int(last), None) for first, last in pairwise(bounds)]
    wanted = max(N_BLOCKS, -(-int(cost.sum()) // BLOCK_COST))
    blocks = balanced_blocks(cost, max(1, min(wanted, int(atoms.sum()) // LEAST_ATOMS, len(atoms))))
    groups = [blocks[k : k + BLOCKS_AT_ONCE + 1] for k in range(0, len(blocks) - 1, BLOCKS_AT_ONCE)]
    return [Part(int(group[0]), int(group[-1]), group - group[0]) for group in groups if group[-1] > group[0]]
