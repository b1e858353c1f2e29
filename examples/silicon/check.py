"""Check the silicon example against what is known about silicon, and against itself.

    python check.py [silicon.xyz.gz | directory of single results]

Prints equations of state of the six phases beside published LDA values, agreement of pressures and forces with energy
differences, sums of forces, ranges, repeated structures. Ends with status 1 if a check fails. Needs ASE only.

References: Yin and Cohen, Phys. Rev. B 26, 5668 (1982), LDA total energies of the phases; Balamane, Halicioglu and Tiller,
Phys. Rev. B 46, 2250 (1992). Lattice constants and bulk moduli scatter by about 1 and 5 per cent among LDA calculations.
"""

import argparse
import io
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.eos import EquationOfState
from ase.io import read
from ase.neighborlist import neighbor_list
from ase.units import GPa

HERE = Path(__file__).resolve().parent
# The trapezoidal rule over one step of volume is wrong by about 4 meV/atom where the curve is steepest; more means that the
# energies of neighbouring volumes do not belong together (k-points or plane waves too few)
WORK_TOLERANCE = 0.010  # eV/atom
LARGEST_STEP = 0.08  # relative, a little more than one step of the volumes
FEWEST_POINTS = 5
FORCE_SUM_TOLERANCE = 0.01  # eV/Angstrom


class Phase(NamedTuple):
    """Published LDA values: volume relative to that of diamond, energy above diamond (eV/atom)."""

    volume_ratio: float
    energy: float


# Yin and Cohen (1982); energies as compared with many potentials by Balamane, Halicioglu and Tiller (1992)
LITERATURE = {
    "diamond": Phase(1.00, 0.0),
    "beta-tin": Phase(0.77, 0.27),
    "sc": Phase(0.80, 0.35),
    "bcc": Phase(0.73, 0.53),
    "hcp": Phase(0.72, 0.55),
    "fcc": Phase(0.72, 0.57),
}
DIAMOND_LATTICE_CONSTANTS = (5.34, 5.46)  # Angstrom, range of LDA results
DIAMOND_BULK_MODULI = (90.0, 102.0)  # GPa


class Findings:
    """Checks done so far; prints each and remembers whether one failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def check(self, good: bool, text: str) -> None:
        """Print one check and remember it if it failed."""
        print(("  ok    " if good else "  FAIL  ") + text)
        if not good:
            self.failed.append(text)


def read_structures(path: Path) -> list[Atoms]:
    """Structures of the data set, or of the single results in a directory."""
    if path.is_dir():
        records = [json.loads(p.read_text()) for p in sorted(path.glob("[0-9]*.json"))]
        return [read(io.StringIO(r["xyz"]), format="extxyz") for r in records if r["converged"]]
    return read(path, index=":")


def equations_of_state(structures: list[Atoms]) -> dict[str, list[Atoms]]:
    """Structures of each phase's equation of state by increasing volume."""
    phases: dict[str, list[Atoms]] = {}
    for atoms in structures:
        group = atoms.info["config_type"]
        if group.startswith("eos-"):
            phases.setdefault(group.removeprefix("eos-"), []).append(atoms)
    return {phase: sorted(rows, key=lambda a: a.get_volume()) for phase, rows in phases.items()}


def fit_phase(rows: list[Atoms]) -> tuple[float, float, float] | None:
    """Volume (A^3/atom), energy (eV/atom) and bulk modulus (GPa) of a Birch-Murnaghan fit around the lowest energy.

    None if too few volumes are there, or none on one side of the minimum.
    """
    volumes = np.array([a.get_volume() / len(a) for a in rows])
    energies = np.array([a.get_potential_energy() / len(a) for a in rows])
    near = np.abs(volumes / volumes[energies.argmin()] - 1) < 0.18
    if near.sum() < FEWEST_POINTS or energies.argmin() in (0, len(rows) - 1):
        return None
    volume, energy, modulus = EquationOfState(volumes[near], energies[near], eos="birchmurnaghan").fit()
    return volume, energy, modulus / GPa


