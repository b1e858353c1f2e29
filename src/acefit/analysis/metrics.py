"""Definitions of the error measures: of energies per atom, of force vectors and their components, of stresses.

All are unweighted. Errors are predicted minus reference; values without a reference are NaN and do not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def compute_energy_metrics(errors: Values) -> dict[str, float]:
    """Error measures of energies per atom.

    Parameters
    ----------
    errors : (S,) eV/atom, or a multiple of it

    Returns
    -------
    metrics : dict
        rmse_epa, mae_epa, max_abs_epa in the unit of the errors; NaN if there is no reference at all.
    """
    known = errors[np.isfinite(errors)]
    return dict(zip(("rmse_epa", "mae_epa", "max_abs_epa"), _rms_mean_max(known), strict=True))


def compute_force_metrics(errors: Values) -> dict[str, float]:
    """Error measures of forces.

    Parameters
    ----------
    errors : (A, 3) eV/Angstrom

    Returns
    -------
    metrics : dict
        In eV/Angstrom: rmse_f and mae_f of the norms of the error vectors, and rmse_f_comp, mae_f_comp, max_abs_f_comp of
        the components. (pacemaker's mae_f is the mean norm in one of its backends, in the other the mean sum of components.)
    """
    known = errors[np.isfinite(errors).all(axis=1)]
    rmse, mae, _ = _rms_mean_max(np.linalg.norm(known, axis=1))
    components = dict(zip(("rmse_f_comp", "mae_f_comp", "max_abs_f_comp"), _rms_mean_max(known.ravel()), strict=True))
    return {"rmse_f": rmse, "mae_f": mae, **components}


def compute_stress_metrics(errors: Values) -> dict[str, float]:
    """Error measures of stresses.

    Parameters
    ----------
    errors : (S, 6) in any unit, Voigt order

    Returns
    -------
    metrics : dict
        rmse_stress, mae_stress, max_abs_stress over the six components, in the same unit.
    """
    known = errors[np.isfinite(errors).all(axis=1)].ravel()
    return dict(zip(("rmse_stress", "mae_stress", "max_abs_stress"), _rms_mean_max(known), strict=True))


def _rms_mean_max(errors: Values) -> tuple[float, float, float]:
    """Root mean square, mean and maximum of the absolute values; NaN for none."""
    if not len(errors):
        return float("nan"), float("nan"), float("nan")
    sizes = np.abs(errors)
    return float(np.sqrt(np.mean(sizes**2))), float(np.mean(sizes)), float(np.max(sizes))
