"""Between B functions and the products of atomic-base components that they are sums of (the C-tilde form), both ways.

Products are written in complex harmonics, B = sum over m of c(m) Re[A_1 ... A_nu]. A product is the same whatever the order of
its factors, and the real part is the same for m and -m, so one tuple stands for all that are equal: slots sorted by (element, n,
l), m decreasing among equal slots, and of the tuples of m and -m the lexicographically larger, whose first non-zero entry is
positive. Different tuples of this kind are linearly independent, therefore coefficients of products determine whether they come
from rotation invariants, and from which.

References
----------
Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), Eq. (22): the coefficients c-tilde.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.offered import (
    coupling_coefficients,
    equality_pattern,
    independent_couplings,
    n_invariants,
    zero_sum_tuples,
)
from acefit.errors import PotentialError
from acefit.potential.model import Function

MAX_PRODUCTS = 200_000
MAX_COEFFICIENTS = 100_000_000
"""Tuples with sum 0 of one function, and of all its couplings together; order 6 with l = 4 has 59 thousand and 22 million."""

ROUNDING = 1e-8
"""Largest residual of the invariants, relative to the coefficients of a function; files may have few digits."""

NEGLIGIBLE = 1e-13
"""Coefficients below this part of the largest of an element are rounding."""

Slot = tuple[str, int, int]
"""Element, n (1-based) and l of one factor."""


class ProductSum(NamedTuple):
    """What one function of a C-tilde potential is.

    Attributes
    ----------
    slots : sorted (element, n, l) of the factors
    ms : int64 (n_terms, order), the tuples described above, increasing
    coeffs : float64 (n_terms, n_densities)
    """

    slots: tuple[Slot, ...]
    ms: NDArray[np.int64]
    coeffs: NDArray[np.float64]


def slots_of(function: Function) -> tuple[Slot, ...]:
    """Slots of a function in stored order."""
    return tuple(zip(function.elements[1:], function.ns, function.ls, strict=True))


def canonical_products(ls: Sequence[int], alike: Sequence[int], ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the product of each tuple, int64 (n,), increasing with the tuple that stands for it.

    Parameters
    ----------
    ls : momenta of the sorted slots; alike : labels of the slots, equal ones are adjacent (`equality_pattern`)
    ms : (n, order) tuples within the momenta
    """
    return np.maximum(_codes(ls, alike, ms), _codes(ls, alike, -ms))


