import logging

import pytest
from ase import Atoms
from ase.build import bulk

from acefit.artifacts import content_digest, read_arrays, read_provenance
from acefit.data.split import split_structures
from acefit.data.storage import Dataset, write_dataset
from acefit.data.structures import StructureSet
from acefit.steps.split import split


def run(tmp_path, test_size, stratify=False, n=10):
    frames = [bulk("Cu") for _ in range(n)]
    for s, atoms in enumerate(frames):
        atoms.info["config_type"] = "ab"[s % 2]
    write_dataset(Dataset.from_structures(StructureSet.from_ase(frames)), tmp_path / "s", tmp_path / "a")
    split(path_to_structures=tmp_path / "s", test_size=test_size, stratify=stratify, seed=1, path_to_split=tmp_path / "split")
    return read_arrays(tmp_path / "split", "split")


@pytest.mark.parametrize("stratify", [False, True])
def test_split__writes_subsets_and_reasons(tmp_path, stratify):
    table = run(tmp_path, 0.4, stratify)
    expected = split_structures(["data"] * 10, list("ab" * 5), 0.4, 1, stratify)
    assert tuple(table["subset"]) == expected.subsets
    assert tuple(table["reason"]) == expected.reasons
    assert table["structure"].tolist() == list(range(10))
    inputs = {f"{tmp_path.name}/s": content_digest(tmp_path / "s")}
    assert read_provenance(tmp_path / "split")["provenance"] == {"step": "split", "code": "", "inputs": inputs}


def test_split__keeps_augmented_structures_for_training(tmp_path):
    frames = [Atoms("Cu2", [[0, 0, 0], [0, 0, 1.0]], info={"name": f"augmented/zbl/{s}" if s < 6 else str(s)}) for s in range(10)]
    write_dataset(Dataset.from_structures(StructureSet.from_ase(frames)), tmp_path / "s", tmp_path / "a")
    split(path_to_structures=tmp_path / "s", test_size=3, stratify=False, seed=1, path_to_split=tmp_path / "split")
    table = read_arrays(tmp_path / "split", "split")
    assert table["subset"][:6].tolist() == ["train"] * 6
    assert table["reason"][:6].tolist() == ["augmented, for training only"] * 6
    assert sorted(table["subset"][6:]) == ["test"] * 3 + ["train"]


def test_split__warns_when_the_test_set_is_empty(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        table = run(tmp_path, 0.05)
    assert set(table["subset"]) == {"train"}
    assert "less than one: no test set" in caplog.text


@pytest.mark.parametrize(
    ("has_isolated_references", "n_copper", "warned"), [(True, 1, True), (True, 9, False), (False, 1, False)]
)
def test_split__warns_when_the_only_single_atom_is_for_testing(tmp_path, caplog, has_isolated_references, n_copper, warned):
    # of 10 structures the legacy generator takes the last in the order that seed 1 shuffles for testing
    tested = split_structures(["data"] * 10, [""] * 10, 1, 1, False).test[0]
    frames = [bulk("Al", cubic=True) for _ in range(10)]
    for s in [tested, *(k for k in range(10) if k != tested)][:n_copper]:
        frames[s] = Atoms("Cu")
    write_dataset(Dataset.from_structures(StructureSet.from_ase(frames)), tmp_path / "s", tmp_path / "a")
    split(
        path_to_structures=tmp_path / "s",
        test_size=1,
        stratify=False,
        seed=1,
        has_isolated_references=has_isolated_references,
        path_to_split=tmp_path / "split",
    )
    assert ("the only single atom of Cu is in the test set" in caplog.text) == warned
