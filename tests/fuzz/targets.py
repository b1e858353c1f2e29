"""The readers that are fuzzed: small valid files of each kind, and what must hold whatever a file contains."""

import bz2
import gzip
import lzma
import os
import pickle
import resource
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pandas as pd
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import vasp_files
from acefit.active.asi import read_asi, write_asi
from acefit.collect.results import read_result
from acefit.collect.search import CP2K, CP2K_TRAJECTORY, Output
from acefit.config.loading import load_config
from acefit.config.stages import neighbor_cutoff, potential_elements, reference_energy
from acefit.data.external_weights import read_external
from acefit.data.readers import ReadingOptions, read_files
from acefit.data.references import determine_references
from acefit.data.storage import read_dataset, write_dataset
from acefit.data.structures import StructureSet
from acefit.errors import AcefitError, DataError
from acefit.files import read_yaml, write_sealed, write_yaml
from acefit.fit.adam import AdamState
from acefit.fit.checkpoint import EvaluationLog, LoggedEvaluation, content_digest
from acefit.fit.metrics import TEXT_COLUMNS, text_header, text_row
from acefit.pipeline.status import read_last_row
from acefit.potential.bbasis_read import read_potential
from acefit.potential.yace_read import read_yace
from acefit.potential.yace_write import format_yace

VASP_WORDS = (b"ions per type =  999999999999\n", b"NELM = 9\n", b"Iteration", b"direct lattice vectors", b"nan")

TESTS = Path(__file__).resolve().parents[1]
SECONDS = 60
"""Reading a file of some kilobytes takes milliseconds; what takes this long hangs."""

MEMORY = 3 * 2**30
"""Bytes that reading one file may add to the process."""

DIGEST = content_digest("fuzz")

FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile", "pty.spawn"),
    *("subprocess.Popen", "socket.connect", "socket.bind", "urllib.Request", "ctypes.dlopen", "sqlite3.enable_load_extension"),
)
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "os.symlink", "shutil.rmtree", "shutil.move")


@dataclass(frozen=True)
class Target:
    """One kind of file.

    Attributes
    ----------
    file_name : under which its content is written; decides how it is read
    read : reads the file at a path
    samples : makes valid contents in an empty folder
    words : what a fuzzer may put in, as it would not come upon it itself
    """

    file_name: str
    read: Callable[[Path], object]
    samples: Callable[[Path], list[bytes]]
    words: tuple[bytes, ...] = ()


class Hang(BaseException):
    """Reading took too long; no Exception, so that no reader takes it for damage of the file."""


