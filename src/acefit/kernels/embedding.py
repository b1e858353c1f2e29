"""Embedding functions phi(rho; m) with first and second derivative."""

from math import copysign, exp

from acefit.kernels._jit import kernel

FINNIS_SINCLAIR, SHIFTED_SCALED = 0, 1


@kernel
def finnis_sinclair(rho, m):
    """Signed power |rho|^m with a linear core of width 1e-6; returns phi, phi', phi''.

    References
    ----------
    Drautz, Phys. Rev. B 99, 014104 (2019), Eq. for the Finnis-Sinclair embedding; the core keeps the slope finite.
    """
    w = 1e6
    q = w ** (1.0 - m)
    a = abs(rho)
    if a <= 1e-10:
        return q * rho, q, 0.0
    sign = copysign(1.0, rho)
    cube = (w * a) ** 3
    power = a**m
    d_power, dd_power = m * power / a, m * (m - 1.0) * power / (a * a)
    if cube > 30.0:
        return sign * power, d_power, sign * dd_power
    g = exp(-cube)
    dg = -3.0 * w * cube / (w * a) * g
    ddg = (9.0 * cube * cube - 6.0 * cube) / (a * a) * g
    phi = (1.0 - g) * power + q * g * a
    dphi = d_power * (1.0 - g) - power * dg + q * dg * a + q * g
    ddphi = dd_power * (1.0 - g) - 2.0 * d_power * dg - power * ddg + q * ddg * a + 2.0 * q * dg
    return sign * phi, dphi, sign * ddphi


@kernel
def shifted_scaled(rho, m):
    """Shifted and scaled power without singularity at zero; returns phi, phi', phi''."""
    if abs(m - 1.0) < 1e-10:
        return rho, 1.0, 0.0
    sign, a = copysign(1.0, rho), abs(rho)
    e = exp(-a)
    x = m ** (1.0 / (1.0 - m)) * e
    y = m ** (m / (1.0 - m)) * e
    b = x + a
    phi = b**m - y
    dphi = y + m * (1.0 - x) * b ** (m - 1.0)
    ddphi = -y + m * x * b ** (m - 1.0) + m * (m - 1.0) * (1.0 - x) ** 2 * b ** (m - 2.0)
    return sign * phi, dphi, sign * ddphi


@kernel
def embed(kind, rho, m):
    """Value, first and second derivative of the chosen embedding."""
    if kind == FINNIS_SINCLAIR:
        return finnis_sinclair(rho, m)
    return shifted_scaled(rho, m)
