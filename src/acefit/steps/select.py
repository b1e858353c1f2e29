"""Choose the best cycle of a ladder step."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acefit.artifacts import made_by, write_table
from acefit.errors import ArtifactError
from acefit.files import read_sealed, write_sealed
from acefit.fit.restarts import read_result, select_best

log = logging.getLogger(__name__)

COPIED = ("step", "cycle", "loss", "reason", "converged", "iterations", "evaluations", "n_functions", "n_parameters")
ERRORS = ("rmse_epa", "rmse_f_comp")


def select(
    *,
    paths_to_results: Sequence[str | Path],
    paths_to_potentials: Sequence[str | Path],
    path_to_potential: str | Path,
    path_to_cycles: str | Path,
    path_to_ensemble: str | Path,
    ensemble: bool = False,
    code: str = "",
) -> None:
    """Copy the potential of the cycle with the lowest loss and tabulate all cycles.

    Parameters
    ----------
    paths_to_results, paths_to_potentials : result and potential of each cycle of the step, in the same order
    path_to_potential : potential to write
    path_to_cycles : table to write (contract `cycles`)
    path_to_ensemble : folder to make; with `ensemble` it gets the potentials of all cycles
    ensemble : whether the cycles are members of an ensemble
    code : digest of the code, for the provenance

    Raises
    ------
    ArtifactError
        If results and potentials do not pair up.
    FitError
        If no cycle has a finite loss.
    """
    if len(paths_to_results) != len(paths_to_potentials) or not paths_to_results:
        raise ArtifactError(
            f"{len(paths_to_results)} results and {len(paths_to_potentials)} potentials are given; give one of each per cycle"
        )
    results = [read_result(*pair) for pair in zip(paths_to_results, paths_to_potentials, strict=True)]
    best = select_best([result["loss"] for result in results])
    log.info("cycle %d of %d is the best, loss %.6e", results[best]["cycle"], len(results), results[best]["loss"])
    provenance = made_by("select", code, *paths_to_results, *paths_to_potentials)
    rows = [_row(result, is_selected=k == best) for k, result in enumerate(results)]
    write_table({name: [row[name] for row in rows] for name in rows[0]}, path_to_cycles, "cycles", provenance)
    _copy(paths_to_potentials[best], path_to_potential)
    folder = Path(path_to_ensemble)
    folder.mkdir(parents=True, exist_ok=True)
    if ensemble:
        for result, path in zip(results, paths_to_potentials, strict=True):
            _copy(path, folder / f"ensemble_potential_{result['cycle']}.yaml")


def _copy(path: str | Path, target: str | Path) -> None:
    """Copy a potential with what its seal says about the fit that made it."""
    text, seal = read_sealed(path)
    write_sealed(text, target, seal["provenance"])


def _row(result: Mapping[str, Any], is_selected: bool) -> dict[str, Any]:
    """Row of the table of cycles."""
    errors = {
        f"{name}_{subset}": result["metrics"].get(subset, {}).get(name, math.nan)
        for subset in ("train", "test")
        for name in ERRORS
    }
    return {**{name: result[name] for name in COPIED}, **errors, "selected": is_selected}
