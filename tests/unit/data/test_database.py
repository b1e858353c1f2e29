import sqlite3

import ase.db
import pytest
from ase.build import bulk

from acefit.data.database import ReadOnlyDatabase


@pytest.fixture
def path(tmp_path):
    with ase.db.connect(tmp_path / "f.db") as database:
        database.write(bulk("Cu"))
    return tmp_path / "f.db"


def test_database__is_read_and_not_written(path):
    with ReadOnlyDatabase(str(path)) as database:
        assert [row.toatoms().symbols[0] for row in database.select()] == ["Cu"]
        assert len(database) == 1
    before = path.read_bytes()
    with ReadOnlyDatabase(str(path)) as database, pytest.raises(sqlite3.DatabaseError):
        database.write(bulk("Al"))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement", ["SELECT load_extension('x')", "SELECT randomblob(10)", "DELETE FROM systems", "PRAGMA user_version = 1"]
)
def test_database__refuses_all_but_stored_values(path, statement):
    with ReadOnlyDatabase(str(path)) as database:
        connection = database._connect()
        assert connection.execute("SELECT count(*) FROM systems").fetchone() == (1,)
        with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|prohibited"):
            connection.execute(statement)
        connection.close()
