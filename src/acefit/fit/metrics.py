"""What a fit records of its state: errors of one set of structures, parts of the loss, lines of pacemaker's metrics files.

The error measures themselves are defined in `acefit.analysis.metrics`, the same for all sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.analysis.metrics import compute_energy_metrics, compute_force_metrics, compute_stress_metrics

Values = NDArray[np.float64]
Row = dict[str, Any]

LOW_ENERGY = 1.0
"""Upper end of the low-energy set, eV/atom above the hull or the lowest energy."""

VOIGT_COUNTS = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
ENERGY_METRICS = ("rmse_epa", "mae_epa", "max_abs_epa")
FORCE_METRICS = ("rmse_f", "mae_f", "rmse_f_comp", "mae_f_comp", "max_abs_f_comp")
STRESS_METRICS = ("rmse_stress", "mae_stress", "max_abs_stress")
ERROR_METRICS = (
    *ENERGY_METRICS,
    *FORCE_METRICS,
    *(f"low_{name}" for name in (*ENERGY_METRICS, *FORCE_METRICS)),
    *STRESS_METRICS,
)
WEIGHTED_SUMS = ("e_loss", "f_loss", "s_loss")
SQUARED_METRICS = tuple(name for name in ERROR_METRICS if "rmse_" in name)
MEAN_METRICS = tuple(name for name in ERROR_METRICS if "mae_" in name)
LARGEST_METRICS = tuple(name for name in ERROR_METRICS if "max_" in name)
LOSS_METRICS = (
    "loss",
    "e_loss",
    "f_loss",
    "s_loss",
    "e_loss_contrib",
    "f_loss_contrib",
    "s_loss_contrib",
    "reg_loss",
    "l1_reg_contrib",
    "l2_reg_contrib",
    "extra_regularization_contrib",
    "smooth_w1",
    "smooth_w2",
    "smooth_w3",
    "smooth_orth",
)
TEXT_COLUMNS = {
    "ladder_step": 11, "cycle_step": 10, "iter_num": 8, "loss": 22, "e_loss_contrib": 22, "f_loss_contrib": 22, "reg_loss": 22,
    "rmse_epa": 22, "rmse_f_comp": 22, "low_rmse_epa": 22, "low_rmse_f_comp": 22, "mae_f_comp": 22, "low_mae_f_comp": 22,
    "nfuncs": 6, "ncoefs": 6, "l1_reg_contrib": 22, "l2_reg_contrib": 22, "smooth_orth": 22, "smooth_w1": 22, "smooth_w2": 22,
    "smooth_w3": 22,
}  # fmt: skip
"""Columns of pacemaker's metrics file and their widths."""


class Reference(NamedTuple):
    """What predictions are compared with, one subset.

    Attributes
    ----------
    offsets : int64, shape (S + 1,); structure s owns the atoms offsets[s] .. offsets[s + 1] - 1
    energies : (S,) eV, total, on the fitted scale; NaN when absent
    forces : (A, 3) eV/Angstrom; NaN when absent
    stresses : (S, 6) eV/Angstrom^3; NaN when absent
    w_energy, w_force, w_stress : (S,), (A,), (S,) weights of the loss
    is_low : (S,) bool; the structures of low energy, see `low_energy_set`
    """

    offsets: NDArray[np.int64]
    energies: Values
    forces: Values
    stresses: Values
    w_energy: Values
    w_force: Values
    w_stress: Values
    is_low: NDArray[np.bool_]


