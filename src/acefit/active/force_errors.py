"""Atoms whose forces the potential describes well: only they should vouch for it in an active set."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.active.memory import LEAST_ATOMS
from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet, consecutive_ranges
from acefit.errors import ActiveSetError
from acefit.evaluation.predict import element_indices, predict_compiled
from acefit.potential.model import Potential

ATOMS_AT_ONCE = 128 * LEAST_ATOMS
FENCE = 1.5
"""Tukey's fence: errors above the third quartile plus this many interquartile ranges are outliers."""


class Limit(NamedTuple):
    """Largest error of a force that is accepted, eV/Angstrom; None: outliers are left out."""

    value: float | None


def parse_limit(text: str) -> Limit | None:
    """Limit that a text stands for: a number, ``auto``, or ``none`` for no limit.

    Raises
    ------
    ActiveSetError
        If it is neither.
    """
    if text in ("auto", "none"):
        return Limit(None) if text == "auto" else None
    try:
        return Limit(float(text))
    except ValueError:
        raise ActiveSetError(f"limit of force errors {text!r} is no number, nor auto or none") from None


def force_errors(potential: Potential, structures: StructureSet, threads: int | None = None) -> NDArray[np.float64]:
    """Norm of the force error of every atom, eV/Angstrom, (n_atoms,); NaN where there is no reference force."""
    compiled, errors = compile_potential(potential), np.zeros(structures.n_atoms)
    x = compiled.layout.vector()
    bounds = consecutive_ranges(structures.atoms_per_structure, ATOMS_AT_ONCE)
    for first, last in pairwise(bounds):
        part = structures.select(np.arange(first, last))
        found = predict_compiled(compiled, x, part, build(part, potential.cutoff), threads)
        atoms = slice(structures.offsets[first], structures.offsets[last])
        errors[atoms] = np.linalg.norm(found.forces - part.forces, axis=1)
    return errors


def well_described(
    potential: Potential, structures: StructureSet, limit: float | None = None, threads: int | None = None
) -> NDArray[np.bool_]:
    """Which atoms have a force error up to a limit; atoms without reference forces are among them.

    Parameters
    ----------
    potential : Potential
    structures : StructureSet
    limit : float, optional
        eV/Angstrom; default, for each element: third quartile plus 1.5 interquartile ranges of its errors.
    threads : int, optional

    Returns
    -------
    bool, shape (n_atoms,)

    Raises
    ------
    ActiveSetError
        If the limit is not positive.
    """
    if limit is not None and not limit > 0.0:
        raise ActiveSetError(f"the limit of force errors must be positive, got {limit}")
    errors = force_errors(potential, structures, threads)
    known, accepted = np.isfinite(errors), np.ones(len(errors), dtype=bool)
    elements = element_indices(potential, structures.numbers)
    for mu in np.unique(elements[known]):
        atoms = np.flatnonzero(known & (elements == mu))
        low, high = np.quantile(errors[atoms], [0.25, 0.75])
        accepted[atoms] = errors[atoms] <= (high + FENCE * (high - low) if limit is None else limit)
    return accepted
