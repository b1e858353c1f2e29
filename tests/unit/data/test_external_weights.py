import gzip
import pickle

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from acefit.data.external_weights import join_external, read_external
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from bases import DATA

STRUCTURES = StructureSet.from_ase([Atoms("Cu"), Atoms("Cu2"), Atoms("Cu3")])
FRAME = pd.DataFrame({"w_energy": [2.0, 1.0], "w_forces": [np.array([1.0, 2.0, 3.0]), np.array([4.0])]}, index=[2, 0])


def write(tmp_path, kind, frame=FRAME):
    path = tmp_path / f"w.{kind}"
    if kind == "pckl.gzip":
        path.write_bytes(gzip.compress(pickle.dumps(frame)))
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        texts = [str(np.asarray(v).tolist()) for v in frame["w_forces"]]
        frame.assign(structure=frame.index, w_forces=texts).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["pckl.gzip", "parquet", "csv"])
def test_external__reads_each_kind(tmp_path, kind):
    energy, force = join_external(read_external(write(tmp_path, kind)), STRUCTURES, ["train"] * 3)
    assert np.array_equal(energy, [1, np.nan, 2], equal_nan=True)
    assert np.array_equal(force, [4, np.nan, np.nan, 1, 2, 3], equal_nan=True)


def test_external__a_single_force_weight_counts_for_all_atoms(tmp_path):
    (tmp_path / "w.csv").write_text("w_energy,w_forces\n1,0.5\n1,2\n1,3\n")
    force = join_external(read_external(tmp_path / "w.csv"), STRUCTURES, ["train"] * 3)[1]
    assert force.tolist() == [0.5, 2, 2, 3, 3, 3]


def test_external__joint_numbering_puts_test_structures_last(tmp_path):
    external = read_external(write(tmp_path, "parquet", FRAME.set_axis([1, 2])))
    energy = join_external(external, STRUCTURES, ["test", "train", "train"], joint=True)[0]
    assert np.array_equal(energy, [1, np.nan, 2], equal_nan=True)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.drop(columns="w_forces"), "lacks the columns w_forces"),
        (FRAME.set_axis([1, 1]), "names a structure twice"),
        (FRAME.set_axis(["a", "b"]), "index and weights must be numbers"),
        (FRAME.assign(w_energy=[-1.0, 1.0]), "negative or not finite"),
        (FRAME.assign(w_energy=["x", "y"]), "index and weights must be numbers"),
    ],
)
def test_read_external__refuses(tmp_path, frame, message):
    with pytest.raises(DataError, match=rf"weight file .*w\.pckl\.gzip.*{message}"):
        read_external(write(tmp_path, "pckl.gzip", frame))


def test_read_external__names_missing_and_damaged_files(tmp_path):
    with pytest.raises(DataError, match=r"w\.csv does not exist; mend fit\.weighting\.filename"):
        read_external(tmp_path / "w.csv")
    (tmp_path / "w.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"w\.parquet cannot be read"):
        read_external(tmp_path / "w.parquet")
    (tmp_path / "w.pkl").write_bytes(b"x")
    with pytest.raises(DataError, match="cannot be read as a pickled data frame"):
        read_external(tmp_path / "w.pkl")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.set_axis([3, 0]), r"names structure 3, but the dataset has rows 0 \.\. 2"),
        (FRAME.set_axis([1, 0]), "3 force weights for 2"),
    ],
)
def test_join_external__refuses(tmp_path, frame, message):
    external = read_external(write(tmp_path, "parquet", frame))
    with pytest.raises(DataError, match=message):
        join_external(external, STRUCTURES, ["train"] * 3)


def test_read_external__refuses_weights_of_more_dimensions(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text('structure,w_energy,w_forces\n0,1,"[[1, 2]]"\n')
    with pytest.raises(DataError, match="not one number per atom"):
        read_external(path)


def test_read_external__one_error_for_statistics_that_arrow_does_not_survive():
    with pytest.raises(DataError, match=r"weights-levels\.parquet cannot be read \(Definition level histogram size mismatch"):
        read_external(DATA / "weights-levels.parquet")
