from pathlib import Path

import pytest

from acefit.data.readers import read_files
from commands import run, run_json

OUTPUTS = Path(__file__).parents[2] / "data" / "collect"
ATOMS = "Si:auto H:0 O:0 Al:0"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data.xyz"


def test_collect__tells_what_it_found_and_left_out(target):
    result = run("collect", OUTPUTS, "-o", target)
    assert result.exit_code == 0
    assert "espresso/unconverged/pw.out: the electrons did not converge" in result.stderr
    assert "24 files, 6 problems" in result.stdout
    assert "shortest distance" in result.stdout
    assert read_files([{"path": str(target)}]).dataset.structures.n_structures == 20


def test_collect__as_json(target):
    found = run_json("collect", OUTPUTS, "-o", target, "--selection", "all", "--free-atoms", ATOMS, "--group-depth", "2")
    assert found["total"]["n_structures"] == 40
    assert found["groups"]["cp2k/md"]["n_structures"] == found["groups"]["cp2k/md"]["n_with_stress"] == 4
    assert found["free_atoms"]["Si"]["from"] == "espresso/atom/pw.out"
    assert found["groups"]["espresso/relax"]["n_structures"] == 3
    assert len(found["left_out"]) == 6


def test_collect__format_and_pattern(target):
    found = run_json("collect", OUTPUTS, "-o", target, "--format", "espresso-out", "--glob", "espresso/bulk/*.out")
    assert found["files"] == 1


def test_collect__stops_and_keeps(target, tmp_path):
    assert "did not converge" in str(run("collect", OUTPUTS / "espresso", "-o", target, "--stop").exception)
    text = (OUTPUTS / "espresso" / "bulk" / "pw.out").read_text()
    (tmp_path / "pw.out").write_text(text[: text.index("JOB DONE")])
    assert "did not come to its end" in str(run("collect", tmp_path, "-o", target).exception)
    assert run_json("collect", tmp_path, "-o", target, "--keep-unfinished")["total"]["n_structures"] == 1


def test_collect__replaces_nothing_unless_told(target):
    target.write_text("mine")
    assert "--force" in str(run("collect", OUTPUTS, "-o", target).exception)
    assert target.read_text() == "mine"
    assert run("collect", OUTPUTS, "-o", target, "--force", "--quiet").exit_code == 0


def test_collect__of_this_folder_by_default(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "below ." in str(run("collect").exception)
