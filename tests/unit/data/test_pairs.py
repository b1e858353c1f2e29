"""Pairs a few at a time, in memory and from files, are those of the neighbour list."""

import numpy as np
import pytest

from acefit.data import pairs
from acefit.data.neighborlists import build
from acefit.data.pairs import as_pairs, open_pairs
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError
from models import random_structures
from shards import write_shards

CUTOFF = 4.6


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch):
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 17)


@pytest.fixture(scope="module")
def structures():
    return StructureSet.from_ase(random_structures(("Al", "Cu")))


def joined(source):
    parts = list(source.chunks())
    assert max(len(part.i) for part in parts) <= 17
    i, j, vectors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(i, kind="stable")
    return i[order], j[order], vectors[order]


@pytest.mark.parametrize("chosen", [range(10), [0, 3, 4, 8], [7, 2, 9, 0]], ids=["all", "some", "shuffled"])
def test_chunks__are_the_neighbour_list(tmp_path, structures, chosen):
    part = structures.select(list(chosen))
    whole = build(part, CUTOFF)
    stored = open_pairs(write_shards(tmp_path, structures), structures).select(list(chosen))
    for source in (stored, as_pairs(whole), as_pairs(build(structures, CUTOFF)).select(list(chosen)), as_pairs(stored)):
        i, j, vectors = joined(source)
        np.testing.assert_array_equal(i, whole.i)
        np.testing.assert_array_equal(j, whole.j)
        np.testing.assert_array_equal(vectors, whole.vectors)
        np.testing.assert_array_equal(source.counts, np.diff(whole.offsets))
        assert (source.n_pairs, source.cutoff) == (whole.n_pairs, CUTOFF)


def test_select__twice_is_the_selection_of_the_selection(tmp_path, structures):
    stored = open_pairs(write_shards(tmp_path, structures), structures)
    np.testing.assert_array_equal(stored.select([7, 2, 9, 0]).select([2, 0]).chosen, [9, 7])


def test_open_pairs__bears_shards_without_structures_and_without_pairs(tmp_path):
    frames = [atoms for atoms in random_structures(("Al",)) if atoms.info["name"] == "isolated"] * 2
    lonely = StructureSet.from_ase(frames)
    stored = open_pairs(write_shards(tmp_path, lonely, 4), lonely)
    assert stored.n_pairs == 0
    assert not list(stored.chunks())


def test_open_pairs__altered_and_missing_shards_are_one_error(tmp_path, structures):
    paths = write_shards(tmp_path, structures)
    with pytest.raises(ArtifactError, match="the shards cover"):
        open_pairs(paths[:2], structures)
    stored = open_pairs(paths, structures)
    paths[1].unlink()
    with pytest.raises(ArtifactError, match=r"shard-1\.parquet does not exist; run the stage that writes it first"):
        list(stored.chunks())
    content = bytearray(paths[2].read_bytes())
    paths[2].write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="is not a complete Parquet file"):
        open_pairs([paths[2]], structures)
