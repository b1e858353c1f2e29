"""From the polynomials of a bond to its radial functions by the contraction matrices, and back to derivatives by these.

P_r = sum_k value_rk T_k and Q_r = sum_k slope_rk T_k for all rows r of a bond (`acefit.kernels.radial`), and for the gradient the
sums over neighbours of dS/dP_r T_k and of dS/dQ_r T_k. Half of the time on metals goes here. Each is there twice: with sixteen
sums at a time for processors with 32 registers, from four rows, or twelve from three rows where that leaves no row over; and with
four for those with 16, where sixteen would go to memory and back (`WIDE`). A sum takes its terms in the same order in all.
"""

from acefit.kernels._jit import WIDE, kernel, operation
from acefit.kernels.radial import F0, F1, F2, N_PAIR
from acefit.kernels.vectors import item, load, splat, store

ROW_BLOCK = 4
"""Rows that are contracted together, so that their sums stay in registers."""


@operation
def finish(pairs, row, out, p0, p1, p2, p3, q0, q1, q2, q3, radial, dradial):
    """Store R = f0 P and dR/dr = f1 Q + f2 P of four rows."""
    f0, f1, f2 = load(pairs, row + F0), load(pairs, row + F1), load(pairs, row + F2)
    store(radial, out, f0 * p0)
    store(radial, out + 1, f0 * p1)
    store(radial, out + 2, f0 * p2)
    store(radial, out + 3, f0 * p3)
    store(dradial, out, f1 * q0 + f2 * p0)
    store(dradial, out + 1, f1 * q1 + f2 * p1)
    store(dradial, out + 2, f1 * q2 + f2 * p2)
    store(dradial, out + 3, f1 * q3 + f2 * p3)


@operation
def four_sums(matrix, row, k_rows, base, first):
    """Sums over k of four rows of a matrix (n_rows, width), from a row on, times the vectors of base from first on."""
    m0 = row * matrix.shape[1]
    m1, m2, m3 = m0 + matrix.shape[1], m0 + 2 * matrix.shape[1], m0 + 3 * matrix.shape[1]
    s0, s1, s2, s3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for k in range(k_rows):
        t = load(base, first + k)
        s0, s1 = s0 + item(matrix, m0 + k) * t, s1 + item(matrix, m1 + k) * t
        s2, s3 = s2 + item(matrix, m2 + k) * t, s3 + item(matrix, m3 + k) * t
    return s0, s1, s2, s3


@kernel
def contract_narrow_into(k_rows, first, value, slope, pairs, slot, n, n_rows, k_width, base, dbase, stride, out, radial, dradial):
    """`contract_into` with four sums at a time, for processors that have few registers (see `WIDE`)."""
    for s in range(n):
        for block in range(0, n_rows, ROW_BLOCK):
            start = max(0, min(block, n_rows - ROW_BLOCK))
            p0, p1, p2, p3 = four_sums(value, first + start, k_rows, base, s * k_width)
            q0, q1, q2, q3 = four_sums(slope, first + start, k_rows, dbase, s * k_width)
            finish(pairs, (slot + s) * N_PAIR, (out + s) * stride + start, p0, p1, p2, p3, q0, q1, q2, q3, radial, dradial)


@operation
def finish_three(pairs, row, out, p0, p1, p2, q0, q1, q2, radial, dradial):
    """`finish` for three rows."""
    f0, f1, f2 = load(pairs, row + F0), load(pairs, row + F1), load(pairs, row + F2)
    store(radial, out, f0 * p0)
    store(radial, out + 1, f0 * p1)
    store(radial, out + 2, f0 * p2)
    store(dradial, out, f1 * q0 + f2 * p0)
    store(dradial, out + 1, f1 * q1 + f2 * p1)
    store(dradial, out + 2, f1 * q2 + f2 * p2)


