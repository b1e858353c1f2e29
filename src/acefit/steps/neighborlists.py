"""Find the neighbours of one part of the dataset."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from acefit.artifacts import made_by, open_table
from acefit.data.neighborlists import build, shard_bounds
from acefit.data.storage import pair_columns, shard_header
from acefit.data.stored import open_dataset
from acefit.data.structures import consecutive_ranges
from acefit.errors import DataError

ATOMS_AT_ONCE = 2**11
"""Atoms whose pairs are in memory together."""

logger = logging.getLogger(__name__)


def neighborlists(
    *,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    cutoff: float,
    shard: int,
    n_shards: int,
    code: str = "",
    path_to_shard: str | Path,
) -> None:
    """Write the neighbour list of shard `shard` of `n_shards`.

    Parameters
    ----------
    path_to_structures, path_to_atoms : path
        Tables of the dataset stage.
    cutoff : float
        Å.
    shard, n_shards : int
        Number of this part, from 0, and of all parts: consecutive structures with about equal numbers of atoms.
    code : str
        Digest of the code, for the provenance.
    path_to_shard : path
        Table to write (contract `neighborlist`).

    Raises
    ------
    DataError
        If there is no such shard or the cutoff is not positive.
    """
    if not 0 <= shard < n_shards:
        raise DataError(f"there is no shard {shard} of {n_shards}; shards are numbered from 0")
    dataset = open_dataset(path_to_structures, path_to_atoms)
    first, last = shard_bounds(dataset.atoms_per_structure, n_shards)[shard : shard + 2]
    bounds = first + consecutive_ranges(dataset.atoms_per_structure[first:last], ATOMS_AT_ONCE)
    provenance = {
        **made_by("neighborlists", code, path_to_structures, path_to_atoms),
        "shard": shard_header((first, last), cutoff, dataset.geometry_digest()),
    }
    n_lonely = n_pairs = 0
    with open_table(path_to_shard, "neighborlist", provenance) as table:
        for start, part in zip(bounds, dataset.parts(bounds), strict=False):
            neighbors = build(part.structures, cutoff)
            table.write(pair_columns(neighbors, int(dataset.offsets[start])))
            n_lonely += int(np.count_nonzero(np.diff(neighbors.offsets) == 0))
            n_pairs += neighbors.n_pairs
    if n_lonely:
        logger.info("%d atoms have no neighbour within %g Å; they are kept", n_lonely, cutoff)
    logger.info("structures %d to %d, %d pairs", first, last - 1, n_pairs)
