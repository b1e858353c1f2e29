"""Synthetic data at short distances: compressed structures with ZBL energies where a potential is not to be relied on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import build
from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet, atom_rows, concatenate
from acefit.errors import DataError
from acefit.potential.model import Potential
from acefit.shortrange.compression import Compressed, GammaOf, check_search, compress, reliable_sizes
from acefit.shortrange.distances import Distances, atoms_with_short_pairs, known_distances, look_through

NAME = "augmented/zbl"
"""Names of augmented structures begin with it, by which the weights stage knows them."""

Rank = Callable[[StructureSet, int | None], NDArray[np.int64]]
"""Chooses at most so many structures (None: any number), the most informative first."""


@dataclass(frozen=True)
class AugmentSettings:
    """How structures are augmented.

    Parameters
    ----------
    n_seeds : int
        Structures that are compressed, drawn evenly from all compositions.
    largest_seed : int
        Atoms a structure may have; the smallest ones are taken if all have more.
    shortest, step : float
        Shortest distances of the compressed structures begin and grow by these, Angstrom.
    highest, lowest : float
        Limits of the ZBL energies of augmented structures, eV/atom.
    highest_reliable : float
        Limit of the energies at which the potential is relied on, eV/atom.
    largest_gamma : float
        Limit of the extrapolation grade at which the potential is relied on.
    n_selected : int or None
        Structures to keep at most.
    seed : int
        Of the random draw.
    """

    n_seeds: int = 100
    largest_seed: int = 32
    shortest: float = 1.0
    step: float = 0.1
    highest: float = 150.0
    lowest: float = -np.inf
    highest_reliable: float = np.inf
    largest_gamma: float = 10.0
    n_selected: int | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        if min(self.n_seeds, self.largest_seed) < 1 or (self.n_selected is not None and self.n_selected < 1):
            raise DataError("augmentation needs at least one seed structure, one atom in it and one structure to select")
        check_search(self.shortest, self.step, self.largest_gamma, self.seed)
        if not self.lowest < self.highest:
            raise DataError(f"no energy is above {self.lowest} and below {self.highest} eV/atom; exchange them")


class Augmented(NamedTuple):
    """Synthetic structures, and what became of the seeds.

    Attributes
    ----------
    structures : with the energies and forces of ZBL, whose zero is that of free atoms
    mask : (A,) 1 for atoms with a neighbour closer than the data know, else 0
    distances : (S,) shortest distance, Angstrom
    thresholds : pair of elements -> Angstrom, what the data know
    n_seeds : structures that were compressed
    n_unreliable : seeds on which the potential cannot be relied at any size
    n_candidates : structures before the selection
    """

    structures: StructureSet
    mask: NDArray[np.float64]
    distances: NDArray[np.float64]
    thresholds: Distances
    n_seeds: int
    n_unreliable: int
    n_candidates: int

    def dataset(self) -> Dataset:
        """Them as data: corrected energies, forces with their mask; without stresses, which have none."""
        bare = Dataset.from_structures(replace(self.structures, stresses=np.full_like(self.structures.stresses, np.nan)))
        return replace(bare, raw_energies=np.full_like(bare.raw_energies, np.nan), force_masks=self.mask)

    def facts(self) -> dict[str, object]:
        """Numbers and ranges by name."""
        per_atom = self.structures.energies / self.structures.atoms_per_structure
        return {
            "n_seeds": self.n_seeds,
            "n_unreliable": self.n_unreliable,
            "n_candidates": self.n_candidates,
            "n_structures": self.structures.n_structures,
            "n_atoms": self.structures.n_atoms,
            "n_atoms_with_forces": int(self.mask.sum()),
            "distances": [float(self.distances.min()), float(self.distances.max())],
            "energies_per_atom": [float(per_atom.min()), float(per_atom.max())],
        }


def draw_seeds(structures: StructureSet, usable: NDArray[np.bool_], settings: AugmentSettings) -> NDArray[np.int64]:
    """Draw seed structures, about equally many of each composition; in the order of the dataset."""
    sizes = structures.atoms_per_structure
    limit = max(settings.largest_seed, int(sizes[usable].min()) if usable.any() else 0)
    groups: dict[bytes, list[int]] = {}
    for s in np.flatnonzero(usable & (sizes <= limit)):
        counts = np.bincount(structures.numbers[structures.offsets[s] : structures.offsets[s + 1]])
        groups.setdefault((counts // np.gcd.reduce(counts)).tobytes(), []).append(int(s))
    most = min(settings.n_seeds, sum(map(len, groups.values())))
    each = max(1, round(most / max(len(groups), 1)))
    rng = np.random.default_rng(settings.seed)
    drawn = np.concatenate([rng.permutation(rows)[:each] for rows in groups.values()] or [np.empty(0, np.int64)])
    return np.sort(rng.permutation(drawn)[:most])


def augmented_sizes(curve: Compressed, settings: AugmentSettings) -> NDArray[np.int64] | None:
    """Sizes of a compressed structure that become data; None if the potential cannot be relied on at any.

    They are smaller than all reliable ones, and their ZBL energy is higher than the potential's at all of those.
    """
    is_reliable = reliable_sizes(curve, settings.largest_gamma) & (curve.energies <= settings.highest_reliable * curve.n_atoms)
    reliable = np.flatnonzero(is_reliable)
    if not len(reliable):
        return None
    energies = curve.repulsion.energies
    per_atom = energies / curve.n_atoms
    is_kept = (energies >= curve.energies[reliable].max()) & (per_atom <= settings.highest) & (per_atom >= settings.lowest)
    return np.flatnonzero(is_kept & (np.arange(len(energies)) < reliable[0]))


def augment(
    potential: Potential,
    structures: StructureSet,
    settings: AugmentSettings | None = None,
    gamma_of: GammaOf | None = None,
    rank: Rank | None = None,
    watch: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Augmented:
    """Make synthetic data for distances shorter than those of a dataset.

    Parameters
    ----------
    potential : Potential
        Fitted to the dataset, with free atoms as zero of the energy.
    structures : StructureSet
        The dataset.
    settings : AugmentSettings, optional
    gamma_of : callable, optional
        Extrapolation grades that say where the potential can be relied on; without them the first barrier of its energy does.
    rank : callable, optional
        Chooses the structures to keep; all are kept without it.
    watch : callable
        Is given the numbers of the seed structures, for a progress bar.

    Returns
    -------
    Augmented

    Raises
    ------
    DataError
        If no structure can be compressed, or none of the compressed ones fulfils the conditions.
    """
    settings = settings or AugmentSettings()
    seeds, natural, thresholds = _prepare(potential, structures, settings)
    compiled = compile_potential(potential)
    distances = np.arange(settings.shortest, potential.cutoff, settings.step)
    parts, masks, n_unreliable = [], [], 0
    for s in watch(seeds.tolist()):
        curve = compress(compiled, structures, s, float(natural[s]), distances, gamma_of)
        sizes = augmented_sizes(curve, settings)
        n_unreliable += sizes is None
        part, mask = _synthetic(curve, np.empty(0, np.int64) if sizes is None else sizes, thresholds)
        parts.append(part)
        masks.append(mask)
    found, mask = concatenate(parts), np.concatenate(masks)
    if not found.n_structures:
        raise DataError(
            f"none of {len(seeds)} compressed structures is both beyond what the potential can be relied on and within the "
            "limits of the energy; the potential may repel enough already, or the highest energy is too low"
        )
    most = min(settings.n_selected or found.n_structures, found.n_structures)
    # without a choice, spread over all seeds and sizes
    chosen = np.arange(most) * found.n_structures // most if rank is None else rank(found, settings.n_selected)[:most]
    kept = replace(found.select(chosen), ids=np.arange(len(chosen)))
    of_atoms = mask[atom_rows(found.offsets, chosen)].astype(np.float64)
    shortest = build(kept, potential.cutoff).shortest_per_structure()
    return Augmented(kept, of_atoms, shortest, thresholds, len(seeds), n_unreliable, found.n_structures)


def _prepare(
    potential: Potential, structures: StructureSet, settings: AugmentSettings
) -> tuple[NDArray[np.int64], NDArray[np.float64], Distances]:
    """Seed structures, the shortest distance of every structure, and what the data know of each pair of elements."""
    if settings.shortest >= potential.cutoff:
        raise DataError(
            f"the shortest distance, {settings.shortest} Å, must be below the cutoff of the potential, {potential.cutoff} Å"
        )
    natural, shortest = look_through(structures, potential.cutoff)
    seeds = draw_seeds(structures, np.isfinite(natural), settings)
    if not len(seeds):
        raise DataError("no structure has two atoms within the cutoff of the potential, so that none can be compressed")
    return seeds, natural, known_distances(shortest, potential.elements)


def _synthetic(curve: Compressed, sizes: NDArray[np.int64], thresholds: Distances) -> tuple[StructureSet, NDArray[np.bool_]]:
    """Structures of the given sizes with the energies and forces of ZBL, and their masks; without those whose mask is empty."""
    is_short = atoms_with_short_pairs(curve.structures, curve.neighbors, thresholds).reshape(-1, curve.n_atoms)
    sizes = sizes[is_short[sizes].any(axis=1)]
    zbl = replace(
        curve.structures, energies=curve.repulsion.energies, forces=curve.repulsion.forces, stresses=curve.repulsion.stresses
    )
    names = [f"{NAME}/{_formula(zbl.numbers[: curve.n_atoms])}"] * len(sizes)
    part = replace(zbl.select(sizes), names=tuple(names), groups=("augmented",) * len(sizes))
    return part, is_short[sizes].ravel()


def _formula(numbers: NDArray[np.int64]) -> str:
    elements, counts = np.unique(numbers, return_counts=True)
    return "".join(f"{chemical_symbols[z]}{n if n > 1 else ''}" for z, n in zip(elements, counts, strict=True))
