"""Compare active sets and grades of acefit with those of pacemaker, run as a black box.

    python benchmarks/compare_active_set.py --peers DIR [--only NAME ...] [--given NAME POTENTIAL DATA ...] [--table FILE]

DIR is an environment with pacemaker (see `peer`). Both programs make the active set of the same potential and structures
(`pace_activeset --all-atoms`, `acefit.active.active_set.build_active_set` with tables). Then both evaluators grade the structures
and copies of them with moved atoms, each with both files. Without `--given` potentials and structures are invented.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk

from acefit.active.active_set import build_active_set, read_active_set
from acefit.active.asi import FULL, LINEAR, read_asi
from acefit.active.grade import grade_structures
from acefit.active.search import SearchSettings
from acefit.basis.expansion import build_target
from acefit.data.readers import read_files
from acefit.data.structures import StructureSet
from acefit.potential.bbasis import read_potential, write_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout
from peer import argument_parser, run_python, run_tool, write_frames

# Run with the environment of pacemaker
_GRADE = """
import contextlib, io, json, sys
import numpy as np
from ase.io import read
from pyace import PyACECalculator
potential, active_set, structures, result = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):
    calc = PyACECalculator(potential)
    calc.set_active_set(active_set)
grades = []
for atoms in read(structures, ":"):
    atoms.calc = calc
    atoms.get_potential_energy()
    grades.append(np.asarray(calc.results["gamma"]).tolist())
