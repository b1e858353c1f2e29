"""Energy-based selection and weighting: structures low in energy count more, those high in energy or force are left out.

Random draws are those pacemaker makes with the same seed, from a generator of their own. Unlike pacemaker's, tiers, hull and
selection depend on the training set only (see `EnergyBasedPolicy.joint`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acefit.data.hull import LowerHull, build_hull
from acefit.data.references import count_elements
from acefit.data.structures import StructureSet
from acefit.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EnergyBasedPolicy:
    """Parameters of the energy-based policy, named as in the input file.

    Parameters
    ----------
    DElow, DEup : float
        Boundary of the lower tier and upper limit of the effective energy, eV/atom.
    DFup : float, optional
        Upper limit of the largest force of a structure, eV/Å.
    DE, DF : float
        Offsets of the weights 1/(e + |DE|)^2, eV/atom, and 1/(F^2 + |DF|), (eV/Å)^2.
    wlow : float, optional
        Total energy weight of the lower tier, 0 to 1.
    energy : str
        ``convex_hull`` or ``cohesive``: what the effective energy is measured from.
    reftype : str
        ``all``, ``bulk`` (fully periodic) or ``cluster`` (all others).
    nfit, n_lower, n_upper : int, optional
        Total number of structures to select, or numbers per tier.
    seed : int, optional
    joint : bool
        True: training and test structures are selected and weighted together, as pacemaker does. False: filters, hull and
        selection concern the training structures; test structures are all kept, with energies above the training hull.
    """

    DElow: float = 1.0
    DEup: float = 10.0
    DFup: float | None = None
    DE: float = 1.0
    DF: float = 1.0
    wlow: float | None = None
    energy: str = "convex_hull"
    reftype: str = "all"
    nfit: int | None = None
    n_lower: int | None = None
    n_upper: int | None = None
    seed: int | None = None
    joint: bool = False

    def __post_init__(self) -> None:
        if self.energy not in ("convex_hull", "cohesive"):
            raise DataError(f"weighting: energy is {self.energy!r}; give 'convex_hull' or 'cohesive'")
        if self.reftype not in ("all", "bulk", "cluster"):
            raise DataError(f"weighting: reftype is {self.reftype!r}; give 'all', 'bulk' or 'cluster'")
        if (self.n_lower is None) != (self.n_upper is None):
            raise DataError("weighting: give both n_lower and n_upper or none of them")
        if self.n_lower is not None and self.nfit is not None:
            raise DataError("weighting: give nfit or n_lower and n_upper, not all of them")
        if self.wlow is not None and not 0 <= self.wlow <= 1:
            raise DataError(f"weighting: wlow is {self.wlow}; it is a share from 0 to 1")
        if self.DE == 0 or self.DF == 0:
            raise DataError("weighting: DE and DF must not be 0, else the lowest energy or a zero force has an infinite weight")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> EnergyBasedPolicy:
        """Build the policy from the input's parameters; ``none`` means absent, pacemaker's unused ``cutoff`` is accepted.

        Raises
        ------
        DataError
            If there is an unknown parameter or an impossible value.
        """
        known = {f.name for f in fields(cls)}
        given = {
            key: None if value in ("none", "None") else value for key, value in values.items() if key not in ("cutoff", "type")
        }
        unknown = sorted(set(given) - known)
        if unknown:
            raise DataError(
                f"EnergyBasedWeightingPolicy has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )
        return cls(**{key: value for key, value in given.items() if value is not None})


@dataclass
class Selection:
    """Outcome over the whole dataset: weights (not normalised over subsets; NaN for excluded structures), labels and reasons."""

    energy: NDArray[np.float64]
    force: NDArray[np.float64]
    effective: NDArray[np.float64]
    tiers: list[str]
    subsets: list[str]
    reasons: list[str]


def select_and_weight(structures: StructureSet, subsets: list[str], policy: EnergyBasedPolicy) -> Selection:
    """Apply the policy to a dataset.

    Parameters
    ----------
    structures : StructureSet
        Corrected energies; structures without one are excluded with a reason, missing forces count as zero.
    subsets : list of str, length S
        train, test or excluded; excluded ones stay so.
    policy : EnergyBasedPolicy

    Returns
    -------
    selection : Selection
    """
    result = Selection(
        energy=np.full(structures.n_structures, np.nan),
        force=np.full(structures.n_atoms, np.nan),
        effective=np.full(structures.n_structures, np.nan),
        tiers=[""] * structures.n_structures,
        subsets=list(subsets),
        reasons=["excluded before"] * structures.n_structures,
    )
    without_energy = np.isnan(structures.energies) & (np.array(subsets) != "excluded")
    _exclude(result, np.flatnonzero(without_energy), "no energy, which the energy-based policy needs")
    labels = np.array(result.subsets)
    train, test = np.flatnonzero(labels == "train"), np.flatnonzero(labels == "test")
    # pacemaker puts the test structures behind the training structures; the draws depend on this order
    candidates = np.concatenate([train, test]) if policy.joint else train
    hull = _select(result, structures, candidates, policy)
    if not policy.joint and len(test) and hull is not None:
        _measure(result, structures, test, hull, policy)
        _weight(result, structures, test, policy)
        for s in test:
            result.reasons[s] = "energy-based weight, test structures are all kept"
    return result


def _exclude(result: Selection, rows: NDArray[np.integer], reason: str) -> None:
    for s in rows:
        result.subsets[s], result.reasons[s] = "excluded", reason


def _force_norms(structures: StructureSet) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(np.nan_to_num(structures.forces), axis=1))


def _concentrations(structures: StructureSet) -> NDArray[np.float64]:
    return count_elements(structures)[0] / structures.atoms_per_structure[:, None]


def _select(
    result: Selection, structures: StructureSet, candidates: NDArray[np.intp], policy: EnergyBasedPolicy
) -> LowerHull | None:
    """Filter, draw and weight the candidates; returns the hull their energies are measured from (None without candidates)."""
    n_all = len(candidates)
    is_bulk = np.asarray(structures.pbc.all(axis=1))[candidates]
    if policy.reftype != "all":
        kept = is_bulk if policy.reftype == "bulk" else ~is_bulk
        _exclude(result, candidates[~kept], f"reftype {policy.reftype}")
        candidates = candidates[kept]
    if not len(candidates):
        return None
    concentrations = _concentrations(structures)[candidates]
    energies = (structures.energies / structures.atoms_per_structure)[candidates]
    if policy.energy == "cohesive":
        # the hull of one composition: its lowest energy, whatever the elements
        concentrations = np.ones((len(candidates), 1))
    hull = build_hull(concentrations, energies)
    _measure(result, structures, candidates, hull, policy)
    if policy.DFup is not None:
        large = np.maximum.reduceat(_force_norms(structures), structures.offsets[:-1])[candidates] > policy.DFup
        _exclude(result, candidates[large], f"a force is larger than DFup {policy.DFup:g} eV/Å")
        candidates = candidates[~large]
    high = ~(result.effective[candidates] < policy.DEup)
    _exclude(result, candidates[high], f"the effective energy reaches DEup {policy.DEup:g} eV/atom")
    drawn = _draw(result, candidates[~high], n_all, policy)
    _weight(result, structures, drawn, policy)
    for s in drawn:
        result.reasons[s] = f"energy-based weight, {result.tiers[s]} tier"
    return hull


def _measure(
    result: Selection, structures: StructureSet, rows: NDArray[np.intp], hull: LowerHull, policy: EnergyBasedPolicy
) -> None:
    """Set effective energies and tiers."""
    energies = (structures.energies / structures.atoms_per_structure)[rows]
    cohesive = policy.energy == "cohesive"
    concentrations = np.ones((len(rows), 1)) if cohesive else _concentrations(structures)[rows]
    result.effective[rows] = hull.distances(concentrations, energies)
    for s in rows:
        result.tiers[s] = "lower" if result.effective[s] < policy.DElow else "upper"


def _draw(result: Selection, candidates: NDArray[np.intp], n_all: int, policy: EnergyBasedPolicy) -> NDArray[np.intp]:
    """Draw structures from the tiers; the rest is excluded.

    The calls and their conditions are pacemaker's, including the draw of a complete upper tier, which only permutes it.
    """
    generator = np.random.RandomState(policy.seed)
    is_lower = result.effective[candidates] < policy.DElow
    lower, upper = candidates[is_lower], candidates[~is_lower]
    n_fit = policy.nfit if policy.nfit is not None else n_all
    n_lower = policy.n_lower if policy.n_lower is not None else n_fit
    chosen_lower = generator.choice(lower, n_lower, replace=False) if len(lower) > n_lower else lower
    if policy.n_upper is not None:
        chosen_upper = generator.choice(upper, policy.n_upper, replace=False) if len(upper) > policy.n_upper else upper
    else:
        n_upper = n_fit - len(chosen_lower)
        chosen_upper = generator.choice(upper, n_upper, replace=False) if len(upper) >= n_upper else upper
    drawn = np.sort(np.concatenate([chosen_lower, chosen_upper]))
    _exclude(result, np.setdiff1d(candidates, drawn), "not drawn (nfit, n_lower, n_upper)")
    return drawn


def _weight(result: Selection, structures: StructureSet, rows: NDArray[np.intp], policy: EnergyBasedPolicy) -> None:
    """Set the weights of the given structures from their effective energies and forces."""
    if not len(rows):
        return
    energy = 1.0 / (result.effective[rows] + abs(policy.DE)) ** 2
    energy /= energy.sum()
    is_lower = np.array([result.tiers[s] == "lower" for s in rows])
    share, wanted = energy[is_lower].sum(), policy.wlow
    if wanted is not None and is_lower.all() and wanted != 1:
        number = "a set of 1 structure" if len(rows) == 1 else f"a set of {len(rows)} structures"
        logger.warning("weighting: %s has none in the upper tier; for it wlow %g is taken for 1", number, wanted)
        wanted = 1.0
    if wanted is not None and 0 < share < 1:
        energy[is_lower] *= wanted / share
        energy[~is_lower] *= (1 - wanted) / (1 - share)
    result.energy[rows] = energy
    of_atom = structures.structure_of_atom
    atoms = np.isin(of_atom, rows)
    result.force[atoms] = result.energy[of_atom[atoms]] / (_force_norms(structures)[atoms] ** 2 + abs(policy.DF))
