import pyarrow as pa
import pytest

from acefit.artifact_digest import ColumnDigest, digest_of_columns

COLUMNS = {
    "numbers": pa.array([1.0, 2.0, 3.0]),
    "flags": pa.array([True, False, True]),
    "words": pa.array(["a", "", "bc"]),
    "vectors": pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4, 5, 6]), 2),
}


def digest(name, values, sizes=(3,)):
    parts, first = [], 0
    for size in sizes:
        parts.append(values.slice(first, size))
        first += size
    return column_digest(name, values.type, parts).value()


def column_digest(name, kind, parts):
    found = ColumnDigest(pa.field(name, kind))
    for part in parts:
        found.update(part)
    return found


@pytest.mark.parametrize("sizes", [(1, 2), (0, 2, 0, 1), (1, 1, 1)])
@pytest.mark.parametrize("name", COLUMNS)
def test_digest__does_not_depend_on_the_pieces(name, sizes):
    assert digest(name, COLUMNS[name], sizes) == digest(name, COLUMNS[name])


def test_digest__tells_names_types_and_values_apart():
    values = [pa.array(v) for v in ([1, 2], [2, 1], [1.0, 2.0], ["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"])]
    found = {digest("a", column) for column in values} | {digest("b", values[0])}
    assert len(found) == len(values) + 1
    flat, pairs = pa.array([1, 2]), pa.FixedSizeListArray.from_arrays(pa.array([1, 2]), 2)
    assert digest("a", flat) != digest("a", pairs)


def test_digest_of_columns__notices_the_order_of_columns():
    first, second = (column_digest(name, pa.int64(), [pa.array([1])]) for name in "ab")
    assert digest_of_columns([first, second]) != digest_of_columns([second, first])
