"""Fit one cycle of one ladder step."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from acefit.artifacts import content_digest, made_by, write_table
from acefit.basis.ladder import extend
from acefit.data.checks import warn_of_absent
from acefit.files import read_yaml, write_yaml
from acefit.fit.inputs import read_fit_data
from acefit.fit.metrics import Row
from acefit.fit.processes import ALONE, Processes
from acefit.fit.restarts import read_result, select_best
from acefit.fit.run import FitJob, FitOutcome, assist_fit, run_fit
from acefit.fit.settings import FitSettings
from acefit.potential.bbasis import read_sealed_potential, write_potential
from acefit.potential.model import Potential

log = logging.getLogger(__name__)

RUNNING = "running"
METRIC_KEYS = (
    "rmse_epa",
    "mae_epa",
    "max_abs_epa",
    "rmse_f",
    "mae_f",
    "rmse_f_comp",
    "mae_f_comp",
    "max_abs_f_comp",
    "rmse_stress",
)


def fit(
    *,
    fit: Mapping[str, Any],
    seed: int,
    step: int,
    cycle: int,
    code: str,
    path_to_step: str | Path,
    path_to_start: str | Path,
    paths_to_previous: Sequence[str | Path],
    paths_to_shards: Sequence[str | Path],
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_weights: str | Path,
    path_to_atom_weights: str | Path,
    path_to_summary: str | Path,
    path_to_potential: str | Path,
    path_to_metrics: str | Path,
    path_to_result: str | Path,
    max_memory: float | None = None,
    stream: str = "auto",
    processes: Processes = ALONE,
) -> None:
    """Fit one cycle of one ladder step; what an interrupted run left in the folder `running` beside the outputs is used.

    Parameters
    ----------
    fit : `fit` section with `display_step` and `tables` of the `backend` section
    seed, step, cycle : for random numbers and labels
    code : digest of the code, so that a changed program starts anew
    path_to_step, path_to_start : potential whose functions the step fits; the best of the step before, or the initial one
    paths_to_previous : result files of the earlier cycles this one may start from, their potentials beside them; none in cycle 0
    paths_to_shards, path_to_structures, path_to_atoms, path_to_weights, path_to_atom_weights, path_to_summary : of stages before
    path_to_potential, path_to_metrics, path_to_result : files to write; the second follows the contract `metrics`
    max_memory, stream : MB the fit may take, None: no limit; and whether its pairs are in files: auto, always or never
    processes : that do the fit together and all call this function; the first of them writes

    Raises
    ------
    ArtifactError, FitError
        If the inputs do not belong together, or the fit cannot be done (`acefit.fit.run.run_fit`).
    """
    potential = _start_potential(path_to_step, path_to_start, paths_to_previous)
    dataset, weights = (path_to_structures, path_to_atoms), (path_to_weights, path_to_atom_weights)
    train, test = read_fit_data(potential, dataset, weights, paths_to_shards, processes)
    settings = FitSettings.from_section(fit, read_yaml(path_to_summary)["kappa_auto"], max_memory, stream)
    folder, search = Path(path_to_result).parent / RUNNING, tuple(map(Path, fit.get("callback_folders", ())))
    job = FitJob(potential, train, test, settings, seed, step, cycle, folder, code, search_folders=search, processes=processes)
    if processes.rank:
        assist_fit(job)
        return
    warn_of_absent(potential.elements, map(chemical_symbols.__getitem__, np.unique(train.structures.numbers)), "training set")
    outcome = run_fit(job)
    starts = [_potential_beside(path) for path in paths_to_previous] or [Path(path_to_start), Path(path_to_step)]
    provenance = made_by("fit", code, *starts, *dataset, *weights, path_to_summary, *paths_to_shards)
    write_table(_columns(outcome.rows), path_to_metrics, "metrics", provenance)
    write_potential(outcome.potential, path_to_potential, provenance)
    about = {"step": step, "cycle": cycle, "seed": seed, "potential_sha256": content_digest(path_to_potential)}
    write_yaml({**about, **_describe(outcome, train.structures.n_atoms)}, path_to_result, provenance)


def _start_potential(path_to_step: str | Path, path_to_start: str | Path, paths_to_previous: Sequence[str | Path]) -> Potential:
    """Best potential of earlier cycles, or in the first cycle the start extended by the functions of the step."""
    if not paths_to_previous:
        return extend(read_sealed_potential(path_to_start), read_sealed_potential(path_to_step))
    potentials = [_potential_beside(path) for path in paths_to_previous]
    results = [read_result(*pair) for pair in zip(paths_to_previous, potentials, strict=True)]
    best = potentials[select_best([result["loss"] for result in results])]
    log.info("starting from %s", best)
    return read_sealed_potential(best)


def _potential_beside(path_to_result: str | Path) -> Path:
    """Potential that a cycle wrote beside its result."""
    return Path(path_to_result).with_name("potential.yaml")


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _describe(outcome: FitOutcome, n_atoms: int) -> dict[str, Any]:
    """What the result file says about the fit."""
    found = outcome.minimum
    per_evaluation = outcome.seconds_evaluating / max(found.evaluations, 1)
    return {
        "loss": found.value,
        "reason": found.reason,
        "converged": found.converged,
        "iterations": found.iterations,
        "evaluations": found.evaluations,
        "non_finite_trials": found.non_finite,
        "n_functions": outcome.n_functions,
        "n_parameters": outcome.n_parameters,
        "n_trainable": outcome.n_trainable,
        "metrics": {subset: {key: row[key] for key in METRIC_KEYS} for subset, row in outcome.metrics.items()},
        "timing": {
            "seconds": outcome.seconds,
            "seconds_evaluating": outcome.seconds_evaluating,
            "microseconds_per_atom": 1e6 * per_evaluation / max(n_atoms, 1),
        },
    }
