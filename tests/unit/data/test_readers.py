import gzip
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data import readers
from acefit.data.readers import LeftOut, ReadingOptions, iterate_files, join_reports, read_files
from acefit.data.storage import write_dataset
from acefit.errors import DamagedArtifactError, DataError
from conftest import shared_path


def make_frames():
    frames = []
    for k, symbol in enumerate(("Cu", "Al")):
        atoms = bulk(symbol, cubic=True)
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0 * k, forces=np.full((4, 3), 0.1 * k), stress=np.arange(6.0) * k)
        atoms.info |= {"config_type": f"type-{k}"}
        frames.append(atoms)
    return frames


def write(tmp_path, name, frames=None):
    frames = make_frames() if frames is None else frames
    path = tmp_path / name
    if name.endswith(".db"):
        with ase.db.connect(path) as database:
            for atoms in frames:
                database.write(atoms, config_type=atoms.info["config_type"])
    elif "xyz" in name:
        ase.io.write(path, frames, format="extxyz")
    elif name.endswith(".traj"):
        ase.io.write(path, frames)
    else:
        rows = [
            {
                "ase_atoms": Atoms(a.numbers, a.positions, cell=a.cell, pbc=a.pbc),
                "energy": a.calc.results["energy"],
                "forces": a.calc.results["forces"].tolist(),
                "stress": a.calc.results["stress"],
                "config_type": a.info["config_type"],
            }
            for a in frames
        ]
        path.write_bytes(gzip.compress(pickle.dumps(pd.DataFrame(rows), 4)))
    return str(path)


def read(*paths, **options):
    return read_files([{"path": p} if isinstance(p, str) else p for p in paths], ReadingOptions(**options))


@pytest.mark.parametrize("name", ["f.xyz", "f.extxyz", "f.xyz.gz", "f.db", "f.traj", "f.pckl.gzip", "f.pkl.gz"])
def test_read_files__reads_the_same_from_each_kind(tmp_path, name):
    result = read(write(tmp_path, name))
    structures = result.dataset.structures
    assert structures.numbers.tolist() == [29] * 4 + [13] * 4
    assert result.dataset.raw_energies.tolist() == [0.0, -3.0]
    assert np.isnan(structures.energies).all()
    assert structures.forces[:, 0] == pytest.approx([0.0] * 4 + [0.1] * 4, abs=1e-8)
    assert structures.stresses[1] == pytest.approx(np.arange(6.0), abs=1e-8)
    assert structures.cells[0] == pytest.approx(np.eye(3) * 3.61, abs=1e-8)
    assert structures.pbc.all()
    assert structures.groups == ("type-0", "type-1")
    assert structures.names == (f"{name}:0", f"{name}:1")
    assert result.dataset.sources == (name, name)
    assert result.dataset.rows.tolist() == [0, 1]
    (report,) = result.files
    assert (report.n_structures, report.n_atoms) == (2, 8)
    assert (report.n_without_energy, report.n_without_forces, report.n_with_stress) == (0, 0, 2)
    assert report.keys == {"energy": "energy", "forces": "forces", "stress": "stress", "virial": None}


def test_read_files__several_files_keep_order_and_roles(tmp_path):
    first, second = write(tmp_path, "a.xyz"), write(tmp_path, "b.pckl.gzip")
    result = read({"path": first, "subset": "train"}, {"path": second, "subset": "test"})
    assert result.dataset.roles == ("train", "train", "test", "test")
    assert result.dataset.structures.ids.tolist() == [0, 1, 2, 3]
    assert [report.role for report in result.files] == ["train", "test"]