@operation
def contract_four(k_rows, row, value, slope, pairs, row0, row1, base, dbase, b0, b1, out0, out1, radial, dradial):
    """R and dR/dr of four rows at two slots."""
    m0 = row * value.shape[1]
    m1, m2, m3 = m0 + value.shape[1], m0 + 2 * value.shape[1], m0 + 3 * value.shape[1]
    p0, p1, p2, p3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    q0, q1, q2, q3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    u0, u1, u2, u3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    v0, v1, v2, v3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for k in range(k_rows):
        t, d, t1, d1 = load(base, b0 + k), load(dbase, b0 + k), load(base, b1 + k), load(dbase, b1 + k)
        c0, c1 = splat(item(value, m0 + k)), splat(item(value, m1 + k))
        c2, c3 = splat(item(value, m2 + k)), splat(item(value, m3 + k))
        p0, p1, p2, p3 = p0 + c0 * t, p1 + c1 * t, p2 + c2 * t, p3 + c3 * t
        u0, u1, u2, u3 = u0 + c0 * t1, u1 + c1 * t1, u2 + c2 * t1, u3 + c3 * t1
        c0, c1 = splat(item(slope, m0 + k)), splat(item(slope, m1 + k))
        c2, c3 = splat(item(slope, m2 + k)), splat(item(slope, m3 + k))
        q0, q1, q2, q3 = q0 + c0 * d, q1 + c1 * d, q2 + c2 * d, q3 + c3 * d
        v0, v1, v2, v3 = v0 + c0 * d1, v1 + c1 * d1, v2 + c2 * d1, v3 + c3 * d1
    finish(pairs, row0, out0, p0, p1, p2, p3, q0, q1, q2, q3, radial, dradial)
    finish(pairs, row1, out1, u0, u1, u2, u3, v0, v1, v2, v3, radial, dradial)


@operation
def contract_three(k_rows, row, value, slope, pairs, row0, row1, base, dbase, b0, b1, out0, out1, radial, dradial):
    """`contract_four` for three rows."""
    m0 = row * value.shape[1]
    m1, m2 = m0 + value.shape[1], m0 + 2 * value.shape[1]
    p0, p1, p2, q0, q1, q2 = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    u0, u1, u2, v0, v1, v2 = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for k in range(k_rows):
        t, d, t1, d1 = load(base, b0 + k), load(dbase, b0 + k), load(base, b1 + k), load(dbase, b1 + k)
        c0, c1, c2 = splat(item(value, m0 + k)), splat(item(value, m1 + k)), splat(item(value, m2 + k))
        p0, p1, p2 = p0 + c0 * t, p1 + c1 * t, p2 + c2 * t
        u0, u1, u2 = u0 + c0 * t1, u1 + c1 * t1, u2 + c2 * t1
        c0, c1, c2 = splat(item(slope, m0 + k)), splat(item(slope, m1 + k)), splat(item(slope, m2 + k))
        q0, q1, q2 = q0 + c0 * d, q1 + c1 * d, q2 + c2 * d
        v0, v1, v2 = v0 + c0 * d1, v1 + c1 * d1, v2 + c2 * d1
    finish_three(pairs, row0, out0, p0, p1, p2, q0, q1, q2, radial, dradial)
    finish_three(pairs, row1, out1, u0, u1, u2, v0, v1, v2, radial, dradial)


@operation
def rows_in_fours(n_rows):
    """Number of rows that go in fours, before the others go in threes."""
    threes = (ROW_BLOCK - n_rows % ROW_BLOCK) % ROW_BLOCK
    return n_rows - 3 * threes if 3 * threes <= n_rows else n_rows


@kernel
def contract_wide_into(k_rows, first, value, slope, pairs, slot, n, n_rows, k_width, base, dbase, stride, out, radial, dradial):
    """`contract_into` with sixteen or twelve sums at a time, which hide the latency of the multiply-adds."""
    in_fours = rows_in_fours(n_rows)
    for s in range(0, n, 2):
        # An odd last slot is done twice rather than by other code
        other = min(s + 1, n - 1)
        b0, b1, row0, row1 = s * k_width, other * k_width, (slot + s) * N_PAIR, (slot + other) * N_PAIR
        out0, out1 = (out + s) * stride, (out + other) * stride
        for block in range(0, in_fours, ROW_BLOCK):
            row = max(0, min(block, in_fours - ROW_BLOCK))
            contract_four(
                k_rows, first + row, value, slope, pairs, row0, row1, base, dbase, b0, b1, out0 + row, out1 + row, radial, dradial
            )
        for row in range(in_fours, n_rows, 3):
            contract_three(
                k_rows, first + row, value, slope, pairs, row0, row1, base, dbase, b0, b1, out0 + row, out1 + row, radial, dradial
            )


