import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from acefit.active.active_set import build_active_set
from acefit.data.readers import read_files
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.potential.bbasis import write_potential
from commands import run, run_json
from compressed import bare_potential


@pytest.fixture
def folder(tmp_path):
    write_potential(bare_potential(), tmp_path / "p.yaml")
    write(
        tmp_path / "data.xyz", [bulk("Al", a=a) for a in np.linspace(3.8, 4.3, 6)] + [bulk("Cu", a=3.6), bulk("Cu", cubic=True)]
    )
    return tmp_path


def test_augment__writes_what_the_dataset_stage_reads(folder):
    result = run("augment", folder / "p.yaml", "-d", folder / "data.xyz", "-o", folder / "a.xyz", "--highest", 1e4, "--step", 0.2)
    assert result.exit_code == 0, result.exception
    data = read_files([{"path": str(folder / "a.xyz")}]).dataset
    assert f"structures                       {data.structures.n_structures}\n" in result.stdout
    assert set(data.force_masks) <= {0.0, 1.0}
    assert all(name.startswith("augmented/zbl/") for name in data.structures.names)
    assert "Al-Al" in result.stdout


def test_augment__options(folder):
    base = ("augment", folder / "p.yaml", "-d", folder / "data.xyz", "-o", folder / "a.pkl.gz", "-f", "-q", "--highest", 1e4)
    everything = run_json(*base, "--no-select", "--step", 0.2)
    assert everything["n_structures"] == everything["n_candidates"]
    chosen = run_json(*base, "--force", "--most", 2, "--step", 0.2)
    assert (chosen["n_structures"], chosen["n_candidates"]) == (2, everything["n_candidates"])
    assert read_files([{"path": str(folder / "a.pkl.gz")}]).dataset.structures.n_structures == 2
    one = run_json(*base, "--force", "--seeds", 1, "--largest", 1, "--shortest", 1.5, "--no-select", "--seed", 5, "--lowest", 1.0)
    assert one["n_seeds"] == 1
    assert one["distances"][0] >= 1.5
    assert one["energies_per_atom"][0] >= 1.0
    assert set(one["thresholds"]) == {"Al-Al", "Al-Cu", "Cu-Cu"}
    result = run(*base, "--force", "--highest-reliable", -1e6)
    assert isinstance(result.exception, DataError)


def test_augment__takes_an_active_set_and_its_limit(folder):
    frames = [bulk("Al", cubic=True, a=a) for a in (3.9, 4.0, 4.1)]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=seed)
    write(folder / "data.xyz", frames)
    potential = bare_potential(1, orders=([3, 1], [0, 1]))
    write_potential(potential, folder / "p.yaml")
    build_active_set(potential, StructureSet.from_ase(frames)).active_set.write(folder / "p.asi")
    base = (
        "augment",
        folder / "p.yaml",
        "-d",
        folder / "data.xyz",
        "-o",
        folder / "a.xyz",
        "--highest",
        1e4,
        "--no-select",
        "-f",
    )
    graded = run_json(*base)
    assert graded["active_set"] == str(folder / "p.asi")
    # whatever the grade, all sizes are reliable: nothing is left to augment
    result = run(*base, "--force", "--active-set", folder / "p.asi", "--gamma", 1e300)
    assert "none of" in str(result.exception)


def test_augment__refuses_an_output_before_it_computes(folder):
    result = run("augment", folder / "p.yaml", "-d", folder / "absent.xyz", "-o", folder / "a.csv")
    assert "cannot write this kind of dataset" in str(result.exception)


def test_augment__never_writes_over_a_file_unasked_nor_over_the_data(folder):
    base = ("augment", folder / "p.yaml", "-d", folder / "data.xyz", "--highest", 1e4, "--step", 0.4, "-o")
    before = (folder / "data.xyz").read_bytes()
    assert "exists already" in str(run(*base, folder / "data.xyz").exception)
    assert "is read and written" in str(run(*base, folder / "data.xyz", "--force").exception)
    assert (folder / "data.xyz").read_bytes() == before
    assert run(*base, folder / "tables").exit_code == 0
    assert "exists already" in str(run(*base, folder / "tables").exception)
    assert run(*base, folder / "tables", "--force").exit_code == 0
