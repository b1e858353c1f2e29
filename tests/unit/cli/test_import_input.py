import shutil

import pytest

from commands import run, run_json


@pytest.fixture
def source(pytestconfig, tmp_path):
    shutil.copy(pytestconfig.rootpath / "tests" / "config" / "pacemaker-input.yaml", tmp_path / "input.yaml")
    (tmp_path / "alloy.pckl.gzip").touch()
    return tmp_path / "input.yaml"


def test_import_input__says_what_it_did(source, tmp_path):
    result = run("import-input", source, tmp_path / "run")
    assert result.exit_code == 0, result.exception
    assert "data/alloy.pckl.gzip  from" in result.stdout
    assert "accepted without effect" in result.stdout
    assert "acefit check input.yaml" in result.stdout


def test_import_input__as_json_and_again(source, tmp_path):
    found = run_json("import-input", source, tmp_path / "run")
    assert list(found["files"]) == ["data/alloy.pckl.gzip"]
    assert "--force" in str(run("import-input", source, tmp_path / "run").exception)
    assert run("import-input", source, tmp_path / "run", "--force").exit_code == 0
