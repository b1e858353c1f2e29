import numpy as np
import pytest

from acefit.artifacts import read_provenance
from acefit.data.conversion import convert_data
from acefit.data.readers import ReadingOptions, read_files
from acefit.errors import DataError
from datasets import rich_dataset, write


@pytest.fixture
def source(tmp_path):
    write(rich_dataset(), tmp_path / "a.xyz")
    return tmp_path / "a.xyz"


def test_convert_data__goes_around_without_a_loss(source, tmp_path):
    path = source
    for name in ("tables", "b.pckl.gzip", "c.db", "d.xyz.gz", "e.xyz"):
        done = convert_data([path], tmp_path / name)
        assert (done.n_structures, done.left_out) == (10, [])
        path = tmp_path / name
    assert path.read_bytes() == source.read_bytes()


def test_convert_data__joins_sources_and_says_where_tables_come_from(source, tmp_path):
    convert_data([source], tmp_path / "tables")
    done = convert_data([source, tmp_path / "tables"], tmp_path / "both")
    assert done.n_structures == 20
    assert [report.n_structures for report in done.files] == [10, 10]
    inputs = read_provenance(tmp_path / "both" / "structures.parquet")["provenance"]["inputs"]
    assert list(inputs) == [str(source), str(tmp_path / "tables" / "structures.parquet")]
    names = read_files([{"path": str(tmp_path / "both" / "structures.parquet")}]).dataset.structures.names
    assert names[:10] == names[10:]


def test_convert_data__takes_names_of_labels(source, tmp_path):
    source.write_text(source.read_text().replace(" energy=", " total="))
    convert_data([source], tmp_path / "b.xyz", ReadingOptions(energy_key="total"))
    np.testing.assert_array_equal(
        read_files([{"path": str(tmp_path / "b.xyz")}]).dataset.raw_energies, rich_dataset().raw_energies
    )


def test_convert_data__leaves_out_only_what_it_is_told_to(source, tmp_path):
    source.write_text(source.read_text().replace("w_energy=", "w_energy=-", 1))
    with pytest.raises(DataError, match=r"weights .* negative"):
        convert_data([source], tmp_path / "b.xyz")
    assert not (tmp_path / "b.xyz").exists()
    done = convert_data([source], tmp_path / "b.xyz", ReadingOptions(on_bad_structure="leave_out"))
    assert (done.n_structures, len(done.left_out)) == (9, 1)


def test_convert_data__watches_the_parts(source, tmp_path):
    seen = []

    def watch(pieces):
        for piece in pieces:
            seen.append(piece.dataset.structures.n_structures)
            yield piece

    convert_data([source], tmp_path / "b.xyz", watch=watch)
    assert sum(seen) == 10


def test_convert_data__refuses(source, tmp_path):
    with pytest.raises(DataError, match="is read and written"):
        convert_data([source], source)
    convert_data([source], tmp_path / "tables")
    with pytest.raises(DataError, match="is read and written"):
        convert_data([tmp_path / "tables"], tmp_path / "tables")
    with pytest.raises(DataError, match="does not exist"):
        convert_data([tmp_path / "absent.xyz"], tmp_path / "b.xyz")
    source.write_text("nonsense")
    with pytest.raises(DataError, match="a number of atoms is expected"):
        convert_data([source], tmp_path / "b.xyz")
    assert not (tmp_path / "b.xyz").exists()
