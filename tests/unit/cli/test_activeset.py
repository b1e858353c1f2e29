import ase.io
import numpy as np
import pytest

from acefit.active.active_set import read_active_set
from acefit.potential.bbasis import write_potential
from active_sets import alloys, small_potential
from commands import run, run_json


@pytest.fixture
def files(tmp_path):
    potential, data = tmp_path / "p.yaml", tmp_path / "d.xyz"
    write_potential(small_potential(), potential)
    frames = alloys(12)
    frames[0].info["name"] = "augmented/x"
    ase.io.write(data, frames)
    return potential, data


def test_activeset__writes_beside_the_potential_and_prints_what_is_in_it(files):
    result = run("activeset", *files, "--force-error", "none")
    assert result.exit_code == 0, result.output
    assert "max_gamma" in result.stdout
    assert "structures left out  1" in result.stdout
    assert read_active_set(files[0].with_suffix(".asi"), small_potential()).kind == "linear"


def test_activeset__notes_directions_that_no_atom_has(files):
    result = run("activeset", *files, "--query", "name == 'alloy-3'", "--quiet")
    assert "environments with anything in the others get very large grades" in result.stdout


def test_activeset__full_has_a_name_of_its_own(files):
    found = run_json("activeset", *files, "--full")
    assert found["file"] == str(files[0].with_name("p.asi.nonlinear"))
    assert found["kind"] == "full"
    assert read_active_set(found["file"], small_potential()).kind == "full"


def test_activeset__options_reach_the_search(files, tmp_path):
    out = tmp_path / "o.asi"
    loose = run_json(
        "activeset", *files, "--output", out, "--tolerance", 3, "--iterations", 1, "--memory", "1KB", "--refinements", 0
    )
    assert loose["file"] == str(out)
    strict = run_json("activeset", *files, "-o", out, "--force", "-g", 1.01, "--memory", "1KB", "-r", 9)
    assert max(row["max_gamma"] for row in strict["elements"]) <= 1.011 < max(row["max_gamma"] for row in loose["elements"])
    tables = run_json("activeset", *files, "-o", out, "--force", "--tables")
    analytic = run_json("activeset", *files, "-o", out, "--force")
    assert tables["elements"][0]["log_det"] != analytic["elements"][0]["log_det"]
    np.testing.assert_allclose(tables["elements"][0]["log_det"], analytic["elements"][0]["log_det"], rtol=1e-3)


def test_activeset__leaves_out_atoms_with_large_force_errors(files):
    everything = run_json("activeset", *files, "--force-error", "none")
    limited = run_json("activeset", *files, "--force-error", 0.1, "--force")
    assert everything["atoms_left_out"] == 0
    assert limited["atoms_left_out"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--memory", "lots"), "is no size"),
        (("--tolerance", 0.5), "must be at least 1"),
        (("--query", "x +"), "its columns are"),
        (("--force-error", "big"), "is no number, nor auto or none"),
    ],
)
def test_activeset__says_what_is_wrong(files, options, message):
    result = run("activeset", *files, *options)
    assert result.exit_code != 0
    assert message in str(result.exception)


def test_activeset__reads_dumps(files, tmp_path):
    dump = tmp_path / "md.dump"
    dump.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 2 2 0\n"
    )
    assert run_json("activeset", files[0], dump, "--lammps-elements", "Cu Al")["structures"] == 1


def test_activeset__never_overwrites_silently(files):
    precious = files[0].with_suffix(".asi")
    precious.write_text("precious")
    result = run("activeset", *files)
    assert "p.asi exists already" in str(result.exception)
    assert precious.read_text() == "precious"
    assert run("activeset", *files, "--force").exit_code == 0
    assert read_active_set(precious, small_potential()).kind == "linear"
