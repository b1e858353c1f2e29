"""Files made to run code, to hang or to fill memory: each is one clear error."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acefit import untrusted
from acefit.errors import AcefitError
from fuzz.targets import TARGETS, samples, survives
from fuzz.targets import frame as valid_frame

BASE = 2**26
"""Memory in bytes that reading may take besides that for its size; less than usual, so that filling it takes less time."""

pytestmark = pytest.mark.filterwarnings("ignore")


class Call:
    """Pickled as a call."""

    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def call(module, name, *arguments):
    """A pickle that calls something by name, whether or not it is there."""
    names = "".join(f"\x8c{chr(len(text))}{text}" for text in (module, name)).encode("latin1")
    return b"\x80\x04" + names + b"\x93" + pickle.dumps(arguments, 4)[2:-1] + b"R."


def nested(start, end, depth=10**5):
    return start * depth + end * depth


def doubled(depth=60):
    """A list that is small in a pickle and has 2^depth entries."""
    found = [0.0]
    for _ in range(depth):
        found = [found, found]
    return found


DOUBLED = b"\x80\x04]" + b"".join(b"q%c0](h%ch%ce" % (k, k, k) for k in range(40)) + b"."
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{k}: &a{k} {{<<: [*a{k - 1}, *a{k - 1}]}}\n" for k in range(1, 60))

PICKLES = {
    "os.system": pickle.dumps(Call(os.system, "touch ran")),
    "eval": pickle.dumps(Call(eval, "1")),
    "subprocess": call("subprocess", "Popen", ["touch", "ran"]),
    "numpy.load": call("numpy", "load", "f"),
    "numpy.memmap": call("numpy", "memmap", "ran", "u1", "w+"),
    "numpy.fromfile": call("numpy", "fromfile", "/dev/zero"),
    "numpy.testing": call("numpy.testing._private.utils", "runstring", "1", {}),
    "numpy f2py": call("numpy.f2py.crackfortran", "myeval", "1"),
    "pandas.read_pickle": call("pandas", "read_pickle", "f"),
    "pandas eval": call("pandas", "eval", "1"),
    "ase.io.read": call("ase.io", "read", "f"),
    "getattr": call("builtins", "getattr", 1, "real"),
    "huge array": call("numpy.core.multiarray", "_reconstruct", np.ndarray, (10**12,), b"d"),
    "huge bytes": call("builtins", "bytearray", 10**13),
    "huge list": pickle.dumps(Call(list, range(10**11)), 4),
    "huge set": pickle.dumps(Call(set, range(10**11)), 4),
    "huge index": pickle.dumps(pd.DataFrame(index=pd.RangeIndex(10**15)), 4),
    "huge atoms": call("ase.atoms", "Atoms", "H9999999999"),
    "memo index": b"\x80\x02Nr\xff\xff\xff\xff.",
    "long number": b"\x80\x04\x8b\xff\xff\xff\x7f" + b"\x01" * 20 + b".",
    "long bytes": b"\x80\x04\x8e" + (2**50).to_bytes(8, "little") + b".",
    "long frame": b"\x80\x04\x95" + (2**60).to_bytes(8, "little") + b".",
    "deep lists": b"\x80\x04" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".",
    "doubled lists": DOUBLED,
    "doubled forces": pickle.dumps(valid_frame(forces=[doubled(), doubled()], w_forces=[doubled(), doubled()]), 4),
    "doubled energy": pickle.dumps(valid_frame(energy=[doubled(), doubled()], w_energy=[doubled(), doubled()]), 4),
    "gzip bomb": gzip.compress(b"\x80\x04C\x00" + b"0" * 10**4) + gzip.compress(bytes(10**8)) * 100,
    "bzip2 bomb": bz2.compress(b"\x80\x04\x8e" + (10**10).to_bytes(8, "little")) + bz2.compress(bytes(10**8)) * 100,
    "xz bomb": lzma.compress(b"\x80\x04\x8e" + (10**10).to_bytes(8, "little")) + lzma.compress(bytes(10**8)) * 100,
    "array of objects from bytes": call("numpy.core.multiarray", "scalar", np.dtype("O"), b"\x08" * 8),
    "text": b"hello",
    "empty": b"",
}

XYZ = {
    "10^12 atoms": b"1000000000000\n\nCu 0 0 0\n",
    "number without end": b"9" * 10**5 + b"\n\nCu 0 0 0\n",
    "negative number": b"-1\n\n",
    "10^9 columns": b"1\nProperties=species:S:1:pos:R:999999999\nCu 0 0 0\n",
    "many columns, many times": b"1\nProperties=species:S:1:pos:R:99999\nCu 0 0 0\n" * 1000,
    "binary": bytes(range(256)),
    "cut off": b"2\n\nCu 0 0 0\n",
    "behind an empty line": b"1\n\nCu 0 0 0\n\n1\n\nCu 0 0 0\n",
    "not finite": b"1\n\nCu nan 0 inf\n",
    "far away": b"2\n\nCu 0 0 0\nCu 1e300 0 0\n",
    "tiny cell": b'1\nLattice="1e-3 0 0 0 1e-3 0 0 0 2e-3"\nCu 0 0 0\n',
    "nearly parallel cell": b'1\nLattice="1e5 0 0 1e5 1e-3 0 0 0 3"\nCu 0 0 0\n',
    "huge cell": b'1\nLattice="1e200 0 0 0 1e200 0 0 0 1e200"\nCu 0 0 0\n',
    "atoms in one place": b"20000\n\n" + b"Cu 0 0 0\n" * 20000,
    "energy of 400 digits": b"1\nenergy=" + b"9" * 400 + b"\nCu 0 0 0\n",
    "unknown element": b"1\n\nQq 0 0 0\n",
}

YAML = {
    "python tag": "a: !!python/object/apply:os.system [touch ran]",
    "python name": "a: !!python/name:os.system",
    "aliases": LAUGHS,
    "merged aliases": MERGES,
    "alias of itself": "a: &a [*a]",
    "deep brackets": nested("[", "]"),
    "deep brackets with comments": "[ # ]\n" * 10**5,
    "deep lists": "- " * 10**5,
    "deep maps": "? " * 10**5,
    "deep indentation": "".join(" " * k + "-\n" for k in range(2000)),
    "aliases that add depth": "a0: &a0 [x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}]\n" for k in range(1, 5000)),
    "decimal number of 10^4 digits": "seed: " + "9" * 10**4,
    "hexadecimal number of 10^4 digits": "seed: 0x" + "f" * 10**4,
    "number of 10^5 minutes": "seed: " + "1:" * 10**5 + "1",
    "wrong date": "a: !!timestamp 2001-99-99",
    "wrong bool": "a: !!bool x",
    "empty int": "a: !!int ''",
    "NUL": "a: \0",
    "list": "- 1",
    "empty": "",
}


def zip_bomb():
    compress = zlib.compressobj(9, wbits=31)
    zeros = bytes(10**7)
    return b"".join(compress.compress(zeros) for _ in range(20)) + compress.flush()


def parquet(columns, metadata=None):
    file = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), file)
    return file.getvalue()


def database(*statements):
    """A database whose tables were exchanged."""
    connection = sqlite3.connect(":memory:")
    with closing(connection):
        connection.deserialize(samples(TARGETS["database"])[0])
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        return connection.serialize()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
DATABASES = {
    "endless view": database("ALTER TABLE systems RENAME TO t", f"CREATE VIEW systems AS {ENDLESS} SELECT t.* FROM t, n"),
    "silent endless view": database(
        "ALTER TABLE systems RENAME TO t", f"CREATE VIEW systems AS {ENDLESS} SELECT t.* FROM t, n WHERE n.i < 0"
    ),
    "generated column": database(
        "ALTER TABLE systems DROP COLUMN positions", "ALTER TABLE systems ADD COLUMN positions AS (zeroblob(900000000))"
    ),
    "blob for text": database("UPDATE systems SET key_value_pairs = zeroblob(100)"),
    "positions of another length": database("UPDATE systems SET positions = zeroblob(7)"),
    "no atoms": database("UPDATE systems SET numbers = NULL"),
    "no systems": database("DELETE FROM systems"),
    "other database": database("DROP TABLE systems"),
    "text": b"hello",
    "empty": b"",
}

PARQUET = {
    "other table": parquet({"a": [1]}),
    "metadata that are no JSON": parquet({"a": [1]}, {b"acefit": b"{"}),
    "metadata of another kind": parquet({"a": [1]}, {b"acefit": b"[]"}),
    "metadata with deep lists": parquet({"a": [1]}, {b"acefit": nested(b"[", b"]")}),
    "metadata without content": parquet({"a": [1]}, {b"acefit": json.dumps({"contract": "structures"}).encode()}),
    "many equal numbers": parquet({"w_energy": pa.array(np.zeros(15 * 10**6)), "w_forces": pa.array(np.zeros(15 * 10**6))}),
    "nested columns": parquet({"w_energy": [[[1]]], "w_forces": [{"a": 1}]}),
    "text columns": parquet({"w_energy": ["x"], "w_forces": ["[[1]]"]}),
    "empty": b"",
}

CASES = (
    [("pickle", name, content) for name, content in PICKLES.items()]
    + [("weights pickle", name, content) for name, content in PICKLES.items()]
    + [("xyz", name, content) for name, content in XYZ.items()]
    + [("xyz.gz", name, gzip.compress(content)) for name, content in XYZ.items()]
    + [(reader, name, text.encode()) for name, text in YAML.items() for reader in ("configuration", "potential")]
    + [("database", name, content) for name, content in DATABASES.items()]
    + [(reader, name, content) for name, content in PARQUET.items() for reader in ("parquet structures", "weights parquet")]
    + [("references", "no number", b"element,energy\nCu,x\n"), ("references", "short line", b"element,energy\nCu\n")]
    + [("weights csv", "deep lists", b'structure,w_energy,w_forces\n0,1,"' + nested(b"[", b"]") + b'"\n')]
)


@pytest.mark.parametrize(("reader", "content"), [(r, c) for r, _, c in CASES], ids=[f"{r}-{n}" for r, n, _ in CASES])
def test_attack__is_one_clear_error(tmp_path, monkeypatch, reader, content):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(untrusted, "MEMORY_BASE", BASE)
    assert survives(TARGETS[reader], content, tmp_path)
    assert not (tmp_path / "ran").exists()


def test_attack__gzip_bomb_of_text(tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "MEMORY_BASE", BASE)
    assert "GiB of text" in survives(TARGETS["xyz.gz"], zip_bomb(), tmp_path)


# a log is made where there is none, and a live table without rows is no error
@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("evaluation log", "live metrics")])
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "missing"])
def test_reader__refuses_what_is_no_file(tmp_path, name, kind):
    target = TARGETS[name]
    path = tmp_path / target.file_name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    with pytest.raises(AcefitError, match=target.file_name.replace(".", r"\.")):
        target.read(path)
