import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from acefit.data.given_atoms import write_atoms
from acefit.data.readers import read_files
from acefit.errors import DataError
from pipeline_files import emt_frames


def test_write_atoms__every_digit_of_structures_and_labels_is_kept(tmp_path):
    frames = emt_frames(3)
    frames[1].info |= {"config_type": "surface", "number": np.int64(3)}
    frames[2].arrays["w_forces"] = np.array([1.0, 1 / 3])
    assert write_atoms(frames, tmp_path / "x.db") == 3
    found = read_files([{"path": str(tmp_path / "x.db")}]).dataset
    assert np.array_equal(found.structures.positions, np.concatenate([atoms.positions for atoms in frames]))
    assert np.array_equal(found.structures.cells, [atoms.cell.array for atoms in frames])
    assert np.array_equal(found.raw_energies, [atoms.get_potential_energy() for atoms in frames])
    assert np.array_equal(found.structures.forces, np.concatenate([atoms.get_forces() for atoms in frames]))
    assert np.array_equal(found.structures.stresses, [atoms.get_stress() for atoms in frames])
    assert found.structures.groups == ("", "surface", "")
    assert found.force_weights[-1] == 1 / 3


def test_write_atoms__info_counts_more_than_a_calculator(tmp_path):
    atoms = emt_frames(1)[0]
    atoms.info["energy"] = -1.25
    write_atoms([atoms], tmp_path / "x.db")
    assert read_files([{"path": str(tmp_path / "x.db")}]).dataset.raw_energies[0] == -1.25


def test_write_atoms__results_of_another_structure_are_no_labels(tmp_path):
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]], calculator=EMT())
    atoms.get_potential_energy()
    atoms.positions[1, 2] = 2.6
    write_atoms([atoms], tmp_path / "x.db")
    assert np.isnan(read_files([{"path": str(tmp_path / "x.db")}]).dataset.raw_energies[0])


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no structure"),
        (["Cu"], "is a str, not ASE atoms"),
        ([Atoms("Cu", info={"energy": object()})], "entry that is no number"),
    ],
)
def test_write_atoms__wrong_input_is_one_error(tmp_path, frames, message):
    with pytest.raises(DataError, match=message):
        write_atoms(frames, tmp_path / "x.db")


def test_write_atoms__never_replaces_a_file(tmp_path):
    (tmp_path / "x.db").touch()
    with pytest.raises(DataError, match="exists already"):
        write_atoms(emt_frames(1), tmp_path / "x.db")
