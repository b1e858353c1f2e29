"""Terms of the loss that depend on the parameters only, and their derivatives."""

import numpy as np

from acefit.kernels._jit import driver


@driver
def norms_into(x, start, l1, l2, norms, gradient):
    """Add sum |c| and sum c^2 of the parameters from start on to norms (2,), and the slopes of l1, l2 times them to gradient."""
    for i in range(start, len(x)):
        sign = 1.0 if x[i] > 0.0 else (-1.0 if x[i] < 0.0 else 0.0)
        norms[0] += sign * x[i]
        norms[1] += x[i] * x[i]
        gradient[i] += l1 * sign + 2.0 * l2 * x[i]


@driver
def smoothness_into(x, start, n_rows, derivatives, factor, weights, values, gradient):
    """Add weighted sums of |d^q R/dr^q| over all radial functions of a bond to values (3,), and their gradient.

    Parameters
    ----------
    x : parameters; start, n_rows : where the coefficients (n_rows, k_max) of the bond begin, and the number of radial functions
    derivatives : (k_max, 3, n_grid) of the g_k for q = 0, 1, 2
    factor : (n_grid,) weight of each point
    weights : (3,) of the three sums in the gradient
    gradient : (n_parameters,) gets the derivatives of the weighted sum; zero where R is
    """
    k_max, _, n_grid = derivatives.shape
    r = np.empty(n_grid)
    for row in range(n_rows):
        first = start + row * k_max
        for q in range(3):
            r[:] = 0.0
            for k in range(k_max):
                for g in range(n_grid):
                    r[g] += x[first + k] * derivatives[k, q, g]
            total = 0.0
            for g in range(n_grid):
                sign = 1.0 if r[g] > 0.0 else (-1.0 if r[g] < 0.0 else 0.0)
                total += sign * factor[g] * r[g]
                r[g] = sign * factor[g] * weights[q]
            values[q] += total
            for k in range(k_max):
                total = 0.0
                for g in range(n_grid):
                    total += r[g] * derivatives[k, q, g]
                gradient[first + k] += total
