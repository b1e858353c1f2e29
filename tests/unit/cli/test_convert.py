from itertools import pairwise

import pytest

from acefit.data.readers import read_files
from acefit.potential.bbasis import write_potential
from acefit.potential.yace_read import read_yace
from commands import run, run_json
from datasets import rich_dataset, write
from models import random_potential


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(rich_dataset(), tmp_path / "data.xyz")
    potential = random_potential(2).with_metadata(reference_energy='{"Al": -1.0, "Cu": -2.0}')
    write_potential(potential, tmp_path / "a.yaml")
    return tmp_path


def failure(*arguments):
    result = run("convert", *arguments)
    assert result.exit_code != 0
    return str(result.exception)


def test_convert__a_potential_with_references_and_a_lammps_input(folder):
    result = run_json("convert", "a.yaml", "a.yace", "--e0", "references", "--lammps", "in.pace")
    assert result["written"] == "a.yace"
    assert result["E0"] == [-1.0, -2.0]
    assert read_yace("a.yace").e0 == {"Al": -1.0, "Cu": -2.0}
    assert "pair_coeff      * * a.yace Al Cu" in (folder / "in.pace").read_text()


def test_convert__prints_what_it_wrote_unless_it_is_quiet(folder):
    assert "a.yace" in run("convert", "a.yaml", "a.yace", "--e0", "Al=1,Cu=2").stdout
    quiet = run("convert", "a.yace", "b.yaml", "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (0, "")


def test_convert__data_in_every_direction(folder):
    names = ["data.xyz", "tables", "b.pckl.gzip", "c.db", "d.xyz.gz", "e.xyz"]
    for source, target in pairwise(names):
        result = run_json("convert", source, target)
        assert (result["structures"], result["atoms"], result["left out"]) == (10, rich_dataset().structures.n_atoms, 0)
    assert (folder / "e.xyz").read_bytes() == (folder / "data.xyz").read_bytes()


def test_convert__joins_data(folder):
    assert run_json("convert", "data.xyz", "data.xyz", "both.xyz")["structures"] == 20


def test_convert__takes_the_names_of_labels(folder):
    text = (folder / "data.xyz").read_text().replace(" energy=", " E=").replace(" stress=", " S=")
    (folder / "own.xyz").write_text(text.replace(":forces:R:3", ":F:R:3").replace("config_type=", "kind="))
    keys = ("--energy-key", "E", "--forces-key", "F", "--stress-key", "S", "--group-key", "kind")
    result = run_json("convert", "own.xyz", "b.xyz", *keys)
    dataset = rich_dataset()
    assert result["with stress"] == dataset.structures.has_stress.sum()
    assert result["without forces"] == 1
    again = read_files([{"path": "b.xyz"}]).dataset
    assert again.raw_energies[2] == dataset.raw_energies[2]
    assert " kind=bulk" in (folder / "b.xyz").read_text()


def test_convert__leaves_out_bad_structures_when_told(folder):
    (folder / "bad.xyz").write_text((folder / "data.xyz").read_text().replace("w_energy=", "w_energy=-", 1))
    assert "negative" in failure("bad.xyz", "b.xyz")
    result = run("convert", "bad.xyz", "b.xyz", "--leave-out")
    assert result.exit_code == 0
    assert "left out: bad.xyz, structure 0" in result.stderr


def test_convert__replaces_nothing_unless_forced(folder):
    for arguments in (("data.xyz", "a.yaml"), ("a.yaml", "b.yace", "--lammps", "data.xyz")):
        assert "exists already" in failure(*arguments)
    assert run("convert", "data.xyz", "tables").exit_code == 0
    assert "structures.parquet exists already" in failure("data.xyz", "tables")
    assert run("convert", "data.xyz", "tables", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.yaml", "b.yace", "--leave-out"), "--leave-out has no meaning here: a.yaml is a potential"),
        (("a.yaml", "b.yace", "--energy-key", "E"), "--energy-key has no meaning here"),
        (("a.yaml", "a.yaml", "b.yace"), "potentials are converted one by one"),
        (("data.xyz", "b.xyz", "--e0", "zero"), "--e0 has no meaning here: data.xyz is no potential"),
        (("data.xyz", "b.cif"), "cannot write this kind of dataset"),
        (("absent.xyz", "b.xyz"), "absent.xyz does not exist"),
        (("absent.yace", "b.yaml"), "no such potential file"),
    ],
)
def test_convert__refuses(folder, arguments, message):
    assert message in failure(*arguments)
