"""Errors of several runs against the cost of their potentials, and which of them are Pareto-optimal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from acefit.analysis.errors import tabulate_overall
from acefit.analysis.predictions import Predictions

COSTS = {"time": "microseconds_per_atom", "functions": "n_functions"}
"""Measures of the cost -> column."""

ERRORS = {"energy": "rmse_epa", "force": "rmse_f_comp"}
"""Measures of the error -> column, without the subset."""


def find_pareto_optimal(costs: ArrayLike, errors: ArrayLike) -> NDArray[np.bool_]:
    """Mark the runs which no other one beats in cost or error without losing in the other.

    Parameters
    ----------
    costs, errors : (n,) numbers, the smaller the better; a run with a NaN takes no part

    Returns
    -------
    optimal : (n,) bool; equal runs are optimal together
    """
    cost, error = np.asarray(costs, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    no_worse = (cost[:, None] <= cost) & (error[:, None] <= error)
    better = (cost[:, None] < cost) | (error[:, None] < error)
    return np.isfinite(cost) & np.isfinite(error) & ~(no_worse & better).any(axis=0)


def measure_errors(predictions: Predictions) -> dict[str, float]:
    """Errors of the training and the test set: `rmse_epa_<subset>` in meV/atom, `rmse_f_comp_<subset>` in eV/Angstrom.

    What a set does not have is NaN.
    """
    table = tabulate_overall(predictions)
    rows = {row["subset"]: row for row in table.to_dict("records") if row["structures"] == "all"}
    names = [(subset, name) for subset in ("train", "test") for name in ERRORS.values()]
    return {f"{name}_{subset}": float(rows.get(subset, {}).get(name, np.nan)) for subset, name in names}


def judged_subset(table: pd.DataFrame) -> str:
    """The test set if every run has one, else the training set."""
    columns = [f"{name}_test" for name in ERRORS.values()]
    return "test" if table[columns].notna().any(axis="columns").all() else "train"


def tabulate_runs(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of the contract `runs`, the cheapest first.

    Parameters
    ----------
    rows : for each run its columns, without `subset` and those that say what is Pareto-optimal
    """
    table = pd.DataFrame(list(rows)).sort_values("microseconds_per_atom", kind="stable", ignore_index=True)
    subset = judged_subset(table)
    table["subset"] = subset
    for error, of_error in ERRORS.items():
        for cost, of_cost in COSTS.items():
            table[f"optimal_{error}_{cost}"] = find_pareto_optimal(table[of_cost], table[f"{of_error}_{subset}"])
    return table
