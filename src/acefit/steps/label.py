"""Gather the labels of a round."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acefit.artifacts import made_by, read_arrays
from acefit.data.storage import concatenate, read_dataset, write_dataset
from acefit.errors import ActiveSetError

log = logging.getLogger(__name__)


def label(
    *,
    path_to_chosen_structures: str | Path,
    paths_to_structures: Sequence[str | Path],
    paths_to_atoms: Sequence[str | Path],
    path_to_labelled_structures: str | Path,
    path_to_labelled_atoms: str | Path,
    code: str = "",
) -> None:
    """Put what some jobs calculated into the order in which it was chosen, however many jobs there were.

    Parameters
    ----------
    path_to_chosen_structures : table of the structures that were to be labelled
    paths_to_structures, paths_to_atoms : what each job calculated, see `acefit.steps.calculate`
    path_to_labelled_structures, path_to_labelled_atoms : dataset to write, maybe without structures
    code : digest of the code, for the provenance

    Raises
    ------
    ActiveSetError
        If all calculations have failed.
    """
    n_chosen = len(read_arrays(path_to_chosen_structures, "structures")["structure"])
    labelled = concatenate([read_dataset(*pair) for pair in zip(paths_to_structures, paths_to_atoms, strict=True)])
    n_labelled = len(labelled.rows)
    if n_chosen and not n_labelled:
        raise ActiveSetError(f"all {n_chosen} calculations failed; the logs of the jobs `calculate` say why")
    if n_chosen > n_labelled:
        log.warning("%d of %d structures are left out, since their calculations failed", n_chosen - n_labelled, n_chosen)
    provenance = made_by("label", code, path_to_chosen_structures)
    write_dataset(labelled.select(np.argsort(labelled.rows)), path_to_labelled_structures, path_to_labelled_atoms, provenance)
    log.info("%d structures are labelled", n_labelled)
