"""Datasets and neighbour lists read some structures at a time are those in memory."""

from itertools import pairwise

import numpy as np
import pytest

from acefit import artifacts
from acefit.data.storage import Dataset, geometry_digest, write_dataset
from acefit.data.stored import open_dataset, open_neighborlist
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError
from models import random_structures
from shards import read_neighborlist, write_shards

CUTOFF = 4.6
BOUNDS = ([0, 10], [0, 3, 4, 10], [2, 2, 7], list(range(11)))


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch):
    monkeypatch.setattr(artifacts, "ROWS_AT_ONCE", 17)
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 50)


@pytest.fixture(scope="module")
def structures():
    return StructureSet.from_ase(random_structures(("Al", "Cu")))


def write(folder, structures):
    paths = folder / "structures.parquet", folder / "atoms.parquet"
    write_dataset(Dataset.from_structures(structures, "train", "a.xyz"), *paths)
    return paths


def assert_same(found, expected):
    for name, value in vars(expected).items():
        if isinstance(value, StructureSet):
            assert_same(getattr(found, name), value)
        else:
            np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_parts__are_those_of_the_dataset(tmp_path, structures, bounds):
    stored, whole = open_dataset(*write(tmp_path, structures)), Dataset.from_structures(structures, "train", "a.xyz")
    parts = list(stored.parts(bounds))
    for part, (first, last) in zip(parts, pairwise(bounds), strict=True):
        assert_same(part, whole.select(range(first, last)))
    assert stored.n_structures == structures.n_structures
    assert stored.geometry_digest() == geometry_digest(structures)


def test_open_dataset__refuses_atoms_of_other_structures(tmp_path, structures):
    path_to_structures, path_to_atoms = write(tmp_path, structures)
    write(tmp_path / "other", structures.select(range(5)))
    with pytest.raises(ArtifactError, match=r"atoms\.parquet does not belong to .*structures\.parquet"):
        open_dataset(path_to_structures, tmp_path / "other/atoms.parquet")
    shuffled = structures.select([1, 0, *range(2, 10)])
    write(tmp_path / "other", shuffled)
    assert shuffled.n_atoms == structures.n_atoms
    with pytest.raises(ArtifactError, match=r"atoms\.parquet does not belong to .*structures\.parquet"):
        list(open_dataset(path_to_structures, tmp_path / "other/atoms.parquet").parts([0, 10]))
    path_to_atoms.unlink()
    with pytest.raises(ArtifactError, match=r"atoms\.parquet does not exist"):
        open_dataset(path_to_structures, path_to_atoms)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("n_shards", [1, 3, 20])
def test_parts__have_the_pairs_of_their_structures(tmp_path, structures, n_shards, bounds):
    dataset, paths = open_dataset(*write(tmp_path, structures)), write_shards(tmp_path, structures, n_shards)
    stored, whole = open_neighborlist(paths[::-1], dataset), read_neighborlist(paths, structures)
    assert stored.cutoff == CUTOFF
    np.testing.assert_array_equal(stored.counts, np.diff(whole.offsets[structures.offsets]))
    found = list(stored.parts(bounds))
    for (data, pairs), (first, last) in zip(found, pairwise(bounds), strict=True):
        assert_same(data.structures, structures.select(range(first, last)))
        assert_same(pairs, whole.select(range(first, last)))


def test_open_neighborlist__bears_structures_without_pairs(tmp_path):
    frames = [atoms for atoms in random_structures(("Al",)) if atoms.info["name"] == "isolated"] * 2
    lonely = StructureSet.from_ase(frames)
    stored = open_neighborlist(write_shards(tmp_path, lonely, 4), open_dataset(*write(tmp_path, lonely)))
    assert [pairs.n_pairs for _, pairs in stored.parts([0, 1, 2])] == [0, 0]


def test_open_neighborlist__refuses_shards_of_other_structures(tmp_path, structures):
    dataset, paths = open_dataset(*write(tmp_path, structures)), write_shards(tmp_path, structures)
    with pytest.raises(ArtifactError, match="the shards cover"):
        open_neighborlist(paths[:2], dataset)
    moved = open_dataset(*write(tmp_path, structures.select([1, 0, *range(2, 10)])))
    with pytest.raises(ArtifactError, match="belongs to other structures"):
        open_neighborlist(paths, moved)
