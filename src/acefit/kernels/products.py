"""Products of A for LANES atoms of one species side by side, and the densities that are sums of them.

The densities are bilinear in rows that are few: A components and *nodes*, products of two earlier rows. Every product of a
function is a *term*: an outer factor times an inner one, both of them rows. Terms of one outer factor stand together,

    rho_p = sum_o P_o s_op,   s_op = sum_t ct[p, t] P_inner(t)

so that a term costs one multiply-add per density, no product of a function is ever stored, and the same holds for adjoints and
tangents. The coupling matrix is folded into ct once per evaluation.

References
----------
Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), recursive evaluation of products; Drautz, Phys. Rev. B 99, 014104 (2019),
adjoint of A.
"""

from acefit.kernels._jit import kernel, operation
from acefit.kernels.vectors import add_at, add_halves_at, item, load, splat, store, total, totals


@kernel
def nodes_into(shape, mu, nodes):
    """Fill the rows of nodes behind the A components."""
    first, n_a = shape.node_start[mu], shape.n_a[mu]
    for t in range(shape.n_nodes[mu]):
        store(nodes, n_a + t, load(nodes, item(shape.left, first + t)) * load(nodes, item(shape.right, first + t)))


@kernel
def nodes_and_tangents_into(shape, mu, nodes, tangents):
    """Fill the rows of nodes and of tangents behind those of the A components."""
    first, n_a = shape.node_start[mu], shape.n_a[mu]
    for t in range(shape.n_nodes[mu]):
        a, b = item(shape.left, first + t), item(shape.right, first + t)
        left, right = load(nodes, a), load(nodes, b)
        store(nodes, n_a + t, left * right)
        store(tangents, n_a + t, load(tangents, a) * right + left * load(tangents, b))


@operation
def weighted_sum(coefficients, inner, begin, end, rows):
    """Sum of coefficients[t] rows[inner[t]] over the terms begin..end-1."""
    s0, s1, s2, s3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    t = begin
    while t + 4 <= end:
        s0 = s0 + item(coefficients, t) * load(rows, item(inner, t))
        s1 = s1 + item(coefficients, t + 1) * load(rows, item(inner, t + 1))
        s2 = s2 + item(coefficients, t + 2) * load(rows, item(inner, t + 2))
        s3 = s3 + item(coefficients, t + 3) * load(rows, item(inner, t + 3))
        t += 4
    while t < end:
        s0 = s0 + item(coefficients, t) * load(rows, item(inner, t))
        t += 1
    return (s0 + s1) + (s2 + s3)


@operation
def weighted_sums(one, two, inner, begin, end, rows):
    """`weighted_sum` of two densities, whose coefficients are one and two."""
    s0, s1, s2, s3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    t = begin
    while t + 2 <= end:
        a, b = load(rows, item(inner, t)), load(rows, item(inner, t + 1))
        s0, s1 = s0 + item(one, t) * a, s1 + item(two, t) * a
        s2, s3 = s2 + item(one, t + 1) * b, s3 + item(two, t + 1) * b
        t += 2
    if t < end:
        a = load(rows, item(inner, t))
        s0, s1 = s0 + item(one, t) * a, s1 + item(two, t) * a
    return s0 + s2, s1 + s3


@kernel
def densities_into(shape, mu, ct, nodes, sums, rho):
    """Add the terms to rho (p_max, LANES); sums (n_outer, p_max, LANES) are kept for the way back."""
    begin, p_max = shape.outer_start[mu], sums.shape[1]
    for o in range(begin, shape.outer_start[mu + 1]):
        factor = load(nodes, item(shape.outer, o))
        first, last = item(shape.term_start, o), item(shape.term_start, o + 1)
        if shape.n_density[mu] == 2:
            s, s1 = weighted_sums(ct[0], ct[1], shape.inner, first, last, nodes)
            store(sums, (o - begin) * p_max, s)
            store(sums, (o - begin) * p_max + 1, s1)
            store(rho, 0, load(rho, 0) + factor * s)
            store(rho, 1, load(rho, 1) + factor * s1)
            continue
        for p in range(shape.n_density[mu]):
            s = weighted_sum(ct[p], shape.inner, first, last, nodes)
            store(sums, (o - begin) * p_max + p, s)
            store(rho, p, load(rho, p) + factor * s)


