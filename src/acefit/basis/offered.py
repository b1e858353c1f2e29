"""Which couplings (l, L) are offered when a basis is built: a maximal independent set, found greedily.

Slots with equal element and radial index may be exchanged, so that admissible coupling trees are linearly dependent. For each
l the trees are tried in lexicographic order of L and taken if their symmetrised coupling vector is new. The reference ships
these as a table that ends at `REFERENCE_L_LIMITS`; here they are generated and nothing is capped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from acefit.basis.couplings import clebsch_gordan_tensor, coupling_tree, tree_momenta

REFERENCE_L_LIMITS = {1: 0, 2: 10, 3: 6, 4: 4, 5: 3, 6: 2}
REFERENCE_MAX_LABELS = {6: 2}
DROP = 1e-12
INDEPENDENT = 1e-9

Coupling = tuple[tuple[int, ...], tuple[int, ...]]


def equality_pattern(slots: Sequence[tuple[object, ...]]) -> tuple[int, ...]:
    """Rank of each sorted slot, such as (element, n), among the distinct ones: (Al,1)(Al,1)(Al,3) gives (0, 0, 1)."""
    pattern = [0]
    for previous, slot in pairwise(slots):
        pattern.append(pattern[-1] + (slot != previous))
    return tuple(pattern)


def is_in_reference_table(pattern: tuple[int, ...]) -> bool:
    """Whether the reference knows the pattern at all (order 6: at most two distinct labels)."""
    return len(set(pattern)) <= REFERENCE_MAX_LABELS.get(len(pattern), len(pattern))


@lru_cache(maxsize=4096)
def offered_couplings(pattern: tuple[int, ...], l_limit: int) -> tuple[Coupling, ...]:
    """All offered (l, L) of one equality pattern with every l <= l_limit, lexicographic in l.

    Parameters
    ----------
    pattern : labels of the sorted slots from `equality_pattern`
    l_limit : largest l; without effect for order 1, where l = 0
    """
    if len(pattern) == 1:
        return (((0,), ()),)
    couplings: list[Coupling] = []
    for ls in product(range(l_limit + 1), repeat=len(pattern)):
        if sum(ls) % 2 or any(q == p and l < k for p, q, k, l in zip(pattern, pattern[1:], ls, ls[1:], strict=False)):
            continue
        alike = equality_pattern(list(zip(pattern, ls, strict=True)))
        couplings += [(ls, lint) for lint in independent_couplings(ls, alike)]
    return tuple(couplings)


@lru_cache(maxsize=65536)
def independent_couplings(ls: tuple[int, ...], alike: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Intermediate momenta L of an independent set of couplings, greedy in lexicographic order.

    Parameters
    ----------
    ls : angular momenta of the slots
    alike : labels of the slots; slots with the same label have the same (element, n, l) and may be exchanged
    """
    n_wanted = n_invariants(ls, alike)
    if n_wanted == 0:
        return ()
    if len(set(alike)) == len(ls):  # coupling vectors of different L are orthogonal
        return tuple(admissible_couplings(ls))
    ms, merged = _merged_products(ls, alike)
    accepted: list[tuple[int, ...]] = []
    basis: NDArray[np.float64] = np.zeros((n_wanted, int(merged.max()) + 1))
    for lint in admissible_couplings(ls):
        vector: NDArray[np.float64] = np.zeros(basis.shape[1])
        np.add.at(vector, merged, coupling_coefficients(ls, lint, ms))
        vector[np.abs(vector) < DROP] = 0.0
        norm = np.linalg.norm(vector)
        if norm == 0.0:
            continue
        vector /= norm
        known = basis[: len(accepted)]
        for _ in range(2):  # projecting twice keeps the remainder orthogonal to rounding
            vector -= known.T @ (known @ vector)
        remainder = np.linalg.norm(vector)
        if remainder > INDEPENDENT:
            basis[len(accepted)] = vector / remainder
            accepted.append(lint)
            if len(accepted) == n_wanted:
                break
    return tuple(accepted)


def admissible_couplings(ls: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All L that satisfy the triangle rules of the coupling tree, lexicographic."""
    nodes = coupling_tree(len(ls))

    def extend(lint: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        momenta = (*ls, *lint)
        a, b = nodes[len(lint)]
        if len(lint) == len(nodes) - 1:
            if momenta[a] == momenta[b]:
                yield lint
            return
        for total in range(abs(momenta[a] - momenta[b]), momenta[a] + momenta[b] + 1):
            yield from extend((*lint, total))

    yield from extend(())


def n_invariants(ls: tuple[int, ...], alike: tuple[int, ...]) -> int:
    """Number of independent rotation invariants: multiplicity of M = 0 minus that of M = 1 in the symmetrised product."""
    counts = np.ones(1, dtype=np.int64)
    for label in dict.fromkeys(alike):
        l = ls[alike.index(label)]
        counts = np.convolve(counts, _symmetric_power(l, alike.count(label)))
    middle = len(counts) // 2
    return int(counts[middle] - (counts[middle + 1] if middle + 1 < len(counts) else 0))


@cache
def _symmetric_power(l: int, power: int) -> NDArray[np.int64]:
    """How many multisets of `power` values m have the sum M, for M = -l power .. l power."""
    counts = np.zeros((power + 1, 2 * l * power + 1), dtype=np.int64)
    counts[0, 0] = 1
    for shifted in range(2 * l + 1):  # m + l
        for used in range(1, power + 1):
            counts[used, shifted:] += counts[used - 1, : counts.shape[1] - shifted]
    return counts[power]


def zero_sum_tuples(ls: Sequence[int]) -> NDArray[np.int64]:
    """All m-tuples with sum 0 within the momenta, shape (order, n); order 2 or more."""
    grids = np.meshgrid(*[np.arange(-l, l + 1) for l in ls[1:]], indexing="ij")
    others = [grid.ravel() for grid in grids]
    ms = np.stack([-np.sum(others, axis=0), *others])
    return ms[:, np.abs(ms[0]) <= ls[0]]


def _merged_products(ls: tuple[int, ...], alike: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All m-tuples with sum 0, shape (order, n), and for each the number of the product it becomes when slots are sorted."""
    ms = zero_sum_tuples(ls)
    labels = np.array(alike)
    ordered = ms.copy()
    for label in np.unique(labels):
        ordered[labels == label] = np.sort(ms[labels == label], axis=0)
    codes = np.zeros(ms.shape[1], dtype=np.int64)
    for row, l in zip(ordered, ls, strict=True):
        codes = codes * (2 * l + 1) + row + l
    return ms, np.unique(codes, return_inverse=True)[1]


def coupling_coefficients(ls: tuple[int, ...], lint: tuple[int, ...], ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Generalised Clebsch-Gordan coefficient of each m-tuple with sum 0, shape (order, n)."""
    momenta = tree_momenta(ls, lint)
    sums = list(ms)
    values = np.ones(ms.shape[1])
    for i, (a, b) in enumerate(coupling_tree(len(ls))):
        j1, j2, j = momenta[a], momenta[b], momenta[len(ls) + i]
        # Where a sum exceeds its momentum the coefficient is already zero, so that its index may be anything within bounds
        row, column = np.clip(sums[a] + j1, 0, 2 * j1), np.clip(sums[b] + j2, 0, 2 * j2)
        values = values * clebsch_gordan_tensor(j1, j2, j).sum(axis=2)[row, column]
        sums.append(sums[a] + sums[b])
    return values
