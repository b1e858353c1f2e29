import pytest
import yaml

from acefit.errors import PotentialError
from acefit.potential.yaml_text import (
    load_text,
    quote,
    shorten,
    to_bool,
    to_float,
    to_floats,
    to_int,
    to_ints,
    to_list,
    to_map,
    to_text,
)


def test_load_text__keeps_scalars_as_they_are_written():
    assert load_text("{a: 1e-8, b: No, c: 2020-01-02 03:04:05, d: 0.10, e: [~]}", "file") == {
        **{"a": "1e-8", "b": "No", "c": "2020-01-02 03:04:05", "d": "0.10", "e": ["~"]}
    }


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [echo]", "!!python/name:os.system"])
def test_load_text__never_runs_code(text):
    assert load_text(text, "file") in (["echo"], "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000 + "]" * 200_000, "not readable as YAML"),
        ("[ # ]\n" * 200_000, r"not readable as YAML .*nested more than 100 deep"),
        ("{" * 200_000, "not readable as YAML"),
        ("- " * 200_000, r"not readable as YAML .*nested more than 100 deep"),
        ("a: [1, 2", "not readable as YAML"),
        ("&a [*a]", "not readable as YAML"),
        ("{[1]: 2}", "not readable as YAML"),
        ("a: \x00", "not readable as YAML"),
    ],
)
def test_load_text__survives_hostile_text(text, message):
    with pytest.raises(PotentialError, match=f"file: {message}"):
        load_text(text, "file")


def test_load_text__refuses_aliases_that_would_grow_without_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(PotentialError, match=r"aliases .* write out to more than 1000000 entries"):
        load_text("\n".join(lines), "file")


def test_values__are_converted():
    assert to_float("1e-8", "x") == 1e-8
    assert to_int("3", "x") == 3
    assert to_floats(["1", "2.5"], "x") == (1.0, 2.5)
    assert to_ints(["1", "2"], "x") == (1, 2)
    assert to_map("", "x") == {}
    assert to_text("a", "x") == "a"
    assert [to_bool(text, "x") for text in ("true", "False", "yes", "off")] == [True, False, True, False]


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (to_float, "wide", "expected a number, got 'wide'"),
        (to_float, "nan", "expected a finite number, got 'nan'"),
        (to_float, "1e999", "expected a finite number"),
        (to_float, None, "expected a number, got None"),
        (to_int, "2.5", "expected an integer, got '2.5'"),
        (to_list, "a", "expected a list, got 'a'"),
        (to_map, ["a"], "expected a map, got a list of 1"),
        (to_bool, "maybe", "expected true or false, got 'maybe'"),
        (to_text, {}, "expected a text, got a map of 0"),
    ],
)
def test_values__name_what_they_expect(function, value, message):
    with pytest.raises(PotentialError, match=f"here: {message}"):
        function(value, "here")


def test_shorten__cuts_long_texts():
    assert len(shorten("x" * 1000)) == 60


@pytest.mark.parametrize(
    "text",
    [
        "cos",
        "0.0015",
        "2021-05-15 10:56:15.281954",
        '{"Al": -1.5}',
        "a: b",
        "",
        "No",
        "tab\tnewline\n",
        "Å ε",
        "\x7f",
        "'",
        "# c",
        "- a",
    ],
)
def test_quote__is_read_back_exactly(text):
    assert yaml.load(f"key: {quote(text)}\n", Loader=yaml.BaseLoader) == {"key": text}
    assert "\n" not in quote(text)


def test_quote__leaves_simple_texts_plain():
    assert quote("0.2.7+172.gd1c213a") == "0.2.7+172.gd1c213a"
    assert quote("2021-05-15 10:56:15.281954") == "2021-05-15 10:56:15.281954"


def test_load_text__reads_sequences_as_keys_where_they_are_wanted():
    text = "bonds:\n  [0, 1]: {rcut: 5, list: [1, [2]]}\n  a: b\n"
    assert load_text(text, "here", sequence_keys=True) == {"bonds": {("0", "1"): {"rcut": "5", "list": ["1", ["2"]]}, "a": "b"}}
    for refused, wanted in ((text, False), ("[[0], 1]: 2", True), ("{a: b}: 2", True)):
        with pytest.raises(PotentialError, match="here: not readable as YAML"):
            load_text(refused, "here", sequence_keys=wanted)