def test_read_files__reads_its_own_parquet(tmp_path):
    original = read(write(tmp_path, "a.xyz")).dataset
    write_dataset(original, tmp_path / "structures.parquet", tmp_path / "atoms.parquet")
    copy = read(str(tmp_path / "structures.parquet")).dataset
    for name in ("numbers", "positions", "cells", "forces", "stresses", "energies"):
        assert np.array_equal(getattr(copy.structures, name), getattr(original.structures, name), equal_nan=True)
    assert np.array_equal(copy.raw_energies, original.raw_energies)
    assert (copy.structures.names, copy.structures.groups) == (original.structures.names, original.structures.groups)


def frame_file(tmp_path, **columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"ase_atoms": [bulk("Cu")] * n, **columns})
    path = tmp_path / "f.pckl.gzip"
    path.write_bytes(gzip.compress(pickle.dumps(frame, 4)))
    return str(path)


def test_read_files__takes_weights_names_and_corrected_energies_from_frames(tmp_path):
    path = frame_file(
        tmp_path,
        energy_corrected=[1.0, 2.0],
        forces=[[[0, 0, 0]], np.zeros((1, 3))],
        name=["augmented-1", None],
        w_energy=[0.5, np.nan],
        w_forces=[[2.0], None],
        w_factor=[np.nan, 3.0],
        w_forces_mask=[[0.0], np.nan],
    )
    data = read(path).dataset
    assert data.structures.energies.tolist() == [1.0, 2.0]
    assert data.structures.names == ("augmented-1", "f.pckl.gzip:1")
    assert np.array_equal(data.energy_weights, [0.5, np.nan], equal_nan=True)
    assert np.array_equal(data.force_weights, [2.0, np.nan], equal_nan=True)
    assert np.array_equal(data.weight_factors, [np.nan, 3.0], equal_nan=True)
    assert np.array_equal(data.force_masks, [0.0, np.nan], equal_nan=True)


def test_read_files__missing_labels_are_counted(tmp_path):
    frames = [*make_frames(), bulk("Cu", cubic=True)]
    (report,) = read(write(tmp_path, "f.xyz", frames)).files
    assert (report.n_structures, report.n_without_energy, report.n_without_forces, report.n_with_stress) == (3, 1, 1, 2)


def test_read_files__other_keys_and_groups(tmp_path):
    atoms = bulk("Cu", cubic=True)
    atoms.info |= {"dft": -1.0, "family": "fcc"}
    atoms.arrays["f"] = np.ones((4, 3))
    result = read(write(tmp_path, "f.xyz", [atoms]), energy_key="dft", forces_key="f", group_key="family")
    assert result.dataset.raw_energies.tolist() == [-1.0]
    assert result.dataset.structures.forces.tolist() == [[1.0] * 3] * 4
    assert result.dataset.structures.groups == ("fcc",)


def broken_frames():
    frames = make_frames()
    frames.insert(1, Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1]], cell=[5, 5, 5], pbc=True))
    frames.append(Atoms("Cu", [[np.nan, 0, 0]]))
    return frames


def test_read_files__stops_at_bad_structures_naming_file_and_index(tmp_path):
    path = write(tmp_path, "f.xyz", broken_frames())
    message = r"f\.xyz, structure 1 \(f\.xyz:1\): two atoms are 0\.1 Å apart.* \(and 1 more\); mend .*leave_out"
    with pytest.raises(DataError, match=message):
        read(path)


def test_read_files__leaves_bad_structures_out_and_lists_them(tmp_path):
    result = read(write(tmp_path, "f.xyz", broken_frames()), on_bad_structure="leave_out")
    assert result.dataset.structures.names == ("f.xyz:0", "f.xyz:2")
    assert result.dataset.rows.tolist() == [0, 2]
    assert result.left_out == [
        LeftOut("f.xyz", 1, "f.xyz:1", "two atoms are 0.1 Å apart, closer than 0.3 Å"),
        LeftOut("f.xyz", 3, "f.xyz:3", "positions are not finite numbers"),
    ]


