"""From files to a potential with core repulsion: what `acefit corerep` does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from acefit.active.active_set import import_functions
from acefit.errors import DataError
from acefit.fit.repulsion import with_inner_cutoffs
from acefit.potential.model import Potential
from acefit.shortrange.check import Wall, check_walls
from acefit.shortrange.corerep import (
    CorerepSettings,
    InnerCutoff,
    Watch,
    automatic_cutoffs,
    given_cutoffs,
    parse_inner_cutoffs,
    without_repulsion,
)
from acefit.shortrange.grading import grades_of, read_with_active_set
from acefit.shortrange.inputs import read_geometries

log = logging.getLogger(__name__)


class Repelling(NamedTuple):
    """A potential with core repulsion.

    Attributes
    ----------
    potential : it
    cutoffs : inner cutoff of each bond, and where it comes from
    walls : whether the energy of each pair of elements rises all the way now
    path_to_active_set : file that was used, or None
    """

    potential: Potential
    cutoffs: list[InnerCutoff]
    walls: list[Wall]
    path_to_active_set: Path | None

    def facts(self) -> dict[str, object]:
        """Everything but the potential by name."""
        cutoffs = [{"pair": "-".join(c.pair), "inner_cutoff": c.distance, "source": c.source} for c in self.cutoffs]
        known = "none" if self.path_to_active_set is None else str(self.path_to_active_set)
        return {"active_set": known, "inner_cutoffs": cutoffs, "walls": [wall.facts() for wall in self.walls]}


def add_repulsion(
    path_to_potential: Path,
    paths_to_data: Sequence[Path] = (),
    inner_cutoffs: Sequence[str] = (),
    path_to_active_set: Path | None = None,
    settings: CorerepSettings | None = None,
    watch: Watch = iter,
) -> Repelling:
    """Give a potential ZBL repulsion below inner cutoffs that are given, or found in data.

    Parameters
    ----------
    path_to_potential : path
    paths_to_data : sequence of paths
        Training data, to find inner cutoffs.
    inner_cutoffs : sequence of str
        As `parse_inner_cutoffs` reads them.
    path_to_active_set : path, optional
        Default: the file beside the potential that ends in `.asi`, if there is one.
    settings : CorerepSettings, optional
        Of the search.
    watch : callable
        Is given the numbers of the structures that are compressed, for a progress bar.

    Raises
    ------
    DataError
        If there are neither data nor inner cutoffs, or both, or they cannot be used.
    PotentialError, ActiveSetError
        If potential or active set cannot be used.
    """
    if bool(paths_to_data) == bool(inner_cutoffs):
        raise DataError(
            "give either training data (--data), from which inner cutoffs are found, or inner cutoffs (--inner-cutoff)"
        )
    if inner_cutoffs and path_to_active_set:
        raise DataError("an active set (--active-set) is of use only with --data, not with --inner-cutoff")
    known, path_to_known = None, None
    if inner_cutoffs:
        potential = import_functions(path_to_potential)
        cutoffs = given_cutoffs(potential, parse_inner_cutoffs(inner_cutoffs))
    else:
        potential, known, path_to_known = read_with_active_set(path_to_potential, path_to_active_set)
        structures = read_geometries(paths_to_data, potential)
        gamma_of = grades_of(without_repulsion(potential), known)
        cutoffs = automatic_cutoffs(potential, structures, settings, gamma_of, watch)
    _warn_of_own_cores(potential)
    changed = with_inner_cutoffs(potential, {cutoff.pair: cutoff.distance for cutoff in cutoffs})
    return Repelling(changed, cutoffs, check_walls(changed), path_to_known)


def _warn_of_own_cores(potential: Potential) -> None:
    """ZBL acts below the inner cutoff only; other kinds are a part of what was fitted, in the data too."""
    for (a, b), bond in sorted(potential.bonds.items()):
        if bond.inner_cutoff_type != "zbl" and (any(bond.core_repulsion) or bond.rcut_in > 0.0):
            log.warning(
                "%s-%s: the potential was fitted with its core repulsion or inner cutoff (%s, %g Å), which ZBL replaces, so that "
                "energies of the data change, too; acefit evaluate says by how much",
                *(a, b, bond.inner_cutoff_type, bond.rcut_in),
            )
