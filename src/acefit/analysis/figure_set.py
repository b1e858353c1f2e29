"""All figures of a report, in the order of the catalogue; what each needs, and what is said when the data lack it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from acefit.analysis import figures_errors, figures_fit, figures_potential
from acefit.analysis.catalog import FIGURES, SUBSET_WORDS, SUBSETS
from acefit.analysis.errors import tabulate_groups
from acefit.analysis.predictions import Predictions
from acefit.analysis.radial_curves import compute_radial_curves
from acefit.potential.model import Potential
from acefit.units import EV_PER_A3_IN_GPA


class RunData(NamedTuple):
    """Everything a report is made from.

    Attributes
    ----------
    name : of the run
    potential : the final potential
    predictions : of it
    metrics : a row per recorded iteration and subset, see `acefit.analysis.figures_fit`
    cycles : a row per cycle and subset at its end, see `acefit.analysis.figures_fit`
    timing : a row per job
    """

    name: str
    potential: Potential
    predictions: Predictions
    metrics: pd.DataFrame
    cycles: pd.DataFrame
    timing: pd.DataFrame


class _Absent(Exception):
    """Says why a figure cannot be drawn."""


def draw(run: RunData, name: str) -> Figure | str:
    """Draw one figure of the catalogue; a text is the reason why there is nothing to show.

    Raises
    ------
    KeyError
        If the catalogue has no such figure.
    """
    try:
        return _makers(run)[name]()
    except _Absent as reason:
        return str(reason)


def draw_parity(predictions: Predictions, subset: str) -> Figure | str:
    """Predicted against reference energies and forces of a subset; a text is the reason why there is nothing to show."""
    if subset not in SUBSETS:
        return f"'{subset}' is no subset; there are {', '.join(SUBSETS)}"
    try:
        return _draw_pairs(predictions, subset)
    except _Absent as reason:
        return str(reason)


def draw_all(run: RunData) -> Iterator[tuple[str, Figure | str]]:
    """Draw every figure of the catalogue.

    Yields
    ------
    name, figure : str and Figure, or the reason in words why there is nothing to show
    """
    for name in FIGURES:
        yield name, draw(run, name)


def _makers(run: RunData) -> dict[str, Callable[[], Figure]]:
    makers: dict[str, Callable[[], Figure]] = {
        "group-errors": lambda: _draw_group_errors(run),
        "weights": lambda: _draw_weights(run.predictions),
        "convergence-loss": lambda: figures_fit.draw_convergence_loss(_present(run.metrics, "no iterations were recorded")),
        "convergence-errors": lambda: figures_fit.draw_convergence_errors(_present(run.metrics, "no iterations were recorded")),
        "ladder": lambda: figures_fit.draw_ladder(_present(run.cycles, "no fit cycles were recorded")),
        "radial-functions": lambda: figures_potential.draw_radial_functions(compute_radial_curves(_with_bonds(run.potential))),
        "radial-basis": lambda: figures_potential.draw_radial_basis(compute_radial_curves(_with_bonds(run.potential))),
        "coefficients": lambda: _draw_coefficients(run.potential),
        "timing-stages": lambda: figures_fit.draw_timing_stages(_present(run.timing, "no benchmark files were given")),
        "timing-evaluations": lambda: _draw_timing_evaluations(run.cycles),
    }
    for subset in SUBSETS:
        for topic, draw in _PER_SUBSET.items():
            makers[f"{subset}-{topic}"] = partial(draw, run.predictions, subset)
    return makers


def _present(table: pd.DataFrame, reason: str) -> pd.DataFrame:
    if table.empty:
        raise _Absent(reason)
    return table


def _with_bonds(potential: Potential) -> Potential:
    if not potential.bonds:
        raise _Absent("the potential has no bonds")
    return potential


def _draw_coefficients(potential: Potential) -> Figure:
    if not potential.n_functions:
        raise _Absent("the potential has no functions")
    return figures_potential.draw_coefficients(potential)


def _draw_timing_evaluations(cycles: pd.DataFrame) -> Figure:
    if cycles.empty or "microseconds_per_atom" not in cycles:
        raise _Absent("no fit cycles were recorded")
    train = cycles[(cycles["subset"] == "train") & np.isfinite(cycles["microseconds_per_atom"])]
    return figures_fit.draw_timing_evaluations(_present(train, "no evaluation was timed"))


def _draw_group_errors(run: RunData) -> Figure:
    table = tabulate_groups(run.predictions)
    table = table[table["subset"] != "excluded"]
    return figures_errors.draw_group_errors(_present(table, "no structures"))


def _draw_weights(predictions: Predictions) -> Figure:
    structures, atoms = (table[table["subset"] == "train"] for table in (predictions.structures, predictions.atoms))
    if structures.empty:
        raise _Absent("no training set")
    norms = np.linalg.norm(predictions.force, axis=1)[(predictions.atoms["subset"] == "train").to_numpy()]
    return figures_errors.draw_weights(structures, atoms.assign(force_norm=norms))


class _Part(NamedTuple):
    """References and predictions of one subset that have a reference; energies per atom, flat arrays."""

    energies: tuple[np.ndarray, np.ndarray]
    nn_min: np.ndarray
    forces: tuple[np.ndarray, np.ndarray]


def _part(predictions: Predictions, subset: str) -> _Part:
    table = predictions.structures[predictions.structures["subset"] == subset]
    if table.empty:
        raise _Absent(f"no {SUBSET_WORDS[subset]} set")
    table = table[np.isfinite(table["energy_per_atom"])]
    energies = table["energy_per_atom"].to_numpy(float), table["energy_per_atom_predicted"].to_numpy(float)
    atoms = (predictions.atoms["subset"] == subset).to_numpy() & np.isfinite(predictions.force).all(axis=1)
    return _Part(energies, table["nn_min"].to_numpy(float), (predictions.force[atoms], predictions.force_predicted[atoms]))


def _some(values: np.ndarray, what: str, subset: str) -> None:
    if not len(values):
        raise _Absent(f"the {SUBSET_WORDS[subset]} set has no reference {what}")


def _draw_pairs(predictions: Predictions, subset: str) -> Figure:
    part = _part(predictions, subset)
    return figures_errors.draw_ef_pairs(part.energies, (part.forces[0].ravel(), part.forces[1].ravel()), subset)


def _draw_energy_errors(predictions: Predictions, subset: str) -> Figure:
    reference, predicted = _part(predictions, subset).energies
    _some(reference, "energies", subset)
    return figures_errors.draw_error_distribution(reference, 1000 * (predicted - reference), figures_errors.ENERGY_AXES, subset)


def _draw_component_errors(predictions: Predictions, subset: str) -> Figure:
    reference, predicted = _part(predictions, subset).forces
    _some(reference, "forces", subset)
    errors = 1000 * (predicted - reference).ravel()
    return figures_errors.draw_error_distribution(reference.ravel(), errors, figures_errors.COMPONENT_AXES, subset)


def _draw_norm_errors(predictions: Predictions, subset: str) -> Figure:
    reference, predicted = _part(predictions, subset).forces
    _some(reference, "forces", subset)
    errors = 1000 * np.linalg.norm(predicted - reference, axis=1)
    return figures_errors.draw_error_distribution(np.linalg.norm(reference, axis=1), errors, figures_errors.NORM_AXES, subset)


def _draw_nearest(predictions: Predictions, subset: str) -> Figure:
    part = _part(predictions, subset)
    known = np.isfinite(part.nn_min)
    _some(part.energies[0][known], "energies of structures with neighbours", subset)
    reference, predicted = (energies[known] for energies in part.energies)
    return figures_errors.draw_nearest(part.nn_min[known], reference, 1000 * (predicted - reference), subset)


def _draw_stresses(predictions: Predictions, subset: str) -> Figure:
    _part(predictions, subset)
    chosen = (predictions.structures["subset"] == subset).to_numpy() & np.isfinite(predictions.stress_errors()).all(axis=1)
    _some(np.flatnonzero(chosen), "stresses", subset)
    return figures_errors.draw_stress_pairs(
        predictions.stress[chosen] * EV_PER_A3_IN_GPA, predictions.stress_predicted[chosen] * EV_PER_A3_IN_GPA, subset
    )


def _draw_distributions(predictions: Predictions, subset: str) -> Figure:
    part = _part(predictions, subset)
    return figures_errors.draw_ef_distributions(part.energies[0], np.linalg.norm(part.forces[0], axis=1), subset)


_PER_SUBSET: dict[str, Callable[[Predictions, str], Figure]] = {
    "ef-pairplots": _draw_pairs,
    "e-de-dist": _draw_energy_errors,
    "fi-dfi-dist": _draw_component_errors,
    "f-df-dist": _draw_norm_errors,
    "e-de-nn": _draw_nearest,
    "stress-pairplots": _draw_stresses,
    "ef-distributions": _draw_distributions,
}
