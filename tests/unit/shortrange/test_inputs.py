import logging

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from acefit.errors import DataError
from acefit.shortrange.inputs import read_geometries
from compressed import bare_potential


def test_read_geometries__leaves_augmented_structures_out(tmp_path, caplog):
    frames = [bulk("Al"), bulk("Al", a=2.0), bulk("Cu")]
    frames[1].info["name"] = "augmented/zbl/Al"
    write(tmp_path / "a.xyz", frames)
    with caplog.at_level(logging.WARNING):
        found = read_geometries([tmp_path / "a.xyz"], bare_potential())
    assert found.numbers.tolist() == [13, 29]
    assert "augmented structures are left out: 1" in caplog.text
    write(tmp_path / "b.xyz", frames[1])
    with pytest.raises(DataError, match="only augmented structures in"):
        read_geometries([tmp_path / "b.xyz"], bare_potential())


def test_read_geometries__refuses_other_elements(tmp_path):
    write(tmp_path / "a.xyz", Atoms("Ni2", [[0, 0, 0], [0, 0, 2.2]]))
    with pytest.raises(DataError, match=r"Ni: not among the elements of the potential; mend or remove it$"):
        read_geometries([tmp_path / "a.xyz"], bare_potential())
