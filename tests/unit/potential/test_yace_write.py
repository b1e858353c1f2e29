from dataclasses import replace

import numpy as np
import pytest
import yaml

from acefit.errors import PotentialError
from acefit.files import read_sealed
from acefit.potential.model import Function
from acefit.potential.yace_read import parse_yace
from acefit.potential.yace_write import format_yace, write_yace
from models import random_potential


def parts(text):
    """The file as plain values, keys that are sequences as tuples."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):
            made = [(self.construct_object(k, deep=True), self.construct_object(v, deep=True)) for k, v in node.value]
            return {tuple(k) if isinstance(k, list) else k: v for k, v in made}

    return yaml.load(text, Loader)


def test_format_yace__has_every_key_of_the_format():
    potential = random_potential(2, mode="distance")
    root = parts(format_yace(potential))
    assert root["elements"] == ["Al", "Cu"]
    assert root["E0"] == [0, 0]
    assert root["deltaSplineBins"] == 0.001
    assert set(root["embeddings"]) == {0, 1}
    assert set(root["bonds"]) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert root["bonds"][0, 1] == root["bonds"][1, 0]
    bond, own = root["bonds"][0, 1], potential.bonds["Al", "Cu"]
    assert np.array_equal(bond["radcoefficients"], own.crad)
    assert (bond["prehc"], bond["lambdahc"]) == own.core_repulsion
    assert (bond["rcut"], bond["dcut"], bond["rcut_in"], bond["dcut_in"]) == (own.rcut, own.dcut, own.rcut_in, own.dcut_in)
    assert (bond["radbasename"], bond["inner_cutoff_type"]) == (own.radbase, "distance")
    assert (bond["nradmax"], bond["lmax"], bond["nradbasemax"]) == (own.n_max, own.l_max, own.k_max)
    for mu, functions in root["functions"].items():
        ranks = [f["rank"] for f in functions]
        assert ranks == sorted(ranks)
        for f in functions:
            assert f["mu0"] == mu
            assert len(f["mus"]) == len(f["ns"]) == len(f["ls"]) == f["rank"]
            assert len(f["ms_combs"]) == f["rank"] * f["num_ms_combs"]
            assert len(f["ctildes"]) == f["ndensity"] * f["num_ms_combs"]
            tuples = np.array(f["ms_combs"]).reshape(-1, f["rank"])
            assert not tuples.sum(axis=1).any()
            assert tuples.tolist() == sorted(tuples.tolist())


def test_format_yace__pads_all_elements_to_the_same_number_of_densities():
    potential = random_potential(3)
    assert [potential.embeddings[e].ndensity for e in potential.elements] == [2, 1, 3]
    root = parts(format_yace(potential))
    assert [embedding["ndensity"] for embedding in root["embeddings"].values()] == [3, 3, 3]
    assert root["embeddings"][1]["FS_parameters"] == [1, 0.8, 0, 1, 0, 1]
    assert {f["ndensity"] for functions in root["functions"].values() for f in functions} == {3}
    padded = np.concatenate([np.reshape(f["ctildes"], (-1, 3)) for f in root["functions"][1]])
    assert padded[:, 0].any()
    assert not padded[:, 1:].any()


def test_format_yace__takes_e0_of_the_potential_or_given_ones():
    potential = random_potential(2).with_e0({"Cu": -3.5})
    assert parts(format_yace(potential))["E0"] == [0, -3.5]
    assert parts(format_yace(potential, {"Al": 0.1}))["E0"] == [0.1, 0]
    with pytest.raises(PotentialError, match="E0 is given for Ni, but the potential has Al, Cu"):
        format_yace(potential, {"Ni": 1.0})


def test_format_yace__leaves_out_skipped_functions():
    potential = random_potential(1)
    block = potential.blocks[0]
    ignored = Function(("Al", "Al"), (1,), (0,), (), (7.0, 7.0), skip=True)
    skipped = replace(potential, blocks=(replace(block, functions=(*block.functions, ignored)),))
    assert format_yace(skipped) == format_yace(potential)


def test_format_yace__keeps_metadata_and_an_element_without_functions():
    potential = random_potential(2).with_metadata(comment="a: b", reference_energy='{"Al": 1}')
    bare = replace(potential, blocks=tuple(block for block in potential.blocks if block.elements[0] != "Cu"))
    root = parts(format_yace(bare))
    assert root["metadata"] == {"comment": "a: b", "reference_energy": '{"Al": 1}'}
    assert root["functions"][1] == []
    assert parse_yace(format_yace(bare)).n_functions == bare.n_functions


def test_format_yace__needs_a_bond_for_every_pair():
    potential = random_potential(2)
    without = {pair: bond for pair, bond in potential.bonds.items() if pair[0] == pair[1]}
    with pytest.raises(PotentialError, match="the pair Al-Cu has no bond"):
        format_yace(replace(potential, bonds=without, blocks=()))


def test_write_yace__is_sealed_and_the_same_each_time(tmp_path):
    path = tmp_path / "a.yace"
    write_yace(random_potential(1), path, provenance={"step": "export"})
    first = path.read_bytes()
    write_yace(random_potential(1), path, provenance={"step": "export"})
    assert path.read_bytes() == first
    assert read_sealed(path)[1]["provenance"] == {"step": "export"}
