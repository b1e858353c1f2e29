"""Columns between Arrow and NumPy: the same as by Arrow's own conversions, without pandas."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from acefit.artifact_arrays import to_arrow, to_numpy

ARRAYS = [
    np.array([1.5, np.nan, -np.inf]),
    np.array([1.0, 2.0], dtype=np.float32),
    np.array([-1, 2**62]),
    np.array([3, 255], dtype=np.uint8),
    np.array([5], dtype=np.int32),
    np.array([True, False] * 5 + [True]),
    np.zeros(0),
    np.zeros(0, dtype=bool),
    np.arange(10.0)[::3],
]


@pytest.mark.parametrize("values", ARRAYS, ids=lambda values: f"{values.dtype}-{len(values)}")
def test_to_arrow__makes_of_arrays_what_arrow_makes(values):
    assert to_arrow(values).equals(pa.array(values)) or np.isnan(values).any()
    assert to_arrow(values).type == pa.array(values).type
    np.testing.assert_array_equal(to_arrow(values).to_numpy(zero_copy_only=False), values)


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1.0, 2.0], [True, False, True], ["a", "", "äö\0"], ["é"], [1, None], ["a", None], [1, 2.5]]
)
def test_to_arrow__makes_of_lists_what_arrow_makes(values):
    expected = pa.array(values)
    assert to_arrow(values).cast(expected.type).equals(expected)


@pytest.mark.parametrize("values", [[1, "a"], [True, 2], [2**70]])
def test_to_arrow__leaves_the_judgement_of_mixed_lists_to_arrow(values):
    with pytest.raises((pa.ArrowException, OverflowError)):
        to_arrow(values)


def test_to_arrow__takes_the_other_order_of_bytes():
    with pytest.raises(pa.ArrowNotImplementedError):
        to_arrow(np.array([1.0, 2.0]).astype(">f8"))


def test_to_arrow__of_an_empty_list_becomes_any_type():
    assert len(to_arrow([]).cast(pa.string())) == len(to_arrow([]).cast(pa.float64())) == 0


@pytest.mark.parametrize("values", ARRAYS, ids=lambda values: f"{values.dtype}-{len(values)}")
def test_to_numpy__reads_what_was_written(values):
    found = to_numpy(pa.array(values))
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(to_numpy(pa.array(values).slice(1)), values[1:])


def test_to_numpy__of_strings_and_lists():
    found = to_numpy(pa.array(["a", "bc"]))
    assert found.dtype == object
    assert list(found) == ["a", "bc"]
    pairs = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6.0)), 2)
    np.testing.assert_array_equal(to_numpy(pairs), [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(to_numpy(pairs.slice(1)), [[2, 3], [4, 5]])
    assert to_numpy(pairs.slice(3)).shape == (0, 2)


def test_conversions__load_no_pandas():
    program = """
import sys
import numpy as np
import pyarrow as pa
from acefit.artifact_arrays import to_arrow, to_numpy
for values in (np.arange(3.0), np.ones(3, dtype=bool), ["a"], [1, 2], [1.0]):
    to_numpy(to_arrow(values))
to_numpy(to_arrow([]).cast(pa.string()))
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
