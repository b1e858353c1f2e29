"""Natural units of the parameters, in which a quasi-Newton method starts.

BFGS begins with the unit matrix, as if every parameter were worth the same. The coefficients of products of many factors may
change much more than those of few: a unit that grows with the order saves about half the evaluations (docs/performance.md).
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from acefit.errors import FitError
from acefit.potential.parameters import ParameterLayout

ORDER_SCALE = 2.0
RADIAL_SCALE = 1.0


def parameter_scales(
    layout: ParameterLayout, order_scale: float = ORDER_SCALE, radial_scale: float = RADIAL_SCALE
) -> NDArray[np.float64]:
    """Unit of each parameter, shape (n,).

    Parameters
    ----------
    layout : of the parameter vector
    order_scale : float
        A function of order nu (nu factors) has the unit order_scale^(nu - 1).
    radial_scale : float
        Unit of the radial coefficients.

    Raises
    ------
    FitError
        If a scale is not a positive number.
    """
    for name, value in (("order_scale", order_scale), ("radial_scale", radial_scale)):
        if not (isfinite(value) and value > 0.0):
            raise FitError(f"fit.options: {name} must be a positive number, got {value}")
    scales = np.full(layout.n_parameters, float(radial_scale))
    for function, slot in zip(layout.functions(), layout.slots, strict=True):
        scales[slot.offset : slot.offset + slot.n_coeffs] = float(order_scale) ** (function.order - 1)
    return scales
