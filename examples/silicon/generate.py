"""Make the embedded example: about 300 silicon structures with DFT energies, forces and stresses.

    python generate.py WORK_DIRECTORY [--jobs 2]      # compute; run again to resume
    python generate.py WORK_DIRECTORY --collect       # write silicon.xyz.gz and left_out.csv beside this file

Needs ASE and Quantum ESPRESSO (Debian: quantum-espresso, quantum-espresso-data). One file per structure is
written to the work directory as soon as it is finished, so that a stopped run continues where it was.

Physics: LDA (Perdew-Zunger), norm-conserving Si.pz-vbc.UPF, plane waves to ECUTWFC, Gaussian smearing DEGAUSS,
no spin polarisation (isolated atom included, so that all structures lie on one energy surface), gamma-centred
k-points with at most KSPACING between them (KSPACING_ONE_ATOM in one-atom cells). The energy is Quantum ESPRESSO's total energy
with smearing, the free energy, which is the one consistent with the forces. Directions without periodicity get VACUUM of empty
space and one k-point.
"""

import argparse
import gzip
import io
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, diamond100, diamond111, make_supercell
from ase.calculators.calculator import CalculationFailed
from ase.calculators.espresso import Espresso, EspressoProfile
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.neighborlist import neighbor_list

PSEUDO_DIRECTORY = "/usr/share/espresso/pseudo"
PSEUDOPOTENTIAL = "Si.pz-vbc.UPF"
ECUTWFC = 24.0  # Ry
DEGAUSS = 0.01  # Ry
KSPACING = 0.30  # 1/Angstrom, with the factor 2 pi
KSPACING_ONE_ATOM = 0.18  # metallic one-atom cells: with 0.30 the energy jumps by 50 meV/atom from one grid to the next
VACUUM = 9.0  # Angstrom between images
CONV_THR_PER_ATOM = 1e-10  # Ry
SEED = 20261
HERE = Path(__file__).resolve().parent

# Lattice parameters (Angstrom) close to the LDA minimum of each phase
PHASES = {
    "diamond": bulk("Si", "diamond", a=5.38),
    "beta-tin": Atoms(
        "Si2",
        cell=np.array([[-0.5, 0.5, 0.5 * 0.552], [0.5, -0.5, 0.5 * 0.552], [0.5, 0.5, -0.5 * 0.552]]) * 4.76,
        positions=np.array([[0, 0, 0], [0, 0.5, 0.25 * 0.552]]) * 4.76,
        pbc=True,
    ),
    "sc": bulk("Si", "sc", a=2.51),
    "bcc": bulk("Si", "bcc", a=3.05),
    "fcc": bulk("Si", "fcc", a=3.81),
    "hcp": bulk("Si", "hcp", a=2.68, c=4.55),
}
CUBIC_DIAMOND = bulk("Si", "diamond", a=5.38, cubic=True)


def scaled(atoms, volume_factor):
    """Scale the volume."""
    out = atoms.copy()
    out.set_cell(out.cell * volume_factor ** (1 / 3), scale_atoms=True)
    return out


def strained(atoms, amplitude, rng):
    """Random symmetric strain, each component up to the amplitude."""
    out = atoms.copy()
    strain = rng.uniform(-amplitude, amplitude, (3, 3))
    out.set_cell(out.cell @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
    return out


def rattled(atoms, amplitude, rng):
    """Gaussian displacements of all atoms, Angstrom."""
    out = atoms.copy()
    out.positions += rng.normal(0.0, amplitude, out.positions.shape)
    return out


def shortest_distance(atoms):
    """Shortest distance, periodic images included."""
    distances = neighbor_list("d", atoms, 6.0)
    return distances.min() if len(distances) else np.inf


def random_packing(n_atoms, volume_per_atom, minimum, rng):
    """Random positions in a random cell, pushed apart until no pair is closer than the minimum."""
    while True:
        cell = np.diag(rng.uniform(0.85, 1.15, 3)) + rng.uniform(-0.15, 0.15, (3, 3))
        cell *= (n_atoms * volume_per_atom / abs(np.linalg.det(cell))) ** (1 / 3)
        atoms = Atoms(f"Si{n_atoms}", cell=cell, scaled_positions=rng.uniform(size=(n_atoms, 3)), pbc=True)
        for _ in range(400):
            i, _, d, vectors = neighbor_list("ijdD", atoms, minimum)
            if not len(d):
                return atoms
            push = np.zeros_like(atoms.positions)
            np.add.at(push, i, -0.55 * (minimum - d)[:, None] * vectors / d[:, None])
            atoms.positions += push


def cluster(n_atoms, minimum, rng):
    """Atoms added one by one at bond length from a random earlier one."""
    positions = [np.zeros(3)]
    while len(positions) < n_atoms:
        direction = rng.normal(size=3)
        trial = positions[rng.integers(len(positions))] + direction / np.linalg.norm(direction) * rng.uniform(minimum, 2.7)
        if min(np.linalg.norm(trial - p) for p in positions) >= minimum:
            positions.append(trial)
    return Atoms(f"Si{n_atoms}", positions=positions)


def slab(atoms):
    """Periodic in the plane only, with vacuum along the third axis."""
    out = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell)
    out.center(vacuum=VACUUM / 2, axis=2)
    out.pbc = [True, True, False]
    return out


