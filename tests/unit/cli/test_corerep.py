import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from acefit.active.active_set import build_active_set
from acefit.data.structures import StructureSet
from acefit.errors import AcefitError, DataError, PotentialError
from acefit.potential.bbasis import read_potential, write_potential
from commands import run, run_json
from compressed import bare_potential


@pytest.fixture
def folder(tmp_path):
    write_potential(bare_potential(), tmp_path / "p.yaml")
    write(tmp_path / "data.xyz", [bulk("Al", a=a) for a in np.linspace(3.8, 4.3, 6)])
    return tmp_path


def test_corerep__given_cutoffs_need_no_data(folder):
    before = (folder / "p.yaml").read_bytes()
    result = run("corerep", folder / "p.yaml", "--inner-cutoff", "Al:1.9", "--inner-cutoff", "Al-Cu:1.8")
    assert result.exit_code == 0
    assert (folder / "p.yaml").read_bytes() == before
    bonds = read_potential(folder / "p-corerep.yaml").bonds
    assert {pair: bond.rcut_in for pair, bond in bonds.items()} == {("Al", "Al"): 1.9, ("Al", "Cu"): 1.8, ("Cu", "Cu"): 0.0}
    assert "Al-Al: the energy" in result.stdout
    assert "warning: Cu-Cu: the energy" in result.stdout


def test_corerep__finds_cutoffs_with_all_options(folder):
    options = ("--structures", 2, "--shortest", 1.0, "--longest", 2.2, "--step", 0.2, "--quantile", 0.5, "--seed", 3)
    found = run_json(
        "corerep", folder / "p.yaml", "--data", folder / "data.xyz", "--output", folder / "o.yaml", *options, "--quiet"
    )
    assert found["file"] == str(folder / "o.yaml")
    distances = {entry["pair"]: entry["inner_cutoff"] for entry in found["inner_cutoffs"]}
    assert distances["Al-Al"] == read_potential(folder / "o.yaml").bonds["Al", "Al"].rcut_in
    # on the grid of steps, below the shortest distance of the data
    assert distances["Al-Al"] <= 3.8 / np.sqrt(2) + 0.01
    assert {wall["pair"] for wall in found["walls"]} == {"Al-Al", "Al-Cu", "Cu-Cu"}


def test_corerep__takes_an_active_set_and_its_limit(folder):
    frames = [bulk("Al", cubic=True, a=a) for a in (3.9, 4.0, 4.1)]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=seed)
    write(folder / "data.xyz", frames)
    potential = bare_potential(1, orders=([3, 1], [0, 1]))
    write_potential(potential, folder / "p.yaml")
    build_active_set(potential, StructureSet.from_ase(frames)).active_set.write(folder / "p.asi")
    base = ("corerep", folder / "p.yaml", "--data", folder / "data.xyz", "--step", 0.1, "--force")
    graded = run_json(*base)
    assert graded["active_set"] == str(folder / "p.asi")
    given = run_json(*base, "--active-set", folder / "p.asi", "--gamma", 1e12)
    distances = [found["inner_cutoffs"][0]["inner_cutoff"] for found in (graded, given)]
    assert distances[0] != distances[1]


def test_corerep__never_writes_over_a_file_unasked(folder):
    given = ("--inner-cutoff", "Al:1.9")
    result = run("corerep", folder / "p.yaml", *given, "--output", folder / "p.yaml")
    assert isinstance(result.exception, PotentialError)
    assert "is the potential itself; give another name (--output) or --force" in str(result.exception)
    assert run("corerep", folder / "p.yaml", *given).exit_code == 0
    assert "exists already" in str(run("corerep", folder / "p.yaml", *given).exception)
    assert run("corerep", folder / "p.yaml", *given, "--output", folder / "p.yaml", "--force").exit_code == 0
    assert read_potential(folder / "p.yaml").bonds["Al", "Al"].rcut_in == 1.9


@pytest.mark.parametrize(
    ("potential", "output", "message"),
    [
        (".", None, "is a folder; name a potential file"),
        ("p.yaml", ".", "is a folder; name a file"),
        ("p.yaml", "o.yace", "name it .yaml, and convert it with acefit convert"),
    ],
)
def test_corerep__says_what_is_wrong_with_names(folder, potential, output, message):
    options = () if output is None else ("--force", "--output", folder / output)
    result = run("corerep", folder / potential, "--inner-cutoff", "Al:1.9", *options)
    assert isinstance(result.exception, PotentialError)
    assert message in str(result.exception)


@pytest.mark.parametrize(
    "tool", [("corerep", "--inner-cutoff", "Al:1.9"), ("corerep", "-d", "x.xyz"), ("augment", "-d", "x.xyz")]
)
def test_corerep_and_augment__need_single_functions(folder, tool):
    (folder / "p.yace").touch()
    result = run(tool[0], folder / "p.yace", *tool[1:])
    assert isinstance(result.exception, AcefitError)
    assert ".yaml" in str(result.exception)
    assert "as YAML" not in str(result.exception)


@pytest.mark.parametrize("arguments", [(), ("--inner-cutoff", "Al:1.9", "--data", "data.xyz")])
def test_corerep__needs_either_data_or_cutoffs(folder, arguments):
    result = run("corerep", folder / "p.yaml", *arguments)
    assert isinstance(result.exception, DataError)
    assert "give either training data (--data)" in str(result.exception)
