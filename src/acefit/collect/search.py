"""Look for results of electronic-structure programs below folders.

VASP's files and trajectories of CP2K are known by their names, all others by their content, so that it does not matter what they
are called.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from ase.io.formats import UnknownFileTypeError, get_ioformat

from acefit.errors import DataError
from acefit.untrusted import fair_size

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
TEXT_SUFFIXES = (".out", ".abo", ".pwo", ".log", ".txt")
"""Files whose names end so are looked into."""

HEAD_BYTES = 2**15
"""The name of the program stands within this part of its output."""

CP2K = "cp2k"
CP2K_TRAJECTORY = "cp2k-trajectory"
_TRAJECTORY = re.compile(r"(.+)-pos-(\d+)\.xyz")
_PROJECT = re.compile(rb"^ GLOBAL\| Project name +(\S+)", re.MULTILINE)
MARKS: tuple[tuple[bytes, str], ...] = (
    (rb"Program PWSCF", "espresso-out"),
    (rb"CP2K\| version string", CP2K),
    (rb"  ___ ___ ___ _ _ _", "gpaw-out"),
    (rb"Invoking FHI-aims", "aims-output"),
    (rb"Entering Gaussian System", "gaussian-out"),
    (rb"Northwest Computational Chemistry Package", "nwchem-out"),
    (rb"\* O   R   C   A \*", "orca-output"),
    (rb"^ *=== Build Information ===", ""),  # ABINIT's log, which begins like its main output and has less in it
    (rb"Version .* of ABINIT", "abinit-out"),
    (rb"^ *vasp\.\d", "vasp-out"),
    (rb"<modeling>", "vasp-xml"),
)
"""What stands at the beginning of the output, and the name that ASE gives to that kind of file; none for what is no result."""

BLOCK = 2**20


class Output(NamedTuple):
    """A file with the result of a calculation, and its kind: the name of ASE's format, `CP2K`, or `CP2K_TRAJECTORY`."""

    path: Path
    kind: str


class Found(NamedTuple):
    """Results below some folders, and text files that are none of a known program."""

    outputs: list[Output]
    unknown: list[Path]


def find_outputs(roots: Sequence[Path], patterns: Sequence[str] = (), kind: str | None = None) -> Found:
    """Look for results.

    Parameters
    ----------
    roots : folders, which are searched to any depth, and files
    patterns : names that files must match, such as ``*.out`` or ``run*/OUTCAR``; without them VASP's files and text files that
        begin as the output of a program does
    kind : ASE's name of the format of all files, or one of those of CP2K; by default their content says it

    Returns
    -------
    found : Found
        In the order of their paths; main outputs of CP2K whose trajectory is there are read with it and not listed.

    Raises
    ------
    DataError
        If a root does not exist, or the format is unknown.
    """
    if kind not in (None, CP2K, CP2K_TRAJECTORY):
        try:
            get_ioformat(kind)
        except UnknownFileTypeError:
            raise DataError(
                f"format {kind!r} is not known; give {CP2K}, {CP2K_TRAJECTORY} or one of ASE (list them with: ase info --formats)"
            ) from None
    outputs: dict[Path, Output] = {}
    unknown: list[Path] = []
    for root in roots:
        if not root.exists():
            raise DataError(f"{root} does not exist; give a folder with calculations, or a file")
        for path in [root] if root.is_file() else _candidates(root, patterns):
            if path in outputs:
                continue
            known = kind or _kind_of(path)
            if known:
                outputs[path] = Output(path, known)
            else:
                unknown.append(path)
    runs = {(path.parent, cp2k_project(path)) for path, output in outputs.items() if output.kind == CP2K_TRAJECTORY}
    with_them = {
        path for path, output in outputs.items() if runs and output.kind == CP2K and (path.parent, _project_of(path)) in runs
    }
    return Found(sorted(output for output in outputs.values() if output.path not in with_them), sorted(set(unknown)))


def cp2k_outputs(trajectory: Path) -> list[Path]:
    """Main outputs of CP2K in the folder of a trajectory that are of the same project."""
    project = cp2k_project(trajectory)
    paths = [path for path in sorted(trajectory.parent.iterdir()) if _is_text(path.name) and path.is_file()]
    return [path for path in paths if _kind_of(path) == CP2K and _project_of(path) == project]


def cp2k_project(trajectory: Path) -> str | None:
    """Name of the project, of which the name of a trajectory consists; none for other files."""
    found = _TRAJECTORY.fullmatch(plain_name(trajectory.name))
    return found[1] if found else None


def _project_of(path: Path) -> str | None:
    with open_binary(path) as file:
        found = _PROJECT.search(file.read(HEAD_BYTES))
    return found[1].decode("utf-8", "replace") if found else None


def _is_text(name: str) -> bool:
    return plain_name(name).lower().endswith(TEXT_SUFFIXES)


def _candidates(root: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """Files that may be results: those of the patterns, or those with usual names."""
    if patterns:
        for pattern in patterns:
            yield from (path for path in root.rglob(pattern) if path.is_file())
        return
    for folder, _, names in os.walk(root):
        place = Path(folder)
        vasp = _vasp_files(names)
        yield from (place / name for name in vasp)
        yield from (place / name for name in names if name not in vasp and (_is_text(name) or cp2k_project(place / name)))


def _vasp_files(names: Sequence[str]) -> list[str]:
    """Of one folder: OUTCAR, else vasprun.xml, else all files that contain one of these words."""
    for word in ("OUTCAR", "vasprun.xml"):
        exact = sorted(name for name in names if plain_name(name) == word)
        if exact:
            return exact[:1]
    for word in ("OUTCAR", "vasprun.xml"):
        alike = sorted(name for name in names if word in name)
        if alike:
            return alike
    return []


def plain_name(name: str) -> str:
    """Name without what says how the file is compressed."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix in OPENERS else name


def _kind_of(path: Path) -> str | None:
    """Kind of a file; by its name for VASP, else by its beginning."""
    name = path.name
    if "vasprun.xml" in name:
        return "vasp-xml"
    if "OUTCAR" in name:
        return "vasp-out"
    if plain_name(name).endswith(".traj"):
        return "traj"
    if cp2k_project(path):
        return CP2K_TRAJECTORY
    try:
        with open_binary(path) as file:
            head = file.read(HEAD_BYTES)
    except (OSError, EOFError, lzma.LZMAError):
        return None
    return next((kind for mark, kind in MARKS if re.search(mark, head, re.MULTILINE)), None)


def open_binary(path: Path) -> IO[bytes]:
    """Open a file, decompressed by its suffix."""
    opened: IO[bytes] = OPENERS.get(path.suffix, open)(path, "rb")
    return opened


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """The file, or its decompressed content in a temporary folder under its plain name.

    Raises
    ------
    DataError
        If the content is out of all proportion to the size of the file, or cannot be decompressed.
    """
    if path.suffix not in OPENERS:
        yield path
        return
    most = fair_size(path)
    with tempfile.TemporaryDirectory(prefix="acefit-") as folder:
        plain = Path(folder) / plain_name(path.name)
        try:
            with open_binary(path) as source, plain.open("wb") as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    if target.tell() > most:
                        raise DataError(f"{path} holds more than {most / 2**30:.1f} GiB: it is damaged or made to do harm")
        except (EOFError, lzma.LZMAError, OSError) as error:
            raise DataError(f"{path} cannot be decompressed: {error}") from error
        yield plain
