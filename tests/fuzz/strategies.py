"""Files for the readers, made of what each kind of file is made of: bytes of valid ones, opcodes, keys, columns, records."""

import io
import json
import pickle
import sqlite3
import tempfile
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from ase import Atoms
from hypothesis import strategies as st

from acefit import artifacts
from acefit.config.schema_text import schema
from acefit.fit.checkpoint import EVALUATION, ITERATION, MAGIC, RECORD_HEAD, STATE, _checksum
from fuzz.targets import DIGEST, PICKLE_WORDS, TARGETS, XYZ_WORDS, YAML_WORDS, frame, samples, tables

valid = cache(lambda name: samples(TARGETS[name]))

HUGE = 10**400
NUMBERS = st.one_of(
    st.integers(-3, 300), st.sampled_from([0, -1, 10**12, 2**63, HUGE, 1e308, float("nan"), float("inf"), -0.0]), st.floats()
)
PLAIN = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.text(max_size=5), st.sampled_from(["Cu", "energy", "auto", "ALL", "1e-8"])
)


SHORT = st.text(max_size=5)


def nested(leaves, keys=SHORT):
    """Lists and maps of leaves."""
    return st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)), max_leaves=8
    )


@st.composite
def mutated(draw, name):
    """A valid file of a kind with some bytes changed, doubled, swapped, lost or put in."""
    content = bytearray(draw(st.sampled_from(valid(name))))
    words = st.sampled_from(TARGETS[name].words) if TARGETS[name].words else st.binary(min_size=1, max_size=8)
    for _ in range(draw(st.integers(1, 6))):
        first = draw(st.integers(0, len(content)))
        last = min(len(content), first + draw(st.integers(0, 40)))
        match draw(st.integers(0, 5)):
            case 0 if first < len(content):
                content[first] ^= draw(st.integers(1, 255))
            case 1:
                del content[first:last]
            case 2:
                content[first:first] = content[first:last] * draw(st.integers(1, 20))
            case 3:
                content[first:last] = draw(words)
            case 4:
                other = draw(st.integers(0, len(content)))
                content[other:other] = content[first:last]
            case _:
                content[first:first] = draw(st.one_of(words, st.binary(min_size=1, max_size=8)))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 9)) == 0 else content)


@st.composite
def rearranged(draw, name):
    """Blocks of lines of a valid text in any order, as often as it comes."""
    lines = draw(st.sampled_from(valid(name))).splitlines(keepends=True)
    blocks = st.tuples(st.integers(0, len(lines)), st.integers(0, 200)).map(lambda block: lines[block[0] : sum(block)])
    words = st.sampled_from(TARGETS[name].words).map(lambda word: [word, b"\n"])
    return b"".join(line for block in draw(st.lists(st.one_of(blocks, words), max_size=8)) for line in block)


def _text_operation(code):
    return st.text("abz09", max_size=4).map(lambda text: code + text.encode() + b"\n")


OPERATIONS = st.one_of(
    st.sampled_from([bytes([code]) for code in b"(.012NtlduaesbRQ]})\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"]),
    st.sampled_from(PICKLE_WORDS),
    st.builds(
        lambda text: b"\x8c" + bytes([len(text)]) + text, st.sampled_from([b"numpy", b"ndarray", b"<f8", b"O", b"data", b""])
    ),
    st.integers(0, 255).flatmap(lambda n: st.sampled_from([b"K" + bytes([n]), b"h" + bytes([n]), b"q" + bytes([n])])),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: b"J" + n.to_bytes(4, "little", signed=True)),
    st.floats().map(lambda x: b"G" + np.array(x, ">f8").tobytes()),
    st.one_of([_text_operation(code) for code in (b"I", b"L", b"F", b"p", b"g")]),
    st.sampled_from(
        [
            f"c{module}\n{name}\n".encode()
            for module, name in (
                *(("numpy", "dtype"), ("numpy", "ndarray"), ("numpy.core.multiarray", "_reconstruct"), ("builtins", "bytearray")),
                *(("numpy.core.multiarray", "scalar"), ("pandas.core.frame", "DataFrame"), ("pandas.core.series", "Series")),
                *(("pandas.core.internals.managers", "BlockManager"), ("pandas._libs.internals", "_unpickle_block")),
                *(
                    ("pandas.core.indexes.base", "_new_Index"),
                    ("pandas", "Categorical"),
                    ("ase.atoms", "Atoms"),
                    ("builtins", "set"),
                ),
                *(("copyreg", "_reconstructor"), ("builtins", "object"), ("builtins", "getattr"), ("collections", "Counter")),
                *(
                    ("pyarrow.lib", "_restore_array"),
                    ("pyarrow.lib", "py_buffer"),
                    ("datetime", "datetime"),
                    ("builtins", "slice"),
                ),
            )
        ]
    ),
)
PROGRAMS = st.builds(lambda parts: b"\x80\x04" + b"".join(parts) + b".", st.lists(OPERATIONS, max_size=25))
"""Pickles of random operations on allowed and forbidden names."""

