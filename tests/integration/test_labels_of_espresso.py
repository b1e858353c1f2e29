"""The loop of the documentation with Quantum ESPRESSO, word for word."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.units import GPa, Ry

from acefit.artifacts import read_frame
from workflow_runs import ROOT, planned, run

PSEUDOPOTENTIAL = Path("/usr/share/espresso/pseudo/Si.pz-vbc.UPF")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("pw.x") is None, reason="no pw.x here (Debian: apt-get install quantum-espresso)"),
    pytest.mark.skipif(not PSEUDOPOTENTIAL.exists(), reason=f"no {PSEUDOPOTENTIAL} (Debian: quantum-espresso-data)"),
]


def write_files(folder):
    """Write the files that the documentation shows; environment in which they work."""
    text = (ROOT / "docs/active-learning.md").read_text(encoding="utf-8").split("## With Quantum ESPRESSO")[1]
    blocks = re.findall(r"^```\w+\n# ([\w.]+|~)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    files = dict(blocks)
    assert list(files) == ["~", "label.py", "crystals.py", "silicon.yaml"]
    for name, content in files.items():
        (folder / name.replace("~", "ase.ini")).write_text(content)
    return {"ASE_CONFIG_PATH": str(folder / "ase.ini"), "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def test_labels_of_espresso__the_example_of_the_documentation_works(tmp_path, monkeypatch):
    for name, value in write_files(tmp_path).items():
        monkeypatch.setenv(name, value)
    subprocess.run([sys.executable, "crystals.py"], cwd=tmp_path, check=True, timeout=600)
    config, round_00 = tmp_path / "silicon.yaml", tmp_path / "results/silicon/round-00"
    answer = run(tmp_path, config)
    assert answer.code == 0, answer.text
    structures = read_frame(round_00 / "label/structures.parquet", "structures")
    forces = np.stack(read_frame(round_00 / "label/atoms.parquet", "atoms")["force"]).reshape(3, 8, 3)
    for job, energy in enumerate(structures["energy"]):
        output = (round_00 / f"calculate/job-{job:02d}-of-03/files/espresso.pwo").read_text()
        (printed,) = re.findall(r"^!.*=\s+(\S+) Ry", output, re.MULTILINE)
        assert energy == pytest.approx(float(printed) * Ry, abs=1e-3)
        assert "convergence has been achieved" in output
    # In kbar; ASE's sign is the opposite one
    (pressure,) = re.findall(r"P=\s*(\S+)", output)
    assert -np.stack(structures["stress"])[2, :3].mean() / (0.1 * GPa) == pytest.approx(float(pressure), abs=0.1)
    assert np.abs(forces.sum(axis=1)).max() < 1e-3
    assert np.abs(forces).max(axis=(1, 2)).min() > 0.1
    assert len(read_frame(tmp_path / "results/silicon/round-01/predict/structures.parquet", "predicted_structures")) == 8
    assert planned(tmp_path, config).jobs == {}