def _codes(ls: Sequence[int], alike: Sequence[int], ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tuples as numbers, m decreasing among equal slots, first slot slowest."""
    ordered, labels = ms.copy(), np.asarray(alike)
    for label in np.unique(labels):
        ordered[:, labels == label] = -np.sort(-ms[:, labels == label], axis=1)
    codes = np.zeros(len(ms), dtype=np.int64)
    for column, l in zip(ordered.T, ls, strict=True):
        codes = codes * (2 * l + 1) + column + l
    return codes


def tuples_of_products(ls: Sequence[int], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tuples that stand for products, int64 (n, order); the inverse of `canonical_products`."""
    sizes = [2 * l + 1 for l in ls]
    return np.stack(np.unravel_index(codes, sizes), axis=1).astype(np.int64) - np.array(ls, dtype=np.int64)


@lru_cache(maxsize=1024)
def invariant_products(
    ls: tuple[int, ...], lint: tuple[int, ...], place: tuple[int, ...], alike: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Products of one B function and their coefficients, (n,) each; products sorted.

    Parameters
    ----------
    ls, lint : momenta in stored order; place : stored position of each sorted slot; alike : labels of the sorted slots
    """
    if len(ls) == 1:
        return np.zeros(1, dtype=np.int64), np.ones(1)
    ms = zero_sum_tuples(ls)
    codes = canonical_products([ls[i] for i in place], alike, ms[list(place)].T)
    distinct, inverse = np.unique(codes, return_inverse=True)
    values: NDArray[np.float64] = np.bincount(
        inverse.reshape(-1), weights=coupling_coefficients(ls, lint, ms), minlength=len(distinct)
    ).astype(np.float64)
    kept = np.abs(values) > NEGLIGIBLE
    distinct, values = distinct[kept], values[kept]
    distinct.flags.writeable = values.flags.writeable = False
    return distinct, values


def sum_products(functions: Iterable[Function]) -> list[ProductSum]:
    """Functions of one central element as sums of products: those with the same slots are one.

    Returns
    -------
    list of ProductSum
        Sorted by order and slots (all elements, then all n, then all l); products with a vanishing coefficient are left out,
        functions with nothing left are kept with one product of coefficient zero.
    """
    groups: dict[tuple[Slot, ...], list[tuple[Function, tuple[int, ...]]]] = {}
    for function in functions:
        slots = slots_of(function)
        place = tuple(sorted(range(len(slots)), key=lambda i, slots=slots: slots[i]))  # type: ignore[misc]
        groups.setdefault(tuple(slots[i] for i in place), []).append((function, place))
    return [_sum_group(slots, groups[slots]) for slots in sorted(groups, key=_sort_key)]


def _sort_key(slots: tuple[Slot, ...]) -> tuple[object, ...]:
    return len(slots), *zip(*slots, strict=True)


def _sum_group(slots: tuple[Slot, ...], functions: Sequence[tuple[Function, tuple[int, ...]]]) -> ProductSum:
    """Functions with the same slots added up."""
    alike, ls = equality_pattern(slots), [l for _, _, l in slots]
    parts = [(f, *invariant_products(f.ls, f.lint, place, alike)) for f, place in functions]
    codes = np.unique(np.concatenate([products for _, products, _ in parts]))
    if not len(codes):
        codes = canonical_products(ls, alike, np.zeros((1, len(ls)), dtype=np.int64))
    coeffs = np.zeros((len(codes), len(functions[0][0].coeffs)))
    for function, products, values in parts:
        coeffs[np.searchsorted(codes, products)] += np.outer(values, function.coeffs)
    return ProductSum(slots, tuples_of_products(ls, codes), coeffs)


def merge_products(slots: Sequence[Slot], ms: NDArray[np.int64], coeffs: NDArray[np.float64]) -> ProductSum:
    """Sum of products with slots and tuples in any order, brought to the form of `ProductSum`."""
    place = sorted(range(len(slots)), key=lambda i: slots[i])
    ordered = tuple(slots[i] for i in place)
    ls = [l for _, _, l in ordered]
    codes, inverse = np.unique(canonical_products(ls, equality_pattern(ordered), ms[:, place]), return_inverse=True)
    merged = np.zeros((len(codes), coeffs.shape[1]))
    np.add.at(merged, inverse.reshape(-1), coeffs)
    return ProductSum(ordered, tuples_of_products(ls, codes), merged)


def add_products(sums: Iterable[ProductSum]) -> list[ProductSum]:
    """Sums of products such that each set of slots occurs once, in the order of `sum_products`."""
    groups: dict[tuple[Slot, ...], list[ProductSum]] = {}
    for item in sums:
        groups.setdefault(item.slots, []).append(item)
    return [
        merge_products(slots, np.concatenate([item.ms for item in items]), np.concatenate([item.coeffs for item in items]))
        for slots, items in sorted(groups.items(), key=lambda group: _sort_key(group[0]))
    ]


def to_invariants(central: str, item: ProductSum, scale: float, where: str) -> list[Function]:
    """B functions that add up to a sum of products, for an independent set of intermediate momenta.

    Parameters
    ----------
    central : central element
    item : from `merge_products` or `add_products`
    scale : largest coefficient of the element; what is smaller by `NEGLIGIBLE` is rounding
    where : names the function in an error

    Returns
    -------
    list of Function
        Those with a coefficient above rounding; where all are zero, the first with coefficients zero.

    Raises
    ------
    PotentialError
        If the products are no rotation invariant with even parity, or too many.
    """
    elements, ns, ls = (tuple(values) for values in zip(*item.slots, strict=True))
    if len(ls) == 1:
        return [Function((central, *elements), ns, ls, (), tuple(item.coeffs.sum(axis=0).tolist()))]
    couplings = independent_couplings(ls, equality_pattern(item.slots)) if sum(ls) % 2 == 0 else ()
    vectors, products = _coupling_vectors(item, couplings)
    target = np.zeros((len(products), item.coeffs.shape[1]))
    alike = equality_pattern(item.slots)
    target[np.searchsorted(products, canonical_products(ls, alike, item.ms))] = item.coeffs
    coeffs = np.linalg.lstsq(vectors, target, rcond=None)[0] if couplings else np.zeros((0, target.shape[1]))
    residual = np.abs(vectors @ coeffs - target).max(initial=0.0)
    largest = np.abs(item.coeffs).max(initial=0.0)
    if residual > ROUNDING * largest + NEGLIGIBLE * scale:
        raise PotentialError(
            f"{where}: its products are no rotation invariant (they miss one by {residual:.1e}, coefficients up to "
            f"{largest:.1e}); the file is damaged or of another kind"
        )
    functions = [
        Function((central, *elements), ns, ls, lint, tuple(c.tolist())) for lint, c in zip(couplings, coeffs, strict=True)
    ]
    kept = [f for f in functions if np.abs(f.coeffs).max() > NEGLIGIBLE * max(largest, np.finfo(float).tiny)]
    return kept or [f._replace(coeffs=(0.0,) * len(f.coeffs)) for f in functions[:1]]


def _coupling_vectors(item: ProductSum, couplings: Sequence[tuple[int, ...]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Coefficients of all couplings, (n_products, n_couplings), and the sorted products they and the sum have."""
    ls = tuple(l for _, _, l in item.slots)
    alike, place = equality_pattern(item.slots), tuple(range(len(ls)))
    parts = [invariant_products(ls, lint, place, alike) for lint in couplings]
    products = np.unique(np.concatenate([canonical_products(ls, alike, item.ms), *(codes for codes, _ in parts)]))
    vectors = np.zeros((len(products), len(couplings)))
    for column, (codes, values) in zip(vectors.T, parts, strict=True):
        column[np.searchsorted(products, codes)] = values
    return vectors, products


def check_slots(ls: Sequence[int], where: str) -> None:
    """Refuse functions with more products or couplings than can be solved for.

    Raises
    ------
    PotentialError
    """
    n_products = prod(2 * l + 1 for l in ls[1:])
    if n_products > MAX_PRODUCTS or n_products * n_invariants(tuple(ls), tuple(range(len(ls)))) > MAX_COEFFICIENTS:
        raise PotentialError(f"{where}: a function of order {len(ls)} with l = {list(ls)} has more products than can be handled")
