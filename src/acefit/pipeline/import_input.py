"""An input file, of pacemaker or of acefit, with all files it names, as a folder that needs nothing else.

The text of the input stays as it is, comments included; only names of files are replaced.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from acefit.config.fields import as_list
from acefit.config.fit_section import ExternalWeightingPolicy
from acefit.config.model import Config
from acefit.config.paths import resolve_file
from acefit.config.potential_section import PotentialFile
from acefit.config.problems import place_name
from acefit.config.source import KeyPath
from acefit.errors import ConfigError
from acefit.files import write_text
from acefit.pipeline.configuration import load_configuration

DATA, POTENTIALS = "data", "potentials"
TABLES = ("structures.parquet", "atoms.parquet")


class Named(NamedTuple):
    """A file that the input names: place of its name, where it is, and the folder for its copy ("" is the run folder itself)."""

    key: KeyPath
    path: Path
    folder: str


class Imported(NamedTuple):
    """What was made: the configuration, the files beside it and where each comes from, notices about the input."""

    configuration: Path
    files: dict[str, str]
    notices: list[str]


def import_input(path: str | Path, target: str | Path, force: bool = False) -> Imported:
    """Copy an input file and all files it names into a folder.

    Parameters
    ----------
    path : input file; data are also looked for in `data.datapath` and in the folder that PACEMAKERDATAPATH names
    target : folder to make; it appears only when all is copied
    force : write into a folder that is there; files of the same names are replaced, others stay

    Raises
    ------
    ConfigError
        If the input is not valid, a file is missing, or the target is there already.
    """
    path, target = Path(path), Path(target)
    runs = load_configuration(path)
    config = next(iter(runs.configs.values()))
    if not runs.is_single:
        raise ConfigError(f"{path}: runs, sweep and active are not imported; copy the file and its data by hand")
    if _is_within(path, target):
        raise ConfigError(f"{target} holds the input itself; give another folder")
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not force)):
        raise ConfigError(f"{target} exists already; give another folder, or --force to write into it")
    named = list(_named_files(config))
    places = _places(named)
    text = _with_names(path.read_text(encoding="utf-8"), {n.key: places[n.path] for n in named}, config)
    with _new_folder(target) as folder:
        files = {}
        for source, place in places.items():
            for part, copy in _parts(source, Path(place)):
                (folder / copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(part, folder / copy)
                files[copy.as_posix()] = str(part)
        for module in _callback_modules(config):
            shutil.copyfile(module, folder / module.name)
            files[module.name] = str(module)
        write_text(text, folder / path.name)
        load_configuration(folder / path.name)
    return Imported(target / path.name, files, list(config.notices))


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _named_files(config: Config) -> Iterator[Named]:
    """All files that an input names."""
    data, basis, weighting = config.data, config.basis, config.fit.weighting
    for key in ("filename", "test_filename"):
        yield from _listed(config, ("data", key), getattr(data, key), DATA)
    if isinstance(data.reference_energy, str) and data.reference_energy.endswith(".csv"):
        yield from _listed(config, ("data", "reference_energy"), data.reference_energy, DATA)
    if isinstance(weighting, ExternalWeightingPolicy):
        key = "filename" if weighting.filename else "filename_or_df"
        yield from _listed(config, ("fit", "weighting", key), weighting.file, DATA)
    if isinstance(basis, PotentialFile):
        yield from _listed(config, ("potential", "filename"), basis.filename, POTENTIALS)
    yield from _listed(config, ("potential", "initial_potential"), basis.initial_potential, POTENTIALS)


def _listed(config: Config, key: KeyPath, names: str | list[str] | None, folder: str) -> Iterator[Named]:
    """One or several names behind a key; data are looked for in more places than other files."""
    environment = os.environ if folder == DATA else None
    for index, name in enumerate(as_list(names)):
        place = (*key, index) if isinstance(names, list) else key
        what = place_name(place, list(config.sources))
        datapath = config.data.datapath if folder == DATA else None
        found = resolve_file(name, what=what, base_path=config.base_path, datapath=datapath, environment=environment)
        yield Named(place, Path(os.path.abspath(found)), folder)


def _places(named: list[Named]) -> dict[Path, str]:
    """Where each file goes, as seen from the run folder; files of the same name get numbers."""
    places: dict[Path, str] = {}
    for file in named:
        number, name = 1, file.path.name
        if name == TABLES[0]:
            name = f"{file.path.parent.name}/{name}"
        while file.path not in places:
            stem, dot, rest = name.partition(".")
            place = f"{file.folder}/{name}" if number == 1 else f"{file.folder}/{number}-{stem}{dot}{rest}"
            if place not in places.values():
                places[file.path] = place
            number += 1
    return places


def _parts(source: Path, place: Path) -> list[tuple[Path, Path]]:
    """A file and its place; with the tables of structures goes that of atoms."""
    if source.name != TABLES[0]:
        return [(source, place)]
    return [(source.with_name(name), place.with_name(name)) for name in TABLES]


def _callback_modules(config: Config) -> list[Path]:
    """Python files beside the input that its callbacks are in."""
    modules = {config.base_path / f"{name.partition('.')[0]}.py" for name in as_list(config.fit.callbacks)}
    return sorted(module for module in modules if module.is_file())


def _with_names(text: str, names: dict[KeyPath, str], config: Config) -> str:
    """The text with other names of files at some keys, and nothing else changed."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    spans: dict[tuple[int, int], str] = {}
    for key, name in names.items():
        node = _node_at(root, key) or _node_at(root, _short_form(key))
        if not isinstance(node, yaml.ScalarNode):
            raise ConfigError(
                f"{place_name(key, list(config.sources))}: its name cannot be replaced here; write it on its own line"
            )
        spans[node.start_mark.index, node.end_mark.index] = name
    if datapath := _node_at(root, ("data", "datapath")):
        spans[datapath.start_mark.index, datapath.end_mark.index] = "."
    for (start, end), name in sorted(spans.items(), reverse=True):
        blanks = text[start:end][len(text[start:end].rstrip()) :]
        text = text[:start] + json.dumps(name, ensure_ascii=False) + blanks + text[end:]
    return text


def _short_form(key: KeyPath) -> KeyPath:
    """`data: file` stands for `data: {filename: file}`, and so for potentials."""
    return tuple(part for part in key if part != "filename")


def _node_at(root: yaml.Node | None, key: KeyPath) -> yaml.Node | None:
    node = root
    for part in key:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == part), None)
        else:
            return None
    return node


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes the target, or whose files go there, when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        folder = Path(temporary) / "new"
        folder.mkdir()
        yield folder
        if target.is_dir():
            shutil.copytree(folder, target, dirs_exist_ok=True)
        else:
            folder.rename(target)
