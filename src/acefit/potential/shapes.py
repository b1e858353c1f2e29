"""Shapes of radial coefficient arrays: what functions need, growth, and the initial values of new entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.potential.model import Block, Bond, Function, pair_key


class Shape(NamedTuple):
    """Number of radial functions, largest l (inclusive) and number of base functions of a bond."""

    n_max: int = 0
    l_max: int = 0
    k_max: int = 0

    def union(self, other: Shape) -> Shape:
        """Smallest shape that holds both."""
        return Shape(max(self[0], other[0]), max(self[1], other[1]), max(self[2], other[2]))


def shape_of(bond: Bond) -> Shape:
    """Shape of a bond."""
    return Shape(bond.n_max, bond.l_max, bond.k_max)


def needed_by_slots(functions: Iterable[Function]) -> dict[tuple[str, str], Shape]:
    """Shape each bond must have so that every slot finds its radial function."""
    needed: dict[tuple[str, str], list[int]] = {}
    for function in functions:
        central = function.elements[0]
        for element, n, l in zip(function.elements[1:], function.ns, function.ls, strict=True):
            sizes = needed.setdefault(pair_key(central, element), [0, 0, 0])
            if len(function.ns) == 1:
                sizes[2] = max(sizes[2], n)
            else:
                sizes[0], sizes[1] = max(sizes[0], n), max(sizes[1], l)
    return {pair: Shape(*sizes) for pair, sizes in needed.items()}


def needed_by_block_rule(blocks: Iterable[Block]) -> dict[tuple[str, str], Shape]:
    """Shape the reference's loader demands of the bond of each binary block.

    It limits n, l (and half of each intermediate L) of every slot by the bond of the block, whichever bond the slot uses.
    """
    needed: dict[tuple[str, str], Shape] = {}
    for block in blocks:
        if block.arity != 2:
            continue
        n_max = l_max = k_max = 0
        for function in block.functions:
            if function.skip:
                continue
            if len(function.ns) == 1:
                k_max = max(k_max, function.ns[0])
            else:
                n_max = max(n_max, *function.ns)
                l_max = max(l_max, *function.ls)
                if function.lint:
                    l_max = max(l_max, (max(function.lint) + 1) // 2)
        pair = pair_key(*block.elements)
        needed[pair] = Shape(n_max, l_max, k_max).union(needed.get(pair, Shape()))
    return needed


def delta_crad(shape: Shape) -> NDArray[np.float64]:
    """Initial radial coefficients c_nlk = 1 where n = k, else 0; array [n, l, k]."""
    crad = np.zeros((shape.n_max, shape.l_max + 1, shape.k_max))
    diagonal = np.arange(min(shape.n_max, shape.k_max))
    crad[diagonal, :, diagonal] = 1.0
    return crad


def resize_bond(bond: Bond, shape: Shape, delta: bool = True) -> Bond:
    """Bond with another shape; the common part keeps its coefficients, the rest is as in `delta_crad`, or zero."""
    if shape_of(bond) == shape:
        return bond
    crad = delta_crad(shape) if delta else np.zeros((shape.n_max, shape.l_max + 1, shape.k_max))
    n, l, k = min(shape.n_max, bond.n_max), min(shape.l_max, bond.l_max) + 1, min(shape.k_max, bond.k_max)
    crad[:n, :l, :k] = bond.crad[:n, :l, :k]
    return replace(bond, crad=crad)