def surface_110():
    """Four layers of the unreconstructed (110) surface, two atoms in each."""
    # In-plane [-1, 1, 0]/2 and [0, 0, 1], third axis [1, 1, 0], in units of the cubic cell; lengths a/sqrt(2), a, a sqrt(2)
    cell = make_supercell(bulk("Si", "diamond", a=5.38), [[1, -1, 0], [1, 1, -1], [0, 0, 2]])
    flat = Atoms(
        cell.get_chemical_symbols(), scaled_positions=cell.get_scaled_positions(), cell=np.diag(cell.cell.lengths()), pbc=True
    )
    return slab(flat)


def build_structures():
    """List of (group, atoms) in a fixed order; the same seed gives the same structures."""
    rng = np.random.default_rng(SEED)
    out = []
    for phase, atoms in PHASES.items():
        out += [(f"eos-{phase}", scaled(atoms, f)) for f in np.linspace(0.76, 1.30, 12)]
    for phase, n in {"diamond": 22, "beta-tin": 10, "sc": 6, "bcc": 6, "fcc": 6, "hcp": 6}.items():
        for _ in range(n):
            out.append(("strain", strained(scaled(PHASES[phase], rng.uniform(0.9, 1.1)), 0.08, rng)))
    for amplitude in (0.03, 0.06, 0.1, 0.15, 0.2):
        for _ in range(10):
            out.append(("rattle-8", rattled(strained(CUBIC_DIAMOND, 0.04, rng), amplitude, rng)))
    primitive_222 = PHASES["diamond"] * (2, 2, 2)
    for amplitude in (0.04, 0.08, 0.13, 0.18):
        for _ in range(6):
            out.append(("rattle-16", rattled(scaled(primitive_222, rng.uniform(0.93, 1.07)), amplitude, rng)))
    for phase, repeat in {"beta-tin": (2, 2, 1), "sc": (2, 2, 2), "bcc": (2, 2, 2), "hcp": (2, 2, 1)}.items():
        for amplitude in (0.06, 0.12, 0.18):
            out += [
                ("rattle-dense", rattled(scaled(PHASES[phase] * repeat, rng.uniform(0.92, 1.1)), amplitude, rng))
                for _ in range(2)
            ]
    for amplitude in (0.0, 0.04, 0.08, 0.08, 0.12, 0.12, 0.16, 0.18):
        defect = rattled(scaled(primitive_222, rng.uniform(0.97, 1.03)), amplitude, rng)
        del defect[0]
        out.append(("vacancy", defect))
    for site in ((0.5, 0.5, 0.5), (0.375, 0.375, 0.625), (0.125, 0.125, 0.625)):
        for amplitude in (0.0, 0.06, 0.12):
            defect = CUBIC_DIAMOND.copy()
            defect.append("Si")
            defect.positions[-1] = np.array(site) @ defect.cell
            out.append(("interstitial", rattled(scaled(defect, rng.uniform(1.0, 1.08)), amplitude, rng)))
    surfaces = [slab(diamond100("Si", (1, 1, 8), a=5.38)), slab(diamond111("Si", (1, 1, 8), a=5.38)), surface_110()]
    for surface in surfaces:
        for amplitude in (0.0, 0.05, 0.1, 0.15):
            out.append(("surface", rattled(surface, amplitude, rng)))
    for n_atoms, n in {4: 6, 8: 14, 12: 8, 16: 4}.items():
        out += [("random", random_packing(n_atoms, rng.uniform(15.0, 24.0), rng.uniform(1.95, 2.2), rng)) for _ in range(n)]
    for distance in (1.7, 1.85, 2.0, 2.1, 2.2, 2.3, 2.45, 2.6, 2.8, 3.0, 3.3, 3.7, 4.2, 4.8, 5.4):
        out.append(("dimer", Atoms("Si2", positions=[[0, 0, 0], [0, 0, distance]])))
    for n_atoms, n in {3: 5, 4: 5, 5: 4, 6: 2}.items():
        out += [("cluster", cluster(n_atoms, 2.1, rng)) for _ in range(n)]
    out.append(("isolated-atom", Atoms("Si")))
    return out