def check_phases(phases: dict[str, list[Atoms]], findings: Findings) -> None:
    """Equations of state beside the literature."""
    print("\nEquations of state (Birch-Murnaghan, volumes within 18 % of the minimum); LDA literature in brackets")
    print("  phase      points  V (A^3/atom)  V/V_diamond    E - E_diamond (eV/atom)  B (GPa)")
    fits = {phase: fit for phase, rows in phases.items() if (fit := fit_phase(rows)) is not None}
    if "diamond" not in fits:
        findings.check(False, "the equation of state of diamond is incomplete: nothing to compare with")
        return
    volume_d, energy_d, modulus_d = fits["diamond"]
    for phase, known in LITERATURE.items():
        if phase not in fits:
            print(f"  {phase:10s} incomplete: {len(phases.get(phase, []))} points")
            continue
        volume, energy, modulus = fits[phase]
        print(
            f"  {phase:10s} {len(phases[phase]):6d}  {volume:12.3f}  {volume / volume_d:5.3f} [{known.volume_ratio:4.2f}]"
            f"  {energy - energy_d:12.3f} [{known.energy:4.2f}]      {modulus:6.1f}"
        )
    a = (8 * volume_d) ** (1 / 3)
    low, high = DIAMOND_LATTICE_CONSTANTS
    findings.check(low < a < high, f"lattice constant of diamond {a:.3f} A within {low}-{high} A (LDA)")
    low, high = DIAMOND_BULK_MODULI
    findings.check(low < modulus_d < high, f"bulk modulus of diamond {modulus_d:.1f} GPa within {low:.0f}-{high:.0f} GPa (LDA)")
    for phase, (volume, energy, _) in fits.items():
        known = LITERATURE[phase]
        close = abs(energy - energy_d - known.energy) < 0.12 and abs(volume / volume_d - known.volume_ratio) < 0.04
        findings.check(close, f"{phase}: energy within 0.12 eV/atom and relative volume within 0.04 of the literature")
    order = sorted(fits, key=lambda phase: fits[phase][1])
    findings.check(order[0] == "diamond" and len(order) == len(LITERATURE), f"order of energies: {' < '.join(order)}")


def pressure(atoms: Atoms) -> float:
    """Pressure in GPa from the stress."""
    return -atoms.get_stress()[:3].mean() / GPa


def check_pressures(phases: dict[str, list[Atoms]], findings: Findings) -> None:
    """Compare energy differences of neighbouring volumes with the work done against the mean of their pressures."""
    print("\nEnergy differences of neighbouring volumes minus the work against the mean pressure from the stresses (meV/atom)")
    for phase, rows in phases.items():
        differences = []
        for smaller, larger in pairwise(rows):
            v0, v1 = (a.get_volume() / len(a) for a in (smaller, larger))
            if v1 / v0 - 1 < LARGEST_STEP:
                e0, e1 = (a.get_potential_energy() / len(a) for a in (smaller, larger))
                work = -0.5 * (pressure(smaller) + pressure(larger)) * GPa * (v1 - v0)
                differences.append((e1 - e0 - work, v0, v1))
        if not differences:
            print(f"  {phase:10s} no neighbouring volumes")
            continue
        worst, v0, v1 = max(differences, key=lambda item: abs(item[0]))
        text = f"{phase:10s} largest {1000 * worst:+7.1f} between {v0:.2f} and {v1:.2f} A^3/atom; {len(differences)} steps"
        findings.check(abs(worst) < WORK_TOLERANCE, text)


def check_dimer(structures: list[Atoms], findings: Findings) -> None:
    """Compare forces along the dimer with energy differences by cubic Hermite interpolation between neighbouring distances."""
    pairs = sorted(
        (a.get_distance(0, 1), a.get_potential_energy(), (a.get_forces()[1] - a.get_forces()[0])[2] / 2)
        for a in structures
        if a.info["config_type"] == "dimer"
    )
    print("\nDimer: energy differences against the trapezoidal sum of the forces (close distances only)")
    differences = []
    for (d0, e0, f0), (d1, e1, f1) in pairwise(pairs):
        if d1 - d0 <= 0.21:
            work = -0.5 * (f0 + f1) * (d1 - d0)
            differences.append(abs(e1 - e0 - work))
            print(f"  {d0:.2f} -> {d1:.2f} A   dE {e1 - e0:+8.4f} eV   -F dr {work:+8.4f} eV   difference {e1 - e0 - work:+8.4f}")
    if differences:
        # Error of the trapezoidal rule: h^3 |F''|/12, about 0.05 eV for a curve that changes as fast as this one
        findings.check(max(differences) < 0.15, f"largest difference {max(differences):.4f} eV")
    else:
        print("  too few distances")


