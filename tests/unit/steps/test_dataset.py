import json
import logging

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit import artifacts
from acefit.artifacts import read_provenance
from acefit.data import readers
from acefit.data.readers import ReadingOptions, read_files
from acefit.data.references import Composition, determine_references
from acefit.data.storage import read_dataset, with_energies, write_dataset
from acefit.errors import DataError
from acefit.files import file_digest, read_yaml
from acefit.steps.dataset import dataset


def write_xyz(path, energies, forces=True):
    frames = []
    for s, energy in enumerate(energies):
        atoms = bulk("Cu", a=3.5 + 0.1 * s, cubic=True)
        results = {"energy": energy} | ({"forces": np.zeros((4, 3))} if forces else {})
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    ase.io.write(path, frames, format="extxyz")
    return str(path)


def run(tmp_path, files, reference_energy, **reading):
    paths = {f"path_to_{name}": tmp_path / f"out-{name}" for name in ("structures", "atoms", "references")}
    dataset(files=files, reading=reading, reference_energy=reference_energy, **paths)
    return read_dataset(paths["path_to_structures"], paths["path_to_atoms"]), read_yaml(paths["path_to_references"])


def test_dataset__subtracts_references_and_says_where_all_comes_from(tmp_path):
    path = write_xyz(tmp_path / "a.xyz", [-12.0, -14.0])
    data, report = run(tmp_path, [{"path": path, "subset": "data"}], {"Cu": -3.0, "shift": 0.5})
    assert data.raw_energies.tolist() == [-12, -14]
    assert data.structures.energies.tolist() == [2, 0]
    assert report["mode"] == "map"
    assert json.loads(report["reference_energy"]) == {"Cu": -3.0, "shift": 0.5}
    assert report["energies"] == {"Cu": -3.0}
    assert (report["shift"], report["n_structures"], report["n_atoms"]) == (0.5, 2, 8)
    assert report["files"][0]["sha256"] == file_digest(path)
    assert report["left_out"] == []
    provenance = read_provenance(tmp_path / "out-structures")["provenance"]
    assert provenance == {"step": "dataset", "code": "", "inputs": {path: file_digest(path)}}


def test_dataset__references_come_from_training_data_only(tmp_path):
    files = [
        {"path": write_xyz(tmp_path / "a.xyz", [-12.0, -12.4]), "subset": "train"},
        {"path": write_xyz(tmp_path / "b.xyz", [50.0, 60.0, 90.0]), "subset": "test"},
    ]
    both, report = run(tmp_path, files, "auto")
    alone, report_alone = run(tmp_path, files[:1], "auto")
    assert report["reference_energy"] == report_alone["reference_energy"]
    assert np.array_equal(both.structures.energies[:2], alone.structures.energies)
    assert np.isfinite(both.structures.energies).all()


def test_dataset__total_energies_need_a_reference(tmp_path):
    path = write_xyz(tmp_path / "a.xyz", [-12.0])
    with pytest.raises(DataError, match=r"no corrected energies and data\.reference_energy is not given.*or 0"):
        run(tmp_path, [{"path": path}], None)
    assert run(tmp_path, [{"path": path}], 0)[0].structures.energies.tolist() == [-12.0]


def test_dataset__rows_with_only_a_corrected_energy_keep_it(tmp_path):
    frames = [bulk("Cu"), bulk("Cu")]
    frames[0].info |= {"energy_corrected": -0.5}
    frames[1].info |= {"dft": -3.5}
    ase.io.write(tmp_path / "a.xyz", frames, format="extxyz")
    files = [{"path": str(tmp_path / "a.xyz")}]
    data, _ = run(tmp_path, files, {"Cu": -3.0, "shift": 7.0}, energy_key="dft")
    assert data.structures.energies.tolist() == [-0.5, 6.5]


def test_dataset__warns_of_missing_labels_and_unusual_energies(tmp_path, caplog):
    path = write_xyz(tmp_path / "a.xyz", [-400.0, -12.0], forces=False)
    with caplog.at_level(logging.WARNING):
        _, report = run(tmp_path, [{"path": path}], 0)
    assert any("2 structures without forces" in text for text in report["warnings"])
    assert any("reach from -100.000 to -3.000 eV/atom; check data.reference_energy" in text for text in report["warnings"])
    assert all(text in caplog.text for text in report["warnings"])


def test_dataset__warns_of_rows_without_a_corrected_energy(tmp_path):
    frames = [bulk("Cu"), bulk("Cu")]
    frames[0].info |= {"energy_corrected": -0.5}
    frames[1].info |= {"dft": -3.5}
    ase.io.write(tmp_path / "a.xyz", frames, format="extxyz")
    _, report = run(tmp_path, [{"path": str(tmp_path / "a.xyz")}], None, energy_key="dft")
    assert report["mode"] == "corrected"
    assert any("1 structures have an energy but no corrected energy" in text for text in report["warnings"])


def test_dataset__lists_what_was_left_out(tmp_path):
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1]], info={"energy": -1.0})
    ase.io.write(tmp_path / "a.xyz", [bulk("Cu"), atoms], format="extxyz")
    data, report = run(tmp_path, [{"path": str(tmp_path / "a.xyz")}], 0, on_bad_structure="leave_out")
    assert data.structures.n_structures == 1
    assert report["left_out"][0]["source"] == "a.xyz"
    assert report["left_out"][0]["row"] == 1
    assert "closer than" in report["left_out"][0]["reason"]
    assert any(text.startswith("left out: a.xyz, structure 1") for text in report["warnings"])


def test_dataset__in_small_pieces_has_the_bytes_of_the_dataset_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "ATOMS_AT_ONCE", 5)
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 7)
    bad = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1]], info={"energy": -1.0})
    write_xyz(tmp_path / "a.xyz", [-12.0, -12.4, -12.3, -12.6])
    ase.io.write(tmp_path / "b.xyz", [bulk("Cu"), Atoms("Cu", info={"energy": -2.0}), bad, bulk("Al")], format="extxyz")
    ase.io.write(tmp_path / "c.xyz", [], format="extxyz")
    subsets = {"a": "train", "b": "test", "c": "train"}
    files = [{"path": str(tmp_path / f"{name}.xyz"), "subset": subset} for name, subset in subsets.items()]
    reading = {"on_bad_structure": "leave_out"}
    _, report = run(tmp_path, files, "auto", **reading)
    monkeypatch.undo()
    result = read_files(files, ReadingOptions(**reading))
    data, composition = result.dataset, Composition.of(result.dataset.structures)
    rows = np.flatnonzero(np.array(data.roles) == "train")
    references = determine_references("auto", composition.select(rows), data.raw_energies[rows])
    whole = with_energies(data, references.correct(composition, data.raw_energies))
    provenance = read_provenance(tmp_path / "out-atoms")["provenance"]
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 7)
    write_dataset(whole, tmp_path / "structures", tmp_path / "atoms", provenance)
    for name in ("structures", "atoms"):
        assert (tmp_path / f"out-{name}").read_bytes() == (tmp_path / name).read_bytes()
    assert [(file["n_structures"], file["n_atoms"]) for file in report["files"]] == [(4, 16), (3, 3), (0, 0)]
    assert [item["row"] for item in report["left_out"]] == [2]
    assert report["reference_energy"] == references.to_json()


def test_dataset__leaves_no_table_after_an_error(tmp_path):
    path = write_xyz(tmp_path / "a.xyz", [-12.0])
    with pytest.raises(DataError, match="no corrected energies"):
        run(tmp_path, [{"path": path}], None)
    assert [file.name for file in tmp_path.iterdir()] == ["a.xyz"]
