"""The flat parameter vector of a potential, in the order used by optimisers and active sets ("basis-set order").

First the radial coefficients of every unordered pair once (mu_i <= mu_j), n slowest, then l, then k; then the function
coefficients, species by species in canonical order, density fastest. Skipped functions have no parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acefit.basis.order import canonical_functions
from acefit.errors import PotentialError
from acefit.potential.model import Block, Function, Potential


class FunctionSlot(NamedTuple):
    """Where the coefficients of one function stand.

    Attributes
    ----------
    block, number : position in the stored blocks of the potential
    element : central element
    offset : first entry in the parameter vector
    n_coeffs : number of densities P
    """

    block: int
    number: int
    element: str
    offset: int
    n_coeffs: int


@dataclass(frozen=True, eq=False)
class ParameterLayout:
    """Order of the parameters of one potential shape; build it once with `parameter_layout` and use it at every iteration.

    Attributes
    ----------
    potential : the potential it was built from
    bond_slices : part of the vector of each bond, keys as in `Potential.bonds`, n, l, k in C order
    slots : one per function, in canonical order
    n_radial : number of radial coefficients, which come first
    n_func : number of function coefficients, which follow
    """

    potential: Potential
    bond_slices: dict[tuple[str, str], slice]
    slots: tuple[FunctionSlot, ...]
    n_radial: int
    n_func: int

    @property
    def n_parameters(self) -> int:
        """Length of the vector."""
        return self.n_radial + self.n_func

    @property
    def n_functions(self) -> int:
        """Number of functions that take part."""
        return len(self.slots)

    def functions(self) -> list[Function]:
        """Functions in canonical order."""
        return [self.potential.blocks[slot.block].functions[slot.number] for slot in self.slots]

    def labels(self) -> list[str]:
        """Readable name of every parameter, such as `radial Al-Ni n=1 l=0 k=3` or `Al Al Ni nr=1,2 nl=1,1 p=0`."""
        labels = [
            f"radial {a}-{b} n={n + 1} l={l} k={k + 1}"
            for a, b in self.bond_slices
            for n, l, k in np.ndindex(self.potential.bonds[a, b].crad.shape)
        ]
        for function in self.functions():
            numbers = (("nr", function.ns), ("nl", function.ls), ("lint", function.lint))
            name = " ".join([" ".join(function.elements), *(f"{key}={','.join(map(str, v))}" for key, v in numbers if v)])
            labels += [f"{name} p={p}" for p in range(len(function.coeffs))]
        return labels

    def vector(self, potential: Potential | None = None) -> NDArray[np.float64]:
        """Parameters of a potential of this shape (default: the one it was built from), float64, shape (n_parameters,)."""
        potential = self.potential if potential is None else potential
        x = np.empty(self.n_parameters)
        for pair, part in self.bond_slices.items():
            x[part] = potential.bonds[pair].crad.ravel()
        blocks = potential.blocks
        x[self.n_radial :] = [c for slot in self.slots for c in blocks[slot.block].functions[slot.number].coeffs]
        return x

    def apply(self, x: ArrayLike) -> Potential:
        """Potential with the parameters x, shape (n_parameters,); everything else as in the one it was built from."""
        x = np.asarray(x, dtype=np.float64)
        if x.shape != (self.n_parameters,):
            raise PotentialError(f"the parameter vector must have shape ({self.n_parameters},), got {x.shape}")
        bonds = {
            pair: replace(bond, crad=x[self.bond_slices[pair]].reshape(bond.crad.shape))
            for pair, bond in self.potential.bonds.items()
        }
        blocks = [list(block.functions) for block in self.potential.blocks]
        values = x.tolist()
        for b, f, _, offset, n_coeffs in self.slots:
            functions = blocks[b]
            elements, ns, ls, lint, _, skip = functions[f]
            functions[f] = Function(elements, ns, ls, lint, tuple(values[offset : offset + n_coeffs]), skip)
        new = tuple(Block(block.elements, tuple(f)) for block, f in zip(self.potential.blocks, blocks, strict=True))
        return replace(self.potential, bonds=bonds, blocks=new)


def parameter_layout(potential: Potential) -> ParameterLayout:
    """Layout of the parameters of a potential."""
    offset = 0
    bond_slices = {}
    for pair in sorted(potential.bonds):
        size = potential.bonds[pair].crad.size
        bond_slices[pair] = slice(offset, offset + size)
        offset += size
    n_radial = offset
    slots = []
    for b, f in canonical_functions(potential):
        function = potential.blocks[b].functions[f]
        slots.append(FunctionSlot(b, f, function.elements[0], offset, len(function.coeffs)))
        offset += len(function.coeffs)
    return ParameterLayout(potential, bond_slices, tuple(slots), n_radial, offset - n_radial)


def parameter_vector(potential: Potential) -> NDArray[np.float64]:
    """All parameters in basis-set order, float64, shape (n_parameters,)."""
    return parameter_layout(potential).vector()


def with_parameters(potential: Potential, x: ArrayLike) -> Potential:
    """Copy with the parameters x in basis-set order; build the layout once instead where this is repeated."""
    return parameter_layout(potential).apply(x)
