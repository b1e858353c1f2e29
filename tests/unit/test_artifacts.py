from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acefit import artifacts
from acefit.artifact_contracts import CONTRACTS, Column, Contract
from acefit.artifacts import (
    check_made_from,
    check_table,
    content_digest,
    iterate_ranges,
    made_by,
    open_table,
    read_arrays,
    read_frame,
    read_provenance,
    read_table,
    write_table,
)
from acefit.errors import ArtifactError, DamagedArtifactError
from acefit.files import file_digest, write_sealed

PLAIN = Contract(
    "plain",
    1,
    (
        Column("row", "int64", "1", "row"),
        Column("label", "string", "1", "label"),
        Column("force", "float64[3]", "eV/Å", "force"),
        Column("flag", "bool", "1", "flag"),
    ),
)
OPEN = Contract("open", 3, (Column("row", "int64", "1", "row"),), Column("", "float64", "eV", "a metric"))


@pytest.fixture(autouse=True)
def _contracts(monkeypatch):
    monkeypatch.setitem(CONTRACTS, "plain", PLAIN)
    monkeypatch.setitem(CONTRACTS, "open", OPEN)


def columns(n=3):
    forces = np.arange(3.0 * n).reshape(n, 3)
    forces[-1:] = np.nan
    return {"row": np.arange(n), "label": [f"é{k}" for k in range(n)], "force": forces, "flag": np.arange(n) % 2 == 0}


@pytest.mark.parametrize("n", [0, 1, 3])
def test_write_table__reads_back_the_same(tmp_path, n):
    path = tmp_path / "new" / "table.parquet"
    write_table(columns(n), path, "plain", {"step": "test"})
    read = read_arrays(path, "plain")
    assert list(read) == ["row", "label", "force", "flag"]
    for name, values in columns(n).items():
        assert np.array_equal(read[name], values) or np.array_equal(read[name], values, equal_nan=True)
    assert read["force"].shape == (n, 3)


def test_write_table__takes_frames_and_arrow_tables(tmp_path):
    frame = pd.DataFrame({**columns(), "force": list(columns()["force"])})
    for k, table in enumerate((frame, None)):
        path = tmp_path / f"{k}.parquet"
        write_table(read_table(tmp_path / "0.parquet", "plain") if table is None else table, path, "plain")
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    back = read_frame(tmp_path / "1.parquet", "plain")
    assert back["force"].iloc[1].tolist() == [3, 4, 5]
    assert back["label"].tolist() == ["é0", "é1", "é2"]


def test_write_table__gives_the_same_bytes_each_time(tmp_path):
    for name in "ab":
        write_table(columns(), tmp_path / name, "plain", {"inputs": {"x": 1}, "step": "s"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_write_table__stores_units_versions_and_provenance(tmp_path):
    write_table(columns(), tmp_path / "t", "plain", {"step": "dataset", "inputs": {"a.xyz": "0123"}})
    header = read_provenance(tmp_path / "t")
    assert (header["contract"], header["schema_version"]) == ("plain", 1)
    assert header["acefit_version"] == artifacts.__version__
    assert header["provenance"] == {"step": "dataset", "inputs": {"a.xyz": "0123"}}
    assert pq.read_schema(tmp_path / "t").field("force").metadata[b"unit"] == "eV/Å".encode()


def test_write_table__allows_further_columns_where_the_contract_does(tmp_path):
    write_table({"row": [1], "rmse": [0.5]}, tmp_path / "t", "open")
    assert read_arrays(tmp_path / "t", "open")["rmse"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, "columns missing for contract 'plain': label"),
        ({"other": [1, 2, 3]}, "knows no columns other"),
        ({"row": [1, 2]}, "different lengths"),
        ({"row": ["a", "b", "c"]}, "column 'row' is not int64"),
        ({"row": [0.5, 1.0, 2.0]}, "column 'row' is not int64"),
        ({"label": ["a", None, "b"]}, "column 'label' has 1 empty values"),
        ({"force": np.zeros((3, 2))}, r"column 'force' is not float64\[3\]"),
        ({"force": [[1, 2, 3], [1, 2], [1, 2, 3]]}, r"column 'force' is not float64\[3\]"),
    ],
)
def test_write_table__refuses_what_breaks_the_contract(tmp_path, change, message):
    given = {name: values for name, values in {**columns(), **change}.items() if values is not None}
    with pytest.raises(ArtifactError, match=message):
        write_table(given, tmp_path / "t", "plain")
    assert not list(tmp_path.iterdir())


