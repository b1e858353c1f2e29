"""Regularisation of the loss: L1 and L2 of function coefficients, radial smoothness, orthogonality.

    L1 sum |c|,  L2 sum c^2  over all function coefficients
    S_q = mean over ordered bonds of (dx / rc_b^2) sum_g x_g^2 sum_nl |d^q R_nl/dr^q (x_g)|,  q = 0, 1, 2
    O   = sum over ordered bonds of mean((W W^T - 1)^2) + mean((W^T W - 1)^2), W = c_nk for each l

R is the radial function without inner cutoff and without the narrow outer window of ChebExpCos, on 100 points from 1e-10 to the
largest cutoff less 1e-5. Everything is linear or quadratic in the coefficients, so the gradients are exact (sub-gradients at
kinks).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from acefit.basis.compiled import base_map, radial_kind
from acefit.kernels import radial
from acefit.kernels.penalties import smoothness_into
from acefit.potential.model import Bond, Potential
from acefit.potential.parameters import ParameterLayout

N_GRID = 100

Floats = NDArray[np.float64]


def radial_derivatives(bond: Bond, r: Floats) -> Floats:
    """g_k and its first and second derivative without windows at the inner or outer end, shape (3, k_max, n)."""
    kind = radial_kind(bond)
    if kind == radial.NONE or bond.k_max == 0:
        return np.zeros((3, bond.k_max, len(r)))
    base = _sine_base(bond, r) if kind == radial.SINE else _chebyshev_base(bond, kind, r)
    base[:, :, r >= bond.rcut] = 0.0
    return np.einsum("kb,qbn->qkn", base_map(bond), base)


def _chebyshev_base(bond: Bond, kind: int, r: Floats) -> Floats:
    """T_m(x(r)) times the cosine envelope of ChebExpCos, with two derivatives."""
    rc, lam, n_rows = bond.rcut, bond.radparameters[0] if bond.radparameters else 0.0, base_map(bond).shape[1]
    if kind == radial.CHEB_EXP_COS:
        e, low = np.exp(-lam * r / rc), np.exp(-lam)
        x = 1.0 - 2.0 * (e - low) / (1.0 - low)
        dx = 2.0 * lam / rc * e / (1.0 - low)
        ddx = -lam / rc * dx
        window = [
            0.5 * (1 + np.cos(pi * r / rc)),
            -0.5 * pi / rc * np.sin(pi * r / rc),
            -0.5 * (pi / rc) ** 2 * np.cos(pi * r / rc),
        ]
    else:
        power = lam if kind == radial.CHEB_POW else 1.0
        y = np.maximum(1.0 - r / rc, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            x, dx = 1.0 - 2.0 * y**power, 2.0 * power / rc * y ** (power - 1.0)
            ddx = -2.0 * power * (power - 1.0) / rc**2 * y ** (power - 2.0)
        if kind == radial.CHEB_LINEAR:
            x, dx, ddx = 1.0 - r / rc, np.full_like(r, -1.0 / rc), np.zeros_like(r)
        window = [np.ones_like(r), np.zeros_like(r), np.zeros_like(r)]
    w, dw, ddw = window
    out = np.zeros((3, n_rows, len(r)))
    for m in range(n_rows):
        series = np.zeros(m + 1)
        series[m] = 1.0
        t = chebyshev.chebval(x, series)
        dt = chebyshev.chebval(x, chebyshev.chebder(series)) if m else np.zeros_like(x)
        ddt = chebyshev.chebval(x, chebyshev.chebder(series, 2)) if m > 1 else np.zeros_like(x)
        f, df, ddf = t, dt * dx, ddt * dx**2 + dt * ddx
        out[0, m], out[1, m], out[2, m] = f * w, df * w + f * dw, ddf * w + 2 * df * dw + f * ddw
    return out


def _sine_base(bond: Bond, r: Floats) -> Floats:
    """sin(a r)/(a r), a = m pi/rc, with two derivatives; series near zero, where the closed forms cancel."""
    n_rows = base_map(bond).shape[1]
    out = np.zeros((3, n_rows, len(r)))
    for m in range(1, n_rows + 1):
        a = m * pi / bond.rcut
        z = a * r
        small = z < 1e-2
        s = np.where(small, 1.0, z)
        f = np.sin(s) / s
        df = (np.cos(s) - f) / s
        out[0, m - 1] = np.where(small, 1 - z**2 / 6 + z**4 / 120, f)
        out[1, m - 1] = a * np.where(small, -z / 3 + z**3 / 30, df)
        out[2, m - 1] = a * a * np.where(small, -1 / 3 + z**2 / 10, -f - 2 * df / s)
    return out


class BondGrid(NamedTuple):
    """One bond on the grid.

    Attributes
    ----------
    part : its place in the parameter vector; shape : of its crad
    multiplicity : number of ordered bonds it stands for
    factor : (n_grid,) of each point in the sums, the mean over bonds included
    derivatives : (k_max, 3, n_grid), values, first and second derivatives
    """

    part: slice
    shape: tuple[int, ...]
    multiplicity: int
    factor: Floats
    derivatives: Floats


@dataclass(frozen=True, eq=False)
class Regularisation:
    """All regularisation terms of one potential shape.

    Attributes
    ----------
    grids : one per unordered pair
    has_products : whether any function has order >= 2
    """

    grids: tuple[BondGrid, ...]
    has_products: bool

    def smoothness(self, x: Floats, weights: tuple[float, float, float]) -> tuple[Floats, Floats]:
        """S_0, S_1, S_2 and the gradient of their weighted sum."""
        values, gradient, factors = np.zeros(3), np.zeros_like(x), np.array(weights)
        for part, shape, _, factor, derivatives in self.grids:
            smoothness_into(x, part.start, shape[0] * shape[1], derivatives, factor, factors, values, gradient)
        return values, gradient

    def orthogonality(self, x: Floats) -> tuple[float, Floats]:
        """O and its gradient; zero when there are no functions of order >= 2."""
        value, gradient = 0.0, np.zeros_like(x)
        if not self.has_products:
            return value, gradient
        for part, shape, count, _, _ in self.grids:
            crad = x[part].reshape(shape)
            n, n_l, k = shape
            if not n * n_l * k:
                continue
            out = np.zeros(shape)
            for l in range(n_l):
                w = crad[:, l, :]
                a, b = w @ w.T - np.eye(n), w.T @ w - np.eye(k)
                scale_a, scale_b = count / (n * n * n_l), count / (k * k * n_l)
                value += scale_a * float((a**2).sum()) + scale_b * float((b**2).sum())
                out[:, l, :] = 4.0 * (scale_a * a @ w + scale_b * w @ b)
            gradient[part] += out.ravel()
        return value, gradient


def build_regularisation(potential: Potential, layout: ParameterLayout) -> Regularisation:
    """Prepare the grids of all bonds; each ordered bond counts once, so unlike pairs count twice, in the mean over bonds."""
    largest = potential.cutoff
    grid = np.linspace(1e-10, largest - 1e-5, N_GRID)
    n_ordered = sum(1 if a == b else 2 for a, b in layout.bond_slices)
    grids = []
    for (a, b), part in layout.bond_slices.items():
        bond = potential.bonds[a, b]
        count = 1 if a == b else 2
        factor = count / n_ordered * (grid[1] - grid[0]) / bond.rcut**2 * grid**2
        derivatives = np.ascontiguousarray(radial_derivatives(bond, grid).transpose(1, 0, 2))
        grids.append(BondGrid(part, bond.crad.shape, count, factor, derivatives))
    has_products = any(function.order > 1 for function in layout.functions())
    return Regularisation(tuple(grids), has_products)
