"""Assign weights to a dataset: those it brings, or a policy's, and the selection of structures that goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acefit.data.energy_based import EnergyBasedPolicy, select_and_weight
from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet, atom_rows
from acefit.data.weights import Weighting, Weights, normalized
from acefit.errors import DataError


@dataclass
class Draft:
    """Weights under construction, over the whole dataset; NaN where a weight is not known yet."""

    energy: NDArray[np.float64]
    force: NDArray[np.float64]
    subsets: list[str]
    reasons: list[str]
    effective: NDArray[np.float64]
    tiers: list[str]
    source: str = "uniform"


def assign_weights(
    dataset: Dataset,
    subsets: tuple[str, ...],
    policy: Mapping[str, Any] | None = None,
    ignore_weights: bool = False,
    aug_factor: float = 1e-4,
) -> Weighting:
    """Weight a dataset.

    Parameters
    ----------
    dataset : Dataset
    subsets : tuple of str, length S
        train, test or excluded.
    policy : mapping, optional
        ``type`` (UniformWeightingPolicy, EnergyBasedWeightingPolicy, ExternalWeightingPolicy) and its parameters; uniform
        weights without it.
    ignore_weights : bool
        Apply the policy even if the dataset brings weights of its own.
    aug_factor : float
        Factor on all weights of structures whose name starts with ``augmented``.

    Returns
    -------
    weighting : Weighting

    Raises
    ------
    DataError
        If the policy cannot be understood or applied, weights are missing, or no training structure remains.
    """
    structures = dataset.structures
    draft = Draft(
        energy=np.ones(structures.n_structures),
        force=np.ones(structures.n_atoms),
        subsets=list(subsets),
        reasons=["uniform weights"] * structures.n_structures,
        effective=np.full(structures.n_structures, np.nan),
        tiers=[""] * structures.n_structures,
    )
    given = np.isfinite(dataset.energy_weights).any() and np.isfinite(dataset.force_weights).any()
    if given and not ignore_weights:
        _take_given(draft, dataset)
    else:
        _apply_policy(draft, dataset, dict(policy or {}))
    _apply_factors(draft, dataset)
    _weight_augmented(draft, dataset, aug_factor)
    return _finish(draft, structures)


def _take_given(draft: Draft, dataset: Dataset) -> None:
    draft.energy, draft.force = dataset.energy_weights.copy(), dataset.force_weights.copy()
    draft.reasons = ["weights of the dataset"] * len(draft.reasons)
    draft.source = "dataset"


def _apply_policy(draft: Draft, dataset: Dataset, policy: dict[str, Any]) -> None:
    kind = policy.pop("type", "UniformWeightingPolicy")
    if kind == "UniformWeightingPolicy":
        if policy:
            raise DataError(f"UniformWeightingPolicy has no parameters, but {', '.join(policy)} is given; remove it")
        return
    if kind == "EnergyBasedWeightingPolicy":
        draft.source = "energy-based"
        # Synthetic structures of high energy would be left out, and must not change what is drawn from the real ones
        augmented = [s for s in np.flatnonzero(find_augmented(dataset.structures)) if draft.subsets[s] != "excluded"]
        hidden = set(augmented)
        real = ["excluded" if s in hidden else subset for s, subset in enumerate(draft.subsets)]
        selection = select_and_weight(dataset.structures, real, EnergyBasedPolicy.from_mapping(policy))
        draft.energy, draft.force = selection.energy, selection.force
        draft.effective, draft.tiers = selection.effective, selection.tiers
        for s in augmented:
            selection.subsets[s], selection.reasons[s] = draft.subsets[s], "median weight of the real structures"
        draft.subsets, draft.reasons = selection.subsets, selection.reasons
        return
    if kind == "ExternalWeightingPolicy":
        name = policy.pop("filename", None) or policy.pop("filename_or_df", None)
        policy.pop("filename_or_df", None)
        joint = bool(policy.pop("joint", False))
        if name is None or policy:
            raise DataError(f"ExternalWeightingPolicy needs 'filename' and takes 'joint', not {', '.join(policy) or 'nothing'}")
        # Loads pandas, which takes longer than the rest of the stage
        from acefit.data.external_weights import join_external, read_external

        draft.source = "external"
        external = read_external(name)
        draft.energy, draft.force = join_external(external, dataset.structures, draft.subsets, joint)
        absent, synthetic = np.isnan(draft.energy), find_augmented(dataset.structures)
        for s in np.flatnonzero(absent & synthetic):
            draft.reasons[s] = "median weight of the real structures"
        for s in np.flatnonzero(absent & ~synthetic):
            draft.subsets[s], draft.reasons[s] = "excluded", f"no weight in {external.source}"
        draft.reasons = [reason if reason != "uniform weights" else f"weight from {external.source}" for reason in draft.reasons]
        return
    raise DataError(f"unknown weighting type {kind!r}; give Uniform-, EnergyBased- or ExternalWeightingPolicy")


def _apply_factors(draft: Draft, dataset: Dataset) -> None:
    """Multiply by ``w_factor``; structures without one have the factor 1."""
    factors = np.where(np.isnan(dataset.weight_factors), 1.0, dataset.weight_factors)
    draft.energy = draft.energy * factors
    draft.force = draft.force * factors[dataset.structures.structure_of_atom]
    for s in np.flatnonzero((factors != 1.0) & np.isfinite(draft.energy)):
        draft.reasons[s] += f", w_factor {factors[s]:g}"


def find_augmented(structures: StructureSet) -> NDArray[np.bool_]:
    """Which structures are synthetic: those whose name starts with ``augmented``, shape (S,)."""
    return np.array([name.startswith("augmented") for name in structures.names], dtype=bool)


def _weight_augmented(draft: Draft, dataset: Dataset, aug_factor: float) -> None:
    """Give augmented structures the median weight where they have none, and reduce all of them; each subset by itself.

    The mask of their forces counts wherever the dataset has no force weights of its own for them.
    """
    structures = dataset.structures
    is_augmented = find_augmented(structures)
    if is_augmented.any():
        of_atom = structures.structure_of_atom
        masks = np.where(np.isnan(dataset.force_masks), 1.0, dataset.force_masks)
        for subset in ("train", "test"):
            members = np.array(draft.subsets) == subset
            real, augmented = members & ~is_augmented, members & is_augmented
            real_atoms, augmented_atoms = real[of_atom], augmented[of_atom]
            bare = augmented & np.isnan(draft.energy)
            bare_atoms = augmented_atoms & np.isnan(draft.force)
            if (bare.any() or bare_atoms.any()) and not real.any():
                raise DataError(f"the {subset} set has augmented structures without weights and no real ones to take them from")
            if bare.any():
                draft.energy[bare] = np.median(draft.energy[real])
            if bare_atoms.any():
                draft.force[bare_atoms] = np.median(draft.force[real_atoms])
            masked = augmented_atoms if draft.source != "dataset" else bare_atoms
            draft.force[masked] *= masks[masked]
            draft.energy[augmented] *= aug_factor
            draft.force[augmented_atoms] *= aug_factor
            for s in np.flatnonzero(augmented):
                draft.reasons[s] += f", augmented: times {aug_factor:g}"


def _finish(draft: Draft, structures: StructureSet) -> Weighting:
    """Check that all weights are known, normalise each subset by itself and set those of excluded structures to 0."""
    subsets = np.array(draft.subsets)
    used = subsets != "excluded"
    missing = used & np.isnan(draft.energy)
    missing[structures.structure_of_atom[np.isnan(draft.force)]] |= used[structures.structure_of_atom[np.isnan(draft.force)]]
    if missing.any():
        name = structures.names[int(np.flatnonzero(missing)[0])]
        raise DataError(
            f"{np.count_nonzero(missing)} structures have no weights although others do, the first is {name!r}; "
            "give w_energy and w_forces for all of them or set data.ignore_weights"
        )
    if not (subsets == "train").any():
        raise DataError("the weighting leaves no training structure; widen its limits (DEup, DFup, reftype) or its selection")
    weights = Weights(np.zeros(structures.n_structures), np.zeros(structures.n_atoms), np.zeros(structures.n_structures))
    for subset in ("train", "test"):
        members = np.flatnonzero(subsets == subset)
        atoms = atom_rows(structures.offsets, members)
        part = normalized(structures.select(members), draft.energy[members], draft.force[atoms])
        weights.energy[members], weights.force[atoms], weights.stress[members] = part.energy, part.force, part.stress
    train = subsets == "train"
    if not (weights.energy[train].any() or weights.force[train[structures.structure_of_atom]].any()):
        raise DataError(
            "all weights of the training set are 0, so that there is nothing to fit; give some of its energies or forces a weight"
        )
    return Weighting(weights, tuple(draft.subsets), tuple(draft.reasons), draft.effective, tuple(draft.tiers), draft.source)


def automatic_kappa(structures: StructureSet) -> float:
    """Value of ``kappa: auto`` for the structures that are fitted.

    kappa = s_E^2 / (s_E^2 + s_F^2) with the sample standard deviation s_E of the energies per atom (eV) and the population
    standard deviation s_F of the norms of the force vectors (eV/Å).

    Raises
    ------
    DataError
        If there are too few energies or forces, or none of them vary.
    """
    energies = structures.energies / structures.atoms_per_structure
    energies = energies[np.isfinite(energies)]
    norms = np.linalg.norm(structures.forces[np.isfinite(structures.forces).all(axis=1)], axis=1)
    if len(energies) < 2 or not len(norms):
        raise DataError("kappa: auto needs at least two energies and one force; give kappa a number")
    variance_e, variance_f = np.var(energies, ddof=1), np.var(norms)
    if variance_e + variance_f == 0:
        raise DataError("kappa: auto needs energies or forces that differ from each other; give kappa a number")
    return float(variance_e / (variance_e + variance_f))
