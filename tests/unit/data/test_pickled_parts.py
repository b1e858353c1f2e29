import pickle
from pickle import UnpicklingError

import numpy as np
import pandas as pd
import pytest

from acefit.data.pickled_parts import (
    Array,
    Backed,
    Block,
    Frame,
    Index,
    Kind,
    Manager,
    Part,
    PlainIndex,
    RangeIndex,
    alias,
    array_of_buffer,
    buffer,
    build_frame,
    empty_array,
    join_strings,
    restore_strings,
    scalar,
)
from acefit.data.unpickle import read_pickled_frame


def frame(**columns):
    known = {
        "float": [1.0, np.nan],
        "second": [3.0, 4.0],
        "integer": [1, 2],
        "flag": [True, False],
        "object": [[1, "x"], None],
        "text": ["ä", "b"],
        "old text": pd.array(["x", None], dtype=pd.StringDtype("python")),
        "arrow text": pd.array(["x", None], dtype=pd.StringDtype("pyarrow")),
        "category": pd.Categorical(["b", None], categories=["a", "b"]),
        "missing": pd.array([1, None], dtype="Int64"),
    }
    return pd.DataFrame({**known, **columns})


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("index", [None, [3, 5], ["a", "b"]])
def test_build_frame__makes_what_pandas_would(tmp_path, protocol, index):
    original = frame().set_axis(index) if index else frame()
    path = tmp_path / "f.pkl"
    path.write_bytes(pickle.dumps(original, protocol))
    read = read_pickled_frame(path)
    assert read.columns.tolist() == original.columns.tolist()
    assert read.index.tolist() == original.index.tolist()
    for name in original.columns:
        for value, expected in zip(read[name].tolist(), original[name].tolist(), strict=True):
            absent = np.ndim(expected) == 0 and pd.isna(expected)
            assert pd.isna(value) if absent else value == expected, name


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_array__keeps_values_types_and_orders(tmp_path, protocol, order):
    arrays = [
        np.asarray(np.arange(6.0).reshape(2, 3), order=order),
        np.arange(3, dtype=">i2"),
        np.array(["a", "bcd"]),
        np.array([[1, None]], dtype=object),
        np.float32(1.5),
        np.empty((0, 3)),
    ]
    path = tmp_path / "f.pkl"
    path.write_bytes(pickle.dumps(pd.DataFrame({"a": pd.Series(arrays, dtype=object)}), protocol))
    for read, expected in zip(read_pickled_frame(path)["a"], arrays, strict=True):
        assert np.array_equal(read, expected)
        assert read.dtype.str[1:] == expected.dtype.str[1:]


def kind(text="f8", *state):
    made = Kind(text, False, True)
    made.__setstate__(state or (3, "<", None, None, None, -1, -1, 0))
    return made


@pytest.mark.parametrize(
    "state",
    [
        (1, (2,), kind(), False, b"x" * 8),
        (1, (2**60,), kind(), False, b"x" * 8),
        (1, (-1,), kind(), False, b""),
        (1, (2.0,), kind(), False, b"x" * 16),
        (1, (1,), kind("O"), False, b"x" * 8),
        (1, (2,), kind("O"), False, [1]),
        (1, (1,), np.dtype("f8"), False, b"x" * 8),
        (1, (1,), kind("V8"), False, b"x" * 8),
        (1, (1,), kind("f8", 3, "<", None, ("a",), {"a": (kind("O"), 10**6)}, 8, 8, 0), False, b"x" * 8),
    ],
)
def test_array__refuses_content_that_does_not_fit(state):
    with pytest.raises(UnpicklingError, match=r"does not fit|no proper shape|not allowed"):
        empty_array(Array, (0,), b"b").__setstate__(state)


def test_array__is_filled_once_and_never_constructed():
    array = empty_array(Array, (0,), b"b")
    array.__setstate__((1, (1,), kind(), False, b"x" * 8))
    with pytest.raises(UnpicklingError, match="does not fit"):
        array.__setstate__((1, (1,), kind(), False, b"x" * 8))
    with pytest.raises(UnpicklingError, match="may not be constructed"):
        Array((10,))


def test_buffers__must_be_bytes_of_the_right_length():
    assert array_of_buffer(bytearray(np.arange(4.0).tobytes()), kind(), (2, 2), "F").tolist() == [[0, 2], [1, 3]]
    assert scalar(kind(), np.float64(2.5).tobytes()) == 2.5
    assert scalar(kind("O"), "x") == "x"
    with pytest.raises(UnpicklingError, match="does not fit"):
        array_of_buffer(b"x", kind(), (1,))
    with pytest.raises(UnpicklingError, match="not made of bytes"):
        buffer(5)


def test_restore_strings__reads_offsets_and_missing_entries():
    bounds = np.array([0, 1, 1, 3], "<i4").tobytes()
    data = (alias("string"), 2, 1, 1, [b"\x05", bounds, b"abc"], [], None)
    assert join_strings([restore_strings(data)] * 2) == [None, "bc"] * 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (("int64", 1, 0, 0, [None, b"", b""]), "Arrow arrays of int64"),
        (("string", 10**9, 0, 0, [None, b"\0" * 8, b""]), "shorter than it says"),
    ],
)
def test_restore_strings__refuses_other_types_and_lengths(data, message):
    with pytest.raises(UnpicklingError, match=message):
        restore_strings(data)


def parts(blocks, names=("a",), rows=2):
    index = Index(RangeIndex, {"start": 0, "stop": rows, "step": 1})
    made = Frame()
    made.__setstate__({"_mgr": Manager(blocks, [Index(PlainIndex, {"data": np.array(names, dtype=object)}), index])})
    return made


def test_build_frame__places_blocks_by_slices_and_lists():
    blocks = [Block(np.ones((2, 2)), slice(0, 3, 2), 2), Block(np.zeros((1, 2)), [1], 2)]
    assert build_frame(parts(blocks, ["a", "b", 3])).to_dict("list") == {"a": [1.0, 1.0], "b": [0.0, 0.0], "3": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Frame(), "a frame has no content"),
        (parts([]), "do not fit its axes"),
        (parts([Block(np.zeros((1, 3)), slice(0, 1), 2)]), "do not fit its axes"),
        (parts([Block(np.zeros((1, 2)), [5], 2)]), "do not fit its axes"),
        (parts([Block(Backed(Part), slice(0, 1), 2)]), "a column is of a kind that is not supported"),
        (parts([Block(Part(), slice(0, 1), 2)]), "a column is of a kind that is not supported"),
    ],
)
def test_build_frame__refuses_parts_that_do_not_fit(made, message):
    with pytest.raises(UnpicklingError, match=message):
        build_frame(made)


def test_build_frame__refuses_labels_of_other_kinds():
    made = parts([Block(np.zeros((1, 2)), slice(0, 1), 2)])
    made.state["_mgr"].args[1][1] = Index(Part, {"levels": []})
    with pytest.raises(UnpicklingError, match="labels of a frame are of a kind"):
        build_frame(made)