class _Watch:
    """An audit hook, which can never be removed, with a switch: notes code that is run and files changed outside a folder."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        self._installed = False

    def install(self) -> None:
        if not self._installed:
            sys.addaudithook(self._hook)
            self._installed = True

    def _hook(self, event: str, arguments: tuple) -> None:
        if self.folder is None:
            return
        writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and os.path.isdir(str(arguments[0])):
            return  # a temporary file without a name, which vanishes by itself
        if event in FORBIDDEN or (
            (writes or event in CHANGES) and not str(arguments[0]).startswith((self.folder, "/dev/null", "/proc/self"))
        ):
            self.seen.append(f"{event}{arguments}")


WATCH = _Watch()


@contextmanager
def _bounds(folder: Path) -> Iterator[None]:
    """Bound time and memory, and note code that is run."""

    def stop(*_: object) -> None:
        raise Hang(f"no answer after {SECONDS} s")

    WATCH.install()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    if SECONDS:
        previous = signal.signal(signal.SIGALRM, stop)
        signal.alarm(SECONDS)
    WATCH.folder, WATCH.seen = str(folder), []
    try:
        yield
    finally:
        WATCH.folder = None
        if SECONDS:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def survives(target: Target, content: bytes, folder: Path) -> str | None:
    """Read a file with some content; anything but a result or one of acefit's errors that names the file is raised.

    Returns
    -------
    The message of the error, None if the file was read.
    """
    path = folder / target.file_name
    path.write_bytes(content)
    message = None
    with _bounds(folder):
        try:
            target.read(path)
        except AcefitError as error:
            message = str(error)
    assert not WATCH.seen, f"reading ran or changed something: {WATCH.seen}"
    assert message is None or path.name in message, f"the error does not name the file: {message}"
    return message


def frames() -> list[Atoms]:
    """Two structures with everything that is read."""
    found = []
    for k, symbol in enumerate(("Cu", "Al")):
        atoms = bulk(symbol, cubic=True)[:2]
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0 * k, forces=np.full((2, 3), 0.1 * k), stress=np.arange(6.0) * k)
        atoms.info |= {"config_type": f"type-{k}", "name": f"s{k}"}
        found.append(atoms)
    return found


def frame(**columns: list) -> pd.DataFrame:
    """The structures as pacemaker pickles them, columns added or replaced."""
    structures = [Atoms(a.numbers, a.positions, cell=a.cell, pbc=a.pbc) for a in frames()]
    known = {
        "ase_atoms": structures,
        "energy": [1.0, 2.0],
        "energy_corrected": [0.5, 1.5],
        "forces": [np.zeros((2, 3)), [[0.0, 0, 1]] * 2],
        "stress": [np.zeros(6), np.eye(3)],
        "w_energy": [1.0, None],
        "w_forces": [[1.0, 2.0], np.ones(2)],
        "name": ["a", "b"],
    }
    return pd.DataFrame({**known, **columns})


def _read_dataset(path: Path) -> object:
    return read_files([{"path": str(path)}], ReadingOptions(elements=("Al", "Cu")))


def _read_structures(path: Path) -> object:
    """The first table of a dataset, beside an intact second one."""
    atoms = path.with_name("atoms.parquet")
    if not atoms.exists():
        atoms.write_bytes(tables(path.parent)[1])
    return _read_dataset(path)


def _read_atoms(path: Path) -> object:
    """The second table of a dataset, beside an intact first one."""
    structures = path.with_name("structures.parquet")
    if not structures.exists():
        structures.write_bytes(tables(path.parent)[0])
    return read_dataset(structures, path)


def _read_for_rules(path: Path) -> object:
    """What the workflow wants to know of a potential file before any job runs."""
    settings = path.with_name("settings.yaml")
    settings.write_text(f"potential: {path}\ndata: {{filename: x.xyz}}\n")
    config = load_config(settings)
    return neighbor_cutoff(config), potential_elements(config), reference_energy(config)


def _read_log(path: Path) -> object:
    with EvaluationLog.open(path, DIGEST) as log:
        evaluations = [log.read_evaluation(k) for k in range(log.n_evaluations)]
        return evaluations, [log.read_state(k) for k in range(log.n_states)], log.iterations


def _read_references(path: Path) -> object:
    copper = StructureSet.from_ase([bulk("Cu")])
    return determine_references(str(path), copper, np.zeros(1))


def _pickles(folder: Path) -> list[bytes]:
    plain = pickle.dumps(frame(), 4)
    old = pickle.dumps(frame(), 2)
    return [plain, old, gzip.compress(plain), bz2.compress(plain), lzma.compress(old)]


def _xyz(folder: Path) -> list[bytes]:
    ase.io.write(folder / "s.xyz", frames(), format="extxyz")
    odd = b'1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:Z:I:1:m:L:1 '
    odd += b'a=_JSON {"b": [1]} c=T virial="1 0 0 0 1 0 0 0 1"\n'
    vectors = b"1\nold\nCu 0 0 0\nVEC1 3 0 0\nVEC2 0 3 0\nVEC3 0 0 3\n"
    return [(folder / "s.xyz").read_bytes(), odd + b"Cu 0 0 0 29 T\n", vectors]


def _database(folder: Path) -> list[bytes]:
    path = folder / "s.db"
    path.unlink(missing_ok=True)
    with ase.db.connect(path, create_indices=False) as database:
        for atoms in frames():
            database.write(atoms, config_type="bulk", data={"forces": np.ones((2, 3)), "x": 1 + 2j, "energy": 1.0})
    with closing(sqlite3.connect(path)) as connection:  # small pages, so that most bytes mean something
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")
    return [path.read_bytes()]


def _trajectory(folder: Path) -> list[bytes]:
    ase.io.write(folder / "s.traj", frames())
    return [(folder / "s.traj").read_bytes()]


def tables(folder: Path) -> list[bytes]:
    """Both tables of a dataset."""
    (folder / "w.pckl").write_bytes(_pickles(folder)[0])
    paths = folder / "w1.parquet", folder / "w2.parquet"
    write_dataset(read_files([{"path": str(folder / "w.pckl")}]).dataset, *paths)
    return [path.read_bytes() for path in paths]


def _weights() -> pd.DataFrame:
    return pd.DataFrame({"w_energy": [1.0, 2.0], "w_forces": [[1.0, 2.0], [3.0]]}, index=[0, 1])


def _weight_table(folder: Path) -> list[bytes]:
    _weights().to_parquet(folder / "w.parquet")
    return [(folder / "w.parquet").read_bytes()]


def _log(folder: Path) -> list[bytes]:
    with EvaluationLog.open(folder / "w.log", DIGEST) as log:
        log.append_evaluation(b"x" * 16, LoggedEvaluation(1.5, np.arange(3.0), {"energy": 1.0}))
        log.append_iteration(1, {"loss": 1.5})
        log.append_state(1, AdamState(np.zeros(2), np.zeros(2), np.zeros(2), 3, 0.1))
    return [(folder / "w.log").read_bytes()]


def _artifact(folder: Path) -> list[bytes]:
    write_yaml({"loss": 1e-8, "cycles": [{"restart": 1, "best": True}, None], "potential": "p.yaml"}, folder / "a.yaml")
    return [(folder / "a.yaml").read_bytes(), sealed("a: &a [1, 2]\nb: *a\nc: {<<: {d: 2001-01-01}, e: !!binary aGk=}\n")]


def sealed(text: str) -> bytes:
    """A text artifact, as a forger would make it."""
    with tempfile.TemporaryDirectory() as folder:
        write_sealed(text, Path(folder) / "a.yaml")
        return (Path(folder) / "a.yaml").read_bytes()


def _files(folder: str) -> Callable[[Path], list[bytes]]:
    return lambda _: [path.read_bytes() for path in sorted((TESTS / folder).glob("*.yaml"))]


YAML_WORDS = tuple(
    word.encode()
    for word in (
        *("!!python/object/apply:os.system [true]", "!!python/name:os.system", "!!python/module:os", "!!timestamp 2001-99-99"),
        *("&a [*a]", "*a", "<<: *a", "&a", "? ", "- - -", "[[[[", "{{{{", "---\n", "...\n", "!!int x", "!!bool x", "!!set {a}"),
        *("1e999", "-1", ".nan", ".inf", "0x" + "f" * 400, "9" * 400, "1:1:1:1", "null", "~", '"\\0"', "'", "|\n ", "%YAML 9.9"),
    )
)
PICKLE_WORDS = (
    *(b"cposix\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nload\n", b"\x8c\x02os\x8c\x06system\x93", b"cnumpy\nmemmap\n"),
    *(
        b"(S'true'\ntR",
        b"R",
        b"b",
        b"\x81",
        b"\x92",
        b"r\xff\xff\xff\x0f",
        b"\x8e\xff\xff\xff\xff\xff\xff\x00\x00",
        b"P1\n",
        b"Q",
    ),
    *(
        b"cbuiltins\nlist\n",
        b"cbuiltins\nrange\n",
        b"cnumpy\nndarray\n",
        b"J\xff\xff\xff\x7f",
        b"cpandas\nRangeIndex\n",
        b"\x85",
        b".",
    ),
)
XYZ_WORDS = (
    *(b"1000000000000\n", b"-1\n", b"0\n", b"\n\n", b"VEC1 1 0 0\n", b"nan", b"inf", b"1e309", b":R:999999999", b"pos:R:-3"),
    *(
        b"_JSON [[[[",
        b'pbc="T T F"',
        b'Lattice="1e-9 0 0 0 1e-9 0 0 0 1e-9"',
        b"energy=[1,2",
        b"forces:R:3",
        b"species:S:1",
        b"\x00",
    ),
)
SQL_WORDS = (
    b"CREATE VIEW systems AS",
    b"CREATE TRIGGER",
    b"GENERATED ALWAYS AS",
    b"WITH RECURSIVE",
    b"__ndarray__",
    b"__ase_objtype__",
)


def _yace(folder: Path) -> list[bytes]:
    """The demo potential in C-tilde form."""
    return [format_yace(read_potential(TESTS / "data" / "demo.yaml").with_e0({"Al": -1.5})).encode()]


def _metrics() -> bytes:
    """Live table of a fit with two rows."""
    rows = [text_row({**dict.fromkeys(TEXT_COLUMNS, 0.5), "iter_num": number}) for number in (0, 1)]
    return "".join([text_header(), *rows]).encode()


def _active_sets(folder: Path) -> list[bytes]:
    write_asi(folder / "x.asi", {"Al": np.eye(3), "Ni": np.eye(2)}, "linear", {"Al": ["a", "b", "c"], "Ni": ["d", "e"]})
    with (folder / "y.asi").open("wb") as file:
        np.savez_compressed(file, Al=np.eye(3))
    return [(folder / name).read_bytes() for name in ("x.asi", "y.asi")]


def _dumps(_: Path) -> list[bytes]:
    box = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS xy xz yz pp pp ff\n0 5 1\n0 5 0\n0 6 0\n"
    typed, named = "id type xs ys zs\n1 1 0 0 0\n2 2 .5 .5 .5\n", "id element x y z\n1 Al 0 0 0\n2 Ni 0 0 2\n"
    return [f"{box}ITEM: ATOMS {rows}".encode() * 2 for rows in (typed, named)]


def _read_dump(path: Path) -> object:
    return read_files([{"path": str(path)}], ReadingOptions(lammps_elements=("Al", "Ni")))


def _read_output(kind: str) -> Callable[[Path], object]:
    """Reads an output; one that gives nothing counts as refused."""

    def read(path: Path) -> object:
        result = read_result(Output(path, kind), keep_unfinished=True)
        if not result.steps:
            raise DataError(str(result.problems[0]))
        return result

    return read


def _read_run_of_cp2k(path: Path) -> object:
    """One file of a run, beside intact others; the main output is without forces, so that all of them are needed."""
    names = ("heat-pos-1.xyz", "heat-frc-1.xyz", "heat-1.cell", "md.out.gz")
    for name, (content,) in ((name, _stored(f"cp2k/md/{name}")(path)) for name in names):
        other = path.with_name(name.removesuffix(".gz"))
        if other != path and not other.exists():
            other.write_bytes(content.replace(b"ATOMIC FORCES", b""))
    trajectory = path.with_name("heat-pos-1.xyz")
    result = read_result(Output(trajectory, CP2K_TRAJECTORY), keep_unfinished=True)
    if not result.steps:
        raise DataError(f"{path}: {result.problems[0]}")
    return result


def _outputs(write: Callable[..., str]) -> Callable[[Path], list[bytes]]:
    """Outputs of VASP for two steps of a crystal."""

    def samples(_: Path) -> list[bytes]:
        steps = [bulk("NaCl", "rocksalt", a=5.6), bulk("NaCl", "rocksalt", a=5.7)]
        for atoms in steps:
            results = {"energy": -6.0, "free_energy": -6.1, "forces": np.full((2, 3), 0.1), "stress": np.full(6, 0.01)}
            atoms.calc = SinglePointCalculator(atoms, **results)
        return [write(steps).encode(), write(steps, finished=False).encode()]

    return samples


def _stored(*names: str) -> Callable[[Path], list[bytes]]:
    """Outputs of programs from the tests, decompressed."""

    def samples(_: Path) -> list[bytes]:
        contents = [(TESTS / "data" / "collect" / name).read_bytes() for name in names]
        return [
            gzip.decompress(content) if name.endswith(".gz") else content for name, content in zip(names, contents, strict=True)
        ]

    return samples


TARGETS = {
    "OUTCAR": Target("OUTCAR", _read_output("vasp-out"), _outputs(vasp_files.outcar), VASP_WORDS),
    "vasprun.xml": Target(
        "vasprun.xml",
        _read_output("vasp-xml"),
        _outputs(vasp_files.vasprun),
        (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]>", b"&b;", b"1e999"),
    ),
    "output of pw.x": Target(
        "pw.out",
        _read_output("espresso-out"),
        _stored("espresso/bulk/pw.out"),
        (b"number of atoms/cell      =   99999999999\n", b"ATOMIC_POSITIONS (crystal)\n", b"nan"),
    ),
    "output of CP2K": Target(
        "cp2k.out",
        _read_output(CP2K),
        _stored("cp2k/water/cp2k.out"),
        (b" ATOMIC FORCES in [a.u.]\n", b" CELL| Vector a [angstrom]: 1E999 0 0\n", b"nan"),
    ),
    **{
        f"{what} of CP2K": Target(name, _read_run_of_cp2k, _stored(f"cp2k/md/{name}"), words)
        for what, name, words in (
            (
                "trajectory",
                "heat-pos-1.xyz",
                (b"99999999999\n", b" i =        1, E =       -31.1206789055\n", b"nan", b"Qq 0 0 0\n"),
            ),
            ("forces", "heat-frc-1.xyz", (b"99999999999\n", b" i =        1, time = 1, E =       -31.1206789055\n", b"nan")),
            ("cells", "heat-1.cell", (b"1 1 1 0 0 0 1e-9 0 0 0 1\n", b"nan", b"99999999999")),
        )
    },
    "output of ABINIT": Target(
        "si.abo",
        _read_output("abinit-out"),
        _stored("abinit/bulk/si.abo.gz", "abinit/relax/si.abo.gz"),
        (
            b"--- !ResultsGS\n",
            b"...\n",
            b"- [ 1, 2, nan, Si]\n",
            b" cartesian coordinates (angstrom) at end:\n",
            b"etotal : 1e999\n",
        ),
    ),
    "output of NWChem": Target(
        "nwchem.out",
        _read_output("nwchem-out"),
        _stored("nwchem/bohr/nwchem.out.gz", "nwchem/water/nwchem.out.gz"),
        (b" Output coordinates in a.u.\n", b" DFT ENERGY GRADIENTS\n", b" 1 O 8.0 nan 0 0\n", b" Total DFT energy = 9e999\n"),
    ),
    "output of GPAW": Target(
        "gpaw.txt",
        _read_output("gpaw-out"),
        _stored("gpaw/molecule/gpaw.txt.gz", "gpaw/relax/gpaw.txt.gz"),
        (b"Positions:\n", b"Forces in eV/Ang:\n", b"Stress tensor:\n", b"Free energy: 1e999\n", b"nan"),
    ),
    "pickle": Target("f.pckl.gzip", _read_dataset, _pickles, PICKLE_WORDS),
    "xyz": Target("f.xyz", _read_dataset, _xyz, XYZ_WORDS),
    "xyz.gz": Target("f.xyz.gz", _read_dataset, lambda folder: [gzip.compress(text) for text in _xyz(folder)]),
    "database": Target("f.db", _read_dataset, _database, SQL_WORDS),
    "trajectory": Target("f.traj", _read_dataset, _trajectory, (b"__ndarray__", b'"constraints":', b"9999999999")),
    "parquet structures": Target("f.parquet", _read_structures, lambda folder: tables(folder)[:1]),
    "parquet atoms": Target("atoms.parquet", _read_atoms, lambda folder: tables(folder)[1:]),
    "weights parquet": Target("w_.parquet", read_external, _weight_table),
    "weights csv": Target(
        "w.csv", read_external, lambda folder: [_weights().to_csv().encode()], (b'"[1, [2]]"', b"[[[[", b"1e999")
    ),
    "weights pickle": Target("w_.pckl.gzip", read_external, lambda folder: [pickle.dumps(_weights(), 4)], PICKLE_WORDS),
    "references": Target("f.csv", _read_references, lambda _: [b"# eV\nelement,energy\nCu,-3.7\nAl,1e-3\n"], (b'"', b"9" * 400)),
    "configuration": Target("input.yaml", load_config, _files("config"), YAML_WORDS),
    "potential": Target("p.yaml", read_potential, _files("data"), YAML_WORDS),
    "C-tilde potential": Target("p.yace", read_yace, _yace, (*YAML_WORDS, b"  [0, 0]: ", b"[1, 1, -2]", b"ACE.jl")),
    "potential in rules": Target("q.yaml", _read_for_rules, _files("data"), YAML_WORDS),
    "active set": Target("x.asi", read_asi, _active_sets, (b"PK\x03\x04", b"(99999999, 99999999)", b"'descr': '|O'", b"acefit")),
    "dump": Target(
        "f.dump", _read_dump, _dumps, (b"ITEM: NUMBER OF ATOMS\n99999999999\n", b"ITEM: BOX BOUNDS abc origin", b"nan")
    ),
    "artifact": Target("a.yaml", read_yaml, _artifact, YAML_WORDS),
    "live metrics": Target("metrics.txt", read_last_row, lambda _: [_metrics()], (b"nan", b"1e999", b"\n")),
    "evaluation log": Target("evaluations.log", _read_log, _log, (b"E", b"I", b"S", b"\xff" * 8)),
}


def samples(target: Target) -> list[bytes]:
    """Valid contents of a kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        return target.samples(Path(folder))