def compute(number, group, atoms, work):
    """Run one structure unless its result is there; results appear under their final name only when complete."""
    final = work / f"{number:03d}.json"
    if final.exists():
        return
    cell_atoms = atoms.copy()
    if not atoms.pbc.any():
        # Boxes of slightly different edges: a cubic box would impose its symmetry on an isolated atom's open shell
        cell_atoms.set_cell(np.ptp(atoms.positions, axis=0) + VACUUM)
        cell_atoms.center()
    reciprocal = 2 * np.pi * np.linalg.norm(cell_atoms.cell.reciprocal(), axis=1)
    spacing = KSPACING_ONE_ATOM if len(atoms) == 1 else KSPACING
    kpts = [max(1, int(np.ceil(k / spacing))) if p else 1 for k, p in zip(reciprocal, atoms.pbc, strict=True)]
    scratch = work / f"run-{number:03d}"
    calculator = Espresso(
        profile=EspressoProfile("pw.x", PSEUDO_DIRECTORY),
        pseudopotentials={"Si": PSEUDOPOTENTIAL},
        directory=scratch,
        input_data={
            "control": {"tprnfor": True, "tstress": True, "disk_io": "nowf", "outdir": str(scratch / "out")},
            "system": {"ecutwfc": ECUTWFC, "occupations": "smearing", "smearing": "gaussian", "degauss": DEGAUSS},
            "electrons": {
                "conv_thr": CONV_THR_PER_ATOM * len(atoms),
                "electron_maxstep": 150,
                "mixing_beta": 0.5 if atoms.pbc.all() else 0.3,
            },
        },
        kpts=kpts,
    )
    record = {"number": number, "group": group, "kpts": kpts, "converged": False}
    try:
        cell_atoms.calc = calculator
        energy = cell_atoms.get_potential_energy()
        text = (scratch / "espresso.pwo").read_text()
        record["converged"] = "convergence has been achieved" in text and "NOT achieved" not in text
        result = atoms.copy()
        stress = cell_atoms.get_stress() if atoms.pbc.all() else None
        result.calc = SinglePointCalculator(
            result, energy=energy, forces=cell_atoms.get_forces(), **({} if stress is None else {"stress": stress})
        )
        result.info["config_type"] = group
        result.info["number"] = number
        buffer = io.StringIO()
        write(buffer, result, format="extxyz")
        record["xyz"] = buffer.getvalue()
    except (CalculationFailed, AssertionError, IndexError) as error:
        record["error"] = f"{type(error).__name__}: {error}"
    temporary = final.with_suffix(".tmp")
    temporary.write_text(json.dumps(record))
    temporary.rename(final)
    shutil.rmtree(scratch, ignore_errors=True)
    print(
        number,
        group,
        len(atoms),
        "atoms",
        kpts,
        "converged" if record["converged"] else f"NOT converged {record.get('error', '')}",
        flush=True,
    )


def collect(work, n_structures):
    """Write the converged structures and the list of those left out."""
    frames, left_out = [], []
    for number in range(n_structures):
        path = work / f"{number:03d}.json"
        record = json.loads(path.read_text()) if path.exists() else {"number": number, "group": "", "error": "not computed"}
        if record.get("converged"):
            frames.append(read(io.StringIO(record["xyz"]), format="extxyz"))
        else:
            left_out.append((number, record["group"], record.get("error", "not converged")))
    buffer = io.StringIO()
    write(buffer, frames, format="extxyz")
    with gzip.GzipFile(HERE / "silicon.xyz.gz", "wb", compresslevel=9, mtime=0) as stream:
        stream.write(buffer.getvalue().encode())
    rows = "".join(f'{n},{g},"{e}"\n' for n, g, e in left_out)
    (HERE / "left_out.csv").write_text("number,group,reason\n" + rows)
    print(len(frames), "structures,", sum(map(len, frames)), "atoms;", len(left_out), "left out")


def main():
    """Compute or collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--collect", action="store_true")
    arguments = parser.parse_args()
    structures = build_structures()
    if arguments.collect:
        collect(arguments.work, len(structures))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    arguments.work.mkdir(parents=True, exist_ok=True)
    # Cheap and dear structures alternate, so that a stopped run has some of each kind
    order = np.random.default_rng(SEED).permutation(len(structures))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [pool.submit(compute, int(n), *structures[n], arguments.work) for n in order]
    for job in jobs:
        job.result()


if __name__ == "__main__":
    sys.exit(main())