def check_sums(structures: list[Atoms], findings: Findings) -> None:
    """Net force and labels of every structure."""
    print("\nLabels")
    sums = np.array([np.linalg.norm(a.get_forces().sum(axis=0)) for a in structures])
    worst = structures[int(sums.argmax())]
    findings.check(
        sums.max() < FORCE_SUM_TOLERANCE,
        f"net force at most {sums.max():.1e} eV/A (number {worst.info['number']}, {worst.info['config_type']})",
    )
    complete = all(np.isfinite(a.get_potential_energy()) and np.isfinite(a.get_forces()).all() for a in structures)
    findings.check(complete, "all energies and forces are finite")
    wrong = [a.info["number"] for a in structures if ("stress" in a.calc.results) != bool(a.pbc.all())]
    findings.check(not wrong, f"exactly the fully periodic structures have a stress; not so: {wrong or 'none'}")
    numbers = [a.info["number"] for a in structures]
    findings.check(len(set(numbers)) == len(numbers), "numbers are unique")


def fingerprint(atoms: Atoms) -> tuple[object, ...]:
    """Numbers that agree for equal structures: size, volume, sorted short distances; rounded."""
    distances = np.sort(neighbor_list("d", atoms, 5.5))
    volume = round(atoms.get_volume(), 3) if atoms.pbc.all() else 0.0
    return (len(atoms), tuple(atoms.pbc), volume, len(distances), *np.round(distances[:: max(len(distances) // 40, 1)], 3))


def check_duplicates(structures: list[Atoms], findings: Findings) -> None:
    """Structures that occur twice."""
    seen: dict[tuple[object, ...], int] = {}
    twins = []
    for atoms in structures:
        other = seen.setdefault(fingerprint(atoms), atoms.info["number"])
        if other != atoms.info["number"]:
            twins.append((other, atoms.info["number"]))
    findings.check(not twins, f"no structure occurs twice; pairs: {twins or 'none'}")


def print_ranges(structures: list[Atoms]) -> None:
    """One line per group: sizes, energies, forces, distances, pressures."""
    isolated = [a.get_potential_energy() for a in structures if a.info["config_type"] == "isolated-atom"]
    zero = isolated[0] if isolated else 0.0
    print(f"\nRanges (energies relative to {'the isolated atom' if isolated else 'zero'})")
    print("  group          structures  atoms   energy (eV/atom)   largest force (eV/A)  shortest distance (A)  pressure (GPa)")
    for group in sorted({a.info["config_type"] for a in structures}):
        rows = [a for a in structures if a.info["config_type"] == group]
        energies = [a.get_potential_energy() / len(a) - zero for a in rows]
        force = max(np.linalg.norm(a.get_forces(), axis=1).max() for a in rows)
        distances = [d.min() for a in rows if len(d := neighbor_list("d", a, 6.0))]
        pressures = [pressure(a) for a in rows if a.pbc.all()]
        n_atoms = sum(map(len, rows))
        print(
            f"  {group:15s} {len(rows):9d} {n_atoms:6d}   {min(energies):7.3f} to {max(energies):7.3f}   {force:12.2f}"
            f"          {min(distances, default=np.inf):12.3f}        "
            + (f"{min(pressures):8.1f} to {max(pressures):6.1f}" if pressures else "       -")
        )


def check(structures: list[Atoms]) -> list[str]:
    """All checks; returns the texts of those that failed."""
    findings = Findings()
    print(len(structures), "structures,", sum(map(len, structures)), "atoms")
    print_ranges(structures)
    phases = equations_of_state(structures)
    check_phases(phases, findings)
    check_pressures(phases, findings)
    check_dimer(structures, findings)
    check_sums(structures, findings)
    check_duplicates(structures, findings)
    print(f"\n{len(findings.failed)} of the checks failed" if findings.failed else "\nall checks passed")
    return findings.failed


def main() -> int:
    """Read the data set and check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?", default=HERE / "silicon.xyz.gz")
    return bool(check(read_structures(parser.parse_args().path)))


if __name__ == "__main__":
    sys.exit(main())
