"""Whether energies of collected steps change as their forces and stresses say."""

import numpy as np


def rate_of_change(step):
    """Derivatives of the energy by positions at a fixed strain, and by the strain; the latter zero without a stress."""
    xx, yy, zz, yz, xz, xy = np.nan_to_num(step.stress) * abs(np.linalg.det(step.atoms.cell.array))
    return -step.forces, np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def predicted_change(a, b):
    """The change of the energy from step a to step b, by the trapezoidal rule."""
    same = np.array_equal(a.atoms.cell.array, b.atoms.cell.array)
    moved = np.eye(3) if same else np.linalg.solve(a.atoms.cell.array, b.atoms.cell.array)  # rows are vectors
    strain = (moved + moved.T) / 2 - np.eye(3)
    by_positions, by_strain = (np.add(x, y) / 2 for x, y in zip(rate_of_change(a), rate_of_change(b), strict=True))
    return np.sum(by_positions * (b.atoms.positions - a.atoms.positions @ moved)) + np.sum(by_strain * strain)
