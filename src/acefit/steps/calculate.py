"""Calculate labels of some of the chosen structures of a round."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acefit.active.labelling import Labelled, label_structures, load_calculator
from acefit.artifacts import made_by
from acefit.data.storage import Dataset, read_structures, write_dataset
from acefit.data.structures import StructureSet

log = logging.getLogger(__name__)


def calculate(
    *,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_labelled_structures: str | Path,
    path_to_labelled_atoms: str | Path,
    path_to_results: str | Path,
    path_to_files: str | Path,
    calculator: str,
    parameters: Mapping[str, Any],
    folders: Sequence[str | Path] = (),
    source: str | None = None,
    on_failure: str = "stop",
    job: int = 0,
    n_jobs: int = 1,
    code: str = "",
) -> None:
    """Calculate energies, forces and stresses of the structures job, job + n_jobs and so on.

    Parameters
    ----------
    path_to_structures, path_to_atoms : dataset of chosen structures
    path_to_labelled_structures, path_to_labelled_atoms : dataset to write, maybe without structures; `row` is their number among
        the chosen ones, the energies are the calculator's
    path_to_results : folder in which each result is kept, so that an interrupted job goes on; jobs share it
    path_to_files : folder for the files of the calculator, of this job alone
    calculator, parameters, folders : see `acefit.active.labelling.load_calculator`
    source : digest of the user's code, on which results depend beside calculator and parameters
    on_failure : ``stop`` or ``leave_out``
    job, n_jobs : number of this job, from 0, and of all jobs
    code : digest of the code, for the provenance

    Raises
    ------
    ActiveSetError
        If there is no such calculator, or a calculation fails and that is to stop.
    """
    structures = read_structures(path_to_structures, path_to_atoms)
    numbers = range(job, structures.n_structures, n_jobs)
    frames = [structures.to_ase(k) for k in numbers]
    settings = {"calculator": calculator, "parameters": dict(parameters), "source": source}
    found = Labelled([], [])
    if frames:
        made = load_calculator(calculator, parameters, folders, path_to_files)
        found = label_structures(frames, made, path_to_results, settings, on_failure)
    for position, problem in found.failed:
        log.warning("structure %d is left out: %s", numbers[position], problem)
    dataset = Dataset.from_structures(StructureSet.from_ase(found.structures), "train", "label")
    rows = np.delete(np.array(numbers, dtype=np.int64), [position for position, _ in found.failed])
    provenance = made_by("calculate", code, path_to_structures, path_to_atoms)
    write_dataset(replace(dataset, rows=rows), path_to_labelled_structures, path_to_labelled_atoms, provenance)
    log.info("%d of %d structures are calculated", len(rows), len(numbers))