@operation
def add_tangent(o, p, p_max, factor, dfactor, ds, sums, dsums, drho):
    """Add the changes of the terms of one outer factor to the tangent of a density; keep that of their sum."""
    store(dsums, o * p_max + p, ds)
    store(drho, p, load(drho, p) + factor * ds + dfactor * load(sums, o * p_max + p))


@kernel
def density_tangents_into(shape, mu, ct, nodes, tangents, sums, dsums, drho):
    """Add the tangents of the terms to drho; dsums are those of the sums, which `densities_into` left."""
    begin, p_max = shape.outer_start[mu], sums.shape[1]
    for o in range(begin, shape.outer_start[mu + 1]):
        factor, dfactor = load(nodes, item(shape.outer, o)), load(tangents, item(shape.outer, o))
        first, last = item(shape.term_start, o), item(shape.term_start, o + 1)
        if shape.n_density[mu] == 2:
            ds, ds1 = weighted_sums(ct[0], ct[1], shape.inner, first, last, tangents)
            add_tangent(o - begin, 0, p_max, factor, dfactor, ds, sums, dsums, drho)
            add_tangent(o - begin, 1, p_max, factor, dfactor, ds1, sums, dsums, drho)
            continue
        for p in range(shape.n_density[mu]):
            ds = weighted_sum(ct[p], shape.inner, first, last, tangents)
            add_tangent(o - begin, p, p_max, factor, dfactor, ds, sums, dsums, drho)


@operation
def add_scaled(coefficients, inner, begin, end, factor, rows):
    """Add coefficients[t] factor to rows[inner[t]] for the terms begin..end-1; the inner rows of one outer factor differ."""
    for t in range(begin, end):
        store(rows, item(inner, t), load(rows, item(inner, t)) + item(coefficients, t) * factor)


@operation
def add_scaled_two(one, two, inner, begin, end, factor_one, factor_two, rows):
    """`add_scaled` of two densities at once, which halves the passes over rows."""
    for t in range(begin, end):
        row = item(inner, t)
        store(rows, row, load(rows, row) + item(one, t) * factor_one + item(two, t) * factor_two)


@kernel
def adjoints_into(shape, mu, ct, slope, nodes, sums, adjoint):
    """Fill adjoint with d(sum_p slope_p rho_p)/d(row); slope is (p_max, LANES)."""
    first, n_a, p_max = shape.node_start[mu], shape.n_a[mu], sums.shape[1]
    for row in range(n_a + shape.n_nodes[mu]):
        store(adjoint, row, splat(0.0))
    begin = shape.outer_start[mu]
    for o in range(begin, shape.outer_start[mu + 1]):
        row = item(shape.outer, o)
        factor, own = load(nodes, row), splat(0.0)
        low, high = item(shape.term_start, o), item(shape.term_start, o + 1)
        for p in range(shape.n_density[mu]):
            own = own + load(slope, p) * load(sums, (o - begin) * p_max + p)
        if shape.n_density[mu] == 2:
            add_scaled_two(ct[0], ct[1], shape.inner, low, high, load(slope, 0) * factor, load(slope, 1) * factor, adjoint)
        else:
            for p in range(shape.n_density[mu]):
                add_scaled(ct[p], shape.inner, low, high, load(slope, p) * factor, adjoint)
        store(adjoint, row, load(adjoint, row) + own)
    for t in range(shape.n_nodes[mu] - 1, -1, -1):
        a, b, g = item(shape.left, first + t), item(shape.right, first + t), load(adjoint, n_a + t)
        store(adjoint, a, load(adjoint, a) + g * load(nodes, b))
        store(adjoint, b, load(adjoint, b) + g * load(nodes, a))


@operation
def coefficient_gradient_into(inner, begin, end, of_values, of_tangents, nodes, tangents, dct):
    """Add sum over lanes of of_values P_inner + of_tangents dP_inner to dct[t] for the terms begin..end-1."""
    t = begin
    while t + 8 <= end:
        v0 = of_values * load(nodes, item(inner, t)) + of_tangents * load(tangents, item(inner, t))
        v1 = of_values * load(nodes, item(inner, t + 1)) + of_tangents * load(tangents, item(inner, t + 1))
        v2 = of_values * load(nodes, item(inner, t + 2)) + of_tangents * load(tangents, item(inner, t + 2))
        v3 = of_values * load(nodes, item(inner, t + 3)) + of_tangents * load(tangents, item(inner, t + 3))
        v4 = of_values * load(nodes, item(inner, t + 4)) + of_tangents * load(tangents, item(inner, t + 4))
        v5 = of_values * load(nodes, item(inner, t + 5)) + of_tangents * load(tangents, item(inner, t + 5))
        v6 = of_values * load(nodes, item(inner, t + 6)) + of_tangents * load(tangents, item(inner, t + 6))
        v7 = of_values * load(nodes, item(inner, t + 7)) + of_tangents * load(tangents, item(inner, t + 7))
        sums = totals(v0, v1, v2, v3, v4, v5, v6, v7)
        add_at(dct, t, sums)
        t += 8
    while t < end:
        dct[t] += total(of_values * load(nodes, item(inner, t)) + of_tangents * load(tangents, item(inner, t)))
        t += 1


