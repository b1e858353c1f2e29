"""Radial base functions of a bond at many distances, rows over pairs.

All radial bases of the file format are linear maps of two simple families times a window W(r), so the map is folded into the
contraction matrix (`acefit.basis.compiled`) and the kernels only know the families:

    Chebyshev (ChebExpCos, ChebPow, ChebLinear):  b_m = T_m(x(r)) W(r),   m = 0..K
    sine (SBessel):                               b_m = sin(m t)/(m t) W(r), t = pi r/rc, m = 1..K+1
    table (any basis, compatible mode):           b_k = cubic Hermite interpolation of g_k

References
----------
Drautz, Phys. Rev. B 99, 014104 (2019) for the Chebyshev bases; Kocer, Mason, Erturk, AIP Advances 10, 015021 (2020) for
the simplified spherical Bessel functions.
"""

from math import cos, exp, pi, sin

from acefit.kernels._jit import kernel

# Kinds of radial base
NONE, CHEB_EXP_COS, CHEB_POW, CHEB_LINEAR, SINE, TABLE = 0, 1, 2, 3, 4, 5

# Columns of the bond parameter array
RC, DCUT, LAMBDA, WINDOW_IN, WINDOW_WIDTH, ZERO_BELOW = 0, 1, 2, 3, 4, 5
CORE_MODE, CORE_PRE, CORE_LAMBDA, CORE_IN, CORE_WIDTH = 6, 7, 8, 9, 10
ZBL_ZZ, ZBL_A, ZBL_S, ZBL_A3, ZBL_A4, ZBL_C = 11, 12, 13, 14, 15, 16
TABLE_BIN, TABLE_N = 17, 18
N_BOND_PARAMETERS = 19

# Core modes
CORE_NONE, CORE_EXPONENTIAL, CORE_EXPONENTIAL_WINDOW, CORE_ZBL = 0, 1, 2, 3


@kernel
def f_poly(r, r0, width):
    """Polynomial step from 1 at r0 - width to 0 at r0, with its derivative; twice continuously differentiable."""
    if r <= r0 - width:
        return 1.0, 0.0
    if r >= r0:
        return 0.0, 0.0
    x = 1.0 - 2.0 * (1.0 + (r - r0) / width)
    x2 = x * x
    value = 0.5 + x * (0.9375 + x2 * (-0.625 + 0.1875 * x2))
    return value, -15.0 / (8.0 * width) * (1.0 - x2) ** 2


@kernel
def sin_pi(y):
    """sin(pi y) for |y| <= 1/2 by its Taylor series, which vectorises; truncation below 1e-17."""
    z = (pi * y) * (pi * y)
    s = 1.0 / 51090942171709440000.0
    s = 1.0 / 121645100408832000.0 - s * z
    s = 1.0 / 355687428096000.0 - s * z
    s = 1.0 / 1307674368000.0 - s * z
    s = 1.0 / 6227020800.0 - s * z
    s = 1.0 / 39916800.0 - s * z
    s = 1.0 / 362880.0 - s * z
    s = 1.0 / 5040.0 - s * z
    s = 1.0 / 120.0 - s * z
    s = 1.0 / 6.0 - s * z
    return pi * y * (1.0 - s * z)


@kernel
def cos_pi(y):
    """cos(pi y) for |y| <= 1/2 by its Taylor series."""
    z = (pi * y) * (pi * y)
    s = 1.0 / 1124000727777607680000.0
    s = 1.0 / 2432902008176640000.0 - s * z
    s = 1.0 / 6402373705728000.0 - s * z
    s = 1.0 / 20922789888000.0 - s * z
    s = 1.0 / 87178291200.0 - s * z
    s = 1.0 / 479001600.0 - s * z
    s = 1.0 / 3628800.0 - s * z
    s = 1.0 / 40320.0 - s * z
    s = 1.0 / 720.0 - s * z
    s = 1.0 / 24.0 - s * z
    s = 0.5 - s * z
    return 1.0 - s * z


@kernel
def window_into(kind, bond, r, window):
    """Fill window[0] = W and window[1] = dW/dr at the distances r."""
    rc = bond[RC]
    n = len(r)
    if kind == CHEB_EXP_COS:
        for j in range(n):
            y = r[j] / rc - 0.5
            window[0, j] = 0.5 - 0.5 * sin_pi(y)
            window[1, j] = -0.5 * pi / rc * cos_pi(y)
    else:
        for j in range(n):
            window[0, j] = 1.0
            window[1, j] = 0.0
    outer = rc - bond[DCUT] if kind == CHEB_EXP_COS else rc
    for j in range(n):
        rj = r[j]
        if rj > outer and rj < rc:
            # The second, narrow cosine window of ChebExpCos
            arg = pi * (rj - outer) / bond[DCUT]
            value, slope = 0.5 * (1.0 + cos(arg)), -0.5 * pi / bond[DCUT] * sin(arg)
            window[1, j] = window[1, j] * value + window[0, j] * slope
            window[0, j] *= value
        if rj <= bond[ZERO_BELOW] or rj >= rc:
            window[0, j] = 0.0
            window[1, j] = 0.0
        elif rj < bond[WINDOW_IN]:
            value, slope = f_poly(rj, bond[WINDOW_IN], bond[WINDOW_WIDTH])
            window[1, j] = window[1, j] * (1.0 - value) - window[0, j] * slope
            window[0, j] *= 1.0 - value


