"""Molecular dynamics of 64 silicon atoms: drift of the total energy at constant energy, and what a second thread gains.

    python benchmarks/measure_dynamics.py [--potential results/silicon/potential.yaml] [--picoseconds 2] [--repeats 5] [--quick]

The potential is that of the example (`make example`). Velocity Verlet with 1 fs from 300 K, after 0.2 ps that count for nothing.
The drift is the slope of the total energy over time; beside it the largest deviation from the mean. Then the calculator with one
thread and with two in turn, some steps each, for 64 atoms and for more.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray

from acefit.calculator import ACECalculator
from measuring import ratio

TEMPERATURE = 300.0
EQUILIBRATION = 0.2
STEPS_PER_TURN = 100


class Drift(NamedTuple):
    """Of the total energy: slope (µeV/atom/ps) and largest deviation from the mean (µeV/atom); mean temperature (K)."""

    slope: float
    largest: float
    temperature: float


def prepare(potential: Path, threads: int, cells: int = 2) -> Atoms:
    """Silicon with velocities, 8 atoms in each of cells^3 cubes."""
    atoms = bulk("Si", cubic=True) * (cells, cells, cells)
    atoms.calc = ACECalculator(potential, threads)
    # half of it becomes potential energy
    width = np.sqrt(2 * TEMPERATURE * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(width * np.random.default_rng(1).normal(size=(len(atoms), 3)))
    Stationary(atoms)
    return atoms


def run(atoms: Atoms, n_steps: int, femtoseconds: float) -> NDArray[np.float64]:
    """Total energy (eV/atom) and temperature (K) after every step, (n_steps, 2)."""
    dynamics, found = VelocityVerlet(atoms, femtoseconds * units.fs), []
    for _ in range(n_steps):
        dynamics.run(1)
        found.append((atoms.get_total_energy() / len(atoms), atoms.get_temperature()))
    return np.array(found)


def measure_drift(atoms: Atoms, picoseconds: float, femtoseconds: float = 1.0) -> Drift:
    """Drift over a time, after the equilibration."""
    run(atoms, round(1000 * EQUILIBRATION / femtoseconds), femtoseconds)
    found = run(atoms, round(1000 * picoseconds / femtoseconds), femtoseconds)
    energies, times = 1e6 * found[:, 0], 1e-3 * femtoseconds * np.arange(len(found))
    slope = np.polyfit(times, energies, 1)[0]
    return Drift(float(slope), float(np.abs(energies - energies.mean()).max()), float(found[:, 1].mean()))


def measure_threads(potential: Path, repeats: int, steps: int, cells: int) -> tuple[list[float], list[float]]:
    """Seconds of some steps with one and with two threads, in turn."""
    systems = [prepare(potential, threads, cells) for threads in (1, 2)]
    times: tuple[list[float], list[float]] = ([], [])
    for atoms in systems:
        run(atoms, 5, 1.0)
    for _ in range(repeats):
        for atoms, found in zip(systems, times, strict=True):
            begun = time.perf_counter()
            VelocityVerlet(atoms, units.fs).run(steps)
            found.append(time.perf_counter() - begun)
    return times


def main() -> int:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", type=Path, default=Path("results/silicon/potential.yaml"), help="default: of the example")
    parser.add_argument("--picoseconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="0.05 ps, to see whether it works")
    options = parser.parse_args()
    if not options.potential.is_file():
        parser.error(f"{options.potential} does not exist; make it with `make example`, or name another one")
    picoseconds = 0.05 if options.quick else options.picoseconds
    print("| time step | length | mean temperature | drift | largest deviation |\n|---|---|---|---|---|")
    for femtoseconds in (1.0, 2.0):
        drift = measure_drift(prepare(options.potential, 2), picoseconds, femtoseconds)
        print(
            f"| {femtoseconds:g} fs | {picoseconds:g} ps | {drift.temperature:.0f} K | {drift.slope:+.2f} µeV/atom/ps | "
            f"{drift.largest:.1f} µeV/atom |",
            flush=True,
        )
    print("\n| atoms | ms per step, one thread | two threads | one / two |\n|---|---|---|---|")
    for cells in (2, 4, 8):
        steps = max(1, (10 if options.quick else STEPS_PER_TURN) * 8 // cells**3)
        one, two = measure_threads(options.potential, options.repeats, steps, cells)
        per_step = [f"{1e3 * np.median(times) / steps:.2f} ({1e3 * min(times) / steps:.2f})" for times in (one, two)]
        gain = ratio(one, two)
        print(f"| {8 * cells**3} | {per_step[0]} | {per_step[1]} | {gain['median']:.2f} ({gain['minimum']:.2f}) |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