json.dump(grades, open(result, "w"))
"""
MOVED = 0.15
"""Standard deviation of the displacements of the copies, Angstrom."""


class Case(NamedTuple):
    """A potential and structures."""

    name: str
    potential: Potential
    frames: list[Atoms]


def invented(name: str, elements: list[str], n: list[int], l: list[int], n_frames: int, a: float) -> Case:
    """Potential with random coefficients, shaken crystals of different densities."""
    section = {
        "deltaSplineBins": 0.001,
        "elements": elements,
        "embeddings": {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}},
        "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 5.5, "dcut": 0.01}},
        "functions": {"ALL": {"nradmax_by_orders": n, "lmax_by_orders": l}},
    }
    target = build_target(section)
    layout, rng = parameter_layout(target), np.random.default_rng(0)
    x = layout.vector()
    x[layout.n_radial :] = rng.normal(0.0, 0.05, layout.n_func)
    frames = []
    for k in range(n_frames):
        atoms = bulk(elements[0], "fcc", a=a * rng.uniform(0.92, 1.12), cubic=True).repeat(2)
        atoms.symbols[:] = rng.choice(elements, len(atoms))
        atoms.positions += rng.normal(0.0, rng.uniform(0.02, 0.4), atoms.positions.shape)
        atoms.info = {"name": f"{name}-{k}", "dft_energy": 0.0}
        atoms.arrays["dft_forces"] = np.zeros((len(atoms), 3))
        frames.append(atoms)
    return Case(name, layout.apply(x), frames)


def given(name: str, potential: str, data: str) -> Case:
    """Potential and structures of files."""
    structures = read_files([{"path": data}]).dataset.structures
    frames = [structures.to_ase(k) for k in range(structures.n_structures)]
    for atoms in frames:
        atoms.calc, atoms.info["dft_energy"] = None, 0.0
        atoms.arrays["dft_forces"] = np.zeros((len(atoms), 3))
    return Case(name, read_potential(potential), frames)


CASES = {
    "Cu": lambda: invented("Cu", ["Cu"], [8, 4, 3, 2], [0, 3, 2, 1], 40, 3.6),
    "Al-Ni": lambda: invented("Al-Ni", ["Al", "Ni"], [4, 2, 1], [0, 2, 1], 60, 3.8),
}


def moved(frames: Sequence[Atoms]) -> list[Atoms]:
    """Copies of every fifth structure with displaced atoms."""
    rng, copies = np.random.default_rng(1), [atoms.copy() for atoms in frames[::5]]
    for atoms in copies:
        atoms.positions += rng.normal(0.0, MOVED, atoms.positions.shape)
    return copies


def log_determinants(path: Path) -> float:
    """Sum over the elements of log |det| of the active sets in a file."""
    return -sum(float(np.linalg.slogdet(matrix)[1]) for matrix in read_asi(path).matrices.values())


def grade_both(potential: Path, active_set: Path, frames: Sequence[Atoms], peers: Path) -> tuple[Any, Any]:
    """Grades of all atoms by acefit and by pacemaker."""
    model, result, text = read_potential(potential), potential.with_name("grades.json"), potential.with_name("graded.xyz")
    ase.io.write(text, [Atoms(f.numbers, f.positions, cell=f.cell, pbc=f.pbc) for f in frames])
    # what the other program reads from a text has eight decimals; both get these
    rounded = ase.io.read(text, ":")
    ours = grade_structures(model, read_active_set(active_set, model), StructureSet.from_ase(rounded), tables=True)
    run_python(_GRADE, peers, potential, active_set, text, result)
    return ours, np.concatenate(json.loads(result.read_text()))


def compare(case: Case, kind: str, peers: Path) -> tuple[list[str], bool]:
    """Row of the table, and whether all is as it should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        potential, data = folder / "p.yaml", folder / "data.pckl.gzip"
        write_potential(case.potential, potential)
        write_frames({data: case.frames}, peers)
        structures = StructureSet.from_ase(ase.io.read(folder / "data.xyz", ":"))
        built = build_active_set(case.potential, structures, kind, tables=True, settings=SearchSettings(1.01))
        built.active_set.write(folder / "ours.asi")
        options = ["--full"] if kind == FULL else []
        run_tool("pace_activeset", folder, peers, "-d", data.name, "--all-atoms", "-b", "none", *options, potential.name)
        theirs = folder / ("p.asi.nonlinear" if kind == FULL else "p.asi")
        cells = [
            case.name,
            kind,
            str(structures.n_atoms),
            "; ".join(f"{s.element} {s.rank}/{s.functions}" for s in built.summaries),
        ]
        sound = True
        for path in (folder / "ours.asi", theirs):
            ours, others = grade_both(potential, path, structures_to_ase(structures), peers)
            far_ours, far_others = grade_both(potential, path, moved(structures_to_ase(structures)), peers)
            difference = max(np.abs(a - b).max() / max(1.0, b.max()) for a, b in ((ours, others), (far_ours, far_others)))
            sound = sound and difference < 1e-3
            is_complete = path == theirs or all(s.rank == s.functions for s in built.summaries)
            cells += [
                f"{log_determinants(path):.2f}" if is_complete else "-",
                f"{ours.max():.5g}",
                f"{far_ours.max():.4g}",
                f"{difference:.0e}",
            ]
        return cells, sound


def structures_to_ase(structures: StructureSet) -> list[Atoms]:
    """All structures as ASE atoms."""
    return [structures.to_ase(k) for k in range(structures.n_structures)]


def main() -> int:
    """Run all cases and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--only", nargs="*", help="names of the invented cases to run")
    parser.add_argument("--given", nargs=3, action="append", default=[], metavar=("NAME", "POTENTIAL", "DATA"))
    parser.add_argument("--table", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    names = CASES if arguments.only is None else arguments.only
    cases = [CASES[name]() for name in names] + [given(*files) for files in arguments.given]
    sets = [
        f"{what} of {whose}" for whose in ("acefit", "pacemaker") for what in ("log det", "max gamma", "max gamma moved", "diff")
    ]
    lines = ["| " + " | ".join(["case", "kind", "atoms", "rank", *sets]) + " |", "|---" * (4 + len(sets)) + "|"]
    n_different = 0
    for case in cases:
        for kind in (LINEAR, FULL):
            cells, sound = compare(case, kind, arguments.peers)
            n_different += not sound
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    print("\n".join(lines))
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    return min(n_different, 1)


if __name__ == "__main__":
    sys.exit(main())
