import pytest

from acefit.errors import ConfigError
from acefit.pipeline.configuration import find_configuration, load_configuration
from workflow_runs import write_config


def test_find_configuration__takes_what_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.touch()
    assert find_configuration(path) == path


@pytest.mark.parametrize("name", ["input.yaml", "config.yaml", "config/config.yaml"])
def test_find_configuration__takes_the_only_usual_one(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert find_configuration(folder=tmp_path) == tmp_path / name
    assert find_configuration(tmp_path) == tmp_path / name


def test_find_configuration__asks_where_several_could_be_meant(tmp_path):
    for name in ("input.yaml", "config.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"input\.yaml and .*config\.yaml; say which"):
        find_configuration(folder=tmp_path)


def test_find_configuration__says_what_is_missing(tmp_path):
    with pytest.raises(ConfigError, match="has no configuration file"):
        find_configuration(folder=tmp_path)
    with pytest.raises(ConfigError, match="there is no such configuration file"):
        find_configuration(tmp_path / "absent.yaml")


def test_load_configuration__has_all_runs(tmp_path):
    path = write_config(tmp_path, {"sweep": {"fit.loss.kappa": [0.1, 0.2]}})
    assert list(load_configuration(path).configs) == ["tiny/kappa-0.1", "tiny/kappa-0.2"]
