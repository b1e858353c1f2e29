"""Several runs from one file: every entry of `runs` and every combination of `sweep` is a whole configuration of its own."""

import copy
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from acefit.config.loading import PathLike, check_data, complete, plain, read_sources, repeated_keys
from acefit.config.model import Config
from acefit.config.paths import resolve_file
from acefit.config.problems import Problem, dotted, listing
from acefit.config.source import KeyPath, Source, read_value
from acefit.config.stages import run_name
from acefit.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
ROUND = "round-{:02d}"
"""Name of a round of active learning, a run."""

COMPARISON = "compare"
"""Folder of the comparison, beside those of the runs."""

OUTSIDE = ("name", "runs", "sweep", "active")
"""Keys that belong to the file and to none of its runs."""


class Runs(NamedTuple):
    """All runs of an invocation.

    Attributes
    ----------
    name : folder in `results/` that holds all of them
    configs : run -> configuration; a run is its folder in `results/`: `name/run`, or `name` where there is but one run
    changes : name of the run -> changed keys, in the same order
    labels : name of the run -> what tells it apart in a figure
    """

    name: str
    configs: dict[str, Config]
    changes: dict[str, dict[str, Any]]
    labels: dict[str, str]

    @property
    def is_single(self) -> bool:
        """Whether the file has neither `runs` nor `sweep`."""
        return list(self.configs) == [self.name]


class _Entry(NamedTuple):
    """A run as the file gives it: name, label, changed keys, where each of these stands, and where the run does."""

    name: str
    label: str
    changes: dict[str, Any]
    places: dict[str, KeyPath]
    place: KeyPath


def load_runs(data: Mapping[str, Any], source: PathLike | Iterable[PathLike] | None = None) -> Runs:
    """Check a configuration and all its runs.

    Parameters
    ----------
    data : sections by name, such as Snakemake's
    source : file or files the dictionary was merged from, see `validate_config`

    Raises
    ------
    ConfigError
        One listing of all problems of the file, or else of all problems of its runs, each with line and key.
    """
    common, sources = plain(data), read_sources(source)
    config, problems = check_data(common)
    problems = [*repeated_keys(sources), *problems]
    given = [] if config is None else [key for key in ("runs", "sweep", "active") if getattr(config, key) is not None]
    problems += [Problem((key,), f"cannot be combined with {given[0]}: keep one of them") for key in given[1:]]
    if problems or config is None:
        raise ConfigError(listing(problems, sources))
    config = complete(config, sources)
    name = run_name(config, sources[-1].path if sources else None)
    if config.active is not None:
        return _rounds(config, name)
    if not given:
        return Runs(name, {name: config}, {name: {}}, {name: name})
    entries, sources = _read_entries(config, sources)
    problems = list(_name_problems(entries))
    configs = {}
    for entry in entries:
        changed, found = _check_entry(common, entry)
        problems += found
        if changed is not None:
            configs[f"{name}/{entry.name}"] = complete(changed, sources)
    if problems:
        # Combinations share their values: what is wrong with one is wrong with all
        raise ConfigError(listing(list({(p.path, p.message): p for p in problems}.values()), sources))
    return Runs(name, configs, {entry.name: entry.changes for entry in entries}, {e.name: e.label for e in entries})


def _rounds(config: Config, name: str) -> Runs:
    """Rounds of active learning: each has the data that all rounds before have labelled, and starts from the potential before."""
    assert config.active is not None
    numbers = range(config.active.rounds + 1)
    folders = [f"{name}/{ROUND.format(number)}" for number in numbers]
    configs = {}
    for number, folder in enumerate(folders):
        changed = config.model_copy()
        changed._labelled = tuple(f"results/{before}/label/structures.parquet" for before in folders[:number])
        changed._start = f"results/{folders[number - 1]}/potential.yaml" if number else None
        configs[folder] = changed
    names = [ROUND.format(number) for number in numbers]
    return Runs(name, configs, {text: {"round": number} for number, text in enumerate(names)}, {text: text for text in names})


def _read_entries(config: Config, sources: list[Source]) -> tuple[list[_Entry], list[Source]]:
    """The runs of a file, and the files that give the lines of their keys."""
    if config.sweep is not None:
        return list(_combinations(config.sweep)), sources
    table: Any = config.runs
    if isinstance(table, str):
        path = Path(resolve_file(table, what="runs", base_path=config.base_path))
        table, of_table = _read_table(path)
        sources = [of_table, *sources]
    return [_named_entry(name, changes) for name, changes in table.items()], sources


def _named_entry(name: str, changes: dict[str, Any]) -> _Entry:
    return _Entry(name, name, changes, {key: ("runs", name, key) for key in changes}, ("runs", name))


