"""Find data files by the names a configuration gives; nothing is read here."""

from __future__ import annotations

import os
from pathlib import Path

from acefit.errors import DataError

ENVIRONMENT_VARIABLE = "PACEMAKERDATAPATH"


def find_file(name: str | os.PathLike[str], folder: str | os.PathLike[str] = ".", datapath: str | None = None) -> Path:
    """Find a data file.

    Parameters
    ----------
    name : str or path
        As given in the configuration, absolute or relative.
    folder : path
        Folder of the configuration file.
    datapath : str, optional
        Folder in which files are looked for that do not exist as given; without it the environment variable
        PACEMAKERDATAPATH is used.

    Returns
    -------
    path : Path
        The first that exists: relative to `folder`, to the working directory, to `datapath` (itself relative to `folder`).

    Raises
    ------
    DataError
        If there is no such file; the message lists where it was looked for.
    """
    prefix = datapath if datapath is not None else os.environ.get(ENVIRONMENT_VARIABLE)
    candidates = [Path(folder) / name, Path(name)]
    if prefix:
        candidates.append(Path(folder) / Path(prefix).expanduser() / name)
    for path in candidates:
        if path.is_file():
            return path
    tried = ", ".join(dict.fromkeys(str(path) for path in candidates))
    raise DataError(f"dataset {name} was not found (tried {tried}); mend its name, data.datapath or {ENVIRONMENT_VARIABLE}")
