"""Clebsch-Gordan coefficients and generalised couplings, in complex and in real harmonics.

Which of the admissible couplings are offered when a basis is built is in `acefit.basis.offered`.

The coupling tree couples consecutive pairs of the l's, then repeatedly the two oldest uncoupled intermediates; for odd
order the last l is coupled at the very end. The last coupling goes to total angular momentum 0.
"""

from fractions import Fraction
from functools import cache, lru_cache
from itertools import product
from math import factorial, sqrt

import numpy as np
from numpy.typing import NDArray

ZERO = 1e-12


@cache
def clebsch_gordan(j1: int, m1: int, j2: int, m2: int, j: int, m: int) -> float:
    """C(j1 m1 j2 m2 | j m), real, Condon-Shortley phase; Racah's sum in exact arithmetic, so zeros are exact.

    References
    ----------
    Varshalovich, Moskalev, Khersonskii, Quantum Theory of Angular Momentum, section 8.2.1, Eq. (3).
    """
    if m1 + m2 != m or abs(m1) > j1 or abs(m2) > j2 or abs(m) > j or not abs(j1 - j2) <= j <= j1 + j2:
        return 0.0
    total = Fraction(0)
    for k in range(max(0, j2 - j - m1, j1 - j + m2), min(j1 + j2 - j, j1 - m1, j2 + m2) + 1):
        denominator = factorial(k) * factorial(j1 + j2 - j - k) * factorial(j1 - m1 - k)
        denominator *= factorial(j2 + m2 - k) * factorial(j - j2 + m1 + k) * factorial(j - j1 - m2 + k)
        total += Fraction((-1) ** k, denominator)
    squared = Fraction(2 * j + 1, factorial(j1 + j2 + j + 1))
    squared *= factorial(j1 + j2 - j) * factorial(j1 - j2 + j) * factorial(-j1 + j2 + j)
    squared *= factorial(j1 + m1) * factorial(j1 - m1) * factorial(j2 + m2) * factorial(j2 - m2)
    squared *= factorial(j + m) * factorial(j - m) * total * total
    return (1 if total > 0 else -1) * sqrt(squared.numerator / squared.denominator)


@cache
def clebsch_gordan_tensor(j1: int, j2: int, j: int) -> NDArray[np.float64]:
    """Array [m1 + j1, m2 + j2, m + j] of all coefficients of one coupling."""
    tensor = np.zeros((2 * j1 + 1, 2 * j2 + 1, 2 * j + 1))
    for m1, m2 in product(range(-j1, j1 + 1), range(-j2, j2 + 1)):
        if abs(m1 + m2) <= j:
            tensor[m1 + j1, m2 + j2, m1 + m2 + j] = clebsch_gordan(j1, m1, j2, m2, j, m1 + m2)
    return tensor


@cache
def coupling_tree(order: int) -> tuple[tuple[int, int], ...]:
    """Children of each tree node; 0..order-1 are the l's, order + i is the i-th intermediate, the last node couples to 0.

    Order 5: ((0, 1), (2, 3), (5, 6), (7, 4)); its intermediates are L_1, L_2, L_3 and the total 0.
    """
    if order < 2:
        return ()
    waiting = [(i, i + 1) for i in range(0, order - 1, 2)]
    nodes: list[tuple[int, int]] = list(waiting)
    queue = [order + i for i in range(len(nodes))]
    while len(queue) > 1:
        nodes.append((queue[0], queue[1]))
        queue = [*queue[2:], order + len(nodes) - 1]
    if order % 2:
        nodes.append((queue[0], order - 1))
    return tuple(nodes)


def tree_momenta(ls: tuple[int, ...], lint: tuple[int, ...]) -> tuple[int, ...]:
    """Angular momentum of every entry of the tree: the l's, the intermediates, and the total 0."""
    return (*ls, *lint, 0)


def is_admissible(ls: tuple[int, ...], lint: tuple[int, ...]) -> bool:
    """Even sum of l, triangle inequality in every node, and total angular momentum 0."""
    if len(ls) == 1:
        return ls == (0,) and not lint
    if sum(ls) % 2 or len(lint) != len(ls) - 2:
        return False
    momenta = tree_momenta(ls, lint)
    nodes = coupling_tree(len(ls))
    return all(abs(momenta[a] - momenta[b]) <= momenta[len(ls) + i] <= momenta[a] + momenta[b] for i, (a, b) in enumerate(nodes))


@lru_cache(maxsize=4096)
def coupling_tensor(ls: tuple[int, ...], lint: tuple[int, ...]) -> NDArray[np.float64]:
    """Generalised Clebsch-Gordan coefficients over the full m-space (both signs), complex harmonics.

    Returns
    -------
    float64, shape (2 l_1 + 1, ..., 2 l_nu + 1)
        Entry [m_1 + l_1, ..., m_nu + l_nu]; zero if the triangle rules are violated.

    References
    ----------
    Drautz, Phys. Rev. B 102, 024104 (2020), generalised Clebsch-Gordan coefficients.
    """
    if len(ls) == 1:
        return np.ones(1)
    momenta = tree_momenta(ls, lint)
    # parts[i]: the slots below entry i and the tensor over their m's and, last, the entry's own M
    parts: dict[int, tuple[tuple[int, ...], NDArray[np.float64]]] = {i: ((i,), np.eye(2 * l + 1)) for i, l in enumerate(ls)}
    for i, (a, b) in enumerate(coupling_tree(len(ls))):
        (slots_a, tensor_a), (slots_b, tensor_b) = parts.pop(a), parts.pop(b)
        node = clebsch_gordan_tensor(momenta[a], momenta[b], momenta[len(ls) + i])
        joined = np.tensordot(tensor_a, np.tensordot(tensor_b, node, axes=([-1], [1])), axes=([-1], [-2]))
        parts[len(ls) + i] = ((*slots_a, *slots_b), joined)
    (slots, tensor), *_ = parts.values()
    result = np.ascontiguousarray(np.transpose(tensor[..., 0], np.argsort(slots)))
    result.flags.writeable = False
    return result


@cache
def complex_to_real(l: int) -> NDArray[np.complex128]:
    """Matrix U with Y_lm = sum_m' U[m + l, m' + l] S_lm' for the real harmonics S of `acefit.kernels.harmonics`."""
    u = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    u[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1) ** m
        u[l + m, l + m], u[l + m, l - m] = sign / sqrt(2), 1j * sign / sqrt(2)
        u[l - m, l + m], u[l - m, l - m] = 1 / sqrt(2), -1j / sqrt(2)
    return u


@lru_cache(maxsize=4096)
def real_coupling_tensor(ls: tuple[int, ...], lint: tuple[int, ...]) -> NDArray[np.float64]:
    """`coupling_tensor` for real harmonics: B = sum over m' of T[m'] prod_i A_{l_i m'_i} with real A."""
    tensor = coupling_tensor(ls, lint).astype(complex)
    for l in ls:
        # Contracting the first axis moves it to the end, so after all axes the order is the original one
        tensor = np.tensordot(tensor, complex_to_real(l), axes=([0], [0]))
    real = np.ascontiguousarray(tensor.real)
    real[np.abs(real) < ZERO] = 0.0
    real.flags.writeable = False
    return real
