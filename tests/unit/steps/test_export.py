"""The step `export`."""

import pytest

from acefit.errors import ArtifactError, PotentialError
from acefit.files import read_sealed
from acefit.potential.bbasis import write_potential
from acefit.potential.yace_read import read_yace
from acefit.steps.export import export
from models import random_potential


@pytest.fixture
def paths(tmp_path):
    potential = random_potential(2).with_metadata(reference_energy='{"Al": -1.0, "Cu": -2.0, "shift": 0.5}')
    write_potential(potential, tmp_path / "potential.yaml")
    return {
        "path_to_potential": tmp_path / "potential.yaml",
        "path_to_yace": tmp_path / "export" / "potential.yace",
        "path_to_lammps": tmp_path / "export" / "lammps.in",
    }


@pytest.mark.parametrize(("e0", "expected"), [("zero", {}), ("references", {"Al": -1.5, "Cu": -2.5})])
def test_export__writes_potential_and_input(paths, e0, expected):
    export(e0=e0, code="abc", **paths)
    assert read_yace(paths["path_to_yace"]).e0 == expected
    text = paths["path_to_lammps"].read_text()
    assert "pair_coeff      * * potential.yace Al Cu" in text
    assert ("E0 per atom: Al -1.5 eV" in text) == bool(expected)
    for name in ("path_to_yace", "path_to_lammps"):
        provenance = read_sealed(paths[name])[1]["provenance"]
        assert (provenance["step"], provenance["code"]) == ("export", "abc")


def test_export__equal_inputs_give_equal_files(paths):
    export(e0="zero", **paths)
    first = paths["path_to_yace"].read_bytes(), paths["path_to_lammps"].read_bytes()
    export(e0="zero", **paths)
    assert (paths["path_to_yace"].read_bytes(), paths["path_to_lammps"].read_bytes()) == first


def test_export__needs_references_where_it_is_to_fill_them_in(paths):
    write_potential(random_potential(2), paths["path_to_potential"])
    with pytest.raises(PotentialError, match=r"export\.e0: references: there is no reference_energy"):
        export(e0="references", **paths)
    assert not paths["path_to_yace"].exists()


def test_export__takes_only_a_potential_of_the_pipeline(paths):
    paths["path_to_potential"].write_text("altered")
    with pytest.raises(ArtifactError, match="is cut off or was not written by acefit"):
        export(e0="zero", **paths)
