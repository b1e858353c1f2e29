"""From a file or Snakemake's merged dictionary to a checked configuration, or to one list of all problems."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acefit.config.model import Config
from acefit.config.problems import Problem, listing, problems_from_errors
from acefit.config.relations import relation_notices, relation_problems
from acefit.config.source import KeyPath, Source, read_source
from acefit.errors import ConfigError

PathLike = str | Path
STAND_IN = "file"  # for a key that must be given and is not, while the others are checked


def load_config(path: PathLike) -> Config:
    """Read and check an input file.

    Raises
    ------
    ConfigError
        One listing of all problems: file and line, key, what is valid, nearest valid key.
    """
    source = read_source(path)
    return _validate(source.data, [source])


def validate_config(data: Mapping[str, Any], source: PathLike | Iterable[PathLike] | None = None) -> Config:
    """Check a configuration that is already a dictionary, such as Snakemake's.

    Parameters
    ----------
    data : sections by name
    source : file or files the dictionary was merged from, later ones over earlier ones; gives the line numbers, and the
        folder of the last one becomes `base_path`

    Raises
    ------
    ConfigError
        As in `load_config`.
    """
    return _validate(plain(data), read_sources(source))


def read_sources(source: PathLike | Iterable[PathLike] | None) -> list[Source]:
    """Read the file or files a configuration was merged from."""
    paths = [] if source is None else [source] if isinstance(source, str | Path) else list(source)
    return [read_source(path) for path in paths]


def _validate(data: dict[Any, Any], sources: list[Source]) -> Config:
    config, found = check_data(data)
    problems = [*repeated_keys(sources), *found]
    if problems or config is None:
        raise ConfigError(listing(problems, sources))
    return complete(config, sources)


def repeated_keys(sources: list[Source]) -> list[Problem]:
    """Keys that are given twice in a file."""
    return [
        Problem(path, f"is given again in line {line}; the earlier one would be lost")
        for source in sources
        for path, line in source.repeated
    ]


def check_data(data: dict[Any, Any]) -> tuple[Config | None, list[Problem]]:
    """Configuration made of plain data, None where it cannot even be read, and everything that is wrong with it."""
    config, problems = _parse(data)
    if config is not None:
        blamed = [problem.path for problem in problems]
        problems += [p for p in relation_problems(config) if not any(_touches(p, path) for path in blamed)]
    return config, problems


def complete(config: Config, sources: list[Source]) -> Config:
    """The configuration, which now knows its notices and its folder."""
    config._notices = tuple(relation_notices(config))
    config._sources = tuple(sources)
    config._base_path = sources[-1].path.parent if sources else Path()
    return config


def _parse(data: dict[Any, Any]) -> tuple[Config | None, list[Problem]]:
    """Validate; if keys are at fault, also without them, so that relations among the others can be checked in the same go."""
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        problems = problems_from_errors(error.errors(include_url=False), data)
    sound = _without(data, [problem.path for problem in problems])
    section = sound.get("data")
    if isinstance(section, dict) or section is None:
        sound["data"] = {"filename": STAND_IN, **(section or {})}
    for candidate in (sound, {**sound, "potential": STAND_IN}):
        try:
            return Config.model_validate(candidate), problems
        except ValidationError:
            continue
    return None, problems


def _touches(problem: Problem, path: KeyPath) -> bool:
    """Tell whether a relation involves a key that is at fault itself."""
    return any(keys[: len(path)] == path or path[: len(keys)] == keys for keys in (problem.path, *problem.involves))


def _without(data: Any, paths: list[KeyPath]) -> Any:
    """Copy of nested data without the values at the paths."""
    here = {path[0] for path in paths if len(path) == 1}
    deeper = [path for path in paths if len(path) > 1]

    def child(key: Any, value: Any) -> Any:
        return _without(value, [path[1:] for path in deeper if path[0] == key])

    if isinstance(data, dict):
        return {key: child(key, value) for key, value in data.items() if key not in here}
    if isinstance(data, list):
        return [child(index, value) for index, value in enumerate(data) if index not in here]
    return data


def plain(data: Any) -> Any:
    """Plain dictionaries and lists, with the words that YAML 1.1 took for booleans turned back in element keys.

    Nobelium cannot be told from the pair nitrogen and oxygen; the pair is assumed.
    """
    if isinstance(data, Mapping):
        words = {True: "ON", False: "NO"}
        return {words[key] if isinstance(key, bool) else key: plain(value) for key, value in data.items()}
    return [plain(item) for item in data] if isinstance(data, list | tuple) else data
