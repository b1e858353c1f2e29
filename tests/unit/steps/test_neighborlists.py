import logging

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit import artifacts
from acefit.artifacts import content_digest, read_provenance
from acefit.data.neighborlists import build
from acefit.data.storage import Dataset, write_dataset, write_shard
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.steps import neighborlists as step
from acefit.steps.neighborlists import neighborlists
from shards import read_neighborlist


def run(tmp_path, structures, shard, n_shards):
    write_dataset(Dataset.from_structures(structures), tmp_path / "s", tmp_path / "a")
    path = tmp_path / f"shard-{shard}"
    neighborlists(
        path_to_structures=tmp_path / "s",
        path_to_atoms=tmp_path / "a",
        cutoff=4.0,
        shard=shard,
        n_shards=n_shards,
        path_to_shard=path,
    )
    return path


@pytest.mark.parametrize("n_shards", [1, 3, 9])
def test_neighborlists__shards_together_are_the_list(tmp_path, n_shards, caplog):
    structures = StructureSet.from_ase([bulk("Cu", cubic=True), Atoms("Cu"), bulk("Al"), bulk("Ni")])
    with caplog.at_level(logging.INFO):
        paths = [run(tmp_path, structures, k, n_shards) for k in range(n_shards)]
    assert "1 atoms have no neighbour within 4 Å; they are kept" in caplog.text
    read, whole = read_neighborlist(paths, structures), build(structures, 4.0)
    assert np.array_equal(read.vectors, whole.vectors)
    assert np.array_equal(read.j, whole.j)
    provenance = read_provenance(paths[0])["provenance"]
    assert provenance["inputs"] == {f"{tmp_path.name}/{name}": content_digest(tmp_path / name) for name in "sa"}


def test_neighborlists__refuses_shards_that_do_not_exist(tmp_path):
    with pytest.raises(DataError, match="there is no shard 2 of 2; shards are numbered from 0"):
        run(tmp_path, StructureSet.from_ase([bulk("Cu")]), 2, 2)


def test_neighborlists__in_small_pieces_has_the_bytes_of_the_list_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 100)
    monkeypatch.setattr(step, "ATOMS_AT_ONCE", 2)
    frames = [bulk("Cu", cubic=True), Atoms("Cu"), bulk("Al"), bulk("Ni"), Atoms("Cu2", [[0, 0, 0], [0, 0, 2.2]])]
    structures = StructureSet.from_ase(frames)
    path = run(tmp_path, structures, 1, 2)
    provenance = read_provenance(path)["provenance"]
    assert 0 < provenance["shard"]["first_structure"] < 3
    first = provenance["shard"]["first_structure"]
    write_shard(build(structures.select(range(first, 5)), 4.0), structures, first, tmp_path / "whole", provenance)
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()
