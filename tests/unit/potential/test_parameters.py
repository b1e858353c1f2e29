import gzip
import json

import numpy as np
import pytest

from acefit.basis.expansion import build_target
from acefit.errors import PotentialError
from acefit.potential.bbasis import read_potential
from acefit.potential.parameters import parameter_layout, parameter_vector, with_parameters
from bases import TWO_ELEMENTS, section, shape
from conftest import shared_path


@pytest.fixture
def potential():
    return read_potential(TWO_ELEMENTS)


def test_parameter_layout__has_bonds_first_and_functions_in_canonical_order(potential):
    layout = parameter_layout(potential)
    assert layout.bond_slices == {("Cu", "Cu"): slice(0, 18), ("Cu", "O"): slice(18, 26), ("O", "O"): slice(26, 30)}
    assert (layout.n_radial, layout.n_func, layout.n_parameters, layout.n_functions) == (30, 19, 49, 11)
    assert [slot.element for slot in layout.slots] == ["Cu"] * 8 + ["O"] * 3
    assert [slot.offset for slot in layout.slots] == [30, 32, 34, 36, 38, 40, 42, 44, 46, 47, 48]
    assert [slot.n_coeffs for slot in layout.slots] == [2] * 8 + [1] * 3


def test_parameter_vector__runs_over_n_l_k_and_densities(potential):
    x = parameter_vector(potential)
    np.testing.assert_array_equal(x[:9], [1, 0.1, 0, 0.8, 0, 0.3, 0.6, -0.2, 0])
    np.testing.assert_array_equal(x[18:30], [1, 0.4, 0.2, -0.6, 0, 1, 0.1, 0.3, 1, -0.3, 0.5, 0.25])
    np.testing.assert_array_equal(x[30:38], [0.4, 0.1, -0.3, 0.05, 0.15, 0.25, 0.06, -0.02])
    np.testing.assert_array_equal(x[46:], [0.18, 0.35, 0.08])


def test_parameter_layout__labels_every_parameter(potential):
    labels = parameter_layout(potential).labels()
    assert len(labels) == len(set(labels)) == 49
    assert labels[0] == "radial Cu-Cu n=1 l=0 k=1"
    assert labels[30:32] == ["Cu Cu nr=1 nl=0 p=0", "Cu Cu nr=1 nl=0 p=1"]
    assert labels[44] == "Cu Cu Cu Cu Cu nr=1,1,1,2 nl=1,1,1,1 lint=0,0 p=0"


def test_with_parameters__gives_back_the_vector_and_leaves_the_rest(potential):
    x = np.random.default_rng(0).normal(size=49)
    changed = with_parameters(potential, x)
    np.testing.assert_array_equal(parameter_vector(changed), x)
    assert changed.blocks[1].functions[1] == potential.blocks[1].functions[1]
    assert [f.identity for f in changed.functions()] == [f.identity for f in potential.functions()]
    assert changed.embeddings == potential.embeddings
    assert parameter_vector(potential)[0] == 1.0


def test_parameter_layout__can_be_used_again(potential):
    layout = parameter_layout(potential)
    x = np.arange(49.0)
    first = layout.apply(x)
    x[:] = -1
    np.testing.assert_array_equal(layout.vector(first), np.arange(49.0))
    np.testing.assert_array_equal(layout.vector(), parameter_vector(potential))


def test_apply__refuses_a_vector_of_another_length(potential):
    with pytest.raises(PotentialError, match=r"must have shape \(49,\), got \(48,\)"):
        with_parameters(potential, np.zeros(48))


def test_parameter_vector__of_a_basis_without_functions_is_empty():
    assert parameter_vector(build_target(section("Al", {"ALL": shape([0], [0])}))).size == 0


@pytest.mark.parametrize("name", ["loss_CuI", "loss_syn_Cu_SBessel"])
def test_parameter_vector__is_that_of_the_reference(name):
    expected = json.loads(gzip.decompress(shared_path("golden", f"{name}.json.gz").read_bytes()))
    potential = read_potential(shared_path("golden", f"{name}.yaml"))
    np.testing.assert_array_equal(parameter_vector(potential), expected["coefs"])
    assert parameter_layout(potential).n_radial == expected["n_radial"]
