"""Tables of prediction errors: by subset, group and element, the worst structures, and what was excluded."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from acefit.analysis.predictions import Predictions
from acefit.fit.metrics import ENERGY_METRICS, FORCE_METRICS, STRESS_METRICS, ErrorMeter, Reference
from acefit.units import EV_PER_A3_IN_GPA

SUBSET_ORDER = ("train", "test", "excluded")
UNITS = {
    **dict.fromkeys(ENERGY_METRICS, "meV/atom"),
    **dict.fromkeys(FORCE_METRICS, "eV/Å"),
    **dict.fromkeys(STRESS_METRICS, "GPa"),
}
_SCALES = {**dict.fromkeys(ENERGY_METRICS, 1000.0), **dict.fromkeys(STRESS_METRICS, EV_PER_A3_IN_GPA)}


def _measure(predictions: Predictions, structures: NDArray[np.bool_]) -> dict[str, float]:
    """Numbers and error measures of some structures: energies in meV/atom, forces in eV/Angstrom, stresses in GPa."""
    table = predictions.structures[structures]
    atoms = np.repeat(structures, predictions.structures["n_atoms"])
    counts = table["n_atoms"].to_numpy()
    none = np.full(len(table), np.nan)
    reference = Reference(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        energies=table["energy"].to_numpy(float),
        forces=predictions.force[atoms],
        stresses=np.where(np.isnan(predictions.stress_predicted), np.nan, predictions.stress)[structures],
        w_energy=np.zeros(len(table)),
        w_force=np.zeros(int(atoms.sum())),
        w_stress=np.zeros(len(table)),
        effective_energies=none,
    )
    measured = ErrorMeter(reference).measure(
        table["energy_predicted"].to_numpy(float), predictions.force_predicted[atoms], predictions.stress_predicted[structures]
    )
    values = {key: _SCALES.get(key, 1.0) * measured[key] for key in (*ENERGY_METRICS, *FORCE_METRICS, *STRESS_METRICS)}
    return {"n_structures": len(table), "n_atoms": int(counts.sum()), **values}


def _measure_forces(predictions: Predictions, atoms: NDArray[np.bool_]) -> dict[str, float]:
    """Force error measures of some atoms (eV/Angstrom), as if they were one structure."""
    n_atoms = int(atoms.sum())
    one, zero = np.full(1, np.nan), np.zeros(1)
    reference = Reference(
        offsets=np.array([0, n_atoms]),
        energies=one,
        forces=predictions.force[atoms],
        stresses=np.full((1, 6), np.nan),
        w_energy=zero,
        w_force=np.zeros(n_atoms),
        w_stress=zero,
        effective_energies=one,
    )
    measured = ErrorMeter(reference).measure(one, predictions.force_predicted[atoms], np.full((1, 6), np.nan))
    return {"n_atoms": n_atoms, **{key: measured[key] for key in FORCE_METRICS}}


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
                rows.append({"element": element, "subset": subset, **_measure_forces(predictions, chosen)})
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
