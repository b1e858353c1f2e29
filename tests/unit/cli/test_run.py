import os

import pytest

from acefit.pipeline import command
from commands import run
from workflow_runs import ROOT


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Commands that would have been started."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input.yaml").touch()
    commands = []
    monkeypatch.setattr(command, "replace_process", commands.append)
    return commands


def test_run__starts_snakemake_with_the_workflow(started):
    assert run("run", "--cores", 3).exit_code == 0
    assert started[0][1:] == [
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--cores",
        "3",
        "--configfile",
        "input.yaml",
    ]


def test_run__passes_on_what_stands_behind_two_dashes(started):
    run("run", "input.yaml", "--dry-run", "--", "--keep-going", "results/x/potential.yaml", "-c1")
    run("run", "--unlock")
    assert started[0][7:] == ["--dry-run", "--keep-going", "results/x/potential.yaml", "-c1", "--configfile", "input.yaml"]
    assert started[1][-3:] == ["--unlock", "--configfile", "input.yaml"]


def test_run__profiles_of_acefit_have_names(started):
    run("run", "--profile", "generic")
    assert started[0][5:7] == ["--profile", str(ROOT / "profiles/generic")]


def test_run__prints_the_command(started):
    result = run("run", "--print-command", "--cores", 1)
    assert result.stdout.rstrip().endswith("--cores 1 --configfile input.yaml")
    assert started == []


def test_run__refuses_what_it_does_not_know(started):
    assert run("run", "input.yaml", "--keep-going").exit_code == 2
    assert run("run", "input.yaml", "--cores", 0).exit_code == 2
    assert started == []


def test_run__needs_a_folder_to_write_to(started, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert "cannot be written to" in str(run("run").exception)
    assert run("run", "--print-command").exit_code == 0
    assert started == []
