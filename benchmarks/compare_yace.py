"""Evaluate `.yace` files that acefit writes with independent programs, and read what pacemaker's converter writes.

    python benchmarks/compare_yace.py --peers DIR [--only NAME ...] [--table docs-table.md]

The last column shows what becomes of elements with different numbers of densities without padding.

DIR is an environment with pacemaker (see `peer`); a folder `jax` in it may be an environment with ace-jax (``pip install
ace-jax``). Energies of atoms and forces of random structures are compared with those of acefit for the B-basis potential in
memory: the largest difference, divided by 1 + the largest energy of an atom, or 1 + the largest force. The C++ evaluators are
those of LAMMPS's `pair_style pace`: `product` and `recursive`. They interpolate radial functions in tables, so acefit does for
them; ace-jax and the file that is read back are compared analytically.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from acefit.basis.expansion import build_target
from acefit.calculator import ACECalculator
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.potential.bbasis import write_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout
from acefit.potential.yace_read import read_yace
from acefit.potential.yace_write import write_yace
from peer import argument_parser

TOLERANCE = 1e-8
WRITTEN = ("acefit", "C++ product", "C++ recursive", "ace-jax")
CONVERTED = ("acefit, converted", "C++ recursive, converted")
READERS = (*WRITTEN, *CONVERTED)
"""Of the file acefit writes, and of the one that pacemaker's converter makes of the same potential, without padded densities."""
FS, SCALED = "FinnisSinclair", "FinnisSinclairShiftedScaled"

PACE = """
import contextlib, io, sys
import numpy as np
from ase.io import read
from pyace import PyACECalculator
potential, structures, result, kind = sys.argv[1:]
options = {"recursive_evaluator": True, "recursive": True} if kind == "recursive" else {}
with contextlib.redirect_stdout(io.StringIO()):
    calculator = PyACECalculator(potential, **options)
    found = {}
    for k, atoms in enumerate(read(structures, ":")):
        atoms.calc = calculator
        found[f"forces_{k}"] = atoms.get_forces()
        found[f"energies_{k}"] = np.array(calculator.results["energies"])
np.savez(result, **found)
"""
JAX = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from ace_jax import ACECalculator
from ase.io import read
potential, structures, result = sys.argv[1:]
calculator, found = ACECalculator(potential), {}
for k, atoms in enumerate(read(structures, ":")):
    atoms.calc = calculator
    found[f"forces_{k}"], found[f"energy_{k}"] = atoms.get_forces(), atoms.get_potential_energy()
