from dataclasses import replace

import pytest

from acefit.basis.expansion import build_target
from acefit.files import read_sealed
from acefit.potential.bbasis_read import parse_potential, read_potential
from acefit.potential.bbasis_write import (
    complete_blocks,
    format_function,
    format_potential,
    regroup,
    write_configuration,
    write_potential,
)
from acefit.potential.model import Block, Function
from acefit.potential.shapes import Shape, resize_bond, shape_of
from bases import TWO_ELEMENTS, section, shape


@pytest.fixture
def potential():
    return read_potential(TWO_ELEMENTS)


def test_format_function__has_the_layout_of_the_reference():
    first = Function(("Al", "Al"), (1,), (0,), (), (0.01, 0.1))
    assert format_function(first) == "      - {type: Al Al, nr: [1], nl: [0], c: [0.01, 0.10000000000000001]}"
    third = Function(("Al", "Al", "Ni", "Ni"), (2, 1, 1), (0, 1, 1), (1,), (1e-9,), skip=True)
    assert format_function(third) == (
        "      - {type: Al Al Ni Ni, nr: [2, 1, 1], nl: [0, 1, 1], lint: [1], c: [1.0000000000000001e-09], skip: true}"
    )


def test_format_potential__has_the_key_order_of_the_reference(potential):
    lines = format_potential(
        replace(potential, auxdata={"_int_arr": {"a": [1, 2]}, "_double": {"b": 0.5}, "_string": {"c": "x: y"}})
    ).splitlines()
    keys = [line.strip(" -").split(":")[0] for line in lines if "{type:" not in line]
    assert keys[:13] == [
        *("metadata", "_loss", "note", "starttime", "auxdata", "_double", "b", "_int_arr", "a", "_string", "c"),
        *("global", "DeltaSplineBins"),
    ]
    unary = ["speciesblock", "ndensityi", "npoti", "parameters", "rho_core_cut", "drho_core_cut"]
    bond = ["nradmaxi", "lmaxi", "rcutij", "dcutij", "NameOfCutoffFunctionij", "r_in", "delta_in", "inner_cutoff_type"]
    bond += ["nradbaseij", "radbase", "radparameters", "radcoefficients", "core-repulsion", "nbody"]
    assert keys[13:] == ["species", *unary, *bond, "speciesblock", *bond, *unary, *bond, "speciesblock", *bond]


def test_regroup__collects_functions_by_their_elements(potential):
    everything = tuple(f for block in potential.blocks for f in block.functions)
    copper = Block(("Cu", "O"), tuple(f for f in everything if f.elements[0] == "Cu")[::-1])
    mixed = replace(potential, blocks=(copper, *(b for b in potential.blocks if b.elements[0] == "O")))
    blocks = regroup(mixed)
    assert [block.elements for block in blocks] == [("Cu",), ("Cu", "O"), ("O",), ("O", "Cu")]
    assert [len(block.functions) for block in blocks] == [5, 3, 2, 2]
    assert format_potential(mixed) == format_potential(potential)


def test_regroup__names_groups_in_order_of_appearance_and_keeps_empty_blocks():
    potential = build_target(section("Al Cu Ni", {"ALL": shape([1, 1], [0, 0])}))
    function = Function(("Al", "Ni", "Cu"), (1, 1), (0, 0), (), (0.0, 0.0))
    blocks = tuple(Block(b.elements, (function,) if b.elements == ("Al", "Cu", "Ni") else ()) for b in potential.blocks)
    elements = [block.elements for block in regroup(replace(potential, blocks=blocks))]
    assert ("Al", "Ni", "Cu") in elements
    assert ("Al", "Cu", "Ni") not in elements
    assert ("Cu", "Al", "Ni") in elements


def test_complete_blocks__puts_unary_ones_first_and_adds_missing_ones(potential):
    partial = replace(potential, blocks=(potential.blocks[2], potential.blocks[1]))
    assert [block.elements for block in complete_blocks(partial)] == [("Cu",), ("O",), ("Cu", "O"), ("O", "Cu")]
    parse_potential(format_potential(replace(partial, blocks=partial.blocks[:1]), canonical=False))


def test_format_potential__writes_the_bond_in_both_mirror_blocks(potential):
    assert format_potential(potential).count("rcutij: 4.75") == 2


def test_format_potential__pads_a_bond_so_that_the_reference_can_load_the_file(potential):
    small = {**potential.bonds, ("Cu", "O"): resize_bond(potential.bonds["Cu", "O"], Shape(1, 1, 2))}
    padded = parse_potential(format_potential(replace(potential, bonds=small))).bonds["Cu", "O"]
    assert shape_of(padded) == (2, 1, 2)
    assert not padded.crad[1].any()


def test_format_potential__is_yaml_with_an_element_that_reads_as_a_truth_value():
    potential = build_target(section("No", {"ALL": shape([1], [0])}))
    assert 'speciesblock: "No"' in format_potential(potential)
    assert parse_potential(format_potential(potential)).elements == ("No",)


def test_write_potential__seals_what_stages_read(potential, tmp_path):
    write_potential(potential, tmp_path / "potential.yaml", {"step": "fit"})
    text, seal = read_sealed(tmp_path / "potential.yaml")
    assert text == format_potential(potential)
    assert seal["provenance"] == {"step": "fit"}
    assert format_potential(read_potential(tmp_path / "potential.yaml")) == text
    write_configuration(potential, tmp_path / "start.yaml")
    assert read_sealed(tmp_path / "start.yaml")[0] == format_potential(potential, canonical=False)
