import bz2
import codecs
import gzip
import io
import lzma
import os
import pickle
import struct

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.spacegroup import Spacegroup

from acefit import untrusted
from acefit.data.pickled_parts import Frame, PlainIndex
from acefit.data.unpickle import RestrictedUnpickler, read_pickled_frame
from acefit.errors import DataError
from conftest import shared_path


def make_frame():
    atoms = bulk("Cu", cubic=True)
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((4, 3)))
    atoms.set_constraint(FixAtoms([0]))
    atoms.info |= {"x": np.float64(3), "spacegroup": Spacegroup(225)}
    return pd.DataFrame(
        {
            "ase_atoms": [atoms, bulk("Al")],
            "energy": [1.0, 2.0],
            "forces": [np.zeros((4, 3)), [[0.0, 0, 0]]],
            "name": ["a", "b"],
            "kind": pd.Categorical(["a", "b"]),
            "flag": [True, False],
            "sometimes": [None, 1.5],
        },
        index=[3, 5],
    )


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_read_pickled_frame__reads_frames_of_any_protocol_and_compression(tmp_path, protocol, compress):
    path = tmp_path / "f.pckl.gzip"
    path.write_bytes(compress(pickle.dumps(make_frame(), protocol=protocol)))
    frame = read_pickled_frame(path)
    assert frame.index.tolist() == [3, 5]
    assert frame["name"].tolist() == ["a", "b"]
    assert frame["ase_atoms"].iloc[1] == bulk("Al")
    assert frame["ase_atoms"].iloc[0].calc.results["energy"] == 1.0
    assert frame["forces"].iloc[0].shape == (4, 3)


class Evil:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Evil(os.system, "true"), r"posix\.system"),
        (Evil(eval, "1"), r"builtins\.eval"),
        (Evil(exec, "1"), r"builtins\.exec"),
        (Evil(open, "f"), r"io\.open"),
        (Evil(pd.read_pickle, "f"), r"pandas\..*read_pickle"),
        (Evil(np.load, "f"), r"numpy\.load"),
        (Evil(getattr, np.ndarray, "tofile"), "attribute 'tofile' is not allowed"),
    ],
)
def test_read_pickled_frame__runs_nothing(tmp_path, thing, name):
    path = tmp_path / "evil.pckl.gzip"
    path.write_bytes(gzip.compress(pickle.dumps(pd.DataFrame({"a": [1]}), 4)[:-1] + b"0" + pickle.dumps(thing, 4)))
    with pytest.raises(DataError, match=rf"evil\.pckl\.gzip cannot be read as a pickled data frame.*{name}"):
        read_pickled_frame(path)


def global_by_name(module, name):
    """A pickle that names one object and returns it."""
    parts = [struct.pack("<BB", 0x8C, len(text)) + text.encode() for text in (module, name)]
    return b"\x80\x04" + b"".join(parts) + b"\x93."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("pandas", "DataFrame.eval"),
        ("numpy", "ndarray.tofile"),
        ("os", "system"),
        ("pandas.io.common", "os.system"),
    ],
)
def test_restricted_unpickler__refuses_names_and_their_attributes(module, name):
    with pytest.raises(pickle.UnpicklingError, match="not among the data classes"):
        RestrictedUnpickler(io.BytesIO(global_by_name(module, name))).load()


def test_read_pickled_frame__refuses_encodings_other_than_that_of_bytes(tmp_path):
    path = tmp_path / "f.pkl"
    path.write_bytes(pickle.dumps(Evil(codecs.encode, "x", "rot13"), 2))
    with pytest.raises(DataError, match="encoding 'rot13' is not allowed"):
        read_pickled_frame(path)


def test_read_pickled_frame__maps_pyace_frames_and_old_indices():
    for module, name, expected in (
        ("pyace.preparedata", "DataFrameWithMetadata", Frame),
        ("pandas.core.indexes.numeric", "Int64Index", PlainIndex),
    ):
        assert RestrictedUnpickler(io.BytesIO(global_by_name(module, name))).load() is expected


def test_read_pickled_frame__names_missing_damaged_and_other_files(tmp_path):
    path = tmp_path / "f.pckl.gzip"
    with pytest.raises(DataError, match=r"f\.pckl\.gzip does not exist"):
        read_pickled_frame(path)
    path.write_bytes(gzip.compress(pickle.dumps(make_frame()))[:-200])
    with pytest.raises(DataError, match="cannot be read as a pickled data frame"):
        read_pickled_frame(path)
    path.write_bytes(gzip.compress(pickle.dumps([1, 2])))
    with pytest.raises(DataError, match="holds a list, not a data frame"):
        read_pickled_frame(path)


def test_read_pickled_frame__reads_a_frame_written_by_old_versions():
    frame = read_pickled_frame(shared_path("data", "pace_Cu-I", "Cu_df1_A1_A2_A3_EV_elast_phon.pckl.gzip"))
    assert len(frame) == 105
    assert sum(map(len, frame["ase_atoms"])) == 368
    assert frame["energy_corrected"].iloc[0] == pytest.approx(-3.699842546498985, abs=1e-15)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02Nr\xff\xff\xff\x3f.", "GiB of memory"),
        (pickle.dumps(Evil(list, range(10**11)), 4), "GiB of memory"),
        (pickle.dumps(Evil(bytearray, 10**13), 4), "GiB of memory"),
    ],
)
def test_read_pickled_frame__bounds_memory(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(untrusted, "MEMORY_BASE", 2**27)
    path = tmp_path / "f.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pickled_frame(path)


def test_read_pickled_frame__refuses_arrays_that_say_more_than_they_hold(tmp_path):
    content = pickle.dumps(pd.DataFrame({"x": [1.0, 2.0]}), 4)
    path = tmp_path / "f.pkl"
    path.write_bytes(content.replace(b"K\x01K\x02\x86", b"K\x01K\x09\x86", 1))
    with pytest.raises(DataError, match="does not fit its shape"):
        read_pickled_frame(path)