@kernel
def contract_into(k_rows, first, value, slope, pairs, slot, n, n_rows, k_width, base, dbase, stride, out, radial, dradial):
    """Fill n_rows rows of radial and dradial (n_slots, stride, LANES), at n slots from out on, with R and dR/dr of slot, ...

    first is the first row in value and slope; both have rows to spare up to the next multiple of ROW_BLOCK, as has stride.
    """
    if WIDE:
        contract_wide_into(
            k_rows, first, value, slope, pairs, slot, n, n_rows, k_width, base, dbase, stride, out, radial, dradial
        )
    else:
        contract_narrow_into(
            k_rows, first, value, slope, pairs, slot, n, n_rows, k_width, base, dbase, stride, out, radial, dradial
        )


@operation
def add_four_outer(row, k, first, width, n, p, stride, base, k_width, out):
    """Add sum over n slots of four rows of p times one row of base to out."""
    o0 = (first + row) * width + k
    o1, o2, o3 = o0 + width, o0 + 2 * width, o0 + 3 * width
    s0, s1, s2, s3 = load(out, o0), load(out, o1), load(out, o2), load(out, o3)
    for s in range(n):
        r, t = s * stride + row, load(base, s * k_width + k)
        s0, s1 = s0 + load(p, r) * t, s1 + load(p, r + 1) * t
        s2, s3 = s2 + load(p, r + 2) * t, s3 + load(p, r + 3) * t
    store(out, o0, s0)
    store(out, o1, s1)
    store(out, o2, s2)
    store(out, o3, s3)


@kernel
def outer_products_narrow_into(k_rows, first, n_rows, n, p, q, stride, base, dbase, k_width, value, slope):
    """`outer_products_into` with four sums at a time, for processors that have few registers (see `WIDE`)."""
    width = value.shape[1]
    for row in range(0, n_rows, ROW_BLOCK):
        for k in range(k_rows):
            add_four_outer(row, k, first, width, n, p, stride, base, k_width, value)
            add_four_outer(row, k, first, width, n, q, stride, dbase, k_width, slope)


@operation
def add_outer_of_four(row, k, first, n, p, q, stride, base, dbase, k_width, value, slope):
    """Add the outer products of four rows with two polynomials."""
    o0 = (first + row) * value.shape[1] + k
    o1, o2, o3 = o0 + value.shape[1], o0 + 2 * value.shape[1], o0 + 3 * value.shape[1]
    a0, a1, a2, a3 = load(value, o0), load(value, o1), load(value, o2), load(value, o3)
    b0, b1, b2, b3 = load(value, o0 + 1), load(value, o1 + 1), load(value, o2 + 1), load(value, o3 + 1)
    c0, c1, c2, c3 = load(slope, o0), load(slope, o1), load(slope, o2), load(slope, o3)
    d0, d1, d2, d3 = load(slope, o0 + 1), load(slope, o1 + 1), load(slope, o2 + 1), load(slope, o3 + 1)
    for s in range(n):
        r, t = s * stride + row, s * k_width + k
        t0, t1 = load(base, t), load(base, t + 1)
        r0, r1, r2, r3 = load(p, r), load(p, r + 1), load(p, r + 2), load(p, r + 3)
        a0, a1, a2, a3 = a0 + r0 * t0, a1 + r1 * t0, a2 + r2 * t0, a3 + r3 * t0
        b0, b1, b2, b3 = b0 + r0 * t1, b1 + r1 * t1, b2 + r2 * t1, b3 + r3 * t1
        t0, t1 = load(dbase, t), load(dbase, t + 1)
        r0, r1, r2, r3 = load(q, r), load(q, r + 1), load(q, r + 2), load(q, r + 3)
        c0, c1, c2, c3 = c0 + r0 * t0, c1 + r1 * t0, c2 + r2 * t0, c3 + r3 * t0
        d0, d1, d2, d3 = d0 + r0 * t1, d1 + r1 * t1, d2 + r2 * t1, d3 + r3 * t1
    store(value, o0, a0)
    store(value, o1, a1)
    store(value, o2, a2)
    store(value, o3, a3)
    store(value, o0 + 1, b0)
    store(value, o1 + 1, b1)
    store(value, o2 + 1, b2)
    store(value, o3 + 1, b3)
    store(slope, o0, c0)
    store(slope, o1, c1)
    store(slope, o2, c2)
    store(slope, o3, c3)
    store(slope, o0 + 1, d0)
    store(slope, o1 + 1, d1)
    store(slope, o2 + 1, d2)
    store(slope, o3 + 1, d3)


