"""Let the potential of a round explore until it extrapolates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acefit.active.active_set import read_active_set
from acefit.active.candidates import read_candidates
from acefit.active.exploration import Explored, Walk, check_start, explore_from
from acefit.artifacts import made_by, write_table
from acefit.calculator import ACECalculator
from acefit.data.storage import Dataset, write_dataset
from acefit.data.structures import StructureSet
from acefit.potential.bbasis import read_sealed_potential

log = logging.getLogger(__name__)

GROUP = "active"


def explore(
    *,
    path_to_potential: str | Path,
    path_to_active_set: str | Path,
    paths_to_start: Sequence[str | Path],
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_gamma: str | Path,
    name: str,
    temperature: float,
    pressure: float | None,
    seed: int,
    steps: int,
    timestep: float,
    interval: int,
    collect_above: float,
    stop_above: float,
    tables: bool = False,
    code: str = "",
) -> None:
    """Walk from each of some structures and collect what the potential does not know.

    Parameters
    ----------
    path_to_potential, path_to_active_set : of the round
    paths_to_start : files of structures
    path_to_structures, path_to_atoms : dataset of collected structures to write, without labels, maybe without any
    path_to_gamma : table to write (contract `exploration`)
    name : of the walk, for the names of structures
    temperature, pressure, seed, steps, timestep, interval, collect_above, stop_above : see `acefit.active.exploration.Walk`
    tables : whether radial functions are interpolated
    code : digest of the code, for the provenance

    Raises
    ------
    ActiveSetError
        If the active set is of another potential, or there is no structure to begin with.
    """
    potential = read_sealed_potential(path_to_potential)
    active_set = read_active_set(path_to_active_set, potential)
    calculator = ACECalculator(potential, tables=tables, active_set=active_set, gamma_on_request=True)
    start = read_candidates(list(paths_to_start), potential.elements).structures
    frames = [start.to_ase(k) for k in range(start.n_structures)]
    check_start(frames)
    found: list[Explored] = []
    for number, atoms in enumerate(frames):
        walk = Walk(temperature, pressure, steps, interval, timestep, collect_above, stop_above, seed + 1000 * number)
        found.append(explore_from(atoms, calculator, walk))
        log.info("from structure %d: %d collected, %s", number, len(found[-1].structures), found[-1].end)
    provenance = made_by("explore", code, path_to_potential, path_to_active_set, *paths_to_start)
    collected = StructureSet.from_ase(_named(found, name))
    write_dataset(Dataset.from_structures(collected, "train", name), path_to_structures, path_to_atoms, provenance)
    columns = {
        "start": np.repeat(np.arange(len(found)), [len(part.step) for part in found]),
        "step": np.concatenate([part.step for part in found]),
        "time": timestep * np.concatenate([part.step for part in found]),
        "gamma": np.concatenate([part.gamma for part in found]),
    }
    write_table(columns, path_to_gamma, "exploration", provenance)


def _named(found: Sequence[Explored], name: str) -> list[Atoms]:
    """All collected structures with names that say where they come from."""
    frames = [(number, k, atoms) for number, part in enumerate(found) for k, atoms in enumerate(part.structures)]
    for number, k, atoms in frames:
        atoms.info |= {"name": f"{name}/{number}/{k}", "config_type": GROUP}
    return [atoms for _, _, atoms in frames]
