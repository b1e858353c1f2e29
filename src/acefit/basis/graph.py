"""Shared product graph of one central element: every B function of order >= 2 as a sparse sum of products of A.

Products are expanded in real harmonics with the couplings folded in, and equal products of different functions are shared. Each
product of a function is a *term*, the product of two *rows*; rows are the A components and the *nodes*, products of two
earlier rows. The greedy choice of the factors keeps the number of nodes small.

References
----------
Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), Fig. 2: recursive evaluation of products.
"""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acefit.basis.couplings import ZERO, real_coupling_tensor
from acefit.potential.model import Function

Channel = tuple[str, int, int]
"""Element, n (1-based) and l of one radial function."""


class ProductGraph(NamedTuple):
    """Products of one central element.

    Attributes
    ----------
    channels : channels in the order of their A components, sorted by element, l, n
    starts : first A component of each channel; channel c has 2 l + 1 of them
    n_a : number of A components
    left, right : int32 (n_nodes,) operands; rows below n_a are A components, row n_a + t is node t
    outer : int32 (n_outer,) row of each outer factor
    term_start : (n_outer + 1,) range of the terms of each outer factor
    inner : int32 (n_terms,) row of the other factor of each term
    couplings : sparse (n_functions, n_terms), one row per given function
    """

    channels: tuple[Channel, ...]
    starts: NDArray[np.int64]
    n_a: int
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    outer: NDArray[np.int32]
    term_start: NDArray[np.int64]
    inner: NDArray[np.int32]
    couplings: csr_array

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.left)

    @property
    def n_terms(self) -> int:
        """Number of terms."""
        return len(self.inner)


def list_channels(functions: Sequence[Function]) -> tuple[Channel, ...]:
    """All (element, n, l) that functions of order >= 2 use."""
    used = {(e, n, l) for f in functions for e, n, l in zip(f.elements[1:], f.ns, f.ls, strict=True)}
    return tuple(sorted(used, key=lambda c: (c[0], c[2], c[1])))


def expand_function(function: Function, start: dict[Channel, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Terms of one function: sorted A components (n_terms, order), equal ones not yet merged, and their coefficients."""
    tensor = real_coupling_tensor(function.ls, function.lint)
    index = np.argwhere(tensor)
    first = [start[(e, n, l)] for e, n, l in zip(function.elements[1:], function.ns, function.ls, strict=True)]
    return np.sort(index + np.array(first), axis=1), tensor[tuple(index.T)]


@cache
def _splits(order: int) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Ways to divide the slots of a product in two parts, balanced ones first."""
    found = []
    for size in range(order // 2, 0, -1):
        for part in combinations(range(order), size):
            rest = tuple(i for i in range(order) if i not in part)
            if 2 * size < order or 0 in part:
                found.append((part, rest))
    return tuple(found)


class _GraphBuilder:
    """Rows by their sorted A components."""

    def __init__(self, n_a: int) -> None:
        self.n_a = n_a
        self.left: list[int] = []
        self.right: list[int] = []
        self.rows: dict[tuple[int, ...], int] = {(a,): a for a in range(n_a)}

    def _cost(self, product: tuple[int, ...]) -> int:
        """Nodes that a row would need at most."""
        return 0 if product in self.rows else len(product) - 1

    def factors(self, product: tuple[int, ...]) -> tuple[int, int]:
        """Rows of the two factors of a product, by the split that needs the fewest new nodes."""
        best, best_cost = None, len(product) + 1
        for part, rest in _splits(len(product)):
            one, two = tuple(product[i] for i in part), tuple(product[i] for i in rest)
            cost = self._cost(one) + self._cost(two)
            if cost < best_cost:
                best, best_cost = (one, two), cost
                if cost == 0:
                    break
        assert best is not None
        return self._row(best[0]), self._row(best[1])

    def _row(self, product: tuple[int, ...]) -> int:
        """Row of a product, made a node if there is none."""
        row = self.rows.get(product)
        if row is None:
            left, right = self.factors(product)
            row = self.n_a + len(self.left)
            self.left.append(left)
            self.right.append(right)
            self.rows[product] = row
        return row


def _merge(rows: NDArray[np.int64], n_a: int) -> tuple[NDArray, NDArray]:
    """Distinct products (sorted) and the index of each term's product."""
    order = rows.shape[1]
    if order * np.log2(max(n_a, 2)) < 62:
        keys = rows @ (np.int64(n_a) ** np.arange(order - 1, -1, -1))
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return rows[first], inverse.reshape(-1)
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    return distinct, inverse.reshape(-1)


def _arrange(factors: NDArray[np.int64], n_rows: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Group terms by an outer factor: the one of their two rows that has more terms.

    Parameters
    ----------
    factors : (n_terms, 2) rows; n_rows : number of rows

    Returns
    -------
    outer, term_start, inner : as in `ProductGraph`
    place : (n_terms,) new position of each term
    """
    count = np.bincount(factors.ravel(), minlength=n_rows)
    swap = count[factors[:, 1]] > count[factors[:, 0]]
    outer, inner = np.where(swap, factors[:, 1], factors[:, 0]), np.where(swap, factors[:, 0], factors[:, 1])
    order = np.lexsort((inner, outer))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    rows, first = np.unique(outer[order], return_index=True)
    return rows.astype(np.int32), np.append(first, len(order)).astype(np.int64), inner[order].astype(np.int32), place


def build_graph(functions: Sequence[Function]) -> ProductGraph:
    """Build the graph of the functions (order >= 2, one central element); row f of the couplings is functions[f]."""
    channels = list_channels(functions)
    sizes = np.array([2 * l + 1 for _, _, l in channels], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    start, n_a = {c: int(s) for c, s in zip(channels, starts[:-1], strict=True)}, int(starts[-1])
    builder = _GraphBuilder(n_a)
    factors: list[tuple[int, int]] = []
    entries: list[tuple[NDArray, NDArray, NDArray]] = []
    for order in sorted({f.order for f in functions}):
        terms = [(f, *expand_function(function, start)) for f, function in enumerate(functions) if function.order == order]
        owners = np.concatenate([np.full(len(values), f) for f, _, values in terms])
        values = np.concatenate([values for _, _, values in terms])
        distinct, inverse = _merge(np.concatenate([rows for _, rows, _ in terms]), n_a)
        entries.append((values, owners, len(factors) + inverse))
        factors += [builder.factors(tuple(product)) for product in distinct.tolist()]
    left, right = np.array(builder.left, dtype=np.int32), np.array(builder.right, dtype=np.int32)
    pairs = np.array(factors, dtype=np.int64).reshape(-1, 2)
    outer, term_start, inner, place = _arrange(pairs, n_a + len(left))
    shape = (len(functions), len(inner))
    if entries:
        values, owners, terms_of = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        # Duplicate (function, term) entries are added up by the conversion
        couplings = csr_array((values, (owners, place[terms_of])), shape=shape)
        couplings.data[np.abs(couplings.data) < ZERO] = 0.0
        couplings.eliminate_zeros()
    else:
        couplings = csr_array(shape)
    return ProductGraph(channels, starts[:-1], n_a, left, right, outer, term_start, inner, couplings)
