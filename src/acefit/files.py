"""Atomic writing of files, their digests, and YAML; light, so that a workflow can read a plan without loading NumPy or Arrow."""

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from acefit import __version__
from acefit.errors import ArtifactError
from acefit.untrusted import bounded_memory, check_regular, check_yaml, first_line, read_text

CURE = "delete it and run the pipeline again, which writes it anew"
"""What to do about a file of the pipeline that cannot be read."""

_YAML_HEADER, _YAML_END = "# written by acefit ", "...\n"


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that replaces it when the block ends without an error.

    The content is synchronised to disk before the rename, so that a crash leaves the old file or the new one, never a part.
    Missing folders are created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    try:
        check_regular(Path(path))
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}; run the stage that writes it first") from error


def input_digests(*paths: str | os.PathLike[str]) -> dict[str, str]:
    """Map file name -> digest of the given files, for the provenance of what is made from them."""
    return {Path(path).name: file_digest(path) for path in paths}


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


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_yaml(content: Any, path: str | os.PathLike[str]) -> None:
    """Write YAML atomically, keys in the given order, floats with all their digits.

    A first comment names the writer, and the end-of-document mark at the end shows that nothing was cut off.

    Raises
    ------
    ArtifactError
        If the content has something YAML cannot hold.
    """
    try:
        text = yaml.dump(_plain(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    except yaml.YAMLError as error:
        raise ArtifactError(f"cannot write {path}: {error}") from error
    write_text(f"{_YAML_HEADER}{__version__}\n{text}{_YAML_END}", path)


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file, written by `write_yaml` or by hand.

    Raises
    ------
    ArtifactError
        If the file is missing, empty, is not YAML, would not fit into memory, or was written by `write_yaml` and its end is
        cut off.
    """
    path = Path(path)
    try:
        with bounded_memory(path, ArtifactError):
            text = read_text(path)
            check_yaml(text)
            content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except ArtifactError:
        raise
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except Exception as error:  # a value that is not what its tag says may raise anything within PyYAML
        raise ArtifactError(f"{path} is not a readable YAML file ({first_line(error)}); {CURE}") from error
    if not text.strip():
        raise ArtifactError(f"{path} is empty; {CURE}")
    if text.startswith(_YAML_HEADER) and not text.endswith(_YAML_END):
        raise ArtifactError(f"{path} is cut off before its end; {CURE}")
    return content