CELLS = st.one_of(
    nested(PLAIN),
    st.just(Atoms("Cu")),
    st.builds(np.full, st.sampled_from([(), 1, (2, 3), (3, 3), 6, (0, 3)]), st.one_of(st.floats(), st.just("x"), st.none())),
)


@st.composite
def frames_of_anything(draw, make=frame):
    """A pickled frame some columns of which hold other things than they should."""
    plain = make()
    for column in draw(st.lists(st.sampled_from([*plain.columns, "config_type", "w_factor", "structure"]), max_size=3)):
        plain[column] = pd.Series([draw(CELLS) for _ in range(2)], index=plain.index, dtype=object)
    return pickle.dumps(plain, 4)


@st.composite
def odd_atoms(draw):
    """A pickled frame whose structures are not what ASE would have made."""
    atoms = Atoms("Cu2", [[0, 0, 0], [2, 0, 0]], cell=[5, 5, 5], pbc=True)
    scale = draw(st.sampled_from([1e-8, 1e-3, 1, 1e5, 1e30, 1e300]))
    match draw(st.integers(0, 4)):
        case 0:
            atoms.arrays["positions"] = draw(CELLS)
        case 1:
            atoms.arrays["numbers"] = draw(st.one_of(CELLS, st.just(np.array([10**9, -5]))))
        case 2:
            atoms.cell.array[:] = draw(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=3, max_size=3))
            atoms.cell.array[:] *= scale
            atoms.pbc = draw(st.lists(st.booleans(), min_size=3, max_size=3))
        case 3:
            atoms.positions[1] = draw(st.lists(st.floats(-1, 1), min_size=3, max_size=3))
            atoms.positions *= scale
        case _:
            atoms.__dict__[draw(st.sampled_from(["info", "_pbc", "_cellobj", "arrays", "_calc"]))] = draw(CELLS)
    return pickle.dumps(pd.DataFrame({"ase_atoms": [atoms], "energy": [1.0]}), 4)


@cache
def _keys():
    found = set()

    def visit(node):
        if isinstance(node, dict):
            found.update(node.get("properties", {}))
            for child in node.values():
                visit(child)
        elif isinstance(node, list):
            for child in node:
                visit(child)

    visit(schema())
    return sorted(found)


@st.composite
def configurations(draw):
    """Known keys at known and wrong places with values of all types."""
    keys = st.sampled_from([*_keys(), "ALL", "Cu", "CuAl", "UNARY", "NO"])
    base = yaml.safe_load(draw(st.sampled_from(valid("configuration"))))
    for _ in range(draw(st.integers(1, 4))):
        place = base
        while draw(st.booleans()) and (inner := [value for value in place.values() if isinstance(value, dict)]):
            place = draw(st.sampled_from(inner))
        key = draw(st.one_of(st.sampled_from(sorted(place, key=str) or ["x"]), keys, st.sampled_from([None, 1, True, 1.5])))
        place[key] = draw(nested(PLAIN, st.one_of(keys, st.integers(0, 3), st.none())))
    return yaml.safe_dump(base, allow_unicode=True).encode("utf-8", "surrogatepass")


@st.composite
def potentials(draw):
    """A potential some values of which are other things than they should be."""
    root = yaml.load(draw(st.sampled_from(valid("potential"))), Loader=yaml.BaseLoader)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([root, *root["species"]])) if isinstance(root.get("species"), list) else root
        if isinstance(place, dict) and place:
            if isinstance(place.get("nbody"), list) and place["nbody"] and draw(st.booleans()):
                place = draw(st.sampled_from(place["nbody"]))
            if isinstance(place, dict) and place:
                place[draw(st.sampled_from(sorted(place)))] = draw(nested(PLAIN))
    return yaml.safe_dump(root, allow_unicode=True).encode("utf-8", "surrogatepass")


