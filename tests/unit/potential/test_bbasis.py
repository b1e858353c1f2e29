"""Reading and writing together."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from acefit.basis.expansion import build_target
from acefit.evaluation.predict import predict
from acefit.files import read_sealed
from acefit.potential import bbasis
from acefit.potential.bbasis import format_potential, parse_potential, read_potential, write_configuration, write_potential
from acefit.potential.checks import check_potential
from acefit.potential.model import Function
from acefit.potential.parameters import parameter_vector, with_parameters
from bases import DATA, TWO_ELEMENTS, section, shape
from conftest import shared_path
from models import prepared

REFERENCE = build_target(section("Al Ni", {"ALL": shape([3, 2, 1], [0, 1, 1])}))
N_PARAMETERS = parameter_vector(REFERENCE).size


def same_content(a, b):
    assert a.embeddings == b.embeddings
    assert sorted(a.functions()) == sorted(b.functions())
    assert a.metadata == b.metadata
    assert a.auxdata == b.auxdata
    assert a.bonds.keys() == b.bonds.keys()
    for pair, bond in a.bonds.items():
        assert {**bond.__dict__, "crad": None} == {**b.bonds[pair].__dict__, "crad": None}
        np.testing.assert_array_equal(bond.crad, b.bonds[pair].crad)


@pytest.mark.parametrize("write", [write_potential, write_configuration])
def test_bbasis__round_trip_keeps_everything(tmp_path, write):
    potential = read_potential(TWO_ELEMENTS)
    write(potential, tmp_path / "a.yaml")
    again = read_potential(tmp_path / "a.yaml")
    same_content(potential, again)
    write(again, tmp_path / "b.yaml")
    assert read_sealed(tmp_path / "a.yaml")[0] == read_sealed(tmp_path / "b.yaml")[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "b.yaml"]


def test_bbasis__round_trip_keeps_what_has_no_effect_and_empty_blocks():
    potential = read_potential(TWO_ELEMENTS)
    bonds = {pair: replace(bond, cutoff_function="poly") for pair, bond in potential.bonds.items()}
    blocks = (*potential.blocks[:3], replace(potential.blocks[3], functions=()))
    again = parse_potential(format_potential(replace(potential, bonds=bonds, blocks=blocks)))
    assert {bond.cutoff_function for bond in again.bonds.values()} == {"poly"}
    assert {block.elements for block in again.blocks} == {block.elements for block in potential.blocks}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=N_PARAMETERS, max_size=N_PARAMETERS))
def test_bbasis__round_trip_keeps_every_number_exactly(x):
    again = parse_potential(format_potential(with_parameters(REFERENCE, x)))
    np.testing.assert_array_equal(parameter_vector(again), x)


@pytest.mark.parametrize("name", ["fit_CuI_asi", "loss_CuI", "loss_syn_Cu_SBessel", "syn_AlNi_zbl", "syn_Cu_SBessel_distance"])
def test_bbasis__writes_the_text_of_the_reference(name):
    path = shared_path("golden", f"{name}.yaml")
    assert format_potential(read_potential(path)) == path.read_text()


@pytest.mark.parametrize("name", ["Cu-III", "Cu.pbe.in", "DFT10B-AgCu_asi", "multispecies_AlNi_asi"])
def test_bbasis__round_trip_of_older_variants_keeps_everything(name):
    potential = read_potential(shared_path("golden", f"{name}.yaml"))
    same_content(potential, parse_potential(format_potential(potential)))
    same_content(potential, parse_potential(format_potential(potential, canonical=False)))


def test_bbasis__offers_what_its_list_says():
    assert all(callable(getattr(bbasis, name)) for name in bbasis.__all__)


def test_bbasis__functions_with_unsorted_slots_keep_their_energies(tmp_path):
    demo = read_potential(DATA / "demo.yaml")
    # the same function with slots in another order: elements, n and l must move together
    unsorted = Function(("Al", "Ni", "Ni", "Al", "Al"), (1, 2, 2, 1), (1, 1, 0, 0), (0, 0), (0.4, -0.3))
    block = next(block for block in demo.blocks if block.elements == ("Al", "Ni"))
    blocks = tuple(replace(b, functions=(*b.functions, unsorted)) if b is block else b for b in demo.blocks)
    potential = replace(demo, blocks=blocks)
    check_potential(potential, "test")
    write_potential(potential, tmp_path / "a.yaml")
    again = read_potential(tmp_path / "a.yaml")
    cluster = prepared(Atoms("AlNiAlNi", [[0, 0, 0], [0, 0, 2.4], [2.5, 0, 0.3], [0.2, 2.6, 0.1]]), potential.cutoff)
    before, after, without = (predict(p, *cluster).atomic_energies for p in (potential, again, demo))
    np.testing.assert_allclose(after, before, rtol=1e-13)
    assert abs(before[0] - without[0]) > 1e-6
    write_configuration(potential, tmp_path / "b.yaml")
    assert unsorted in read_potential(tmp_path / "b.yaml").functions()
