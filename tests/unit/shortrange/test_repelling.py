from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import predict
from acefit.potential.bbasis import write_potential
from acefit.shortrange.corerep import CorerepSettings
from acefit.shortrange.repelling import add_repulsion
from compressed import bare_potential
from models import random_potential

FRAMES = [bulk("Al", a=a) for a in np.linspace(3.8, 4.3, 6)]


@pytest.fixture
def folder(tmp_path):
    write_potential(bare_potential(1), tmp_path / "p.yaml")
    write(tmp_path / "data.xyz", FRAMES)
    return tmp_path


def test_add_repulsion__leaves_the_data_as_they_were(folder):
    found = add_repulsion(folder / "p.yaml", [folder / "data.xyz"], settings=CorerepSettings(step=0.2))
    structures = StructureSet.from_ase(FRAMES)
    neighbors = build(structures, found.potential.cutoff)
    before, after = (predict(potential, structures, neighbors) for potential in (bare_potential(1), found.potential))
    np.testing.assert_allclose(after.energies, before.energies, rtol=1e-9)
    assert found.path_to_active_set is None
    assert [wall.pair for wall in found.walls] == [("Al", "Al")]


def test_add_repulsion__takes_given_cutoffs(folder):
    found = add_repulsion(folder / "p.yaml", inner_cutoffs=["Al:1.9"])
    assert found.potential.bonds["Al", "Al"].rcut_in == 1.9
    facts = found.facts()
    assert facts["inner_cutoffs"] == [{"pair": "Al-Al", "inner_cutoff": 1.9, "source": "given"}]
    assert facts["active_set"] == "none"
    assert facts["walls"][0]["is_sound"] is True


def test_add_repulsion__warns_where_the_potential_was_fitted_with_another_core(folder, caplog):
    own = random_potential(2, mode="distance")
    bond = own.bonds["Al", "Al"]
    bare = replace(bond, rcut_in=0.0, dcut_in=0.0, core_repulsion=(0.0, 0.0))
    zbl = replace(bond, inner_cutoff_type="zbl", core_repulsion=(1.0, 1.0))
    for bonds, n_warnings in (({}, 3), ({("Al", "Al"): bare}, 2), (dict.fromkeys(own.bonds, zbl), 0)):
        write_potential(replace(own, bonds={**own.bonds, **bonds}), folder / "own.yaml")
        caplog.clear()
        add_repulsion(folder / "own.yaml", inner_cutoffs=["Al:1.9"])
        texts = [record.getMessage() for record in caplog.records if "shortrange" in record.name]
        assert len(texts) == n_warnings
        assert all("was fitted with its core repulsion or inner cutoff" in text for text in texts)
        assert [text[:5] for text in texts] == ["Al-Al", "Al-Cu", "Cu-Cu"][3 - n_warnings :]


def test_add_repulsion__takes_an_active_set_with_data_only(folder):
    with pytest.raises(DataError, match=r"an active set .* only with --data"):
        add_repulsion(folder / "p.yaml", inner_cutoffs=["Al:1.9"], path_to_active_set=folder / "p.asi")


def test_add_repulsion__needs_either_of_them(folder):
    with pytest.raises(DataError, match="give either training data"):
        add_repulsion(folder / "p.yaml")