def test_read_files__wrong_shapes_and_foreign_elements_are_bad_structures(tmp_path):
    path = frame_file(tmp_path, energy=[1.0, 2.0], forces=[np.zeros((2, 3)), np.zeros((1, 3))])
    with pytest.raises(DataError, match=r"structure 0 .*forces \(forces\) has shape \(2, 3\) where \(1, 3\)"):
        read(path)
    left_out = read(write(tmp_path, "g.xyz"), on_bad_structure="leave_out", elements=["Cu"]).left_out
    assert [item.reason for item in left_out] == ["Al: not among the elements of the potential"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.h5", b"", r"unknown kind of dataset; its name must end in one of \.xyz"),
        ("f.xyz", b"1\n\nCu 0 0\n", r"f\.xyz cannot be read"),
        ("f.pckl.gzip", gzip.compress(pickle.dumps(pd.DataFrame({"a": [1]}))), "has no column ase_atoms; it has a"),
        ("f.pckl.gzip", gzip.compress(pickle.dumps(pd.DataFrame({"ase_atoms": [1]}))), "neither a column energy nor"),
        ("f.pckl.gzip", gzip.compress(pickle.dumps(pd.DataFrame({"ase_atoms": [1], "energy": [1]}))), "ase_atoms is a int"),
        ("f.parquet", b"PAR1", "is not a complete Parquet file"),
    ],
)
def test_read_files__names_files_it_cannot_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(str(tmp_path / name))


def test_read_files__tables_of_the_user_are_not_taken_for_files_of_the_pipeline(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "f.parquet")
    (tmp_path / "atoms.parquet").touch()
    given = {"path": str(tmp_path / "f.parquet")}
    # whoever gets a DamagedArtifactError renames the file, so that it is made again, or advises to delete it
    with pytest.raises(DataError, match=r"f\.parquet was not written by acefit \(no acefit metadata\); name another file"):
        read(given)
    with pytest.raises(DamagedArtifactError, match="run the pipeline again"):
        read({**given, "made_by": "label"})
    write_dataset(read(write(tmp_path, "a.xyz")).dataset, tmp_path / "f.parquet", tmp_path / "atoms.parquet")
    (tmp_path / "atoms.parquet").unlink()
    with pytest.raises(DataError, match=r"atoms\.parquet does not exist; name another file, or mend this one$"):
        read(given)


def test_read_files__refuses_missing_files_wrong_roles_and_nothing(tmp_path):
    with pytest.raises(DataError, match=r"none\.xyz does not exist"):
        read(str(tmp_path / "none.xyz"))
    with pytest.raises(DataError, match=r"subset 'all' of f\.xyz is not one of"):
        read({"path": "f.xyz", "subset": "all"})
    with pytest.raises(DataError, match="no structure that can be used remains"):
        read()


def test_reading_options__refuses_unknown_values():
    with pytest.raises(DataError, match="on_bad_structure is 'ignore'"):
        ReadingOptions(on_bad_structure="ignore")
    with pytest.raises(DataError, match="unknown elements Xy"):
        ReadingOptions(elements=["Cu", "Xy"])


def test_read_files__public_sets():
    result = read(str(shared_path("data", "zuo2020_Si", "test.xyz.gz")))
    assert (result.dataset.structures.n_structures, result.dataset.structures.n_atoms) == (25, 1525)
    assert result.dataset.structures.has_stress.all()


def test_iterate_files__pieces_are_those_of_the_whole(tmp_path, monkeypatch):
    names = ["f.xyz", "f.xyz.gz", "f.db", "f.traj", "f.pckl.gzip"]
    files = [{"path": write(tmp_path, name)} for name in names]
    whole = read_files(files)
    write_dataset(whole.dataset, tmp_path / "own.parquet", tmp_path / "atoms.parquet")
    monkeypatch.setattr(readers, "ATOMS_AT_ONCE", 1)
    pieces = list(iterate_files([*files, {"path": str(tmp_path / "own.parquet")}]))
    assert [len(piece.dataset.rows) for piece in pieces].count(1) == 4 * len(names)
    positions = np.concatenate([piece.dataset.structures.positions for piece in pieces if piece.file < len(names)])
    assert np.array_equal(positions, whole.dataset.structures.positions)
    reports = join_reports((piece.file, piece.report) for piece in pieces)
    assert reports[:-1] == whole.files
    assert reports[-1].n_structures == whole.dataset.structures.n_structures


