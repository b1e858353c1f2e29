import logging
from dataclasses import replace

import numpy as np
import pytest

from acefit.basis.expansion import build_target
from acefit.basis.ladder import build_plan
from acefit.errors import ConfigError, PotentialError
from acefit.potential.bbasis import format_potential, parse_potential, read_potential, write_potential
from acefit.potential.combine import concatenate, reset_coefficients, resolve_potential
from acefit.potential.parameters import parameter_vector
from acefit.potential.shapes import delta_crad, shape_of
from acefit.potential.yace_write import write_yace
from bases import BONDS, EMBEDDINGS, TWO_ELEMENTS, section, shape
from models import random_potential


@pytest.fixture
def unary(tmp_path):
    """Files of two fitted one-element potentials."""
    names = []
    for element, power in (("Al", 0.5), ("Ni", 0.75)):
        embeddings = {"ALL": {**EMBEDDINGS["ALL"], "fs_parameters": [1, 1, 1, power]}}
        functions = {"ALL": shape([4, 2], [0, 1], coefs_init="random")}
        names.append(str(tmp_path / f"{element}.yaml"))
        write_potential(build_target(section(element, functions, embeddings=embeddings)), names[-1])
    return names


BINARY = {"BINARY": shape([3, 3], [0, 2])}


def test_resolve_potential__reads_a_file():
    target, initial = resolve_potential(str(TWO_ELEMENTS))
    assert target.n_functions == 11
    assert initial is None
    assert resolve_potential({"filename": str(TWO_ELEMENTS), "initial_potential": []})[1] is None
    assert resolve_potential(target)[0] is target


def test_resolve_potential__resets_a_file_and_changes_its_bins():
    target, initial = resolve_potential(
        {"filename": str(TWO_ELEMENTS), "reset": True, "deltaSplineBins": "1e-3", "initial_potential": str(TWO_ELEMENTS)}
    )
    assert target.delta_spline_bins == 1e-3
    assert all(c == 0 for f in target.functions() for c in f.coeffs)
    np.testing.assert_array_equal(target.bonds["Cu", "Cu"].crad, delta_crad(shape_of(target.bonds["Cu", "Cu"])))
    assert initial is not None
    np.testing.assert_array_equal(parameter_vector(initial), parameter_vector(read_potential(TWO_ELEMENTS)))


def test_resolve_potential__the_argument_replaces_the_initial_potential_of_the_setting(unary):
    _, initial = resolve_potential({**section("Al Ni", BINARY), "initial_potential": "absent.yaml"}, 42, unary)
    assert initial is not None
    assert initial.elements == ("Al", "Ni")


def test_resolve_potential__combines_one_element_potentials_with_a_binary_basis(unary):
    setting = {
        "elements": ["Al", "Ni"],
        "bonds": {"BINARY": {**BONDS["ALL"], "rcut": 4.5}},
        "functions": BINARY,
        "initial_potential": unary,
    }
    target, initial = resolve_potential(setting)
    assert [block.elements for block in target.blocks] == [("Al", "Ni"), ("Ni", "Al"), ("Al",), ("Ni",)]
    assert target.embeddings["Ni"].parameters == (1.0, 1.0, 1.0, 0.75)
    assert (target.bonds["Al", "Al"].rcut, target.bonds["Al", "Ni"].rcut) == (5.0, 4.5)
    assert shape_of(target.bonds["Al", "Al"]) == (3, 2, 4)
    step = build_plan(target, initial).steps[-1].potential
    assert step.n_functions == target.n_functions
    loaded = parse_potential(format_potential(target, canonical=False))
    assert [block.elements for block in loaded.blocks][:2] == [("Al",), ("Ni",)]
    coeffs = {f.identity: f.coeffs for f in initial.functions()}
    assert all(f.coeffs == coeffs[f.identity] for f in step.functions() if f.identity in coeffs)


