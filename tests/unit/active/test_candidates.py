import gzip
import pickle

import ase.io
import numpy as np
import pandas as pd
import pytest

from acefit.active.candidates import EVERYTHING, check_output, read_candidates, select_by_query, write_candidates
from acefit.errors import ActiveSetError, DataError
from active_sets import alloys


@pytest.fixture
def dataset(tmp_path):
    frames = alloys(4)
    frames[1].info["name"] = "augmented/zbl/Al"
    ase.io.write(tmp_path / "a.xyz", frames)
    return read_candidates([tmp_path / "a.xyz"], ("Al", "Cu"))


def test_read_candidates__reads_frames_without_energies_and_dumps(tmp_path):
    frame = pd.DataFrame({"ase_atoms": alloys(2, labels=False)})
    (tmp_path / "a.pckl.gzip").write_bytes(gzip.compress(pickle.dumps(frame, 4)))
    (tmp_path / "b.dump").write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z\n1 2 0 0 0\n"
    )
    dataset = read_candidates([tmp_path / "a.pckl.gzip", tmp_path / "b.dump"], ("Al", "Cu"), ("Al", "Cu"))
    assert dataset.structures.n_structures == 3
    assert dataset.structures.numbers[-1] == 29


def test_read_candidates__refuses_other_elements(tmp_path):
    ase.io.write(tmp_path / "a.xyz", alloys(1))
    with pytest.raises(DataError, match="Cu: not among the elements"):
        read_candidates([tmp_path / "a.xyz"], ("Al",))


def test_select_by_query__leaves_out_augmented_structures_unless_asked(dataset):
    assert select_by_query(dataset).rows.tolist() == [0, 2, 3]
    assert select_by_query(dataset, EVERYTHING).rows.tolist() == [0, 1, 2, 3]
    assert select_by_query(dataset, "energy_per_atom < -0.2 and group == 'alloy'").rows.tolist() == [2, 3]


@pytest.mark.parametrize("query", ["colour == 1", "n_atoms ==", "name"])
def test_select_by_query__names_the_columns_it_knows(dataset, query):
    with pytest.raises(ActiveSetError, match="its columns are name, group, source, n_atoms, energy_per_atom"):
        select_by_query(dataset, query)


def test_select_by_query__must_leave_something(dataset):
    with pytest.raises(ActiveSetError, match="none of 4 structures remains"):
        select_by_query(dataset, "n_atoms > 100")


@pytest.mark.parametrize("name", ["o.xyz", "o.extxyz", "o.xyz.gz", "o.db", "o.pckl.gzip", "tables"])
def test_write_candidates__is_read_again(dataset, tmp_path, name):
    files = write_candidates(dataset, tmp_path / name)
    (path,) = files
    again = read_candidates([path / "structures.parquet" if path.is_dir() else path], ("Al", "Cu"))
    np.testing.assert_allclose(again.structures.positions, dataset.structures.positions, rtol=0)
    np.testing.assert_allclose(again.raw_energies, dataset.raw_energies)
    np.testing.assert_allclose(again.structures.forces, dataset.structures.forces, rtol=0)
    assert again.structures.names == dataset.structures.names


def test_write_candidates__numbers_files_of_vasp(dataset, tmp_path):
    files = write_candidates(dataset, tmp_path / "new" / "POSCAR")
    assert [path.name for path in files] == ["POSCAR-0001", "POSCAR-0002", "POSCAR-0003", "POSCAR-0004"]
    atoms = ase.io.read(files[2], format="vasp")
    assert sorted(atoms.numbers) == sorted(dataset.structures.to_ase(2).numbers)


def test_check_output__knows_its_kinds():
    check_output("POSCAR")
    with pytest.raises(DataError, match=r"cannot write this kind of dataset"):
        check_output("selected.csv")
