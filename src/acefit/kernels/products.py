"""Products of A along a shared graph, for LANES atoms of one species side by side.

Row t of the node arrays holds one product for all lanes. Rows below n_a are the A components themselves; every further row is the
product of two earlier rows. Densities are linear in the rows: rho_p = sum_t ct[t, p] P_t, with the coupling matrix folded into
ct once per evaluation.

References
----------
Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), recursive evaluation of products; Drautz, Phys. Rev. B 99, 014104 (2019),
adjoint of A.
"""

from acefit.kernels._jit import LANES, kernel


@kernel
def products_into(left, right, first, n_a, n_nodes, nodes):
    """Fill rows n_a.. of nodes; left and right hold the operands of product t at position first + t."""
    for t in range(n_nodes):
        a, b, out = left[first + t], right[first + t], n_a + t
        for lane in range(LANES):
            nodes[out, lane] = nodes[a, lane] * nodes[b, lane]


@kernel
def densities_into(ct, first, n_a, n_nodes, n_density, nodes, rho):
    """Add the products' part to rho (n_density, LANES)."""
    for t in range(n_nodes):
        for p in range(n_density):
            c = ct[first + t, p]
            for lane in range(LANES):
                rho[p, lane] += c * nodes[n_a + t, lane]


@kernel
def adjoints_into(left, right, ct, first, n_a, n_nodes, n_density, slope, nodes, adjoint):
    """Fill adjoint with d(sum_p slope_p rho_p)/d(row); slope is (n_density, LANES)."""
    for t in range(n_a):
        for lane in range(LANES):
            adjoint[t, lane] = 0.0
    for t in range(n_nodes):
        for lane in range(LANES):
            adjoint[n_a + t, lane] = ct[first + t, 0] * slope[0, lane]
        for p in range(1, n_density):
            c = ct[first + t, p]
            for lane in range(LANES):
                adjoint[n_a + t, lane] += c * slope[p, lane]
    for t in range(n_nodes - 1, -1, -1):
        a, b, out = left[first + t], right[first + t], n_a + t
        for lane in range(LANES):
            adjoint[a, lane] += adjoint[out, lane] * nodes[b, lane]
        for lane in range(LANES):
            adjoint[b, lane] += adjoint[out, lane] * nodes[a, lane]


@kernel
def tangents_into(left, right, first, n_a, n_nodes, nodes, tangents):
    """Fill rows n_a.. of tangents with the directional derivatives of the products."""
    for t in range(n_nodes):
        a, b, out = left[first + t], right[first + t], n_a + t
        for lane in range(LANES):
            tangents[out, lane] = tangents[a, lane] * nodes[b, lane] + nodes[a, lane] * tangents[b, lane]


@kernel
def coefficient_gradient_into(first, n_a, n_nodes, n_density, nodes, tangents, u, v, dct):
    """Add sum over lanes of u_p P_t + v_p P'_t to dct."""
    for t in range(n_nodes):
        for p in range(n_density):
            total = 0.0
            for lane in range(LANES):
                total += u[p, lane] * nodes[n_a + t, lane] + v[p, lane] * tangents[n_a + t, lane]
            dct[first + t, p] += total


@kernel
def second_adjoints_into(left, right, ct, first, n_a, n_nodes, n_density, u, v, nodes, tangents, g, h):
    """Adjoints g of the tangents and h of the values for S = sum_p u_p rho_p + v_p rho'_p."""
    for t in range(n_a):
        for lane in range(LANES):
            g[t, lane] = 0.0
            h[t, lane] = 0.0
    for t in range(n_nodes):
        c = ct[first + t, 0]
        for lane in range(LANES):
            g[n_a + t, lane] = c * v[0, lane]
            h[n_a + t, lane] = c * u[0, lane]
        for p in range(1, n_density):
            c = ct[first + t, p]
            for lane in range(LANES):
                g[n_a + t, lane] += c * v[p, lane]
                h[n_a + t, lane] += c * u[p, lane]
    for t in range(n_nodes - 1, -1, -1):
        a, b, out = left[first + t], right[first + t], n_a + t
        for lane in range(LANES):
            g[a, lane] += g[out, lane] * nodes[b, lane]
            h[a, lane] += h[out, lane] * nodes[b, lane] + g[out, lane] * tangents[b, lane]
        for lane in range(LANES):
            g[b, lane] += g[out, lane] * nodes[a, lane]
            h[b, lane] += h[out, lane] * nodes[a, lane] + g[out, lane] * tangents[a, lane]