def test_read_files__takes_text_with_other_line_ends_and_without_one(tmp_path):
    usual = tmp_path / "f.xyz"
    write(tmp_path, usual.name)
    for content in (usual.read_bytes().replace(b"\n", b"\r\n"), usual.read_bytes().rstrip()):
        other = tmp_path / "g.xyz"
        other.write_bytes(content)
        forces = [read(str(path)).dataset.structures.forces for path in (usual, other)]
        assert np.array_equal(*forces)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n\nCu 0 0 0\n-2\n\n", r"f\.xyz, line 4: -2 atoms are announced"),
        ("", "no structure that can be used remains of .*f.xyz"),
    ],
)
def test_read_files__counts_what_xyz_files_announce(tmp_path, text, message):
    (tmp_path / "f.xyz").write_text(text)
    with pytest.raises(DataError, match=message):
        read(str(tmp_path / "f.xyz"))


def test_read_files__reads_old_cell_vectors(tmp_path):
    (tmp_path / "f.xyz").write_text("1\nx\nCu 0 0 0\nVEC1 3 0 0\nVEC2 0 3 0\nVEC3 0 0 3\n" * 2)
    assert read(str(tmp_path / "f.xyz")).dataset.structures.volumes == pytest.approx([27, 27])


def test_read_files__names_of_other_kinds_are_replaced(tmp_path):
    path = frame_file(tmp_path, energy=[1.0, 2.0], name=[np.ones(3), "b"], config_type=[[1, 2], 5])
    structures = read(path).dataset.structures
    assert structures.names == ("f.pckl.gzip:0", "b")
    assert structures.groups == ("", "5")


@pytest.mark.parametrize(
    "statements",
    [
        ["ALTER TABLE systems RENAME TO t", "CREATE VIEW systems AS SELECT * FROM t"],
        ["ALTER TABLE systems DROP COLUMN positions", "ALTER TABLE systems ADD COLUMN positions AS (zeroblob(900000000))"],
        ["DROP TABLE systems"],
    ],
)
def test_read_files__runs_nothing_of_a_database(tmp_path, statements):
    path = write(tmp_path, "f.db")
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    before = Path(path).read_bytes()
    with pytest.raises(DataError, match=r"f\.db cannot be read"):
        read(path)
    assert Path(path).read_bytes() == before


def test_read_files__reads_dumps_of_lammps_without_their_forces(tmp_path):
    path = tmp_path / "md.dump"
    path.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp ff\n0 4\n0 5\n0 6\n"
        "ITEM: ATOMS id type x y z fx fy fz\n2 1 0 0 2.5 1 1 1\n1 2 0 0 0 1 1 1\n" * 2
    )
    result = read(str(path), lammps_elements=("Al", "Ni"))
    structures = result.dataset.structures
    assert structures.numbers.tolist() == [28, 13, 28, 13]
    assert structures.pbc.tolist() == [[True, True, False]] * 2
    assert structures.cells[0].tolist() == [[4, 0, 0], [0, 5, 0], [0, 0, 6]]
    assert np.isnan(structures.forces).all()
    assert (result.files[0].n_without_energy, result.files[0].n_without_forces) == (2, 2)


def test_read_files__frames_without_energies_only_where_none_is_needed(tmp_path):
    path = frame_file(tmp_path, name=["a", "b"])
    with pytest.raises(DataError, match="neither a column energy nor energy_corrected"):
        read(path)
    assert np.isnan(read(path, energy_needed=False).dataset.raw_energies).all()
