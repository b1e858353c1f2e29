"""A tiny fit without Snakemake, made once for all unit tests that look at a whole run."""

import contextlib
from typing import Any, NamedTuple

import pytest

from acefit.pipeline.in_memory import FitResult, fit_in_memory
from acefit.pipeline.stepwise import Run
from workflow_runs import write_config, write_dataset

SMALL = {"fit": {"maxiter": 2, "fit_cycles": 2}}


class TinyFit(NamedTuple):
    """Folder with copper.xyz, tiny.yaml and the files of the stages; the configuration; its run; what the fit gave."""

    folder: Any
    config: dict[str, Any]
    run: Run
    result: FitResult
    said: list[str]


@pytest.fixture(scope="session")
def tiny_fit(tmp_path_factory):
    """Look at it or copy it, do not change it."""
    folder = tmp_path_factory.mktemp("tiny-fit")
    write_dataset(folder / "copper.xyz")
    path = write_config(folder, SMALL)
    said: list[str] = []
    # names of shared folders depend on where the data are, seen from the working directory
    with contextlib.chdir(folder):
        result = fit_in_memory(path, folder=folder, say=said.append)
        run = Run.of(folder, "tiny", result.config)
    return TinyFit(folder, result.config.sources[0].data, run, result, said)
