from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from acefit.data.readers import read_files
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.shortrange.augment import Augmented
from acefit.shortrange.output import write_augmented

STRUCTURES = replace(
    StructureSet.from_ase([bulk("Al", cubic=True), bulk("Cu")]),
    energies=np.array([100.0, 50.25]),
    forces=np.arange(15.0).reshape(5, 3),
    names=("augmented/zbl/Al4", "augmented/zbl/Cu"),
)
AUGMENTED = Augmented(STRUCTURES, np.array([1.0, 0, 1, 1, 0]), np.array([1.0, 2.0]), {}, 2, 0, 2)


@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz.gz", "a.pkl.gz", "a.pckl.gzip", "a.pckl"])
def test_write_augmented__is_read_by_the_dataset_stage(tmp_path, name):
    write_augmented(AUGMENTED, tmp_path / name)
    data = read_files([{"path": str(tmp_path / name)}]).dataset
    assert data.structures.energies.tolist() == [100.0, 50.25]
    assert np.isnan(data.raw_energies).all()
    np.testing.assert_allclose(data.structures.forces, STRUCTURES.forces, atol=1e-7)
    assert data.force_masks.tolist() == AUGMENTED.mask.tolist()
    assert data.structures.names == STRUCTURES.names
    first = (tmp_path / name).read_bytes()
    write_augmented(AUGMENTED, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_write_augmented__refuses_other_formats(tmp_path):
    with pytest.raises(DataError, match=r"augmented data are written as \.xyz"):
        write_augmented(AUGMENTED, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())
