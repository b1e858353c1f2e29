import pickle
import zipfile

import numpy as np
import pytest

from acefit.active import asi
from acefit.active.asi import functions_digest, read_asi, write_asi
from acefit.errors import ActiveSetError

MATRICES = {"Al": np.arange(9.0).reshape(3, 3), "Ni": np.eye(2)}
FUNCTIONS = {"Al": ["Al Al nr=1", "Al Al nr=2", "Al Ni nr=1"], "Ni": ["Ni Al nr=1", "Ni Ni nr=1"]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.asi"
    write_asi(path, MATRICES, "linear", FUNCTIONS)
    return path


def test_write_asi__is_read_again(path):
    contents = read_asi(path)
    assert contents.kind == "linear"
    assert contents.functions == FUNCTIONS
    assert contents.digests == {symbol: functions_digest(labels) for symbol, labels in FUNCTIONS.items()}
    for symbol, matrix in MATRICES.items():
        assert np.array_equal(contents.matrices[symbol], matrix)


def test_write_asi__is_a_plain_npz_of_uncompressed_matrices_in_c_order(path):
    with np.load(path) as archive:
        assert set(archive.files) == {"Al", "Ni"}
        assert archive["Al"].flags.c_contiguous
    write_asi(path, {"Al": np.asfortranarray(MATRICES["Al"])}, "linear", {"Al": FUNCTIONS["Al"]})
    with zipfile.ZipFile(path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert b"'fortran_order': False" in archive.read("Al.npy")


def test_write_asi__equal_content_gives_equal_files(path, tmp_path):
    write_asi(tmp_path / "y.asi", MATRICES, "linear", FUNCTIONS)
    assert (tmp_path / "y.asi").read_bytes() == path.read_bytes()


def test_write_asi__keeps_digests_where_the_list_is_too_long(path, monkeypatch):
    monkeypatch.setattr(asi, "LONGEST_COMMENT", 250)
    write_asi(path, MATRICES, "full", {"Al": [f"function {k**7}" for k in range(1000)]})
    contents = read_asi(path)
    assert (contents.kind, contents.functions, set(contents.digests)) == ("full", None, {"Al"})


def test_read_asi__reads_files_of_others_in_either_order(tmp_path):
    with (tmp_path / "x.asi").open("wb") as file:
        np.savez_compressed(file, Al=np.asfortranarray(MATRICES["Al"]))
    contents = read_asi(tmp_path / "x.asi")
    assert np.array_equal(contents.matrices["Al"], MATRICES["Al"])
    assert contents[1:] == (None, None, None)


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('ran')",))


def broken(path, what):
    content = path.read_bytes()
    if what in ("cut off", "empty", "text"):
        path.write_bytes({"cut off": content[: len(content) // 2], "empty": b"", "text": b"version: 1\n"}[what])
        return
    arrays = {
        "objects": {"Al": np.array([[Payload()]], dtype=object)},
        "no element": {"Xx": np.eye(2)},
        "not square": {"Al": np.zeros((2, 3))},
        "no entries": {"Al": np.zeros((0, 0))},
        "flat": {"Al": np.zeros(4)},
        "integers": {"Al": np.eye(2, dtype=int)},
        "not finite": {"Al": np.full((2, 2), np.nan)},
        "no matrix": {},
    }
    with path.open("wb") as file:
        np.savez(file, **arrays[what])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cut off", "is not an active set"),
        ("empty", "is not an active set"),
        ("text", "is not an active set"),
        ("objects", "Object arrays cannot be loaded"),
        ("no element", "'Xx', which is no element"),
        ("not square", r"shape \(2, 3\) and type float64, not square"),
        ("no entries", "not square float64"),
        ("flat", r"shape \(4,\)"),
        ("integers", "type int64, not square float64"),
        ("not finite", "not finite"),
        ("no matrix", "holds no matrix"),
    ],
)
def test_read_asi__one_error_for_damaged_and_hostile_files(path, what, message):
    broken(path, what)
    with pytest.raises(ActiveSetError, match=message) as caught:
        read_asi(path)
    assert "x.asi" in str(caught.value)


def test_read_asi__a_raw_pickle_is_not_run(path):
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ActiveSetError, match="is not an active set"):
        read_asi(path)


def test_read_asi__missing_file_names_the_command(tmp_path):
    with pytest.raises(ActiveSetError, match="does not exist; `acefit activeset` makes one"):
        read_asi(tmp_path / "x.asi")


def test_read_asi__a_folder_is_no_active_set(tmp_path):
    with pytest.raises(ActiveSetError, match="a folder, a pipe or a device"):
        read_asi(tmp_path)


def test_read_asi__absurd_sizes_are_refused(path, monkeypatch):
    header = path.read_bytes().replace(b"(3, 3)", b"(9, 9)")
    path.write_bytes(header)
    with pytest.raises(ActiveSetError, match="is not an active set"):
        read_asi(path)
    write_asi(path, MATRICES, "linear", FUNCTIONS)
    monkeypatch.setattr(asi, "fair_size", lambda path: 100)
    with pytest.raises(ActiveSetError, match="unpacks to far more than its size"):
        read_asi(path)


def test_read_asi__an_element_that_occurs_twice(tmp_path):
    path = tmp_path / "x.asi"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Al.npy", b"")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("Al.npy", b"")
    with pytest.raises(ActiveSetError, match="holds an element twice"):
        read_asi(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "linear", "digests": {"Al": "0"}, "functions": {"Al": ["a"]}}, "list of functions is damaged"),
        ({"kind": "square", "digests": {}}, "list of functions is damaged"),
        ({"kind": "linear"}, "is not an active set"),
        (None, "is not an active set"),
    ],
)
def test_read_asi__a_damaged_list_of_functions(path, content, message):
    import json
    import zlib

    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = asi.MARK + (b"..." if content is None else zlib.compress(json.dumps(content).encode()))
    with pytest.raises(ActiveSetError, match=message):
        read_asi(path)


def test_read_asi__a_list_that_is_cut_off(path, monkeypatch):
    monkeypatch.setattr(asi, "MOST_BYTES_OF_LIST", 10)
    with pytest.raises(ActiveSetError, match="cut off or absurdly long"):
        read_asi(path)
