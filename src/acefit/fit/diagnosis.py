"""What is wrong with a loss that is not finite: its terms, and the structures behind them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.evaluation.grouping import sum_per_range

NAMED = 3
REACH = 3.0
"""Angstrom; shortest distances up to this are told."""


def explain_non_finite(evaluation: Any, structures: StructureSet) -> str:
    """Say which terms of a loss, or of its gradient, and which structures are not finite.

    Parameters
    ----------
    evaluation : evaluation of the loss, with predictions unless it was read from a log
    structures : of the loss, in its order

    Returns
    -------
    str
        Clauses that each begin with a semicolon.
    """
    bad_terms = [name for name, value in evaluation.terms.items() if not math.isfinite(value)]
    text = f"; not finite are the terms {', '.join(bad_terms)}" if bad_terms else "; its gradient is not finite"
    if not hasattr(evaluation, "energies"):
        return text
    n_bad_forces = sum_per_range((~np.isfinite(evaluation.forces).all(axis=1)).astype(np.int64), structures.offsets)
    bad = np.flatnonzero(~np.isfinite(evaluation.energies) | (n_bad_forces > 0))
    if len(bad):
        names = ", ".join(_describe(structures, int(s)) for s in bad[:NAMED])
        text += f"; predictions fail for {len(bad)} structures: {names}{' …' if len(bad) > NAMED else ''}"
    return text


def _describe(structures: StructureSet, position: int) -> str:
    """Name of a structure and its shortest distance."""
    shortest = build(structures.select([position]), REACH).shortest_per_structure()[0]
    return f"{structures.names[position]!r}" + (f" (shortest distance {shortest:.3g} Å)" if math.isfinite(shortest) else "")
