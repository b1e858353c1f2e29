from pathlib import Path

import pytest

from acefit.config.paths import DATA_VARIABLE, from_here, resolve_file
from acefit.errors import ConfigError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Working directory, folder of the configuration and two data folders."""
    for name in ("work", "base", "base/inside", "data"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def put(*paths):
    for path in paths:
        path.write_text("", encoding="utf-8")


def find(places, name="a.xyz", **keywords):
    return resolve_file(name, what="data.filename", base_path=places / "base", **keywords)


def test_from_here__is_the_same_however_the_path_is_written(places):
    assert from_here(Path()) == from_here(places / "work") == from_here(Path("../work")) == "."
    assert from_here(Path("../base")) == str(places / "base")


def test_resolve_file__prefers_the_working_directory(places):
    put(places / "work/a.xyz", places / "data/a.xyz", places / "base/a.xyz")
    assert find(places, datapath=str(places / "data")) == "a.xyz"


def test_resolve_file__then_looks_in_datapath(places):
    put(places / "data/a.xyz", places / "base/a.xyz")
    assert find(places, datapath="../data", environment={DATA_VARIABLE: "/nowhere"}) == str(places / "data/a.xyz")


def test_resolve_file__takes_the_environment_without_datapath(places):
    put(places / "data/a.xyz", places / "base/a.xyz")
    assert find(places, environment={DATA_VARIABLE: str(places / "data")}) == str(places / "data/a.xyz")


def test_resolve_file__then_looks_beside_the_configuration(places):
    put(places / "base/a.xyz")
    assert find(places, environment={}) == str(places / "base/a.xyz")


def test_resolve_file__takes_datapath_from_the_configuration_too(places):
    put(places / "base/inside/a.xyz")
    assert find(places, datapath="inside") == str(places / "base/inside/a.xyz")


def test_resolve_file__takes_absolute_names_and_the_home_folder(places, monkeypatch):
    put(places / "data/a.xyz")
    monkeypatch.setenv("HOME", str(places / "data"))
    assert find(places, str(places / "data/a.xyz"), datapath="inside") == str(places / "data/a.xyz")
    assert find(places, "~/a.xyz") == str(places / "data/a.xyz")


def test_resolve_file__lists_the_places(places):
    with pytest.raises(ConfigError) as caught:
        find(places, datapath="inside", environment={})
    tried = [str(places / place / "a.xyz") for place in ("work", "work/inside", "base", "base/inside")]
    assert str(caught.value).splitlines() == ["data.filename: no file 'a.xyz'; looked for", *(f"  {place}" for place in tried)]


def test_resolve_file__mentions_the_variable_where_it_would_help(places):
    with pytest.raises(ConfigError, match=DATA_VARIABLE):
        find(places, environment={})
    with pytest.raises(ConfigError) as caught:
        find(places)
    assert DATA_VARIABLE not in str(caught.value)


def test_resolve_file__wants_a_file(places):
    (places / "work/a.xyz").mkdir()
    with pytest.raises(ConfigError, match=r"no file 'a\.xyz'"):
        find(places)


def test_resolve_file__asks_for_the_file_of_a_similar_name(places):
    put(places / "base/copper.xyz", places / "work/other.db")
    with pytest.raises(ConfigError, match=r"^data\.filename: no file 'coper\.xyz'; did you mean 'copper\.xyz'\?; looked for\n"):
        find(places, "coper.xyz")


def test_resolve_file__explains_home_folders_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.filename: '~nobody-here/x' cannot be looked for"):
        resolve_file("~nobody-here/x", what="data.filename", base_path=tmp_path)
