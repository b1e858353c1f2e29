"""Reading and writing together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acefit.basis.expansion import build_target
from acefit.files import read_sealed
from acefit.potential import bbasis
from acefit.potential.bbasis import format_potential, parse_potential, read_potential, write_configuration, write_potential
from acefit.potential.parameters import parameter_vector, with_parameters
from bases import TWO_ELEMENTS, section, shape
from conftest import shared_path

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