YAML_TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [*(word.decode() for word in YAML_WORDS), "a: ", "- ", "\n", "  ", "[", "]", "{", "}", ", ", ": ", "x", "# c\n"]
        ),
        st.text(max_size=3),
    ),
    max_size=25,
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))

XYZ_TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *XYZ_WORDS,
                *(
                    b"1\n",
                    b"2\n",
                    b"Cu 0 0 0\n",
                    b"Cu 0 0 2 1 2 3\n",
                    b" ",
                    b"\n",
                    b'Lattice="3 0 0 0 3 0 0 0 3" ',
                    b"Properties=",
                ),
                *(
                    b"species:S:1:pos:R:3",
                    b":forces:R:3",
                    b":Z:I:1",
                    b":move_mask:L:1",
                    b" energy=-1 ",
                    b'stress="1 2 3 4 5 6"',
                    b"=",
                    b'"',
                ),
            ]
        ),
        st.binary(max_size=3),
    ),
    max_size=20,
).map(b"".join)


@st.composite
def databases(draw):
    """An ASE database some values of which are of other types or lengths."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.db"
        path.write_bytes(valid("database")[0])
        with closing(sqlite3.connect(path)) as connection:
            columns = [row[1] for row in connection.execute("PRAGMA table_info(systems)")]
            for column in draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3)):
                number = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats())
                texts = nested(PLAIN.filter(lambda x: x != HUGE)).map(json.dumps)
                arrays = st.lists(number, max_size=9).map(lambda xs: np.array(xs, np.float64).tobytes())
                value = draw(st.one_of(st.none(), number, texts, arrays, st.binary(max_size=40)))
                if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
                    continue
                with suppress(sqlite3.IntegrityError):  # the table's own key takes only numbers
                    connection.execute(f"UPDATE OR IGNORE systems SET {column} = ?", (value,))
            connection.commit()
        return path.read_bytes()


@st.composite
def parquet_tables(draw, which):
    """A table of a dataset with other columns, types and metadata, and a digest that fits them."""
    table = pq.read_table(io.BytesIO(_tables()[which]))
    for name in draw(st.lists(st.sampled_from(table.column_names), max_size=2)):
        values = draw(
            st.one_of(
                st.lists(NUMBERS.filter(lambda x: x != HUGE), min_size=2, max_size=2), st.lists(CELLS, min_size=2, max_size=2)
            )
        )
        try:
            column = pa.array(values * (len(table) // 2))
            column = column.cast(table.schema.field(name).type) if draw(st.booleans()) else column
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            continue
        table = table.set_column(table.column_names.index(name), name, column)
    header = json.loads(table.schema.metadata[b"acefit"])
    header["seal"] = artifacts._NO_SEAL
    if draw(st.integers(0, 4)) == 0:
        header[draw(st.sampled_from(sorted(header)))] = draw(nested(PLAIN.filter(lambda x: x != HUGE)))
    metadata = {b"acefit": json.dumps(header).encode("utf-8", "replace"), b"acefit-content": 64 * b"0"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        pq.write_table(table.replace_schema_metadata(metadata), path)
        artifacts._seal(path)  # as a forger would
        return path.read_bytes()


@cache
def _tables():
    with tempfile.TemporaryDirectory() as folder:
        return tables(Path(folder))


def _record(kind, payload):
    record = RECORD_HEAD.pack(kind, len(payload)) + payload
    return record + _checksum(record)


LOGS = st.lists(
    st.builds(
        _record,
        st.sampled_from([EVALUATION, ITERATION, STATE]),
        st.one_of(
            st.binary(max_size=80),
            nested(PLAIN.filter(lambda x: x != HUGE)).map(lambda content: json.dumps(content).encode()),
            st.just(b'{"iteration": 1}'),
            st.integers(0, 2**64 - 1).map(lambda n: b"x" * 24 + n.to_bytes(8, "little") + b"{}"),
        ),
    ),
    max_size=5,
).map(lambda records: MAGIC + DIGEST + b"".join(records))
"""Logs of records whose checksums are right."""
