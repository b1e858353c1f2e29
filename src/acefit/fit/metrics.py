"""Errors of predictions and the rows of metrics that a fit records; the same definitions serve training and test sets.

Errors are unweighted unless a weight is named. `mae_f` is the mean over atoms of the sum of the absolute components, for all sets
alike (pacemaker changes its meaning between sets), `mae_f_norm` the mean length of the error vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Row = dict[str, Any]

LOW_ENERGY = 1.0
"""Upper end of the low-energy set, eV/atom above the hull or the lowest energy."""

ENERGY_METRICS = ("rmse_epa", "mae_epa", "max_abs_epa")
FORCE_METRICS = ("rmse_f", "mae_f", "mae_f_norm", "rmse_f_comp", "mae_f_comp", "max_abs_f_comp")
STRESS_METRICS = ("rmse_s", "mae_s", "max_abs_s")
ERROR_METRICS = (
    *ENERGY_METRICS,
    *FORCE_METRICS,
    *(f"low_{name}" for name in (*ENERGY_METRICS, *FORCE_METRICS)),
    *STRESS_METRICS,
)
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
    effective_energies : (S,) eV/atom above the hull or the lowest energy; NaN where not known
    """

    offsets: NDArray[np.int64]
    energies: Values
    forces: Values
    stresses: Values
    w_energy: Values
    w_force: Values
    w_stress: Values
    effective_energies: Values


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
        energies_per_atom = np.full(len(self._n_atoms), np.nan)
        np.divide(reference.energies, self._n_atoms, out=energies_per_atom, where=self._n_atoms > 0)
        self._has_energy = np.isfinite(energies_per_atom)
        self._has_force = np.isfinite(reference.forces).all(axis=1)
        self._has_stress = np.isfinite(reference.stresses).all(axis=1)
        low = low_energy_set(energies_per_atom, reference.effective_energies)
        self._low_structures = low & self._has_energy
        self._low_atoms = np.repeat(low, self._n_atoms) & self._has_force
        self._w_energy = np.where(self._has_energy, reference.w_energy, 0.0)
        self._w_force = np.where(self._has_force, reference.w_force, 0.0)
        self._w_stress = np.where(self._has_stress, reference.w_stress, 0.0)

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
        de = np.zeros(len(self._n_atoms))
        np.divide(reference.energies - energies, self._n_atoms, out=de, where=self._has_energy)
        df = np.where(self._has_force[:, None], reference.forces - forces, 0.0)
        result = _energy_errors(de[self._has_energy], "")
        result |= _force_errors(df if self._has_force.all() else df[self._has_force], "")
        result |= _energy_errors(de[self._low_structures], "low_")
        result |= _force_errors(df if self._low_atoms.all() else df[self._low_atoms], "low_")
        ds = reference.stresses[self._has_stress] - stresses[self._has_stress]
        result |= dict(zip(STRESS_METRICS, _spread(ds), strict=True))
        # the six components of a stress stand for nine
        squares = np.einsum("sc,sc,c->s", ds, ds, np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]))
        result["e_loss"] = float(np.sum(self._w_energy * de * de))
        result["f_loss"] = float(np.sum(self._w_force * np.einsum("ac,ac->a", df, df)))
        result["s_loss"] = float(np.sum(self._w_stress[self._has_stress] * squares))
        return result


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


def _spread(errors: Values) -> tuple[float, float, float]:
    """Root mean square, mean absolute and largest absolute value; NaN without any."""
    if errors.size == 0:
        return math.nan, math.nan, math.nan
    flat = errors.ravel()
    magnitudes = np.abs(flat)
    return math.sqrt(float(np.dot(flat, flat)) / flat.size), float(magnitudes.mean()), float(magnitudes.max())


def _energy_errors(de: Values, prefix: str) -> dict[str, float]:
    return {prefix + name: value for name, value in zip(ENERGY_METRICS, _spread(de), strict=True)}


def _force_errors(df: Values, prefix: str) -> dict[str, float]:
    rmse, mae, largest = _spread(df)
    norm = float(np.sqrt(np.einsum("ac,ac->a", df, df)).mean()) if len(df) else math.nan
    values = (math.sqrt(3.0) * rmse, 3.0 * mae, norm, rmse, mae, largest)
    return {prefix + name: value for name, value in zip(FORCE_METRICS, values, strict=True)}


def loss_parts(errors: Mapping[str, float], terms: Mapping[str, float], kappa: float, kappa_stress: float) -> dict[str, float]:
    """Contributions to the loss under the names of the metrics tables.

    Parameters
    ----------
    errors : mapping
        Result of `ErrorMeter.measure`.
    terms : mapping
        Weighted terms of the loss; of them the regularisation `l1`, `l2`, `w0`, `w1`, `w2`, `orth` are used.
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
    smooth = [terms.get(name, 0.0) for name in ("w0", "w1", "w2", "orth")]
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
