import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from typer.testing import CliRunner

from acefit.cli.app import build_app
from acefit.pipeline.configuration import load_configuration
from commands import run, run_json


@pytest.fixture
def data(pytestconfig, tmp_path, monkeypatch):
    source = pytestconfig.rootpath / "examples" / "silicon" / "silicon.xyz.gz"
    (tmp_path / "silicon.xyz.gz").write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path)
    return "silicon.xyz.gz"


def answer(text, *arguments):
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(build_app(), list(arguments), input=text)


def test_init__proposes(data):
    result = run("init", data, "--yes")
    assert result.exit_code == 0, result.exception
    assert "free atoms         Si" in result.stdout
    config = load_configuration("input.yaml").configs["silicon"]
    assert config.data.reference_energy == "isolated"
    assert config.basis.functions.number_of_functions_per_element == 130


def test_init__takes_options(data):
    found = run_json(
        *("init", data, "-o", "my.yaml", "--name", "mine", "--elements", "Si Ge", "--functions", "77", "--cutoff", "4.75"),
        *("--test-size", "12", "--weighting", "uniform", "--references", "Si:-1.5 Ge:-2", "--quiet"),
        *("--energy-key", "energy", "--forces-key", "forces"),
    )
    assert found["written"] == "my.yaml"
    config = load_configuration("my.yaml").configs["mine"]
    assert config.basis.elements == ["Ge", "Si"]
    assert config.basis.functions.number_of_functions_per_element == 77
    assert config.basis.bonds["ALL"].rcut == 4.75
    assert (config.data.test_size, config.fit.weighting) == (12, None)
    assert config.data.reference_energy == {"Si": -1.5, "Ge": -2.0}
    assert (config.data.energy_key, config.data.forces_key) == ("energy", "forces")


def test_init__asks(data):
    result = answer("0.2\nXx\n\nnonsense\nauto\n50\n\nuniform\nbla bla\nrun-1\n", "init", data)
    assert result.exit_code == 0, result.output
    assert "no chemical symbol" in result.output
    assert "not understood" in result.output
    assert "'bla bla' cannot be the name of a run" in result.output
    config = load_configuration("input.yaml").configs["run-1"]
    assert (config.data.test_size, config.data.reference_energy, config.fit.weighting) == (0.2, "auto", None)
    assert config.basis.functions.number_of_functions_per_element == 50


def test_init__asks_again_for_numbers_that_make_no_sense(data):
    result = answer("-1\nabc\n\n\n\n0\n1.5\n50\nnan\n0.1\n5\n\n\n", "init", data)
    assert result.exit_code == 0, result.output
    for text in ("'-1'", "'abc'", "'0'", "'1.5'", "'nan'", "'0.1'"):
        assert f"{text} is no" in result.output
    assert "could not convert" not in result.output
    config = load_configuration("input.yaml").configs["silicon"]
    assert (config.basis.functions.number_of_functions_per_element, config.basis.bonds["ALL"].rcut) == (50, 5.0)


def test_init__data_without_energies_cannot_be_fitted(tmp_path):
    write(tmp_path / "bare.xyz", bulk("Si"))
    result = run("init", tmp_path / "bare.xyz", "--yes", "-o", tmp_path / "input.yaml")
    assert "no structure has an energy" in str(result.exception)
    assert "--energy-key" in str(result.exception)
    assert not (tmp_path / "input.yaml").exists()


def test_init__a_single_atom_has_no_distances(tmp_path):
    atoms = Atoms("Si")
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    write(tmp_path / "one.xyz", atoms)
    result = run("init", tmp_path / "one.xyz", "--yes", "-o", tmp_path / "input.yaml")
    assert "shortest distance  none" in result.stdout
    assert "nan" not in (tmp_path / "input.yaml").read_text()


def test_init__asks_for_data(data):
    assert answer(f"{data}\n" + "\n" * 7, "init").exit_code == 0


def test_init__never_overwrites_silently(data, tmp_path):
    target = tmp_path / "input.yaml"
    target.write_text("mine")
    assert "--force" in str(run("init", data, "--yes").exception)
    assert "exists already" in str(answer("n\n", "init", data).exception)
    assert target.read_text() == "mine"
    assert answer("y\n" + "\n" * 7, "init", data).exit_code == 0
    assert run("init", data, "--yes", "--force").exit_code == 0
    assert "is a folder" in str(run("init", data, "--yes", "-o", tmp_path).exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no data are named"),
        (("nothing.xyz",), "no file 'nothing.xyz'"),
        (("silicon.xyz.gz", "--energy-key", "dft"), "no structure has energy under the name 'dft'"),
        (("silicon.xyz.gz", "--weighting", "some"), "give energy or uniform"),
        (("silicon.xyz.gz", "--elements", "Ge"), "the data have Si"),
        (("silicon.xyz.gz", "--references", "free"), "not understood"),
    ],
)
def test_init__one_message_for_what_is_wrong(data, arguments, message):
    text = str(run("init", *arguments, "--yes").exception)
    assert message in text
    assert not re.search(r"data\.(datapath|energy_key|filename)", text)


def test_init__needs_energies_and_says_what_there_is_instead(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    frames = [bulk("Cu", cubic=True, a=a) for a in (3.5, 3.6, 3.7)]
    for atoms in frames:
        atoms.info["DFT_energy"] = -14.0
        atoms.arrays["DFT_forces"] = np.zeros((4, 3))
    write("keys.xyz", frames)
    result = run("init", "keys.xyz", "--yes")
    assert "no structure has an energy, without which nothing is fitted; if the files name it otherwise: --energy-key" in str(
        result.exception
    )
    assert "there are DFT_energy, DFT_forces: if they are labels, name them in energy_key, forces_key" in caplog.text
    assert not (tmp_path / "input.yaml").exists()
    assert run("init", "keys.xyz", "--yes", "--energy-key", "DFT_energy", "--forces-key", "DFT_forces").exit_code == 0
