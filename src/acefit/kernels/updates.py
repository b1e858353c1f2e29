"""Products of vectors with a matrix that changes by updates s w^T + w s^T (`acefit.fit.quasi_newton`)."""

from acefit.kernels._jit import driver


@driver
def add_updates(rows, n_rows, vectors, results):
    """Add to each of the results (m, n) the sum of updates times the vector.

    rows (at least n_rows, n) holds s and w of one update after the other. Each is read from memory once, for all vectors and for
    both its uses.
    """
    for k in range(0, n_rows, 2):
        s, w = rows[k], rows[k + 1]
        for m in range(len(vectors)):
            x, out = vectors[m], results[m]
            along_s, along_w = 0.0, 0.0
            for i in range(len(x)):
                along_s += s[i] * x[i]
                along_w += w[i] * x[i]
            for i in range(len(x)):
                out[i] += along_w * s[i] + along_s * w[i]


@driver
def update_and_apply(matrix, s, w, vectors, results):
    """Add s w^T + w s^T to a matrix (n, n), unless s is empty, and fill results (m, n) with its products with vectors (m, n).

    Each row is read from memory once, for the update and all products.
    """
    for i in range(len(matrix)):
        row = matrix[i]
        if len(s):
            for j in range(len(row)):
                row[j] += s[i] * w[j] + w[i] * s[j]
        for m in range(len(vectors)):
            total = 0.0
            for j in range(len(row)):
                total += row[j] * vectors[m, j]
            results[m, i] = total
