"""The step `potential`."""

import json
import logging

import numpy as np
import pytest
from ase import Atoms

from acefit import __version__
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError
from acefit.files import write_yaml
from acefit.potential.bbasis import read_potential, write_potential
from acefit.steps.potential import potential
from pipeline_files import SUBSETS, emt_frames, write_inputs, write_weights

REFERENCE = json.dumps({"Cu": -3.5, "shift": 0.25})


def prepared(folder, reference=REFERENCE):
    inputs = write_inputs(folder)
    write_yaml({"reference_energy": reference}, folder / "references.yaml")
    fitted = read_potential(inputs["path_to_step"]).with_metadata(_loss="0.5", _fit_cycles="2", origin="start")
    write_potential(fitted, folder / "selected.yaml")
    names = ("path_to_structures", "path_to_atoms", "path_to_weights", "paths_to_shards")
    return {name: inputs[name] for name in names} | {
        "path_to_selected": folder / "selected.yaml",
        "path_to_references": folder / "references.yaml",
        "path_to_potential": folder / "potential.yaml",
    }


def test_potential__stores_metadata_and_references(tmp_path):
    arguments = prepared(tmp_path)
    potential(**arguments, repulsion=None, metadata={"origin": "mine", "number": 3})
    assert read_potential(tmp_path / "potential.yaml").metadata == {
        "_loss": "0.5",
        "origin": "mine",
        "number": "3",
        "acefit_version": __version__,
        "reference_energy": REFERENCE,
    }
    first = (tmp_path / "potential.yaml").read_bytes()
    potential(**arguments, repulsion=None, metadata={"origin": "mine", "number": 3})
    assert (tmp_path / "potential.yaml").read_bytes() == first


def test_potential__goes_without_references_and_metadata(tmp_path):
    potential(**prepared(tmp_path, reference=None), repulsion=None, metadata=None)
    assert "reference_energy" not in read_potential(tmp_path / "potential.yaml").metadata


def test_potential__automatic_repulsion_starts_at_the_shortest_training_distance(tmp_path):
    potential(**prepared(tmp_path), repulsion="auto", metadata={})
    bond = read_potential(tmp_path / "potential.yaml").bonds["Cu", "Cu"]
    shortest = [shortest_distance(atoms) for atoms in emt_frames()]
    train = [distance for distance, subset in zip(shortest, SUBSETS, strict=True) if subset == "train"]
    assert bond.inner_cutoff_type == "zbl"
    assert bond.rcut_in == pytest.approx(min(train), rel=1e-12)


def test_potential__says_whether_each_pair_keeps_apart(tmp_path, caplog):
    arguments = prepared(tmp_path)
    with caplog.at_level(logging.INFO):
        potential(**arguments, repulsion=None, metadata=None)
        potential(**arguments, repulsion="auto", metadata=None)
    bare, mended = [record for record in caplog.records if "Cu-Cu: the energy" in record.message]
    assert (bare.levelno, mended.levelno) == (logging.WARNING, logging.INFO)
    assert "set a core repulsion" in bare.message
    assert "the energy rises from" in mended.message


def shortest_distance(atoms: Atoms) -> float:
    large = atoms * (3, 3, 3)
    middle = 13 * len(atoms)
    distances = [np.linalg.norm(large.positions - large.positions[middle + k], axis=1) for k in range(len(atoms))]
    return min(values[values > 0].min() for values in distances)


def test_potential__weights_must_belong_to_the_dataset(tmp_path):
    arguments = prepared(tmp_path)
    write_weights(tmp_path, StructureSet.from_ase(emt_frames()[:2]), ("train", "train"))
    with pytest.raises(ArtifactError, match=r"weights\.parquet does not belong to .*structures\.parquet"):
        potential(**arguments, repulsion="auto", metadata={})
