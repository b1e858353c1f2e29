"""The potential in memory: one immutable object; files are read and written elsewhere.

Elements are kept in alphabetical order and numbered by it (mu). A bond belongs to an unordered pair of elements:
radial functions and core repulsion are symmetric, so both mirror blocks of a file share one `Bond`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.errors import PotentialError

NO_CORE = (0.0, 0.0)
E0_PREFIX = "E0_"
"""Names of entries in `auxdata: _double` that are energies of isolated atoms."""


class Function(NamedTuple):
    """One B-basis function, slots in file order.

    Attributes
    ----------
    elements : central element followed by the element of each slot, length order + 1
    ns : radial indices, 1-based; the index k of a base function for order 1
    ls : angular momenta, (0,) for order 1
    lint : intermediate angular momenta L_1..L_{order-2}
    coeffs : one coefficient per density of the central element
    skip : True if the function stands in the file but takes no part
    """

    elements: tuple[str, ...]
    ns: tuple[int, ...]
    ls: tuple[int, ...]
    lint: tuple[int, ...]
    coeffs: tuple[float, ...]
    skip: bool = False

    @property
    def order(self) -> int:
        """Number of A factors (pacemaker's rank)."""
        return len(self.ns)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes two functions the same, coefficients aside."""
        return self[:4]


@dataclass(frozen=True)
class Embedding:
    """Embedding of one element: F = sum_p w_p phi(rho_p; m_p) with parameters (w_1, m_1, w_2, m_2, ...)."""

    npot: str
    parameters: tuple[float, ...]
    rho_core_cut: float = 100000.0
    drho_core_cut: float = 250.0

    @property
    def ndensity(self) -> int:
        """Number of densities."""
        return len(self.parameters) // 2


@dataclass(frozen=True, eq=False)
class Bond:
    """Radial functions and core repulsion of one unordered pair of elements; lengths in Angstrom.

    crad has shape (n_max, l_max + 1, k_max) and is read-only.
    """

    radbase: str
    radparameters: tuple[float, ...]
    rcut: float
    dcut: float
    crad: NDArray[np.float64]
    rcut_in: float = 0.0
    dcut_in: float = 0.0
    inner_cutoff_type: str = "density"
    core_repulsion: tuple[float, float] = NO_CORE
    cutoff_function: str = "cos"

    def __post_init__(self) -> None:
        """Freeze the coefficients."""
        crad = np.array(self.crad, dtype=np.float64, order="C")
        if crad.ndim != 3:
            raise PotentialError(f"radial coefficients must have three axes (n, l, k), got shape {crad.shape}")
        crad.flags.writeable = False
        object.__setattr__(self, "crad", crad)

    @property
    def n_max(self) -> int:
        """Number of radial functions (a count)."""
        return self.crad.shape[0]

    @property
    def l_max(self) -> int:
        """Largest angular momentum (inclusive); -1 never occurs."""
        return self.crad.shape[1] - 1

    @property
    def k_max(self) -> int:
        """Number of radial base functions (a count)."""
        return self.crad.shape[2]


@dataclass(frozen=True)
class Block:
    """Functions of one central element with one set of neighbour elements.

    elements is the central element followed by the other distinct elements; functions keep their stored order.
    """

    elements: tuple[str, ...]
    functions: tuple[Function, ...] = ()

    @property
    def arity(self) -> int:
        """Number of distinct elements."""
        return len(self.elements)


def e0_entries(energies: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Form in which `auxdata` keeps energies per atom (`Potential.e0`)."""
    return {"_double": {E0_PREFIX + element: float(energy) for element, energy in energies.items()}} if energies else {}


def pair_key(a: str, b: str) -> tuple[str, str]:
    """Key of the unordered pair."""
    return (a, b) if a <= b else (b, a)


@dataclass(frozen=True, eq=False)
class Potential:
    """A complete ACE potential.

    Attributes
    ----------
    elements : symbols in alphabetical order
    embeddings : one per element
    bonds : one per unordered pair of elements, keys from `pair_key`; pairs may be absent, they do not interact
    blocks : function blocks in stored order
    delta_spline_bins : bin of the compatible table mode, Angstrom
    """

    elements: tuple[str, ...]
    embeddings: Mapping[str, Embedding]
    bonds: Mapping[tuple[str, str], Bond]
    blocks: tuple[Block, ...]
    delta_spline_bins: float = 0.001
    metadata: Mapping[str, str] = field(default_factory=dict)
    auxdata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cutoff(self) -> float:
        """Largest outer cutoff, Angstrom."""
        return max((bond.rcut for bond in self.bonds.values()), default=0.0)

    def bond(self, a: str, b: str) -> Bond | None:
        """Bond of a pair in either order, None if the pair is not defined."""
        return self.bonds.get(pair_key(a, b))

    def functions(self) -> Iterator[Function]:
        """All functions that take part, block by block in stored order."""
        for block in self.blocks:
            yield from (f for f in block.functions if not f.skip)

    @property
    def n_functions(self) -> int:
        """Number of functions that take part."""
        return sum(1 for _ in self.functions())

    @property
    def e0(self) -> dict[str, float]:
        """Energy per atom of an element that is not part of the expansion (eV), element -> energy; empty without any.

        It comes from the key `E0` of a `.yace` file and is kept in `auxdata` (`_double`: `E0_Al`), which a B-basis file carries.
        `acefit.calculator` adds it; fits and predictions, which are on the fitted scale, do not.
        """
        entries = self.auxdata.get("_double", {})
        return {element: float(entries[E0_PREFIX + element]) for element in self.elements if E0_PREFIX + element in entries}

    def with_e0(self, energies: Mapping[str, float]) -> Potential:
        """Copy with other energies per atom; without any where they are empty."""
        kept = {name: v for name, v in self.auxdata.get("_double", {}).items() if not name.startswith(E0_PREFIX)}
        kept |= e0_entries(energies).get("_double", {})
        others = {kind: values for kind, values in self.auxdata.items() if kind != "_double"}
        return replace(self, auxdata={**others, **({"_double": kept} if kept else {})})

    def with_metadata(self, **entries: str) -> Potential:
        """Copy with added or replaced metadata."""
        return replace(self, metadata={**self.metadata, **entries})
