import pytest

from acefit.basis.keys import (
    as_count,
    as_counts,
    as_float,
    as_floats,
    as_map,
    block_key,
    block_keys,
    check_keys,
    expand_blocks,
    expand_elements,
    expand_pairs,
    parse_elements,
)
from acefit.errors import ConfigError

ELEMENTS = ("Al", "Cu", "Ni")


@pytest.mark.parametrize("key", ["AlNi", "Al Ni", "Al-Ni", ("Al", "Ni")])
def test_parse_elements__accepts_the_usual_spellings(key):
    assert parse_elements(key, ELEMENTS, "here") == ("Al", "Ni")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("UNARI", "names U, .* did you mean UNARY"),
        ("Unary", "neither a keyword"),
        ("al", "neither a keyword"),
        ("AlFe", "names Fe, which is not among the elements Al, Cu, Ni"),
        ("", "neither a keyword"),
    ],
)
def test_parse_elements__explains_what_is_wrong(key, message):
    with pytest.raises(ConfigError, match=message):
        parse_elements(key, ELEMENTS, "here")


def test_block_key__sorts_the_others():
    assert block_key("NiCuAl", ELEMENTS, "here") == ("Ni", "Al", "Cu")
    assert block_key("AlAl", ELEMENTS, "here") == ("Al",)


@pytest.mark.parametrize("key", ["AlNiNi", "AlNiAl"])
def test_block_key__refuses_repeated_elements(key):
    with pytest.raises(ConfigError, match="names an element twice"):
        block_key(key, ELEMENTS, "here")


def test_block_keys__are_all_centres_with_all_subsets():
    assert block_keys(ELEMENTS, 1) == [("Al",), ("Cu",), ("Ni",)]
    assert block_keys(ELEMENTS, 3) == [("Al", "Cu", "Ni"), ("Cu", "Al", "Ni"), ("Ni", "Al", "Cu")]
    assert len(block_keys(ELEMENTS, 2)) == 6


def test_expand_blocks__merges_key_by_key_and_keeps_the_order_of_first_mention():
    given = {"Ni": {"a": 3}, "UNARY": {"a": 1}, "ALL": {"a": 0, "b": 0}, "AlNi": {"b": 5}}
    blocks = expand_blocks(given, ("Al", "Ni"), "here")
    assert list(blocks) == [("Al",), ("Ni",), ("Al", "Ni"), ("Ni", "Al")]
    assert list(blocks.values()) == [{"a": 1, "b": 0}, {"a": 3, "b": 0}, {"a": 0, "b": 5}, {"a": 0, "b": 0}]


def test_expand_pairs__mirrors_and_lets_the_later_entry_win():
    pairs = expand_pairs({"NiAl": {"a": 1, "b": 1}, "ALL": {"c": 0}, "AlNi": {"b": 2}, "UNARY": {"d": 3}}, ("Al", "Ni"), "here")
    assert pairs == {("Al", "Al"): {"c": 0, "d": 3}, ("Al", "Ni"): {"c": 0, "a": 1, "b": 2}, ("Ni", "Ni"): {"c": 0, "d": 3}}


def test_expand_elements__merges():
    given = {"ALL": {"a": 0}, "UNARY": {"b": 1}, "Ni": {"a": 2}}
    assert expand_elements(given, ("Al", "Ni"), "here") == {"Al": {"a": 0, "b": 1}, "Ni": {"a": 2, "b": 1}}


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (expand_pairs, {"TERNARY": {}}, "TERNARY has no meaning here"),
        (expand_pairs, {"AlCuNi": {}}, "names 3 elements; a bond has one or two"),
        (expand_elements, {"BINARY": {}}, "BINARY has no meaning here"),
        (expand_elements, {"AlNi": {}}, "names 2 elements; an embedding belongs to one"),
        (expand_blocks, {"ALL": 3}, "expected a map of settings, got 3"),
    ],
)
def test_expansion__refuses_keys_without_meaning(function, given, message):
    with pytest.raises(ConfigError, match=message):
        function(given, ELEMENTS, "here")


def test_values__accept_text_numbers():
    assert as_float("1e-8", "here") == 1e-8
    assert as_count("3", "here") == 3
    assert as_floats([1, "2.5"], "here") == (1.0, 2.5)
    assert as_counts((4, 2), "here") == (4, 2)
    assert as_map(None, "here") == {}


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (as_float, "wide", "expected a number, got 'wide'"),
        (as_float, True, "expected a number"),
        (as_float, float("nan"), "expected a number"),
        (as_count, -1, "expected an integer of at least 0"),
        (as_count, 2.5, "expected an integer"),
        (as_floats, 3, "expected a list of numbers"),
        (as_counts, 3, "expected a list of integers by order"),
    ],
)
def test_values__name_what_they_expect(function, value, message):
    with pytest.raises(ConfigError, match=f"here: {message}"):
        function(value, "here")


def test_check_keys__names_the_nearest_one():
    with pytest.raises(ConfigError, match="unknown key 'rcutt'; did you mean rcut"):
        check_keys(["rcutt"], ("rcut", "dcut"), "here")
    with pytest.raises(ConfigError, match="unknown key 'xyz'; known are rcut"):
        check_keys(["xyz"], ("rcut",), "here")