def test_read_table__names_missing_truncated_and_foreign_files(tmp_path):
    path = tmp_path / "t.parquet"
    for reader in (lambda p: read_table(p, "plain"), read_provenance):
        with pytest.raises(ArtifactError, match=r"t\.parquet does not exist; run the stage"):
            reader(path)
    write_table(columns(), path, "plain")
    path.write_bytes(path.read_bytes()[:-20])
    for reader in (lambda p: read_table(p, "plain"), read_provenance):
        with pytest.raises(ArtifactError, match=r"t\.parquet is not a complete Parquet file .*delete it and run"):
            reader(path)
    pq.write_table(pa.table({"row": [1]}), path)
    with pytest.raises(ArtifactError, match=r"t\.parquet was not written by acefit"):
        read_table(path, "plain")


def test_read_table__refuses_other_contracts_and_versions(tmp_path, monkeypatch):
    write_table(columns(), tmp_path / "t", "plain")
    with pytest.raises(ArtifactError, match="holds a table 'plain', not 'open'"):
        read_table(tmp_path / "t", "open")
    monkeypatch.setitem(CONTRACTS, "plain", Contract("plain", 2, PLAIN.columns))
    with pytest.raises(ArtifactError, match=r"has version 1 of the table 'plain'.* reads version 2; delete"):
        read_table(tmp_path / "t", "plain")
    with pytest.raises(ArtifactError, match="there is no table contract 'none'"):
        read_table(tmp_path / "t", "none")


def rewrite(path, change):
    table = pq.read_table(path)
    changed, content = change(table).replace_schema_metadata(table.schema.metadata), read_provenance(path)["content"]
    with pq.ParquetWriter(path, changed.schema) as writer:
        writer.write_table(changed)
        writer.add_key_value_metadata({"acefit-content": content})


def test_read_table__notices_alterations(tmp_path):
    path = tmp_path / "t"
    write_table(columns(), path, "plain")
    rewrite(path, lambda t: t.set_column(0, "row", pa.array([7, 1, 2])))
    with pytest.raises(ArtifactError, match="was altered after acefit wrote it"):
        read_table(path, "plain")
    with pytest.raises(ArtifactError, match="was altered after acefit wrote it"):
        check_table(path, "plain")
    rewrite(path, lambda t: t.append_column("more", pa.array([1, 2, 3])))
    with pytest.raises(ArtifactError, match="has columns that the table 'plain' does not know: more"):
        read_table(path, "plain")
    rewrite(path, lambda t: t.drop_columns(["more", "flag"]))
    with pytest.raises(ArtifactError, match="lacks the column 'flag' of type bool"):
        read_table(path, "plain")
    write_table(columns(), path, "plain")
    pq.write_table(pq.read_table(path), path)
    with pytest.raises(DamagedArtifactError, match=r"was altered after acefit wrote it|was not written by acefit"):
        read_table(path, "plain")


@pytest.mark.parametrize("sizes", [[7, 0, 1, 2], [10], [0, 3, 7], [1] * 10])
def test_open_table__gives_the_bytes_of_write_table_however_rows_are_divided(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 4)
    given = columns(10)
    write_table(given, tmp_path / "whole", "plain", {"step": "test"})
    with open_table(tmp_path / "parts", "plain", {"step": "test"}) as writer:
        for first, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            writer.write({name: values[first : first + size] for name, values in given.items()})
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    assert pq.ParquetFile(tmp_path / "parts").num_row_groups == 3
    check_table(tmp_path / "parts", "plain")


def test_open_table__without_rows_is_an_empty_table(tmp_path):
    with open_table(tmp_path / "t", "plain"):
        pass
    assert read_arrays(tmp_path / "t", "plain")["force"].shape == (0, 3)