@operation
def second_terms_two(c0, c1, inner, begin, end, g0, g1, h0, h1, nodes, tangents, h, dc0, dc1):
    """What `add_scaled_two` to h and `coefficient_gradient_into` do, in one pass over the inner factors."""
    t = begin
    while t + 4 <= end:
        a, b, c, d = item(inner, t), item(inner, t + 1), item(inner, t + 2), item(inner, t + 3)
        add_scaled_two(c0, c1, inner, t, t + 4, h0, h1, h)
        na, nb, nc, nd = load(nodes, a), load(nodes, b), load(nodes, c), load(nodes, d)
        ta, tb, tc, td = load(tangents, a), load(tangents, b), load(tangents, c), load(tangents, d)
        v0, v1, v2, v3 = h0 * na + g0 * ta, h0 * nb + g0 * tb, h0 * nc + g0 * tc, h0 * nd + g0 * td
        v4, v5, v6, v7 = h1 * na + g1 * ta, h1 * nb + g1 * tb, h1 * nc + g1 * tc, h1 * nd + g1 * td
        add_halves_at(dc0, dc1, t, totals(v0, v1, v2, v3, v4, v5, v6, v7))
        t += 4
    while t < end:
        a = item(inner, t)
        add_scaled_two(c0, c1, inner, t, t + 1, h0, h1, h)
        dc0[t] += total(h0 * load(nodes, a) + g0 * load(tangents, a))
        dc1[t] += total(h1 * load(nodes, a) + g1 * load(tangents, a))
        t += 1


@kernel
def second_adjoint_into(shape, mu, ct, u, v, nodes, tangents, sums, dsums, g, h, dct):
    """Fill h with the adjoint of the values for S = sum_p u_p rho_p + v_p rho'_p; add dS/dct to dct (p_max, n_terms).

    g is the adjoint of the tangents, which `adjoints_into` finds from v.
    """
    first, n_a, p_max = shape.node_start[mu], shape.n_a[mu], sums.shape[1]
    for row in range(n_a + shape.n_nodes[mu]):
        store(h, row, splat(0.0))
    begin = shape.outer_start[mu]
    for o in range(begin, shape.outer_start[mu + 1]):
        row, low, high = item(shape.outer, o), item(shape.term_start, o), item(shape.term_start, o + 1)
        factor, dfactor, own = load(nodes, row), load(tangents, row), splat(0.0)
        for p in range(shape.n_density[mu]):
            weight_u, weight_v, s = load(u, p), load(v, p), (o - begin) * p_max + p
            own = own + weight_u * load(sums, s) + weight_v * load(dsums, s)
            if shape.n_density[mu] != 2:
                of_values, of_tangents = weight_u * factor + weight_v * dfactor, weight_v * factor
                add_scaled(ct[p], shape.inner, low, high, of_values, h)
                coefficient_gradient_into(shape.inner, low, high, of_values, of_tangents, nodes, tangents, dct[p])
        if shape.n_density[mu] == 2:
            v0, v1 = load(v, 0), load(v, 1)
            h0, h1 = load(u, 0) * factor + v0 * dfactor, load(u, 1) * factor + v1 * dfactor
            second_terms_two(
                ct[0], ct[1], shape.inner, low, high, v0 * factor, v1 * factor, h0, h1, nodes, tangents, h, dct[0], dct[1]
            )
        store(h, row, load(h, row) + own)
    for t in range(shape.n_nodes[mu] - 1, -1, -1):
        a, b = item(shape.left, first + t), item(shape.right, first + t)
        gt, ht = load(g, n_a + t), load(h, n_a + t)
        store(h, a, load(h, a) + ht * load(nodes, b) + gt * load(tangents, b))
        store(h, b, load(h, b) + ht * load(nodes, a) + gt * load(tangents, a))
