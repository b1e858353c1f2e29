import gzip

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.readers import read_files
from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet
from acefit.data.writers import SUFFIXES, format_xyz, frame, is_folder_of_tables, open_writer
from acefit.errors import DataError
from datasets import rich_dataset, write
from models import random_structures

TARGETS = [*(suffix for suffix in SUFFIXES if suffix != ".parquet"), ""]


def file_of(path):
    return path / "structures.parquet" if path.is_dir() else path


@pytest.mark.parametrize("suffix", TARGETS)
def test_open_writer__readers_give_back_everything(tmp_path, suffix):
    dataset, path = rich_dataset(), tmp_path / f"data{suffix}"
    write(dataset, path)
    again = read_files([{"path": str(file_of(path))}]).dataset
    for name in ("raw_energies", "energy_weights", "weight_factors", "force_weights", "force_masks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(dataset, name), err_msg=name)
    for name in ("numbers", "positions", "offsets", "cells", "pbc", "energies", "forces", "names", "groups"):
        np.testing.assert_array_equal(getattr(again.structures, name), getattr(dataset.structures, name), err_msg=name)
    np.testing.assert_array_equal(again.structures.stresses, dataset.structures.stresses)


@pytest.mark.parametrize("suffix", [suffix for suffix in TARGETS if suffix.startswith((".xyz", ".extxyz")) or not suffix])
def test_open_writer__equal_data_give_equal_files(tmp_path, suffix):
    contents = []
    for folder, parts in (("a", 1), ("b", 3)):
        (tmp_path / folder).mkdir()
        write(rich_dataset(), tmp_path / folder / f"data{suffix}", parts)
        contents.append(file_of(tmp_path / folder / f"data{suffix}").read_bytes())
    assert contents[0] == contents[1]


def test_open_writer__nothing_remains_of_a_failure(tmp_path):
    def fail(path):
        with open_writer(path) as sink:
            sink(rich_dataset())
            raise RuntimeError("in between")

    for suffix in TARGETS:
        with pytest.raises(RuntimeError, match="in between"):
            fail(tmp_path / f"data{suffix}")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_open_writer__uses_the_name_of_the_group(tmp_path):
    with open_writer(tmp_path / "a.xyz", "kind") as sink:
        sink(rich_dataset())
    assert " kind=bulk" in (tmp_path / "a.xyz").read_text()


@pytest.mark.parametrize("key", ["name", "energy"])
def test_open_writer__no_group_replaces_something_else(tmp_path, key):
    atoms = Atoms("Cu", info={"name": "first", "config_type": "bulk"})
    atoms.calc = SinglePointCalculator(atoms, energy=-3.5, forces=np.zeros((1, 3)))
    with open_writer(tmp_path / "a.xyz", key) as write:
        write(Dataset.from_structures(StructureSet.from_ase([atoms])))
    again = ase.io.read(tmp_path / "a.xyz")
    assert (again.info["name"], again.get_potential_energy()) == ("first", -3.5)


def test_open_writer__one_parquet_file_cannot_hold_two_tables(tmp_path):
    with pytest.raises(DataError, match=r"a\.parquet: Parquet tables are two, .*; name a folder for them, such as .*a$"):
        open_writer(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.json", "a.cif"])
def test_open_writer__refuses_unknown_kinds(tmp_path, name):
    with pytest.raises(DataError, match="cannot write this kind of dataset"):
        open_writer(tmp_path / name)


def test_is_folder_of_tables__is_what_has_no_suffix(tmp_path):
    assert is_folder_of_tables(tmp_path / "data")
    assert not is_folder_of_tables(tmp_path / "data.xyz")
    (tmp_path / "v1.2").mkdir()
    assert is_folder_of_tables(tmp_path / "v1.2")


def test_format_xyz__is_what_ase_reads(tmp_path):
    dataset = rich_dataset()
    write(dataset, tmp_path / "a.xyz.gz")
    frames = ase.io.read(tmp_path / "a.xyz.gz", ":")
    structures = dataset.structures
    for s, atoms in enumerate(frames):
        np.testing.assert_array_equal(atoms.positions, structures.positions[structures.offsets[s] : structures.offsets[s + 1]])
        if np.isfinite(structures.stresses[s]).all():
            np.testing.assert_array_equal(atoms.get_stress(), structures.stresses[s])
    assert frames[2].get_potential_energy() == dataset.raw_energies[2]
    assert frames[2].info["energy_corrected"] == structures.energies[2]


@pytest.mark.parametrize(
    "text", ["a b", "007", "1.0", "T", "new\nline", "back\\slash", "\x00", "_JSON 3", "\u2028", "[1, 2]", "\r"]
)
def test_format_xyz__any_text_is_read_as_it_was(tmp_path, text):
    (atoms, *_) = random_structures(("Al",))
    (tmp_path / "a.xyz").write_text(format_xyz(atoms, {"name": text, "energy": 1.0}), newline="\n")
    assert read_files([{"path": str(tmp_path / "a.xyz")}]).dataset.structures.names == (text,)


def test_frame__has_columns_of_floats_and_objects_only(tmp_path):
    write(rich_dataset(), tmp_path / "a.pckl.gzip")
    table = pd.read_pickle(tmp_path / "a.pckl.gzip", compression="gzip")
    assert {str(kind) for kind in table.dtypes} == {"float64", "object"}
    assert str(table.columns.dtype) == "object"
    assert table["name"].iloc[0] == "plain"
    assert frame([], ["a"]).empty
    with gzip.open(tmp_path / "a.pckl.gzip") as content:
        assert content.read(2) == b"\x80\x04"
