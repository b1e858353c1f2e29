import ase.io
import numpy as np
import pytest
from ase.build import bulk

from commands import run, run_json


@pytest.fixture
def data(tmp_path):
    atoms = bulk("AlNi", "cesiumchloride", a=2.95)
    atoms.info.update(my_energy=-9.0, my_stress=np.eye(3), kind="b2")
    atoms.arrays["my_forces"] = np.ones((2, 3))
    ase.io.write(tmp_path / "data.xyz", [atoms, atoms], format="extxyz")
    return tmp_path / "data.xyz"


KEYS = ("--energy-key", "my_energy", "--forces-key", "my_forces", "--stress-key", "my_stress", "--group-key", "kind")


def test_evaluate__prints_errors(demo_file, data):
    result = run("evaluate", demo_file, data, *KEYS)
    assert result.exit_code == 0
    assert "force RMSE (eV/Å)" in result.stdout
    assert "as they are" in result.stdout


def test_evaluate__as_json(demo_file, data):
    found = run_json("evaluate", demo_file, data, *KEYS, "--threads", "1")
    assert found["total"]["n_structures"] == 2
    assert found["groups"]["b2"]["mae_f_comp"] == pytest.approx(1.0, abs=1e-6)
    assert found["total"]["rmse_stress"] is not None


def test_evaluate__without_labels(demo_file, data, tmp_path):
    result = run("evaluate", demo_file, data, "-o", tmp_path / "out.xyz", "--quiet")
    assert "there are no labels" in result.stdout
    assert len(ase.io.read(tmp_path / "out.xyz", ":", format="extxyz")) == 2


def test_evaluate__replaces_nothing_unless_told(demo_file, data, tmp_path):
    target = tmp_path / "out"
    assert run("evaluate", demo_file, data, "-o", target).exit_code == 0
    assert "--force" in str(run("evaluate", demo_file, data, "-o", target).exception)
    assert run("evaluate", demo_file, data, "-o", target, "--force").exit_code == 0


def test_evaluate__leaves_out_what_cannot_be_used(demo_file, data, tmp_path):
    ase.io.write(tmp_path / "cu.xyz", bulk("Cu"), format="extxyz")
    message = str(run("evaluate", demo_file, data, tmp_path / "cu.xyz").exception)
    assert "Cu: not among the elements" in message
    assert message.endswith("mend or remove it, or give --leave-out")
    result = run("evaluate", demo_file, data, tmp_path / "cu.xyz", "--leave-out")
    assert "left out: cu.xyz" in result.stderr


def test_evaluate__advice_is_for_a_command(demo_file, tmp_path):
    (tmp_path / "empty.xyz").touch()
    ase.io.write(tmp_path / "al.xyz", bulk("Al"), format="extxyz")
    for arguments in (("absent.xyz",), ("empty.xyz",), ("al.xyz", "--energy-key", "dft")):
        message = str(run("evaluate", demo_file, tmp_path / arguments[0], *arguments[1:]).exception)
        assert arguments[0] in message
        assert "data." not in message


def test_evaluate__dumps_of_lammps(demo_file, tmp_path):
    atoms = bulk("AlNi", "cesiumchloride", a=2.95)
    rows = "".join(f"{k + 1} {k + 1} {x} {y} {z}\n" for k, (x, y, z) in enumerate(atoms.positions))
    box = "ITEM: BOX BOUNDS pp pp pp\n" + "0 2.95\n" * 3
    text = f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\n{box}ITEM: ATOMS id type x y z\n{rows}"
    (tmp_path / "run.dump").write_text(text)
    assert run_json("evaluate", demo_file, tmp_path / "run.dump", "--lammps-elements", "Al Ni")["total"]["n_atoms"] == 2