np.savez(result, **found)
"""


class Case(NamedTuple):
    """One potential: what is special, its elements, the densities of each, and settings of its bonds and functions."""

    name: str
    what: str
    densities: dict[str, list[float]]
    npot: str = SCALED
    bonds: dict[str, Any] = {}  # noqa: RUF012 - never changed
    shape: tuple[list[int], list[int]] = ([3, 2, 2, 1], [0, 2, 1, 1])
    e0: dict[str, float] = {}  # noqa: RUF012


ONE, TWO, THREE = [1.0, 1.0], [1.0, 1.0, 0.7, 0.5], [1.0, 0.5, -0.4, 1.0, 0.3, 2.0]
DISTANCE = {"inner_cutoff_type": "distance", "r_in": 2.3, "delta_in": 0.7, "core-repulsion": [8.0, 0.5]}
DENSITY = {"inner_cutoff_type": "density", "r_in": 0.0, "delta_in": 0.0, "core-repulsion": [8.0, 0.5]}
ZBL = {"inner_cutoff_type": "zbl", "r_in": 2.3, "delta_in": 0.7, "core-repulsion": [1.0, 1.0]}
CASES = (
    Case("unary-linear", "one density, linear", {"Cu": ONE}, FS),
    Case("unary-order-6", "orders 1 to 6", {"Cu": TWO}, shape=([4, 2, 2, 1, 1, 1], [0, 3, 2, 2, 1, 1])),
    Case("unary-signed-power", "FinnisSinclair, three densities", {"Cu": THREE}, FS),
    Case("unary-ChebPow", "ChebPow", {"Cu": TWO}, bonds={"radbase": "ChebPow", "radparameters": [2.0]}),
    Case("unary-ChebExpCos", "ChebExpCos, dcut 0.5", {"Cu": TWO}, bonds={"radbase": "ChebExpCos", "dcut": 0.5}),
    Case("unary-E0", "E0 of -3.7 eV", {"Cu": TWO}, e0={"Cu": -3.7}),
    Case("unary-density", "core, density", {"Cu": TWO}, bonds=DENSITY),
    Case("unary-zbl", "core, zbl", {"Cu": TWO}, bonds=ZBL),
    Case("binary", "two densities each", {"Al": TWO, "Ni": TWO}),
    Case("binary-1-2", "one and two densities", {"Al": ONE, "Ni": TWO}),
    Case("binary-distance", "core, distance", {"Al": TWO, "Ni": TWO}, bonds=DISTANCE),
    Case("binary-zbl", "core, zbl, two and one densities", {"Al": TWO, "Ni": ONE}, bonds=ZBL),
    Case("binary-bases", "ChebExpCos, ChebPow, SBessel", {"Al": TWO, "Ni": TWO}, bonds={"radbase": "mixed"}),
    Case("binary-E0", "E0 of both", {"Al": TWO, "Ni": TWO}, e0={"Al": -1.25, "Ni": -5.5}),
    Case("ternary", "core, distance, two, one, three", {"Al": TWO, "Cu": ONE, "Zn": THREE}, bonds=DISTANCE),
    Case("ternary-signed-power", "FinnisSinclair, one, two, one", {"Al": ONE, "Cu": [1.0, 0.6, 0.5, 1.0], "Ni": ONE}, FS),
    Case(
        "quinary",
        "two, two, one, two, three",
        {"Al": TWO, "Cu": TWO, "Mg": ONE, "Ni": TWO, "Zn": THREE},
        shape=([2, 1, 1], [0, 1, 1]),
    ),
)


def bond_of(common: dict[str, Any], number: int) -> dict[str, Any]:
    """Settings of a bond; the cutoff and, where they are mixed, the radial functions depend on its number."""
    bases = ("ChebExpCos", "ChebPow", "SBessel")
    radbase = bases[number % 3] if common["radbase"] == "mixed" else common["radbase"]
    return {**common, "radbase": radbase, "rcut": 5.0 - 0.1 * number}


def invent_potential(case: Case) -> Potential:
    """The potential of a case with random coefficients; bonds differ in cutoff."""
    elements = sorted(case.densities)
    pairs = [(a, b) for i, a in enumerate(elements) for b in elements[i:]]
    common = {"radbase": "SBessel", "radparameters": [4.0], "dcut": 0.01, **case.bonds}
    target = build_target(
        {
            "elements": elements,
            "embeddings": {
                e: {
                    "npot": case.npot,
                    "fs_parameters": parameters,
                    "ndensity": len(parameters) // 2,
                    "rho_core_cut": 3.0,
                    "drho_core_cut": 2.5,
                }
                for e, parameters in case.densities.items()
            },
            "bonds": {a + b: bond_of(common, number) for number, (a, b) in enumerate(pairs)},
            "functions": {"ALL": {"nradmax_by_orders": case.shape[0], "lmax_by_orders": case.shape[1]}},
        }
    )
    layout, rng = parameter_layout(target), np.random.default_rng(len(case.name))
    x = layout.vector()
    x[: layout.n_radial] += rng.normal(0.0, 0.3, layout.n_radial)
    x[layout.n_radial :] = rng.normal(0.0, 0.2, layout.n_func)
    return layout.apply(x).with_e0(case.e0).with_metadata(comment='a "quoted": text')


def invent_structures(elements: list[str], number: int = 4) -> list[Atoms]:
    """Periodic cells and clusters with all elements, atoms at least 1.7 Å apart."""
    rng, found = np.random.default_rng(7), []
    while len(found) < number:
        n = max(6, len(elements))
        is_cell = len(found) % 2 == 0
        cell = np.array([[5.6, 0, 0], [0.5, 5.2, 0], [0.3, -0.4, 5.9]])
        symbols = [elements[k % len(elements)] for k in range(n)]
        # ace-jax wants a volume for clusters, too
        box = cell if is_cell else 30.0 * np.eye(3)
        atoms = Atoms(symbols, rng.random((n, 3)) @ cell, cell=box, pbc=is_cell)
        if build(StructureSet.from_ase([atoms]), 6.0).distances().min() > 1.7:
            found.append(atoms)
    return found


def evaluate(potential: Potential | Path, structures: list[Atoms], tables: bool) -> dict[str, NDArray[np.float64]]:
    """Energies of atoms, total energy and forces of each structure with acefit."""
    found, calculator = {}, ACECalculator(potential, threads=1, tables=tables)
    for k, atoms in enumerate(structures):
        copy = atoms.copy()
        copy.calc = calculator
        found[f"forces_{k}"], found[f"energies_{k}"] = copy.get_forces(), copy.get_potential_energies()
        found[f"energy_{k}"] = np.array(copy.get_potential_energy())
    return found


def deviation(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Largest scaled difference of what both have."""
    return max(float(np.abs(value - ours[key]).max() / (1 + np.abs(ours[key]).max())) for key, value in theirs.items())


