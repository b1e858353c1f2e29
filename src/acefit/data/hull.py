"""Lower convex hull of formation energies over compositions, and distances above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

VERTICAL = 1e-10
"""Facets whose unit normal has a smaller energy component are walls of the hull, not part of its lower side."""


@dataclass(frozen=True, eq=False)
class LowerHull:
    """Lower hull of energies per atom over compositions of n elements.

    Parameters
    ----------
    references : float64, shape (n,)
        Lowest energy per atom among the pure structures of each element, eV; 0 for elements without one.
    center, axes : float64, shapes (n - 1,) and (r, n - 1)
        Composition coordinates are (c_1 .. c_{n-1} - center) . axes^T; r is the number of independent composition directions.
    planes : float64, shape (n_facets, r + 1)
        Energy above the references as a linear function of the coordinates: slopes and constant.
    """

    references: NDArray[np.float64]
    center: NDArray[np.float64]
    axes: NDArray[np.float64]
    planes: NDArray[np.float64]

    def formation_energies(self, concentrations: NDArray[np.float64], energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energies per atom minus those of the pure references, eV/atom, shape (S,)."""
        return energies - concentrations @ self.references

    def distances(self, concentrations: NDArray[np.float64], energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy above the hull.

        Parameters
        ----------
        concentrations : float64, shape (S, n)
            Mole fractions, elements as in `build_hull`.
        energies : float64, shape (S,)
            Energies per atom, eV.

        Returns
        -------
        distances : float64, shape (S,)
            eV/atom; at least 0. Beyond the compositions the hull was built from, its facets are continued.
        """
        coordinates = (concentrations[:, :-1] - self.center) @ self.axes.T
        heights = coordinates @ self.planes[:, :-1].T + self.planes[:, -1]
        above = self.formation_energies(concentrations, energies) - heights.max(axis=1)
        return np.maximum(above, 0.0)


def build_hull(concentrations: NDArray[np.float64], energies: NDArray[np.float64]) -> LowerHull:
    """Build the lower convex hull.

    Parameters
    ----------
    concentrations : float64, shape (S, n)
        Mole fractions of n elements, rows sum to 1.
    energies : float64, shape (S,)
        Energies per atom, eV.

    Returns
    -------
    hull : LowerHull

    Notes
    -----
    If the compositions lie on a line or plane of fewer dimensions than there are elements, or are all the same, the hull is built
    in the dimensions they span; Qhull alone would fail. The hull is convex, so the highest lower facet at a composition is
    the hull's energy there.
    """
    pure = [energies[concentrations[:, k] == 1.0] for k in range(concentrations.shape[1])]
    references = np.array([values.min() if len(values) else 0.0 for values in pure])
    formation = energies - concentrations @ references
    points = concentrations[:, :-1]
    center, axes = _spanned(points)
    if not len(axes):
        planes = np.array([[formation.min()]])
    else:
        coordinates = (points - center) @ axes.T
        planes = _lower_planes(np.column_stack([coordinates, formation]))
    return LowerHull(references, center, axes, planes)


def _spanned(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin and orthonormal axes of the space that points span; the given coordinates themselves if they span all of it."""
    n_axes = points.shape[1]
    origin = points.mean(axis=0)
    singular, directions = np.linalg.svd(points - origin, full_matrices=False)[1:]
    rank = int(np.count_nonzero(singular > 1e-8))
    if rank == n_axes:
        return np.zeros(n_axes), np.eye(n_axes)
    return origin, directions[:rank]


def _lower_planes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Planes of the lower facets of points (coordinates, energy)."""
    try:
        equations = ConvexHull(points).equations
    except QhullError:
        # all energies are on one plane or the points are too few: a point far above all others does not change the lower side
        top = np.append(points[:, :-1].mean(axis=0), points[:, -1].max() + np.ptp(points[:, -1]) + 1.0)
        equations = ConvexHull(np.vstack([points, top])).equations
    lower = equations[equations[:, -2] < -VERTICAL]
    return np.column_stack([-lower[:, :-2] / lower[:, -2:-1], -lower[:, -1] / lower[:, -2]])