class ErrorMeter:
    """Metrics of one set of structures, prepared so that each call costs a few array operations.

    Parameters
    ----------
    reference : Reference
        What predictions are compared with.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._n_atoms = np.diff(reference.offsets)
        energies_per_atom = reference.energies / np.maximum(self._n_atoms, 1)
        self._low_structures = np.flatnonzero(reference.is_low)
        self._low_atoms = np.flatnonzero(np.repeat(reference.is_low, self._n_atoms))
        self._w_energy = np.where(np.isfinite(energies_per_atom), reference.w_energy, 0.0)
        self._w_force = np.where(np.isfinite(reference.forces).all(axis=1), reference.w_force, 0.0)
        self._w_stress = np.where(np.isfinite(reference.stresses).all(axis=1), reference.w_stress, 0.0)

    def measure(self, energies: Values, forces: Values, stresses: Values) -> dict[str, float]:
        """Compute all error metrics and the weighted sums `e_loss`, `f_loss`, `s_loss`.

        Parameters
        ----------
        energies : (S,) eV, total
        forces : (A, 3) eV/Angstrom
        stresses : (S, 6) eV/Angstrom^3

        Returns
        -------
        dict
            eV/atom, eV/Angstrom, eV/Angstrom^3; NaN where the set holds no such data.
        """
        reference = self._reference
        de = (energies - reference.energies) / np.maximum(self._n_atoms, 1)
        df = forces - reference.forces
        ds = stresses - reference.stresses
        result = compute_energy_metrics(de) | compute_force_metrics(df)
        low = dict(result)
        if len(self._low_structures) < len(de):
            low = compute_energy_metrics(de[self._low_structures]) | compute_force_metrics(df[self._low_atoms])
        result |= compute_stress_metrics(ds)
        result |= {f"low_{name}": value for name, value in low.items()}
        result["e_loss"] = _weighted_sum(self._w_energy, de * de)
        result["f_loss"] = _weighted_sum(self._w_force, np.einsum("ac,ac->a", df, df))
        # the six components of a stress stand for nine
        result["s_loss"] = _weighted_sum(
            self._w_stress, np.einsum("sc,sc,c->s", ds, ds, np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]))
        )
        return result

    def counts(self) -> dict[str, int]:
        """How many values each error metric is a mean of."""
        energies = self._reference.energies
        forces = np.asarray(np.isfinite(self._reference.forces).all(axis=1))
        stresses = np.isfinite(self._reference.stresses).all(axis=1)
        energy = dict.fromkeys(ENERGY_METRICS, int(np.isfinite(energies).sum())) | dict.fromkeys(FORCE_METRICS, int(forces.sum()))
        low = dict.fromkeys(ENERGY_METRICS, int(np.isfinite(energies[self._low_structures]).sum()))
        low |= dict.fromkeys(FORCE_METRICS, int(forces[self._low_atoms].sum()))
        return energy | {f"low_{name}": n for name, n in low.items()} | dict.fromkeys(STRESS_METRICS, int(stresses.sum()))


def additive_errors(errors: Mapping[str, float], counts: Mapping[str, int]) -> tuple[Values, Values]:
    """Turn the error metrics of a part of a set into numbers from which `merge_errors` makes those of the whole set.

    Parameters
    ----------
    errors : mapping
        Result of `ErrorMeter.measure` for the part.
    counts : mapping
        Result of `ErrorMeter.counts` for the part.

    Returns
    -------
    sums : numbers that are to be added over all parts
    largest : numbers of which the largest is to be taken
    """
    sums = [errors[name] for name in WEIGHTED_SUMS]
    sums += [counts[name] * errors[name] ** 2 if counts[name] else 0.0 for name in SQUARED_METRICS]
    sums += [counts[name] * errors[name] if counts[name] else 0.0 for name in MEAN_METRICS]
    return np.array(sums), np.array([errors[name] if counts[name] else 0.0 for name in LARGEST_METRICS])


def merge_errors(sums: Values, largest: Values, counts: Mapping[str, int]) -> dict[str, float]:
    """Error metrics of a set from the added and largest numbers of its parts; `counts` of the whole set."""
    names = (*WEIGHTED_SUMS, *SQUARED_METRICS, *MEAN_METRICS, *LARGEST_METRICS)
    values = dict(zip(names, map(float, (*sums, *largest)), strict=True))
    for name in ERROR_METRICS:
        if not counts[name]:
            values[name] = float("nan")
        elif name in SQUARED_METRICS:
            values[name] = float(np.sqrt(values[name] / counts[name]))
        elif name in MEAN_METRICS:
            values[name] /= counts[name]
    return values


def _weighted_sum(weights: Values, squares: Values) -> float:
    """Sum over the entries with a weight; the others may be NaN."""
    return float(np.sum(weights * squares, where=weights != 0.0))


def low_energy_set(energies_per_atom: Values, effective_energies: Values) -> NDArray[np.bool_]:
    """Mark the structures of low energy, shape (S,).

    Where the distance to the hull is known it must be at most `LOW_ENERGY`, elsewhere the energy per atom at most the lowest of
    the set plus `LOW_ENERGY`; structures without an energy are not in it.
    """
    known = np.isfinite(energies_per_atom)
    low = np.zeros(len(energies_per_atom), dtype=bool)
    if known.any():
        low[known] = energies_per_atom[known] <= energies_per_atom[known].min() + LOW_ENERGY
    has_distance = np.isfinite(effective_energies)
    low[has_distance] = effective_energies[has_distance] <= LOW_ENERGY
    return low


def loss_parts(errors: Mapping[str, float], terms: Mapping[str, float], kappa: float, kappa_stress: float) -> dict[str, float]:
    """Contributions to the loss under the names of the metrics tables.

    Parameters
    ----------
    errors : mapping
        Result of `ErrorMeter.measure`.
    terms : mapping
        Weighted terms of the loss; of them the regularisation `l1`, `l2`, `w0`, `w1`, `w2`, `w_orth` are used.
    kappa, kappa_stress : float
        Factors of force and stress terms.

    Returns
    -------
    dict
        One entry per name of `LOSS_METRICS`.
    """
    energy, force = (1.0 - kappa) * errors["e_loss"], kappa * errors["f_loss"]
    stress = kappa_stress * errors["s_loss"]
    l1, l2 = terms.get("l1", 0.0), terms.get("l2", 0.0)
    smooth = [terms.get(name, 0.0) for name in ("w0", "w1", "w2", "w_orth")]
    extra = sum(smooth)
    return {
        "loss": energy + force + stress + l1 + l2 + extra,
        "e_loss": errors["e_loss"],
        "f_loss": errors["f_loss"],
        "s_loss": errors["s_loss"],
        "e_loss_contrib": energy,
        "f_loss_contrib": force,
        "s_loss_contrib": stress,
        "reg_loss": l1 + l2 + extra,
        "l1_reg_contrib": l1,
        "l2_reg_contrib": l2,
        "extra_regularization_contrib": extra,
        "smooth_w1": smooth[0],
        "smooth_w2": smooth[1],
        "smooth_w3": smooth[2],
        "smooth_orth": smooth[3],
    }


def text_header() -> str:
    """First line of a metrics file in pacemaker's layout."""
    return " ".join(name.rjust(width) for name, width in TEXT_COLUMNS.items()) + "\n"


def text_row(row: Mapping[str, Any]) -> str:
    """One line of a metrics file: numbers in their shortest form that reads back exactly."""
    return " ".join(repr(_plain(row[name])).rjust(width) for name, width in TEXT_COLUMNS.items()) + "\n"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
