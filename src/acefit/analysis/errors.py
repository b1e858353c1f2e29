"""Tables of prediction errors: by subset, group and element, the worst structures, and what was excluded."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from acefit.analysis.metrics import compute_energy_metrics, compute_force_metrics, compute_stress_metrics
from acefit.analysis.predictions import Predictions
from acefit.fit.metrics import ENERGY_METRICS, FORCE_METRICS, STRESS_METRICS
from acefit.units import EV_PER_A3_IN_GPA

SUBSET_ORDER = ("train", "test", "excluded")
UNITS = {
    **dict.fromkeys(ENERGY_METRICS, "meV/atom"),
    **dict.fromkeys(FORCE_METRICS, "eV/Å"),
    **dict.fromkeys(STRESS_METRICS, "GPa"),
}


def _measure(predictions: Predictions, structures: NDArray[np.bool_]) -> dict[str, float]:
    """Numbers and error measures of some structures: energies in meV/atom, forces in eV/Angstrom, stresses in GPa."""
    atoms = np.repeat(structures, predictions.structures["n_atoms"])
    return {
        "n_structures": int(structures.sum()),
        "n_atoms": int(atoms.sum()),
        **compute_energy_metrics(1000.0 * predictions.energy_errors()[structures]),
        **compute_force_metrics(predictions.force_errors()[atoms]),
        **compute_stress_metrics(EV_PER_A3_IN_GPA * predictions.stress_errors()[structures]),
    }


def _subsets(predictions: Predictions) -> list[str]:
    present = set(predictions.structures["subset"])
    return [subset for subset in SUBSET_ORDER if subset in present]


def tabulate_overall(predictions: Predictions) -> pd.DataFrame:
    """Errors by subset, over all structures and over those of low energy; columns subset, structures, counts and measures."""
    rows = []
    low = predictions.structures["is_low_energy"].to_numpy(bool)
    for subset in _subsets(predictions):
        chosen = (predictions.structures["subset"] == subset).to_numpy()
        rows.append({"subset": subset, "structures": "all", **_measure(predictions, chosen)})
        if subset != "excluded":
            rows.append({"subset": subset, "structures": "low energy", **_measure(predictions, chosen & low)})
    return pd.DataFrame(rows)


def tabulate_groups(predictions: Predictions) -> pd.DataFrame:
    """Errors by group and subset; structures without a group are listed as '(none)'."""
    rows = []
    groups = predictions.structures["group"].replace("", "(none)")
    for group in sorted(groups.unique()):
        for subset in _subsets(predictions):
            chosen = ((groups == group) & (predictions.structures["subset"] == subset)).to_numpy()
            if chosen.any():
                rows.append({"group": group, "subset": subset, **_measure(predictions, chosen)})
    return pd.DataFrame(rows)


def tabulate_elements(predictions: Predictions) -> pd.DataFrame:
    """Force errors by element and subset (eV/Angstrom)."""
    rows = []
    for element in sorted(predictions.atoms["element"].unique()):
        for subset in _subsets(predictions):
            chosen = ((predictions.atoms["element"] == element) & (predictions.atoms["subset"] == subset)).to_numpy()
            if chosen.any():
                measured = compute_force_metrics(predictions.force_errors()[chosen])
                rows.append({"element": element, "subset": subset, "n_atoms": int(chosen.sum()), **measured})
    return pd.DataFrame(rows)


def tabulate_worst(predictions: Predictions, n: int = 20) -> pd.DataFrame:
    """Structures of train and test with the largest energy or force errors, at most n of each kind, worst first."""
    structures = predictions.structures
    table = pd.DataFrame(
        {
            **{key: structures[key] for key in ("structure", "name", "group", "subset", "formula", "n_atoms", "nn_min")},
            "energy_error": 1000.0 * predictions.energy_errors(),
            "force_error_max": structures["force_error_max"],
        }
    )
    table = table[table["subset"] != "excluded"]
    by_energy = table["energy_error"].abs().sort_values(ascending=False, kind="stable").dropna().index[:n]
    by_force = table["force_error_max"].sort_values(ascending=False, kind="stable").dropna().index[:n]
    return table.loc[list(dict.fromkeys([*by_energy, *by_force]))].reset_index(drop=True)


def tabulate_excluded(predictions: Predictions) -> pd.DataFrame:
    """Structures that took no part in the fit, the reason, and how well they are predicted all the same."""
    structures = predictions.structures
    table = pd.DataFrame(
        {
            **{key: structures[key] for key in ("structure", "name", "group", "formula", "n_atoms", "reason")},
            "energy_error": 1000.0 * predictions.energy_errors(),
            "force_error_max": structures["force_error_max"],
        }
    )
    return table[structures["subset"] == "excluded"].reset_index(drop=True)
