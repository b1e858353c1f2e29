"""Radial functions of a bond at many distances.

Every radial base of the file format is a family of polynomials of one argument x(r) times factors that depend on r only. With the
Chebyshev polynomials T_k as base, a radial function R(r) = sum_k c_k g_k(r) and its slope are

    P = sum_k value_k T_k(x),  Q = sum_k slope_k T_k(x),  R = f0 P,  dR/dr = f1 Q + f2 P

where value and slope are linear in c (`acefit.basis.compiled` holds these maps), and with a window W(r)

    Chebyshev bases (ChebExpCos, ChebPow, ChebLinear):  x(r) of the base, Q = dP/dx;  f0 = W, f1 = W dx/dr, f2 = dW/dr
    sine base (SBessel), t = pi r/rc:  x = cos t, sin(m t) = sin t U_m-1(x), Q = sum of cos(m t);  f0 = W sin t/r, f1 = W/r,
                                       f2 = (dW/dr - W/r) sin t/r
    table (any basis, compatible mode):  P and Q have bases of their own, cubic Hermite interpolations of g_k and of its slope

References
----------
Drautz, Phys. Rev. B 99, 014104 (2019) for the Chebyshev bases; Kocer, Mason, Erturk, AIP Advances 10, 015021 (2020) for
the simplified spherical Bessel functions.
"""

from math import exp, pi

from acefit.kernels._jit import LANES, kernel, operation
from acefit.kernels.vectors import any_below, load, splat, store, times_power_of_two, where_below

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

# Rows of the pair arrays (n_slots, N_PAIR, LANES)
R, INVERSE, UX, UY, UZ, X, F0, F1, F2 = 0, 1, 2, 3, 4, 5, 6, 7, 8
N_PAIR = 9

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_ROUND = 6755399441055744.0  # 1.5 * 2^52: added to a number, it leaves the nearest integer in the low bits


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


@operation
def sin_pi(y):
    """sin(pi y) of a vector or a number, |y| <= 1/2, by its Taylor series; truncation below 1e-17."""
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


@operation
def cos_pi(y):
    """cos(pi y) of a vector or a number, |y| <= 1/2, by its Taylor series."""
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


@operation
def exponential(x):
    """exp(x) of a vector, relative error below 3e-16; 1e-304 for everything smaller than that."""
    x = where_below(x, splat(-700.0), splat(-700.0), x)
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    f = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = f * (1.0 / 6227020800.0) + 1.0 / 479001600.0
    p = p * f + 1.0 / 39916800.0
    p = p * f + 1.0 / 3628800.0
    p = p * f + 1.0 / 362880.0
    p = p * f + 1.0 / 40320.0
    p = p * f + 1.0 / 5040.0
    p = p * f + 1.0 / 720.0
    p = p * f + 1.0 / 120.0
    p = p * f + 1.0 / 24.0
    p = p * f + 1.0 / 6.0
    p = p * f + 0.5
    p = p * f + 1.0
    p = p * f + 1.0
    return times_power_of_two(p, shifted)


@operation
def clamp(x, low, high):
    """X between low and high."""
    x = where_below(x, splat(low), splat(low), x)
    return where_below(splat(high), x, splat(high), x)


@operation
def step(r, r0, width):
    """`f_poly` of a vector, for a positive width."""
    x = clamp(1.0 - 2.0 * (1.0 + (r - r0) / width), -1.0, 1.0)
    x2 = x * x
    rest = 1.0 - x2
    return 0.5 + x * (0.9375 + x2 * (x2 * 0.1875 - 0.625)), (-15.0 / (8.0 * width)) * rest * rest


@operation
def window(kind, bond, r):
    """W and dW/dr at a vector of distances."""
    rc = bond[RC]
    w, dw = splat(1.0), splat(0.0)
    if kind == CHEB_EXP_COS:
        inside = where_below(r, splat(rc), r, splat(rc))
        y = inside / rc - 0.5
        w, dw = 0.5 - 0.5 * sin_pi(y), (-0.5 * pi / rc) * cos_pi(y)
        if any_below(splat(rc - bond[DCUT]), inside):
            # The second, narrow cosine window of ChebExpCos
            y = clamp((inside - (rc - bond[DCUT])) / bond[DCUT], 0.0, 1.0)
            value, slope = 0.5 + 0.5 * sin_pi(0.5 - y), (-0.5 * pi / bond[DCUT]) * cos_pi(y - 0.5)
            # below it exactly 1 and 0: what rounding leaves of the slope would be divided by a width that may be very small
            start = splat(rc - bond[DCUT])
            value, slope = where_below(start, inside, value, splat(1.0)), where_below(start, inside, slope, splat(0.0))
            dw = dw * value + w * slope
            w = w * value
    if bond[WINDOW_WIDTH] > 0.0:
        value, slope = step(r, bond[WINDOW_IN], bond[WINDOW_WIDTH])
        dw = dw * (1.0 - value) - w * slope
        w = w * (1.0 - value)
    zero, low = splat(0.0), splat(bond[ZERO_BELOW])
    w, dw = where_below(r, splat(rc), w, zero), where_below(r, splat(rc), dw, zero)
    return where_below(low, r, w, zero), where_below(low, r, dw, zero)