def test_open_table__leaves_nothing_after_an_error(tmp_path):
    def write(*tables):
        with open_table(tmp_path / "t", "plain") as writer:
            for table in tables:
                writer.write(table)

    with pytest.raises(ArtifactError, match="column 'row' is not int64"):
        write(columns(2), {**columns(2), "row": ["a", "b"]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bounds", [[0, 10], [0, 3, 3, 7, 10], [5, 6, 9], [2, 2], [10, 10]])
def test_iterate_ranges__crosses_groups_and_files(tmp_path, monkeypatch, bounds):
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 2)
    monkeypatch.setattr(artifacts, "ROWS_AT_ONCE", 3)
    given, paths = columns(10), []
    for k, (first, last) in enumerate([(0, 5), (5, 5), (5, 10)]):
        paths.append(tmp_path / f"{k}.parquet")
        write_table({name: values[first:last] for name, values in given.items()}, paths[-1], "plain")
    found = list(iterate_ranges(paths, ["force", "row"], bounds))
    assert [part["row"].tolist() for part in found] == [list(range(*pair)) for pair in pairwise(bounds)]
    forces = np.concatenate([part["force"] for part in found])
    assert np.array_equal(forces, given["force"][bounds[0] : bounds[-1]], equal_nan=True)


def test_iterate_ranges__names_a_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        next(iterate_ranges([tmp_path / "t"], ["row"], [0, 1]))


def test_made_by__names_inputs_by_folder_and_content(tmp_path):
    paths = [tmp_path / name for name in ("a.parquet", "b.yaml", "c.xyz")]
    write_table(columns(), paths[0], "plain", {"code": "1"})
    write_sealed("a: 1\n", paths[1], {"code": "1"})
    paths[2].write_text("mine")
    made = made_by("fit", "0123", *paths)
    assert (made["step"], made["code"]) == ("fit", "0123")
    assert list(made["inputs"]) == [f"{tmp_path.name}/{path.name}" for path in paths]
    assert made["inputs"][f"{tmp_path.name}/c.xyz"] == file_digest(paths[2])
    # Other code that writes the same content changes nothing
    write_table(columns(), paths[0], "plain", {"code": "2"})
    write_sealed("a: 1\n", paths[1], {"code": "2"})
    assert made_by("fit", "0123", *paths) == made


def test_check_made_from__recognises_a_table_of_another_run(tmp_path):
    source, other, table = (tmp_path / name for name in ("source.parquet", "other.yaml", "table.parquet"))
    write_table(columns(), source, "plain")
    write_sealed("a: 1\n", other)
    write_table(columns(), table, "plain", made_by("weights", "", source))
    check_made_from(table, source, other)
    write_table(columns(4), source, "plain")
    with pytest.raises(
        DamagedArtifactError, match=r"table\.parquet does not belong to .*source\.parquet: it was made from another"
    ):
        check_made_from(table, source)
    assert content_digest(table) != content_digest(source)


def rewritten(path, header, **columns):
    """The table with other metadata and columns."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table.replace_schema_metadata({b"acefit": header, b"acefit-content": 64 * b"0"}), path)


@pytest.mark.parametrize("header", [b"{", b"[]", b"{}", b"[" * 10**5, b'{"contract": "plain", "schema_version": 1}'])
def test_read_table__refuses_damaged_metadata(tmp_path, header):
    write_table(columns(), tmp_path / "t.parquet", "plain")
    rewritten(tmp_path / "t.parquet", header)
    for read in (read_provenance, lambda path: read_table(path, "plain")):
        with pytest.raises(ArtifactError, match=r"t\.parquet has damaged acefit metadata"):
            read(tmp_path / "t.parquet")


def test_read_table__notices_empty_values(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(columns(), path, "plain")
    rewritten(path, pq.read_schema(path).metadata[b"acefit"], row=pa.array([0, None, 2], pa.int64()))
    for read in (read_table, artifacts.check_table):
        with pytest.raises(ArtifactError, match="was altered after acefit wrote it"):
            read(path, "plain")


def test_read_table__refuses_further_columns_of_other_types(tmp_path):
    path = tmp_path / "t.parquet"
    write_table({"row": [0], "mae": [1.0]}, path, "open")
    rewritten(path, pq.read_schema(path).metadata[b"acefit"], mae=pa.array([[1.0]]))
    with pytest.raises(ArtifactError, match="lacks the column 'mae' of type float64"):
        read_table(path, "open")


def test_read_table__refuses_folders(tmp_path):
    with pytest.raises(ArtifactError, match="is a folder"):
        read_table(tmp_path, "plain")
