"""Neighbour lists of a whole dataset as files, for tests of what reads them a few at a time."""

import numpy as np

from acefit.artifacts import read_arrays
from acefit.data.neighborlists import build, shard_bounds
from acefit.data.storage import geometry_digest, list_pairs, order_shards, write_shard


def write_shards(folder, structures, n_shards=3, cutoff=4.6, label=""):
    """Paths of the shards; a label tells those of several lists in one folder apart."""
    bounds = shard_bounds(structures.atoms_per_structure, n_shards)
    paths = [folder / f"shard-{k}{label}.parquet" for k in range(n_shards)]
    for path, first, last in zip(paths, bounds[:-1], bounds[1:], strict=True):
        write_shard(build(structures.select(np.arange(first, last)), cutoff), structures, int(first), path)
    return paths


def read_neighborlist(paths, structures):
    """All shards, in any order, as one list."""
    ordered, cutoff = order_shards(paths, geometry_digest(structures), structures.n_structures)
    tables = [read_arrays(path, "neighborlist") for path in ordered]
    i, j, shifts = (np.concatenate([table[name] for table in tables]) for name in ("i", "j", "shift"))
    return list_pairs(structures, i, j, shifts, cutoff)
