"""Core repulsion of one pair."""

from math import cos, exp, pi, sin

from acefit.kernels import radial
from acefit.kernels._jit import kernel

COULOMB = 14.399645351950543
"""e^2/(4 pi epsilon_0), eV Angstrom."""


@kernel
def zbl_screened(r, a):
    """Phi(r/a)/r of the universal screening function, and its derivative.

    References
    ----------
    Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Solids (1985), universal screening function.
    """
    phi, dphi = 0.0, 0.0
    for c, d in ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162)):
        e = c * exp(-d * r / a)
        phi += e
        dphi -= d / a * e
    return phi / r, (dphi - phi / r) / r


@kernel
def pair_core(bond, r):
    """Core energy h(r) and slope of one pair, eV and eV/Angstrom."""
    rc, mode = bond[radial.RC], int(bond[radial.CORE_MODE])
    if mode == radial.CORE_NONE or r >= rc:
        return 0.0, 0.0
    if mode == radial.CORE_ZBL:
        e, de = zbl_screened(r, bond[radial.ZBL_A])
        shift, dshift = bond[radial.ZBL_C], 0.0
        d = r - bond[radial.ZBL_S]
        if d > 0.0:
            shift += bond[radial.ZBL_A3] / 3.0 * d**3 + bond[radial.ZBL_A4] / 4.0 * d**4
            dshift = bond[radial.ZBL_A3] * d * d + bond[radial.ZBL_A4] * d**3
        scale = bond[radial.CORE_PRE] * 0.5 * COULOMB * bond[radial.ZBL_ZZ]
        cut, dcut = radial.f_poly(r, rc, bond[radial.DCUT])
        return scale * (e + shift) * cut, scale * ((de + dshift) * cut + (e + shift) * dcut)
    pre, lam = abs(bond[radial.CORE_PRE]), abs(bond[radial.CORE_LAMBDA])
    if lam * r * r >= 50.0:
        return 0.0, 0.0
    h = pre * exp(-lam * r * r) / r
    dh = -h * (2.0 * lam * r + 1.0 / r)
    envelope, denvelope = 0.5 * (1.0 + cos(pi * r / rc)), -0.5 * pi / rc * sin(pi * r / rc)
    h, dh = h * envelope, dh * envelope + h * denvelope
    if mode == radial.CORE_EXPONENTIAL_WINDOW:
        cut, dcut = radial.f_poly(r, bond[radial.CORE_IN], bond[radial.CORE_WIDTH])
        h, dh = h * cut, dh * cut + h * dcut
    return h, dh
