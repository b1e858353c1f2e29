"""Shared product graph of one central element: every B function of order >= 2 as a sparse sum of products of A.

Products are expanded in real harmonics with the couplings folded in, equal products of different functions are shared, and
each is computed from two smaller ones. The greedy choice of the split keeps the number of helper nodes small.

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
    couplings : sparse (n_functions, n_nodes), one row per given function
    """

    channels: tuple[Channel, ...]
    starts: NDArray[np.int64]
    n_a: int
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    couplings: csr_array

    @property
    def n_nodes(self) -> int:
        """Number of products, helpers included."""
        return len(self.left)


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
    """Nodes by their sorted A components."""

    def __init__(self, n_a: int) -> None:
        self.n_a = n_a
        self.left: list[int] = []
        self.right: list[int] = []
        self.rows: dict[tuple[int, ...], int] = {(a,): a for a in range(n_a)}

    def _cost(self, product: tuple[int, ...]) -> int:
        return 0 if product in self.rows else len(product) - 1

    def add(self, product: tuple[int, ...]) -> int:
        """Row of a product, made from the cheapest split if it is new."""
        row = self.rows.get(product)
        if row is not None:
            return row
        best, best_cost = None, len(product) + 1
        for part, rest in _splits(len(product)):
            one, two = tuple(product[i] for i in part), tuple(product[i] for i in rest)
            cost = self._cost(one) + self._cost(two)
            if cost < best_cost:
                best, best_cost = (one, two), cost
                if cost == 0:
                    break
        assert best is not None
        left, right = self.add(best[0]), self.add(best[1])
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


def build_graph(functions: Sequence[Function]) -> ProductGraph:
    """Build the graph of the functions (order >= 2, one central element); row f of the couplings is functions[f]."""
    channels = list_channels(functions)
    sizes = np.array([2 * l + 1 for _, _, l in channels], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    start, n_a = {c: int(s) for c, s in zip(channels, starts[:-1], strict=True)}, int(starts[-1])
    builder = _GraphBuilder(n_a)
    entries: list[tuple[NDArray, NDArray, NDArray]] = []
    for order in sorted({f.order for f in functions}):
        terms = [(f, *expand_function(function, start)) for f, function in enumerate(functions) if function.order == order]
        owners = np.concatenate([np.full(len(values), f) for f, _, values in terms])
        values = np.concatenate([values for _, _, values in terms])
        distinct, inverse = _merge(np.concatenate([rows for _, rows, _ in terms]), n_a)
        nodes = np.array([builder.add(tuple(product)) for product in distinct.tolist()], dtype=np.int64) - n_a
        entries.append((values, owners, nodes[inverse]))
    shape = (len(functions), len(builder.left))
    if entries:
        values, owners, nodes = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        # Duplicate (function, product) terms are added up by the conversion
        couplings = csr_array((values, (owners, nodes)), shape=shape)
        couplings.data[np.abs(couplings.data) < ZERO] = 0.0
        couplings.eliminate_zeros()
    else:
        couplings = csr_array(shape)
    left, right = np.array(builder.left, dtype=np.int32), np.array(builder.right, dtype=np.int32)
    return ProductGraph(channels, starts[:-1], n_a, left, right, couplings)
