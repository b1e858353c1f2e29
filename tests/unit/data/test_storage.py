import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit.artifacts import read_arrays, write_table
from acefit.data.neighborlists import build
from acefit.data.storage import (
    Dataset,
    geometry_digest,
    order_shards,
    read_dataset,
    read_structures,
    with_energies,
    write_dataset,
)
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError
from shards import read_neighborlist, write_shards


def make_structures():
    frames = [bulk("Cu", cubic=True), Atoms("AlCu", [[0, 0, 0], [0, 0, 2.5]]), Atoms("Ni"), bulk("Al"), bulk("Ni", cubic=True)]
    frames[0].info["config_type"] = "bulk"
    return StructureSet.from_ase(frames)


def assert_same(one, other):
    for name in ("numbers", "positions", "offsets", "cells", "pbc", "energies", "forces", "stresses", "ids"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name
    assert (one.names, one.groups) == (other.names, other.groups)


def test_dataset__reads_back_the_same(tmp_path):
    data = with_energies(Dataset.from_structures(make_structures(), "train", "f.xyz"), np.arange(5.0))
    write_dataset(data, tmp_path / "s", tmp_path / "a", {"step": "dataset"})
    copy = read_dataset(tmp_path / "s", tmp_path / "a")
    assert_same(copy.structures, data.structures)
    assert_same(read_structures(tmp_path / "s", tmp_path / "a"), data.structures)
    for name in ("raw_energies", "energy_weights", "weight_factors", "force_weights", "force_masks", "rows"):
        assert np.array_equal(getattr(copy, name), getattr(data, name), equal_nan=True)
    assert (copy.sources, copy.roles) == (("f.xyz",) * 5, ("train",) * 5)
    table = read_arrays(tmp_path / "s", "structures")
    assert table["formula"].tolist() == ["Cu4", "AlCu", "Ni", "Al", "Ni4"]
    assert table["n_atoms"].tolist() == [4, 2, 1, 1, 4]
    assert table["first_atom"].tolist() == [0, 4, 6, 7, 8]
    assert np.array_equal(np.isnan(table["volume"]), [False, True, True, False, False])


def test_dataset__refuses_tables_that_do_not_belong_together(tmp_path):
    write_dataset(Dataset.from_structures(make_structures()), tmp_path / "s", tmp_path / "a")
    write_dataset(Dataset.from_structures(make_structures().select([1, 0])), tmp_path / "s2", tmp_path / "a2")
    with pytest.raises(ArtifactError, match="a2 does not belong to"):
        read_dataset(tmp_path / "s", tmp_path / "a2")


def test_dataset__select_keeps_everything_together():
    data = Dataset.from_structures(make_structures(), source="f").select([3, 0])
    assert data.structures.names == ("3", "0")
    assert data.rows.tolist() == [3, 0]
    assert len(data.force_masks) == 5
    assert data.roles == ("data", "data")


@pytest.mark.parametrize("n_shards", [1, 2, 3, 7])
def test_shards__together_are_the_neighbour_list(tmp_path, n_shards):
    structures = make_structures()
    paths = write_shards(tmp_path, structures, n_shards, 4.0, "-4.0")
    whole = build(structures, 4.0)
    for order in (paths, paths[::-1]):
        read = read_neighborlist(order, structures)
        for name in ("offsets", "j", "vectors", "shifts", "structure_offsets"):
            assert np.array_equal(getattr(read, name), getattr(whole, name)), name
        assert read.cutoff == 4.0
    distances = np.concatenate([read_arrays(path, "neighborlist")["distance"] for path in paths])
    assert np.array_equal(distances, whole.distances())


def test_shards__must_be_complete_and_belong_to_the_structures(tmp_path):
    structures = make_structures()
    paths = write_shards(tmp_path, structures, 3, 4.0, "-4.0")
    with pytest.raises(ArtifactError, match="the shards cover 1 of 5 structures"):
        read_neighborlist(paths[:1], structures)
    with pytest.raises(ArtifactError, match="the shards cover 0 of 5 structures"):
        read_neighborlist([], structures)
    with pytest.raises(ArtifactError, match="leaves a gap, overlaps"):
        read_neighborlist([paths[0], paths[2]], structures)
    with pytest.raises(ArtifactError, match="has another cutoff"):
        read_neighborlist([paths[0], *write_shards(tmp_path, structures, 3, 3.0, "-3.0")[1:]], structures)
    moved = structures.select([1, 0, 2, 3, 4])
    with pytest.raises(ArtifactError, match=r"shard-0-4\.0\.parquet belongs to other structures"):
        read_neighborlist(paths, moved)


def test_geometry_digest__depends_on_geometry_only():
    structures = make_structures()
    with_labels = with_energies(Dataset.from_structures(structures), np.arange(5.0)).structures
    assert geometry_digest(structures) == geometry_digest(with_labels)
    assert geometry_digest(structures) != geometry_digest(structures.select([0, 1, 2, 3]))


def test_read_dataset__refuses_counts_that_do_not_fit(tmp_path):
    paths = tmp_path / "structures.parquet", tmp_path / "atoms.parquet"
    write_dataset(Dataset.from_structures(StructureSet.from_ase([bulk("Cu"), bulk("Al", cubic=True)])), *paths)
    for counts in (-1, 10**12):
        table = {name: list(values) for name, values in read_arrays(paths[0], "structures").items()}
        write_table({**table, "n_atoms": [counts] * len(table["n_atoms"])}, paths[0], "structures")
        with pytest.raises(ArtifactError, match=r"atoms\.parquet does not belong to"):
            read_dataset(*paths)


@pytest.mark.parametrize(
    "shard", [None, [], {"geometry": "x"}, {"first_structure": "0", "n_structures": 1, "cutoff": 5.0, "geometry": ""}]
)
def test_order_shards__refuses_shards_that_do_not_say_what_they_cover(tmp_path, shard):
    empty = {"i": np.empty(0, int), "j": np.empty(0, int), "shift": np.empty((0, 3), int), "distance": np.empty(0)}
    write_table(empty, tmp_path / "s.parquet", "neighborlist", {"shard": shard})
    with pytest.raises(ArtifactError, match=r"s\.parquet does not say which structures it covers"):
        order_shards([tmp_path / "s.parquet"], "0123", 2)
