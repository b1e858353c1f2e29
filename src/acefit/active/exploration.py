"""Molecular dynamics with a potential until it extrapolates."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.nptberendsen import NPTBerendsen

from acefit.active.watch import GammaWatch
from acefit.errors import ActiveSetError, DataError, ExtrapolationError

log = logging.getLogger(__name__)

FRICTION = 0.01
"""Of the Langevin thermostat, 1/fs."""

THERMOSTAT_TIME, BAROSTAT_TIME = 100.0, 500.0
"""Of Berendsen's method, fs."""

COMPRESSIBILITY = 0.01
"""Assumed by the barostat, 1/GPa, that of a metal; a wrong one changes only how fast the pressure is reached."""


@dataclass(frozen=True)
class Walk:
    """How to explore.

    Parameters
    ----------
    temperature : float
        K.
    pressure : float, optional
        GPa; without it, or without a three-dimensional periodic cell, the cell keeps its shape.
    steps, interval : int
        Time steps, and those between two looks at gamma.
    timestep : float
        fs.
    collect_above, stop_above : float
        See `acefit.active.watch.GammaWatch`.
    seed : int
        Of velocities and thermostat.
    """

    temperature: float
    pressure: float | None = None
    steps: int = 2000
    interval: int = 10
    timestep: float = 1.0
    collect_above: float = 1.5
    stop_above: float = 10.0
    seed: int = 0


class Explored(NamedTuple):
    """What a walk came upon.

    Attributes
    ----------
    structures : collected structures, without energies
    step : (n,) time steps at which gamma was looked at
    gamma : (n,) largest grade there
    end : why the walk ended, in words
    """

    structures: list[Atoms]
    step: np.ndarray
    gamma: np.ndarray
    end: str


def explore_from(atoms: Atoms, calculator: Calculator, walk: Walk) -> Explored:
    """Walk from one structure.

    Parameters
    ----------
    atoms : Atoms
        Stays as it is.
    calculator : ACECalculator
        With an active set.
    walk : Walk
    """
    atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
    rng = np.random.default_rng(walk.seed)
    spread = np.sqrt(atoms.get_masses() * units.kB * walk.temperature)
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * spread[:, None])
    watch = GammaWatch(atoms, walk.collect_above, walk.stop_above)
    dynamics = _dynamics(atoms, walk, rng)
    dynamics.attach(watch, interval=walk.interval)
    end = f"all {walk.steps} steps are done"
    try:
        dynamics.run(walk.steps)
    except ExtrapolationError as error:
        end = str(error)
    except DataError as error:
        # atoms that meet are not worth a calculation; what came before is
        end = f"stopped at step {dynamics.nsteps}: {error}"
    structures = [
        Atoms(a.numbers, a.positions, cell=a.cell, pbc=a.pbc, info={"gamma": a.info["gamma"]}) for a in watch.structures
    ]
    return Explored(structures, walk.interval * np.arange(len(watch.largest)), np.array(watch.largest), end)


def _dynamics(atoms: Atoms, walk: Walk, rng: np.random.Generator) -> MolecularDynamics:
    """Langevin at constant volume, Berendsen's method at constant pressure."""
    timestep = walk.timestep * units.fs
    if walk.pressure is None or not (atoms.pbc.all() and atoms.cell.rank == 3):
        settings: dict[str, Any] = {
            "temperature_K": walk.temperature,
            "friction": FRICTION / units.fs,
            "rng": rng,
            "fixcm": False,
        }
        return Langevin(atoms, timestep, **settings)
    return NPTBerendsen(
        atoms,
        timestep,
        temperature_K=walk.temperature,
        pressure_au=walk.pressure * units.GPa,
        taut=THERMOSTAT_TIME * units.fs,
        taup=BAROSTAT_TIME * units.fs,
        compressibility_au=COMPRESSIBILITY / units.GPa,
    )


def check_start(structures: list[Atoms]) -> None:
    """Refuse to walk from nothing.

    Raises
    ------
    ActiveSetError
    """
    if not structures:
        raise ActiveSetError("there is no structure to explore from; give active.explore.structures a file with some")
