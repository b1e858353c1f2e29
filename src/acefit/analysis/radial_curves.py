"""Radial functions of a potential on a grid of distances, for figures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import base_maps, bond_parameters, radial_base, radial_kind
from acefit.potential.model import Bond, Potential

SHORTEST = 0.02
"""Distances start at this fraction of the cutoff; at zero some bases are not defined."""


class RadialCurves(NamedTuple):
    """Radial functions of one bond on a grid of distances.

    Attributes
    ----------
    label : the pair of elements
    r : (G,) distances, Angstrom
    base : (G, K) base functions g_k
    radial : (G, N, L + 1) radial functions R_nl
    """

    label: str
    r: NDArray[np.float64]
    base: NDArray[np.float64]
    radial: NDArray[np.float64]


def evaluate_base(bond: Bond, pair: tuple[str, str], r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Base functions g_k of a bond.

    Parameters
    ----------
    bond : Bond
    pair : the two elements
    r : (G,) distances, Angstrom

    Returns
    -------
    base : (G, K)
    """
    return radial_base(radial_kind(bond), bond_parameters(bond, pair), base_maps(bond), r)[0].T


def compute_radial_curves(potential: Potential, n_points: int = 400) -> list[RadialCurves]:
    """Base functions and radial functions of all bonds of a potential, by pair."""
    curves = []
    for pair, bond in sorted(potential.bonds.items()):
        r = np.linspace(SHORTEST * bond.rcut, bond.rcut, n_points)
        base = evaluate_base(bond, pair, r)
        curves.append(RadialCurves("–".join(pair), r, base, np.einsum("nlk,gk->gnl", bond.crad, base)))  # noqa: RUF001
    return curves
