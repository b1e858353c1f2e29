"""Atomic writing of files, seals of text files, digests, and YAML; light, so that a workflow reads a plan without NumPy or Arrow.

A text file of the pipeline, YAML or potential, ends with its *seal*: a comment line with a digest of all else in the file, the
version of acefit, the step, and digests of code and inputs. Readers of YAML and of potentials skip it; the pipeline checks it.
"""

import glob
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from acefit import __version__
from acefit.errors import ArtifactError, DamagedArtifactError
from acefit.faults import fault_point
from acefit.untrusted import bounded_memory, check_regular, check_yaml, first_line

SEAL = "# acefit "
"""Beginning of the last line of a sealed text file; a digest and JSON follow."""

SEAL_VERSION = 1
"""Version of the meaning of sealed files."""


@contextmanager
def atomic_path(path: str | os.PathLike[str], sync: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` that replaces it when the block ends without an error.

    The content is synchronised to disk before the rename, so that a crash leaves the old file or the new one, never a part;
    without `sync` this holds for crashes of the process only. Missing folders are created. What a killed process left of an
    earlier attempt is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        abandoned.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    fault_point(f"{path.name}/begin")
    try:
        yield temporary
        fault_point(f"{path.name}/written")
        if sync:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    fault_point(f"{path.name}/renamed")


def set_aside(path: str | os.PathLike[str]) -> Path:
    """Rename a damaged file or folder to `<name>.damaged`, or with a number if there is one, so that its stage makes it anew."""
    path = Path(path)
    names = (path.name + ".damaged" + (f"-{k}" if k > 1 else "") for k in count(1))
    target = next(aside for aside in map(path.with_name, names) if not aside.exists())
    path.rename(target)
    return target


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    try:
        check_regular(Path(path))
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from error


def _plain(value: Any) -> Any:
    """Turn NumPy scalars, arrays, tuples and paths into what YAML has."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return value


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, and with floats that every YAML reader takes for floats."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = repr(float(value))
    if text in ("inf", "-inf", "nan"):
        text = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}[text]
    elif "e" in text and "." not in text:
        text = text.replace("e", ".0e")  # YAML 1.1 reads 1e-08 as a string
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(float, _represent_float)


def write_text(text: str, path: str | os.PathLike[str], sync: bool = True) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path, sync) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_sealed(text: str, path: str | os.PathLike[str], provenance: Mapping[str, Any] | None = None, sync: bool = True) -> None:
    """Write a text file of the pipeline atomically, with its seal as last line.

    Parameters
    ----------
    text : str
        Complete lines of a format in which `#` begins a comment.
    path : path
    provenance : mapping, optional
        JSON-able: the writing ``step``, digests of its ``code`` and ``inputs``.
    sync : bool
        See `atomic_path`.
    """
    seal = {"acefit_version": __version__, "schema_version": SEAL_VERSION, "content": text_digest(text)}
    line = json.dumps({**seal, "file": Path(path).name, "provenance": dict(provenance or {})}, sort_keys=True)
    write_text(f"{text}{SEAL}{text_digest(text + line)} {line}\n", path, sync)


def read_sealed(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """Text without its seal, and what the seal says, of a file that `write_sealed` wrote under this name.

    Raises
    ------
    ArtifactError
        If the file is missing or cannot be read.
    DamagedArtifactError
        If it is cut off, altered, foreign, or of another version.
    """
    path = Path(path)
    try:
        check_regular(path)
        text, _, last = path.read_bytes().decode("utf-8").rpartition(SEAL)
        digest, _, line = last.partition(" ")
        if line.endswith("}\n") and digest != text_digest(text + line[:-1]):
            raise DamagedArtifactError(path, "was altered after acefit wrote it")
        seal = json.loads(line) if line.endswith("}\n") else {}
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedArtifactError(path, f"is not a text that acefit wrote ({first_line(error)})") from error
    if not isinstance(seal, dict) or not seal.keys() >= {"file", "schema_version", "content"}:
        raise DamagedArtifactError(path, "is cut off or was not written by acefit: its last line is not a seal")
    if seal["file"] != path.name or seal["schema_version"] != SEAL_VERSION:
        what = f"{seal['file']!r} (version {seal['schema_version']})"
        raise DamagedArtifactError(path, f"holds what was written as {what}, not {path.name!r} (version {SEAL_VERSION})")
    return text, seal


def text_digest(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_yaml(content: Any, path: str | os.PathLike[str], provenance: Mapping[str, Any] | None = None) -> None:
    """Write sealed YAML atomically, keys in the given order, floats with all their digits; `provenance` as in `write_sealed`.

    Raises
    ------
    ArtifactError
        If the content has something YAML cannot hold.
    """
    try:
        text = yaml.dump(_plain(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    except yaml.YAMLError as error:
        raise ArtifactError(f"cannot write {path}: {error}") from error
    write_sealed(text, path, provenance)


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file that `write_yaml` wrote; errors are those of `read_sealed`, and for what would not fit into memory."""
    path = Path(path)
    text, _ = read_sealed(path)
    try:
        with bounded_memory(path, ArtifactError):
            check_yaml(text)
            return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except ArtifactError:
        raise
    except Exception as error:  # a value that is not what its tag says may raise anything within PyYAML
        raise DamagedArtifactError(path, f"is not a readable YAML file ({first_line(error)})") from error
