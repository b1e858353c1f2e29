"""Search for an active set in batches: each batch competes with what was chosen before, then all of them once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from acefit.active.maxvol import ITERATIONS, TOLERANCE, Floats, Inverse, column_scales, invert, maxvol
from acefit.active.vectors import Rows, grade_rows
from acefit.errors import ActiveSetError

Batches = Callable[[], Iterable[dict[str, Rows]]]
"""Gives all environments, each time from the first batch on."""


@dataclass(frozen=True)
class SearchSettings:
    """How long to search.

    Parameters
    ----------
    tolerance : float
        Grade up to which environments need not be in the set, at least 1.
    iterations : int
        Largest number of exchanges of one MaxVol search.
    refinements : int
        How often all batches are gone through once more, if there are several.
    """

    tolerance: float = TOLERANCE
    iterations: int = ITERATIONS
    refinements: int = 5

    def __post_init__(self) -> None:
        if not 1.0 <= self.tolerance < np.inf:
            raise ActiveSetError(f"the tolerance of MaxVol must be at least 1, got {self.tolerance}")
        if self.iterations < 1 or self.refinements < 0:
            raise ActiveSetError(
                f"MaxVol needs at least 1 iteration and 0 refinements, got {self.iterations} and {self.refinements}"
            )


class Found(NamedTuple):
    """Active set of one element.

    Attributes
    ----------
    rows : its environments
    inverse : of their vectors
    largest : largest grade of all environments
    n_environments : how many there are
    """

    rows: Rows
    inverse: Inverse
    largest: float
    n_environments: int


class _Chosen(NamedTuple):
    """Rows so far, largest absolute value of each column so far."""

    rows: Rows
    scales: Floats


def search(batches: Batches, n_batches: int, start: Mapping[str, Rows], settings: SearchSettings) -> dict[str, Found]:
    """Choose environments of each element.

    Parameters
    ----------
    batches : callable
        Environments by element; called again for every refinement.
    n_batches : int
    start : mapping
        Element -> environments that compete from the beginning, maybe none.
    settings : SearchSettings
    """
    chosen = {symbol: _Chosen(rows, np.abs(rows.vectors).max(axis=0, initial=0.0)) for symbol, rows in start.items()}
    counts, largest = dict.fromkeys(start, 0), {}
    for batch in batches():
        for symbol, rows in batch.items():
            counts[symbol] += len(rows.vectors)
            chosen[symbol] = _compete(chosen[symbol], rows, settings)
            if n_batches == 1:
                largest[symbol] = _largest(rows, _invert(chosen[symbol]))
    inverses = {symbol: _invert(found) for symbol, found in chosen.items()}
    if n_batches == 0:
        largest = dict.fromkeys(start, 0.0)
    if n_batches > 1:
        for _ in range(settings.refinements):
            largest = _refine(batches, chosen, inverses, settings)
            if max(largest.values(), default=0.0) <= settings.tolerance:
                break
        else:
            # what the last refinement found it has changed
            largest = _grade(batches, inverses)
    return {symbol: Found(chosen[symbol].rows, inverses[symbol], largest[symbol], counts[symbol]) for symbol in chosen}


def _compete(chosen: _Chosen, rows: Rows, settings: SearchSettings) -> _Chosen:
    """Choose anew among chosen rows and others."""
    joined, before = Rows.joined(chosen.rows, rows), len(chosen.rows.vectors)
    found = maxvol(joined.vectors, settings.tolerance, settings.iterations, np.arange(before))
    scales = np.maximum(chosen.scales, np.abs(rows.vectors).max(axis=0, initial=0.0))
    return _Chosen(joined.take(np.sort(found.rows)), scales)


def _largest(rows: Rows, inverse: Inverse) -> float:
    return float(grade_rows(rows.vectors, inverse.matrix).max(initial=0.0))


def _invert(chosen: _Chosen) -> Inverse:
    return invert(chosen.rows.vectors, column_scales(chosen.scales[None, :]))


def _refine(
    batches: Batches, chosen: dict[str, _Chosen], inverses: dict[str, Inverse], settings: SearchSettings
) -> dict[str, float]:
    """Let rows compete whose grade is above the tolerance; chosen rows and inverses change. Returns the largest grades met."""
    largest = dict.fromkeys(chosen, 0.0)
    for batch in batches():
        for symbol, rows in batch.items():
            grades = grade_rows(rows.vectors, inverses[symbol].matrix)
            largest[symbol] = max(largest[symbol], float(grades.max(initial=0.0)))
            above = np.flatnonzero(grades > settings.tolerance)
            if len(above):
                chosen[symbol] = _compete(chosen[symbol], rows.take(above), settings)
                inverses[symbol] = _invert(chosen[symbol])
    return largest


def _grade(batches: Batches, inverses: Mapping[str, Inverse]) -> dict[str, float]:
    """Largest grade of each element."""
    largest = dict.fromkeys(inverses, 0.0)
    for batch in batches():
        for symbol, rows in batch.items():
            largest[symbol] = max(largest[symbol], _largest(rows, inverses[symbol]))
    return largest
