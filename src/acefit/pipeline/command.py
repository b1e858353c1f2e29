"""Snakemake as another program: where the workflow is, and its command line. Nothing of Snakemake is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from acefit.errors import ConfigError
from acefit.workflow import PACKAGE, available_threads

INSTALLED = "_repository"
"""Folder in a built package with what the repository has outside of it: Snakefile, workflow, profiles, configuration."""

TRIGGERS = ("mtime", "params", "input", "software-env")
"""Snakemake's reasons to run a job again, without the date of its script."""


def workflow_folder(package: Path = PACKAGE) -> Path:
    """Folder with the Snakefile, the rules and the profiles.

    That is the repository of an editable installation, or else the copy that a built package brings along (`setup.py`).

    Raises
    ------
    ConfigError
        If there is neither.
    """
    for folder in (package.parents[1], package / INSTALLED):
        if (folder / "Snakefile").is_file() and (folder / "workflow" / "Snakefile").is_file():
            return folder
    raise ConfigError(
        f"the Snakefile of the pipeline is neither in {package.parents[1]} nor in {package / INSTALLED}; install acefit anew, or "
        "run snakemake --snakefile with the one of the repository"
    )


def find_profile(name: str) -> str:
    """A profile of the user (a folder, or a name that Snakemake knows), or one that comes with acefit, such as `slurm`."""
    own = workflow_folder() / "profiles" / name
    return str(own) if not Path(name).exists() and "/" not in name and own.is_dir() else name


def snakemake_command(
    configuration: str | Path,
    options: Sequence[str] = (),
    *,
    cores: int | None = None,
    profile: str | None = None,
) -> list[str]:
    """Command line that runs the pipeline in the working directory.

    Parameters
    ----------
    configuration : file
    options : more options and target files for Snakemake
    cores : cores to use; None: all that this process may use, or what the profile says
    profile : see `find_profile`

    Raises
    ------
    ConfigError
        If Snakemake or the Snakefile is missing.
    """
    if find_spec("snakemake") is None:
        raise ConfigError("Snakemake is not installed in this environment: pip install 'snakemake>=9.14'")
    folder = workflow_folder()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile")]
    if folder.name == INSTALLED:
        # Scripts of a package have the date of its installation, which Snakemake takes for a change; digests tell of real ones
        command += ["--rerun-triggers", *TRIGGERS]
    if profile is not None:
        command += ["--profile", find_profile(profile)]
    if cores is not None or profile is None:
        command += ["--cores", str(available_threads() if cores is None else cores)]
    # --configfile takes all words that follow it, so that it comes last
    return [*command, *options, "--configfile", str(configuration)]


def replace_process(command: Sequence[str]) -> NoReturn:
    """Become the command: signals reach it, and its exit code is that of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], list(command))
