import pytest

from acefit.config.source import locate, read_source, read_value
from acefit.errors import ConfigError


def source_of(folder, text):
    path = folder / "input.yaml"
    path.write_text(text, encoding="utf-8")
    return read_source(path)


def test_read_source__notes_lines_of_keys_and_entries(tmp_path):
    source = source_of(tmp_path, "a:\n  b: [1,\n      2]\n  c: {d: 3}\n")
    assert source.data == {"a": {"b": [1, 2], "c": {"d": 3}}}
    assert source.lines[("a", "b", 1)] == 3
    assert source.lines[("a", "c", "d")] == 4


def test_read_source__reads_words_as_words(tmp_path):
    assert source_of(tmp_path, "{NO: yes, ON: off, a: true}").data == {"NO": "yes", "ON": "off", "a": True}


def test_read_source__follows_merged_maps(tmp_path):
    source = source_of(tmp_path, "base: &base\n  x: 1\n  y: 2\nother:\n  <<: *base\n  y: 3\nlist:\n  <<: [*base]\n")
    assert source.data["other"] == {"x": 1, "y": 3}
    assert source.lines[("other", "x")] == 2
    assert source.lines[("other", "y")] == 6
    assert source.repeated == []


def test_read_source__notes_repeated_keys(tmp_path):
    assert source_of(tmp_path, "a:\n  b: 1\n  b: 2\n").repeated == [(("a", "b"), 3)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2\nb: 3\n", r"input\.yaml:2: not valid YAML: .*check indentation"),
        ("a: 'open\n", r"input\.yaml:\d+: not valid YAML"),
        ("a: !!python/object:os.system {}\n", r"not valid YAML: could not determine a constructor"),
        ("- 1\n", r"must hold a map of sections"),
        ("", r"must hold a map of sections"),
        ("a: &a\n  b: *a\n", r"an alias .* refers to the map or list that contains it"),
        ("a: \x00\n", r"cannot be read as a configuration file"),
        ("a: " + "9" * 5000, r"input\.yaml:1: a number has more than 300 digits; no configuration needs that"),
        ("a: !!timestamp 2001-99-99", r"input\.yaml: not valid YAML: month must be in"),
        ("a: !!bool x", r"input\.yaml: not valid YAML"),
        ("[ # ]\n" * 10**4, r"nested more than 100 deep"),
        ("#" * 2**20 + "\n", r"cannot be read as a configuration file: it has more than 1 MiB"),
    ],
)
def test_read_source__explains_what_it_cannot_read(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        source_of(tmp_path, text)


def test_read_source__names_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read as a configuration file"):
        read_source(tmp_path / "absent.yaml")


def test_locate__falls_back_to_the_enclosing_key(tmp_path):
    source = source_of(tmp_path, "a:\n  b: 1\n")
    name = str(source.path)
    assert locate([source], ("a", "b")) == (name, 2)
    assert locate([source], ("a", "x", "y")) == (name, 1)
    assert locate([source], ("z",)) == (name, 0)
    assert locate([], ("a",)) == ("", 0)


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("[1, 2]", [1, 2]), ("NO", "NO"), ("1e-8", "1e-8"), ("none", "none")])
def test_read_value__is_what_would_stand_behind_a_key(text, value):
    assert read_value(text) == value


def test_read_value__explains_what_it_cannot_read():
    with pytest.raises(ConfigError, match=r"'\[1' is not valid YAML: "):
        read_value("[1")