def _read_table(path: Path) -> tuple[dict[str, dict[str, Any]], Source]:
    """Rows of a CSV file by name, and the lines of their cells.

    Raises
    ------
    ConfigError
        If it is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a table of runs: {error}") from error
    if len(rows) < 2:
        raise ConfigError(f"{path}: has no runs; needs a heading (name, then dotted keys) and a row for each run")
    keys = rows[0][1][1:]
    if len(set(keys)) < len(keys) or not all(keys):
        raise ConfigError(f"{path}:{rows[0][0]}: every column behind the first needs the name of a key, each once")
    table: dict[str, dict[str, Any]] = {}
    lines: dict[KeyPath, int] = {}
    for line, (name, *cells) in rows[1:]:
        if name in table or len(cells) > len(keys):
            what = f"the run '{name}' is there already" if name in table else f"{len(cells)} values for {len(keys)} keys"
            raise ConfigError(f"{path}:{line}: {what}")
        try:
            table[name] = {key: read_value(cell) for key, cell in zip(keys, cells, strict=False) if cell}
        except ConfigError as error:
            raise ConfigError(f"{path}:{line}: {error}") from error
        lines[("runs", name)] = line
        lines.update({("runs", name, key): line for key in table[name]})
    return table, Source(path, {}, lines)


def _combinations(sweep: Mapping[str, list[Any]]) -> Iterator[_Entry]:
    """One run for each combination of values, the last key changing fastest."""
    last = Counter(key.rpartition(".")[2] for key in sweep)
    words = {key: key if last[key.rpartition(".")[2]] > 1 else key.rpartition(".")[2] for key in sweep}
    for chosen in product(*(enumerate(values) for values in sweep.values())):
        values = dict(zip(sweep, (value for _, value in chosen), strict=True))
        places: dict[str, KeyPath] = {key: ("sweep", key, index) for key, (index, _) in zip(sweep, chosen, strict=True)}
        name = "_".join(f"{words[key]}-{_in_file_name(value)}" for key, value in values.items())
        yield _Entry(name, ", ".join(map(str, values.values())), values, places, ("sweep",))


def _in_file_name(value: Any) -> str:
    text = "-".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text)


def _name_problems(entries: list[_Entry]) -> Iterator[Problem]:
    counts = Counter(entry.name for entry in entries)
    for entry in entries:
        if not NAME.fullmatch(entry.name):
            yield Problem(entry.place, f"'{entry.name}' cannot be the name of a run; valid: letters, digits, '.', '_', '+', '-'")
        elif entry.name == COMPARISON:
            yield Problem(entry.place, f"'{COMPARISON}' is the folder of the comparison; choose another name")
        elif counts[entry.name] > 1:
            yield Problem(entry.place, f"gives several runs the name '{entry.name}'; write them as runs, with names of your own")


def _check_entry(data: dict[str, Any], entry: _Entry) -> tuple[Config | None, list[Problem]]:
    """Configuration of a run, and what is wrong with it, reported where the run is given."""
    changed = copy.deepcopy({key: value for key, value in data.items() if key not in OUTSIDE})
    problems = [
        Problem(entry.places[key], f"{key} {message}")
        for key, value in entry.changes.items()
        if (message := _change(changed, key, value)) is not None
    ]
    if problems:
        return None, problems
    config, found = check_data(changed)
    return config, [_moved(problem, entry) for problem in found]


def _change(data: dict[str, Any], key: str, value: Any) -> str | None:
    """Set the value of a dotted key; what hinders it."""
    if key in OUTSIDE:
        return "belongs to the file and cannot differ between its runs"
    *parents, last = key.split(".")
    section, path = data, ""
    for parent in parents:
        path = f"{path}.{parent}".lstrip(".")
        if section.get(parent) is None:
            section[parent] = {}
        section = section[parent]
        if not isinstance(section, dict):
            return f"cannot be set: {path} is {section!r} in this file, not a map of keys; write it as one"
    if not parents and isinstance(value, dict) and isinstance(data.get(last), dict):
        return f"would replace the whole section; name the keys that differ, such as {last}.{next(iter(value), '<key>')}"
    section[last] = value
    return None


def _moved(problem: Problem, entry: _Entry) -> Problem:
    """The problem at the changed key that brought it about, or at the run."""
    what = dotted(problem.path)
    for path in (problem.path, *problem.involves):
        names = tuple(str(part) for part in path)
        for key, place in entry.places.items():
            changed = tuple(key.split("."))
            if names[: len(changed)] == changed or changed[: len(names)] == names:
                return Problem(place, problem.message if what == key else f"{what}: {problem.message}")
    return Problem(entry.place, f"{what}: {problem.message}")