def test_resolve_potential__takes_embeddings_from_the_initial_potential_unless_named(unary):
    named = {**EMBEDDINGS, "Ni": {"fs_parameters": [2, 1, 2, 0.5], "npot": "FinnisSinclair", "ndensity": 7}}
    target, _ = resolve_potential({**section("Al Ni", {"ALL": shape([2], [0])}, embeddings=named), "initial_potential": unary})
    assert target.embeddings["Al"].parameters == (1.0, 1.0, 1.0, 0.5)
    assert target.embeddings["Ni"].parameters == (2.0, 1.0, 2.0, 0.5)
    assert target.embeddings["Ni"].npot == "FinnisSinclair"


def test_resolve_potential__explains_another_number_of_densities(unary):
    named = {**EMBEDDINGS, "Ni": {"fs_parameters": [1, 1], "npot": "FinnisSinclair", "ndensity": 1}}
    setting = {**section("Al Ni", {"ALL": shape([2], [0])}, embeddings=named), "initial_potential": unary}
    with pytest.raises(ConfigError, match=r"ndensity 2 \(taken from the initial potential\) needs 4 fs_parameters"):
        resolve_potential(setting)


def test_resolve_potential__replaces_constructed_blocks_on_request(unary):
    setting = {**section("Al Ni", {"ALL": shape([2, 1], [0, 0])}), "initial_potential": unary}
    constructed, _ = resolve_potential(setting)
    replaced, initial = resolve_potential({**setting, "overwrite_blocks_from_initial_bbasis": True})
    assert len(constructed.blocks[0].functions) == 3
    assert replaced.blocks[0] == initial.blocks[0]
    assert [block.elements for block in replaced.blocks] == [block.elements for block in constructed.blocks]


def test_resolve_potential__wants_a_bond_for_every_pair(unary):
    setting = {"elements": ["Al", "Ni"], "bonds": {}, "functions": BINARY, "initial_potential": unary}
    with pytest.raises(ConfigError, match="nothing is given for the pair Al-Ni"):
        resolve_potential(setting)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (3, "potential: expected a file name or a map of settings, got 3"),
        ({"filename": "a.yaml", "elements": ["Al"]}, "unknown key 'elements'"),
        ({**section("Al", {"ALL": shape([1], [0])}), "initial_potential": [1]}, "expected a file name or a list of file names"),
        ({**section("Al", {"ALL": shape([1], [0])}), "initial_potential": {"a": 1}}, "expected a file name or a list"),
    ],
)
def test_resolve_potential__explains_what_is_wrong(setting, message):
    with pytest.raises(ConfigError, match=message):
        resolve_potential(setting)


def test_concatenate__refuses_contradictions(unary):
    both = [read_potential(name) for name in unary]
    with pytest.raises(PotentialError, match="b: block `Al` is already in another initial potential"):
        concatenate([both[0], both[0]], ["a", "b"])
    pair = read_potential(TWO_ELEMENTS)
    rest = replace(pair, blocks=())
    bond = replace(pair.bonds["Cu", "O"], rcut=9.0)
    with pytest.raises(PotentialError, match="b: the bond Cu-O differs"):
        concatenate([pair, replace(rest, bonds={**pair.bonds, ("Cu", "O"): bond})], ["a", "b"])
    embedding = replace(pair.embeddings["O"], rho_core_cut=1.0)
    with pytest.raises(PotentialError, match="b: the embedding of O differs"):
        concatenate([pair, replace(rest, embeddings={**pair.embeddings, "O": embedding})], ["a", "b"])


def test_concatenate__of_one_changes_nothing():
    potential = read_potential(TWO_ELEMENTS)
    assert concatenate([potential], ["a"]) is potential


def test_reset_coefficients__keeps_shape_and_marks():
    potential = reset_coefficients(read_potential(TWO_ELEMENTS))
    assert potential.blocks[1].functions[1].skip
    assert parameter_vector(potential).size == 49


def test_resolve_potential__starts_from_a_c_tilde_file_without_its_e0(tmp_path, caplog):
    potential = random_potential(1).with_e0({"Al": -1.5})
    write_yace(potential, tmp_path / "a.yace")
    with caplog.at_level(logging.WARNING):
        target, initial = resolve_potential(str(tmp_path / "a.yace"), initial_potential=str(tmp_path / "a.yace"))
    assert target.e0 == initial.e0 == {}
    assert target.n_functions == initial.n_functions == potential.n_functions
    assert "its E0 is not used" in caplog.text
