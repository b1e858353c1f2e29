import json
import shutil

import pytest

from acefit.pipeline import staleness
from acefit.pipeline.staleness import Planned, SnakemakeError
from commands import run, run_json


@pytest.fixture
def folder(tiny_fit, tmp_path, monkeypatch):
    shutil.copytree(tiny_fit.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tiny.yaml").rename(tmp_path / "input.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_status__fast_looks_at_files_only(folder, monkeypatch):
    monkeypatch.setattr(staleness, "plan_files", lambda ask: pytest.fail("Snakemake was asked"))
    result = run("status", "--fast")
    assert result.exit_code == 0, result.output
    assert "4 of 4" in result.stdout
    assert "2 of 2" in result.stdout
    assert result.stdout.count("absent") == 2  # report and export, which only the pipeline makes


def test_status__says_what_is_stale_and_why(folder, monkeypatch):
    plan = [Planned("results/tiny/predict/cost.yaml", "predict", True, "code or a library changed")]
    monkeypatch.setattr(staleness, "plan_files", lambda ask: plan)
    result = run("status")
    assert "stale" in result.stdout
    assert "code or a library changed" in result.stdout
    answer = run_json("status", "input.yaml")
    assert answer["is_staleness_known"]
    assert {row["stage"]: row["state"] for row in answer["stages"]}["predict"] == "stale"
    assert len(answer["cycles"]) == 4


def test_status__goes_on_where_snakemake_fails(folder, monkeypatch):
    def fail(ask):
        raise SnakemakeError("Snakemake cannot say what is up to date: no luck")

    monkeypatch.setattr(staleness, "plan_files", fail)
    result = run("status")
    assert result.exit_code == 0
    assert "no luck" in result.stderr
    answer = json.loads(run("status", "--json").stdout)
    assert not answer["is_staleness_known"]
    assert "no luck" in answer["problem"]


def test_status__explains_a_lock(folder):
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.lock").touch()
    assert "--unlock" in run("status", "--fast").stdout


def test_status__several_runs_have_their_names(folder):
    path = folder / "input.yaml"
    path.write_text(path.read_text() + "runs: {small: {fit.maxiter: 1}, large: {fit.maxiter: 2}}\n")
    result = run("status", "--fast")
    assert "tiny/small" in result.stdout
    assert "compare" in result.stdout