@operation
def add_outer_of_three(row, k, first, n, p, q, stride, base, dbase, k_width, value, slope):
    """`add_outer_of_four` for three rows."""
    o0 = (first + row) * value.shape[1] + k
    o1, o2 = o0 + value.shape[1], o0 + 2 * value.shape[1]
    a0, a1, a2, b0, b1, b2 = (
        load(value, o0), load(value, o1), load(value, o2), load(value, o0 + 1), load(value, o1 + 1), load(value, o2 + 1)
    )  # fmt: skip
    c0, c1, c2, d0, d1, d2 = (
        load(slope, o0), load(slope, o1), load(slope, o2), load(slope, o0 + 1), load(slope, o1 + 1), load(slope, o2 + 1)
    )  # fmt: skip
    for s in range(n):
        r, t = s * stride + row, s * k_width + k
        t0, t1, r0, r1, r2 = load(base, t), load(base, t + 1), load(p, r), load(p, r + 1), load(p, r + 2)
        a0, a1, a2, b0, b1, b2 = a0 + r0 * t0, a1 + r1 * t0, a2 + r2 * t0, b0 + r0 * t1, b1 + r1 * t1, b2 + r2 * t1
        t0, t1, r0, r1, r2 = load(dbase, t), load(dbase, t + 1), load(q, r), load(q, r + 1), load(q, r + 2)
        c0, c1, c2, d0, d1, d2 = c0 + r0 * t0, c1 + r1 * t0, c2 + r2 * t0, d0 + r0 * t1, d1 + r1 * t1, d2 + r2 * t1
    store(value, o0, a0)
    store(value, o1, a1)
    store(value, o2, a2)
    store(value, o0 + 1, b0)
    store(value, o1 + 1, b1)
    store(value, o2 + 1, b2)
    store(slope, o0, c0)
    store(slope, o1, c1)
    store(slope, o2, c2)
    store(slope, o0 + 1, d0)
    store(slope, o1 + 1, d1)
    store(slope, o2 + 1, d2)


@kernel
def outer_products_wide_into(k_rows, first, n_rows, n, p, q, stride, base, dbase, k_width, value, slope):
    """`outer_products_into` with sixteen or twelve sums at a time, which hide the latency of the multiply-adds."""
    in_fours = rows_in_fours(n_rows)
    for row in range(0, in_fours, ROW_BLOCK):
        for k in range(0, k_rows, 2):
            add_outer_of_four(row, k, first, n, p, q, stride, base, dbase, k_width, value, slope)
    for row in range(in_fours, n_rows, 3):
        for k in range(0, k_rows, 2):
            add_outer_of_three(row, k, first, n, p, q, stride, base, dbase, k_width, value, slope)


@kernel
def outer_products_into(k_rows, first, n_rows, n, p, q, stride, base, dbase, k_width, value, slope):
    """Add sum over n slots of p (n, stride) times base (n, k_width) to value (n_matrix_rows, width), of q and dbase to slope."""
    if WIDE:
        outer_products_wide_into(k_rows, first, n_rows, n, p, q, stride, base, dbase, k_width, value, slope)
    else:
        outer_products_narrow_into(k_rows, first, n_rows, n, p, q, stride, base, dbase, k_width, value, slope)
