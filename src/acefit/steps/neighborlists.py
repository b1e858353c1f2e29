"""Find the neighbours of one part of the dataset."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from acefit.artifacts import made_by
from acefit.data.neighborlists import build, shard_bounds
from acefit.data.storage import read_structures, write_shard
from acefit.errors import DataError

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
    structures = read_structures(path_to_structures, path_to_atoms)
    first, last = shard_bounds(structures.atoms_per_structure, n_shards)[shard : shard + 2]
    neighbors = build(structures.select(np.arange(first, last)), cutoff)
    provenance = made_by("neighborlists", code, path_to_structures, path_to_atoms)
    write_shard(neighbors, structures, int(first), path_to_shard, provenance)
    n_lonely = int(np.count_nonzero(np.diff(neighbors.offsets) == 0))
    if n_lonely:
        logger.info("%d atoms have no neighbour within %g Å; they are kept", n_lonely, cutoff)
    logger.info("structures %d to %d, %d pairs", first, last - 1, neighbors.n_pairs)
