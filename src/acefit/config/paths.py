"""Where files named in the configuration are looked for."""

import os
from collections.abc import Mapping
from pathlib import Path

from acefit.config.problems import nearest
from acefit.errors import ConfigError

DATA_VARIABLE = "PACEMAKERDATAPATH"


def from_here(path: Path) -> str:
    """Path relative to the working directory if it is below it, else absolute: the same however the path was written."""
    place, here = Path(os.path.abspath(path)), Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else str(place)


def _expanded(name: str, what: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{what}: '{name}' cannot be looked for: {error}") from error


def resolve_file(
    name: str,
    *,
    what: str,
    base_path: Path,
    datapath: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Find a file named in the configuration.

    Places in this order: the name as given (from the working directory), inside `datapath`, from the folder of the
    configuration file, and inside `datapath` as seen from there.

    Parameters
    ----------
    name : file name, absolute or relative; `~` stands for the home folder
    what : key under which the name was given, with its file and line, for the error
    base_path : folder of the configuration file
    datapath : folder of datasets; if absent, the variable PACEMAKERDATAPATH of the environment
    environment : environment variables; none if absent, so that only datasets depend on them

    Returns
    -------
    Path relative to the working directory if the file is below it, else absolute.

    Raises
    ------
    ConfigError
        If there is no such file; lists the places and names the file most like it.
    """
    given = _expanded(name, what)
    folder = datapath or (environment or {}).get(DATA_VARIABLE)
    candidates = [given]
    if folder:
        candidates.append(_expanded(folder, "data.datapath") / given)
    candidates.append(base_path / given)
    if folder:
        candidates.append(base_path / _expanded(folder, "data.datapath") / given)
    places = list(dict.fromkeys(Path(os.path.abspath(candidate)) for candidate in candidates))
    for place in places:
        if place.is_file():
            return from_here(place)
    tried = "\n".join(f"  {place}" for place in places)
    hint = (
        "" if folder or environment is None else f"\nset data.datapath or the environment variable {DATA_VARIABLE} to its folder"
    )
    raise ConfigError(f"{what}: no file '{name}'{_similar_name(places)}; looked for\n{tried}{hint}")


def _similar_name(places: list[Path]) -> str:
    """Ask for the file of the most similar name in one of the folders."""
    for place in places:
        names = [path.name for path in place.parent.iterdir() if path.is_file()] if place.parent.is_dir() else []
        if hint := nearest(place.name, names):
            return hint
    return ""
