import pytest

from commands import run, run_json
from workflow_runs import write_config, write_dataset


@pytest.fixture
def config(tmp_path, monkeypatch):
    write_dataset(tmp_path / "copper.xyz")
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path)


def test_check__prints_stages_sizes_and_estimates(config):
    result = run("check", config)
    assert result.exit_code == 0, result.output
    for text in ("fit (4)", "cutoff 4 Å", "2 ladder steps of 2 cycles", "estimate", "train", "are in order"):
        assert text in result.stdout


def test_check__takes_the_usual_file(config):
    config.rename(config.with_name("input.yaml"))
    assert run("check", "--quiet").exit_code == 0


def test_check__as_json_and_with_cores(config):
    one, two = (run_json("check", config, "--cores", n) for n in (1, 2))
    assert one["problems"] == []
    assert one["runs"]["tiny"]["fits"] == 4
    assert one["runs"]["tiny"]["estimated_seconds"]["total"] > two["runs"]["tiny"]["estimated_seconds"]["total"]


def test_check__measures_here(config):
    result = run("check", config, "--measure")
    assert "from evaluations timed here" in result.stdout


def test_check__problems_are_errors_and_exit_code_1(config):
    config.write_text(config.read_text().replace("maxiter", "maxitr").replace("elements", "elemnts"))
    result = run("check", config)
    assert result.exit_code == 1
    assert "did you mean 'maxiter'" in result.stderr
    assert "did you mean 'elements'" in result.stderr
    answer = run("check", config, "--json")
    assert answer.exit_code == 1
    assert "maxitr" in answer.stdout
