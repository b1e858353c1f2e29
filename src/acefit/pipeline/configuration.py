"""The configuration file of a command: the one that is named, or the only usual one that is there."""

from __future__ import annotations

from pathlib import Path

from acefit.config.runs import Runs, load_runs
from acefit.config.source import read_source
from acefit.errors import ConfigError

USUAL = ("input.yaml", "config.yaml", "config/config.yaml")
"""Names that a configuration has where none is given: pacemaker's, and those of this program."""


def find_configuration(path: str | Path | None = None, folder: Path | None = None) -> Path:
    """The configuration file that is meant.

    Parameters
    ----------
    path : as given by the user; None: the only file in the folder that has a usual name
    folder : where to look, default the working directory

    Raises
    ------
    ConfigError
        If there is no such file, or several could be meant.
    """
    if path is not None:
        found = Path(path)
        if found.is_dir():
            return find_configuration(None, found)
        if not found.is_file():
            raise ConfigError(f"{found}: there is no such configuration file; mend its name, or make one with `acefit init`")
        return found
    folder = Path() if folder is None else folder
    present = [folder / name for name in USUAL if (folder / name).is_file()]
    if len(present) == 1:
        return present[0]
    if present:
        raise ConfigError(f"there are {' and '.join(map(str, present))}; say which one is meant")
    raise ConfigError(f"{folder.absolute()} has no configuration file ({', '.join(USUAL)}); name yours")


def load_configuration(path: str | Path) -> Runs:
    """Read and check a configuration with all its runs, as the pipeline does.

    Raises
    ------
    ConfigError
        One listing of all problems.
    """
    return load_runs(read_source(path).data, path)