@kernel
def powers_into(y, power, pairs, row):
    """Store y^(power - 1) in row; power may be any positive number, 0 < y."""
    if power == int(power) and power < 33.0:
        result = splat(1.0)
        for _ in range(int(power) - 1):
            result = result * y
        store(pairs, row, result)
        return
    store(pairs, row, y)
    slot, column = row // N_PAIR, row % N_PAIR
    for lane in range(LANES):
        pairs[slot, column, lane] = pairs[slot, column, lane] ** (power - 1.0)


@kernel
def arguments_into(kind, bond, pairs, first, last):
    """Fill X, F0, F1, F2 of the slots first..last-1 of one bond from the distances."""
    rc, lam = bond[RC], bond[LAMBDA]
    low = exp(-lam)
    for slot in range(first, last):
        row = slot * N_PAIR
        r = load(pairs, row + R)
        if kind in (TABLE, NONE):
            inside = splat(1.0 if kind == TABLE else 0.0)
            store(pairs, row + X, splat(0.0))
            store(pairs, row + F0, inside)
            store(pairs, row + F1, inside)
            store(pairs, row + F2, splat(0.0))
            continue
        w, dw = window(kind, bond, r)
        inside = where_below(r, splat(rc), r, splat(rc))
        if kind == SINE:
            y = inside / rc - 0.5
            sine, inverse = cos_pi(y) * load(pairs, row + INVERSE), load(pairs, row + INVERSE)
            store(pairs, row + X, splat(0.0) - sin_pi(y))
            store(pairs, row + F0, w * sine)
            store(pairs, row + F1, w * inverse)
            store(pairs, row + F2, (dw - w * inverse) * sine)
            continue
        x, dx = 1.0 - inside / rc, splat(-1.0 / rc)
        if kind == CHEB_EXP_COS:
            e = exponential(inside * (-lam / rc))
            x = 1.0 - (e - low) * (2.0 / (1.0 - low))
            dx = e * (2.0 * lam / rc / (1.0 - low))
        elif kind == CHEB_POW:
            # At the cutoff the window is zero; keep the power finite there
            y = where_below(splat(1e-12), x, x, splat(1e-12))
            powers_into(y, lam, pairs, row + X)
            below = load(pairs, row + X)
            x = 1.0 - 2.0 * below * y
            dx = (2.0 * lam / rc) * below
        store(pairs, row + X, x)
        store(pairs, row + F0, w)
        store(pairs, row + F1, w * dx)
        store(pairs, row + F2, dw)


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
def table_into(bond, table, first, k_rows, pairs, slot, n, k_width, base, dbase):
    """Fill base and dbase (n, k_width, LANES) by interpolation in the table of the bond."""
    for s in range(n):
        for lane in range(LANES):
            r = pairs[slot + s, R, lane]
            for k in range(k_rows):
                base[s, k, lane], dbase[s, k, lane] = hermite(bond, table, first, k, r)


@kernel
def chebyshev_into(k_rows, pairs, slot, n, k_width, base):
    """Fill base (n, k_width, LANES) with T_k(X) of n slots."""
    for s in range(n):
        x = load(pairs, (slot + s) * N_PAIR + X)
        before, now, twice, row = splat(1.0), x, x + x, s * k_width
        store(base, row, before)
        for k in range(1, k_rows):
            store(base, row + k, now)
            before, now = now, twice * now - before


@kernel
def base_into(kind, bond, table, first, k_rows, pairs, slot, n, k_width, base, dbase):
    """Fill the bases of P (base) and of Q (dbase, only where it differs: in table mode) for n slots."""
    if kind == TABLE:
        table_into(bond, table, first, k_rows, pairs, slot, n, k_width, base, dbase)
    elif k_rows > 0:
        chebyshev_into(k_rows, pairs, slot, n, k_width, base)