def run(command: list[Any]) -> None:
    """Run a program of the peers.

    Raises
    ------
    RuntimeError
        If it ends with an error; with the end of what it printed.
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, command[:3]))[:80]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-800:]}"
        )


def compare(case: Case, peers: Path) -> dict[str, float]:
    """Deviation of each reader, NaN for what is not installed."""
    potential = invent_potential(case)
    structures = invent_structures(sorted(case.densities))
    analytic, tabulated = evaluate(potential, structures, False), evaluate(potential, structures, True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written, frames = folder / "written.yace", folder / "structures.traj"  # all digits, unlike text
        write_yace(potential, written)
        ase.io.write(frames, structures)

        def peer(program: str, python: str, potential: Path, *options: str) -> dict[str, Any]:
            run([peers / python, "-c", program, potential, frames, folder / "out.npz", *options])
            return dict(np.load(folder / "out.npz"))

        found = {"acefit": deviation(analytic, evaluate(read_yace(written), structures, False))}
        for kind in ("product", "recursive"):
            found[f"C++ {kind}"] = deviation(tabulated, peer(PACE, "bin/python", written, kind))
        try:
            found["ace-jax"] = deviation(analytic, peer(JAX, "jax/bin/python", written))
        except (OSError, RuntimeError) as error:
            if (peers / "jax").is_dir() and "NotImplementedError" not in str(error):
                raise
            found["ace-jax"] = float("nan")
        write_potential(potential, folder / "potential.yaml")
        run([peers / "bin" / "pace_yaml2yace", folder / "potential.yaml", "-o", folder / "converted.yace"])
        without_e0 = [evaluate(potential.with_e0({}), structures, tables) for tables in (False, True)]  # the converter drops it
        found[CONVERTED[0]] = deviation(without_e0[0], evaluate(read_yace(folder / "converted.yace"), structures, False))
        found[CONVERTED[1]] = deviation(without_e0[1], peer(PACE, "bin/python", folder / "converted.yace", "recursive"))
    return found


def cell(value: float) -> str:
    """Entry of the table; a dash for what is not installed or says that it does not support the file."""
    return "-" if np.isnan(value) else f"{value:.0e}"


def main() -> int:
    """Run all cases and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--only", nargs="*", help="names of the cases to run")
    parser.add_argument("--table", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    lines = [f"| potential | what | {' | '.join(READERS)} |", "|---|---|" + "---:|" * len(READERS)]
    print("\n".join(lines))
    worst = 0.0
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        found = compare(case, arguments.peers)
        # what others make of the file of others is shown, but no fault of acefit
        worst = max([worst, *(found[reader] for reader in READERS[:-1] if found[reader] == found[reader])])
        lines.append(f"| {case.name} | {case.what} | {' | '.join(map(cell, (found[reader] for reader in READERS)))} |")
        print(lines[-1], flush=True)
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