@kernel
def chebyshev_into(kind, bond, k_rows, r, work, base, dbase):
    """Fill rows 0..k_rows-1 of base and dbase with T_m and dT_m/dr, without window; work needs two rows."""
    rc, lam = bond[RC], bond[LAMBDA]
    n = len(r)
    if kind == CHEB_EXP_COS:
        low = exp(-lam)
        for j in range(n):
            work[0, j] = exp(-lam * r[j] / rc)
        for j in range(n):
            e = work[0, j]
            work[0, j] = 1.0 - 2.0 * (e - low) / (1.0 - low)
            work[1, j] = 2.0 * lam / rc * e / (1.0 - low)
    elif kind == CHEB_POW:
        for j in range(n):
            # Beyond the cutoff the window is zero; keep the power real there
            y = max(1.0 - r[j] / rc, 0.0)
            work[0, j] = 1.0 - 2.0 * y**lam
            work[1, j] = 2.0 * lam / rc * (y ** (lam - 1.0) if y > 0.0 else 0.0)
    else:
        for j in range(n):
            work[0, j] = 1.0 - r[j] / rc
            work[1, j] = -1.0 / rc
    for j in range(n):
        base[0, j] = 1.0
        dbase[0, j] = 0.0
        base[1, j] = work[0, j]
        dbase[1, j] = work[1, j]
    x, dx = work[0], work[1]
    for m in range(2, k_rows):
        # Views of single rows: the compiler need not ask whether an index is negative, and vectorises
        t0, t1, t2 = base[m - 2], base[m - 1], base[m]
        d0, d1, d2 = dbase[m - 2], dbase[m - 1], dbase[m]
        for j in range(n):
            t2[j] = 2.0 * x[j] * t1[j] - t0[j]
        for j in range(n):
            d2[j] = 2.0 * (dx[j] * t1[j] + x[j] * d1[j]) - d0[j]


@kernel
def sine_into(bond, k_rows, r, work, base, dbase):
    """Fill base with sin(m t)/(m t), t = pi r/rc, m = 1..k_rows, and dbase with the derivatives; work needs two rows."""
    rc = bond[RC]
    n = len(r)
    for j in range(n):
        y = min(r[j] / rc, 1.0) - 0.5
        work[0, j] = -sin_pi(y)
        base[0, j] = cos_pi(y)
        dbase[0, j] = work[0, j]
    sine, cosine, value = base[0], work[0], work[1]
    for m in range(1, k_rows):
        s1, s2, c1, c2 = base[m - 1], base[m], dbase[m - 1], dbase[m]
        for j in range(n):
            s2[j] = cosine[j] * s1[j] + sine[j] * c1[j]
        for j in range(n):
            c2[j] = cosine[j] * c1[j] - sine[j] * s1[j]
    for m in range(k_rows - 1, -1, -1):
        scale = rc / (pi * (m + 1))
        s, c = base[m], dbase[m]
        for j in range(n):
            value[j] = s[j] * scale / r[j]
        for j in range(n):
            s[j] = value[j]
            c[j] = (c[j] - value[j]) / r[j]


@kernel
def hermite(bond, table, first, column, r):
    """Cubic Hermite interpolation of one tabulated function; the table holds values and slopes side by side."""
    h = bond[TABLE_BIN]
    s = r / h
    m = int(s)
    w = s - m
    if m >= int(bond[TABLE_N]):
        return 0.0, 0.0
    f0, s0 = table[first + m, 2 * column], table[first + m, 2 * column + 1]
    f1, s1 = table[first + m + 1, 2 * column], table[first + m + 1, 2 * column + 1]
    d = f1 - f0
    c2, c3 = 3.0 * d - s1 - 2.0 * s0, s1 + s0 - 2.0 * d
    return f0 + w * (s0 + w * (c2 + w * c3)), (s0 + w * (2.0 * c2 + 3.0 * w * c3)) / h


@kernel
def table_into(bond, table, first, k_rows, r, base, dbase):
    """Fill base and dbase by interpolation in the table of the bond."""
    for j in range(len(r)):
        for k in range(k_rows):
            base[k, j], dbase[k, j] = hermite(bond, table, first, k, r[j])


@kernel
def radial_base_into(kind, bond, table, first, k_rows, r, work, base, dbase):
    """Fill base and dbase (k_rows, >= len(r)) at the distances r of one bond; work needs four rows."""
    if k_rows == 0:
        return
    if kind == TABLE:
        table_into(bond, table, first, k_rows, r, base, dbase)
        return
    window = work[2:4]
    window_into(kind, bond, r, window)
    if kind == SINE:
        sine_into(bond, k_rows, r, work, base, dbase)
    else:
        chebyshev_into(kind, bond, k_rows, r, work, base, dbase)
    w, dw = window[0], window[1]
    for m in range(k_rows):
        value, slope = base[m], dbase[m]
        for j in range(len(r)):
            slope[j] = slope[j] * w[j] + value[j] * dw[j]
        for j in range(len(r)):
            value[j] *= w[j]
