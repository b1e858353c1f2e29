"""One finished tiny run, shared by all integration tests."""

import pytest

from workflow_runs import run, write_config, write_dataset


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Folder of a finished run of tests/config/tiny.yaml; tests look at it or copy it, they do not change it."""
    folder = tmp_path_factory.mktemp("tiny")
    write_dataset(folder / "copper.xyz")
    answer = run(folder, write_config(folder))
    assert answer.code == 0, answer.text
    return folder
