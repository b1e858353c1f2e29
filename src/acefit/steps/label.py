"""Label the chosen structures of a round."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acefit.active.labelling import label_structures, load_calculator
from acefit.artifacts import made_by
from acefit.data.storage import Dataset, read_structures, write_dataset
from acefit.data.structures import StructureSet

log = logging.getLogger(__name__)


def label(
    *,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_labelled_structures: str | Path,
    path_to_labelled_atoms: str | Path,
    path_to_results: str | Path,
    calculator: str,
    parameters: Mapping[str, Any],
    folders: Sequence[str | Path] = (),
    source: str | None = None,
    on_failure: str = "stop",
    code: str = "",
) -> None:
    """Calculate energies, forces and stresses.

    Parameters
    ----------
    path_to_structures, path_to_atoms : dataset of chosen structures
    path_to_labelled_structures, path_to_labelled_atoms : dataset to write; the energies are the calculator's
    path_to_results : folder in which each result is kept, so that an interrupted job goes on
    calculator, parameters, folders : see `acefit.active.labelling.load_calculator`
    source : digest of the user's code, on which results depend beside calculator and parameters
    on_failure : ``stop`` or ``leave_out``
    code : digest of the code, for the provenance

    Raises
    ------
    ActiveSetError
        If there is no such calculator, or a calculation fails.
    """
    structures = read_structures(path_to_structures, path_to_atoms)
    frames = [structures.to_ase(k) for k in range(structures.n_structures)]
    settings = {"calculator": calculator, "parameters": dict(parameters), "source": source}
    made = load_calculator(calculator, parameters, folders) if frames else None
    found = [] if made is None else _labelled(label_structures(frames, made, path_to_results, settings, on_failure))
    provenance = made_by("label", code, path_to_structures, path_to_atoms)
    dataset = Dataset.from_structures(StructureSet.from_ase(found), "train", "label")
    write_dataset(dataset, path_to_labelled_structures, path_to_labelled_atoms, provenance)
    log.info("%d of %d structures are labelled", len(found), len(frames))


def _labelled(result: Any) -> Any:
    """Structures with labels; the others are named."""
    for number, problem in result.failed:
        log.warning("structure %d is left out: %s", number, problem)
    return result.structures
