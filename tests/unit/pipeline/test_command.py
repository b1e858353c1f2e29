import os
import sys
from pathlib import Path

import pytest

from acefit.errors import ConfigError
from acefit.pipeline import command
from acefit.pipeline.command import INSTALLED, find_profile, replace_process, snakemake_command, workflow_folder
from acefit.workflow import available_threads

ROOT = Path(__file__).parents[3]


def make_workflow(folder):
    (folder / "workflow").mkdir(parents=True)
    for name in ("Snakefile", "workflow/Snakefile"):
        (folder / name).touch()


def test_workflow_folder__is_the_repository_of_an_editable_installation():
    assert workflow_folder() == ROOT


def test_workflow_folder__is_the_copy_in_a_built_package(tmp_path):
    package = tmp_path / "site-packages/acefit"
    with pytest.raises(ConfigError, match="install acefit anew"):
        workflow_folder(package)
    make_workflow(package / INSTALLED)
    assert workflow_folder(package) == package / INSTALLED


def test_snakemake_command__options_come_before_the_configuration():
    line = snakemake_command("input.yaml", ["--keep-going", "results/a/potential.yaml"], cores=3)
    assert line[:3] == [sys.executable, "-m", "snakemake"]
    assert line[3:] == ["--snakefile", str(ROOT / "Snakefile"), "--cores", "3", "--keep-going", "results/a/potential.yaml",
                        "--configfile", "input.yaml"]  # fmt: skip


def test_snakemake_command__all_cores_or_what_the_profile_says():
    line = snakemake_command("input.yaml")
    assert line[line.index("--cores") + 1] == str(available_threads())
    line = snakemake_command("input.yaml", profile="slurm")
    assert "--cores" not in line
    assert line[line.index("--profile") + 1] == str(ROOT / "profiles/slurm")


def test_snakemake_command__dates_of_installed_scripts_are_no_change(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "workflow_folder", lambda: tmp_path / INSTALLED)
    line = snakemake_command("input.yaml")
    assert line[line.index("--rerun-triggers") + 1 : line.index("--cores")] == ["mtime", "params", "input", "software-env"]
    monkeypatch.setattr(command, "workflow_folder", lambda: tmp_path)
    assert "--rerun-triggers" not in snakemake_command("input.yaml")


def test_snakemake_command__says_what_to_install(monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install"):
        snakemake_command("input.yaml")


def test_find_profile__leaves_others_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_profile("mine") == "mine"
    assert find_profile("profiles/slurm") == "profiles/slurm"
    Path("slurm").mkdir()
    assert find_profile("slurm") == "slurm"


def test_replace_process__becomes_the_command(monkeypatch):
    called = []
    monkeypatch.setattr(os, "execv", lambda *arguments: called.append(arguments))
    replace_process(["/bin/true", "x"])
    assert called == [("/bin/true", ["/bin/true", "x"])]
