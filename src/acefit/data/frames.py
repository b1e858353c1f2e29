"""Structures with their labels one by one, as files have them, and datasets made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from acefit.data.labels import Labels
from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet


@dataclass(frozen=True)
class Frame:
    """One structure as read: atoms, labels and where it comes from."""

    atoms: Atoms
    labels: Labels
    name: str
    group: str
    source: str
    row: int
    role: str


def _stack(parts: list[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    return np.concatenate(parts).reshape(-1, width) if parts else np.empty((0, width))


def structures_of(frames: list[Frame]) -> StructureSet:
    """Frames as one set of structures; labels of a wrong shape are not allowed."""
    counts = [len(frame.atoms) for frame in frames]
    return StructureSet(
        numbers=np.concatenate([frame.atoms.numbers for frame in frames] or [np.empty(0)]),
        positions=_stack([frame.atoms.positions for frame in frames], 3),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        cells=np.array([frame.atoms.cell.array for frame in frames]).reshape(-1, 3, 3),
        pbc=np.array([frame.atoms.pbc for frame in frames]).reshape(-1, 3),
        energies=np.array([frame.labels.energy_corrected for frame in frames]),
        forces=_stack([frame.labels.forces for frame in frames], 3),
        stresses=np.array([frame.labels.stress for frame in frames]).reshape(-1, 6),
        names=tuple(frame.name for frame in frames),
        groups=tuple(frame.group for frame in frames),
        ids=np.arange(len(frames)),
    )


def dataset_of(frames: list[Frame]) -> Dataset:
    """Frames as one dataset."""
    return Dataset(
        structures=structures_of(frames),
        raw_energies=np.array([frame.labels.energy for frame in frames]),
        energy_weights=np.array([frame.labels.w_energy for frame in frames]),
        weight_factors=np.array([frame.labels.w_factor for frame in frames]),
        force_weights=np.concatenate([frame.labels.w_forces for frame in frames] or [np.empty(0)]),
        force_masks=np.concatenate([frame.labels.w_forces_mask for frame in frames] or [np.empty(0)]),
        sources=tuple(frame.source for frame in frames),
        rows=np.array([frame.row for frame in frames], dtype=np.int64),
        roles=tuple(frame.role for frame in frames),
    )
