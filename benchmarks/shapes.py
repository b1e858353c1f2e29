"""Potentials and structures that the suite measures: published ones where they are at hand, else invented ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from ase import Atoms
from ase.build import bulk, molecule

from acefit.basis.expansion import build_target
from acefit.data.readers import read_files
from acefit.data.structures import StructureSet
from acefit.potential.bbasis import read_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout
from measuring import REPOSITORY

CHEBYSHEV = {"radbase": "ChebExpCos", "radparameters": [5.25], "rcut": 7.0, "dcut": 0.01}
BESSEL = {"radbase": "SBessel", "radparameters": [5.25], "rcut": 7.5, "dcut": 0.01}


class Shape(NamedTuple):
    """A potential and one structure to evaluate."""

    name: str
    potential: Potential
    atoms: Atoms
    synthetic: bool


class TrainingSet(NamedTuple):
    """A potential and structures with energies and forces to fit."""

    name: str
    potential: Potential
    structures: StructureSet
    synthetic: bool


def section(elements: str, functions: Mapping[str, Any], bond: Mapping[str, Any]) -> dict[str, Any]:
    """A `potential:` section with two densities."""
    embedding = {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}
    return {
        "deltaSplineBins": 0.001,
        "elements": elements.split(),
        "embeddings": {"ALL": embedding},
        "bonds": {"ALL": dict(bond)},
        "functions": dict(functions),
    }


def orders(n: list[int], l: list[int]) -> dict[str, list[int]]:
    """Function settings of a block."""
    return {"nradmax_by_orders": n, "lmax_by_orders": l}


SECTIONS = {
    "Cu-III": section("Cu", {"ALL": orders([15, 3, 2, 1], [0, 2, 2, 1])}, CHEBYSHEV),
    "Cu.pbe.in": section(
        "Cu",
        {"ALL": orders([15, 5, 4, 1, 1, 1], [0, 6, 4, 2, 1, 1])},
        {**CHEBYSHEV, "radbase": "ChebPow", "radparameters": [2.0], "rcut": 7.4},
    ),
    "Ag-Cu": section(
        "Ag Cu",
        {"number_of_functions_per_element": 60, "UNARY": orders([15, 4], [0, 3]), "BINARY": orders([15, 2], [0, 3])},
        CHEBYSHEV,
    ),
    "ethanol-like": section("C H O", {"ALL": orders([20, 3, 2], [0, 2, 1])}, {**CHEBYSHEV, "rcut": 4.0}),
    "Cu-I": section("Cu", {"ALL": orders([15, 3, 2, 2, 1], [0, 2, 2, 1, 1])}, CHEBYSHEV),
    "cu-large": section("Cu", {"ALL": orders([15, 6, 4, 3, 2, 1], [0, 3, 3, 2, 2, 1])}, BESSEL),
    "ethanol": section("C H O", {"ALL": orders([15, 3, 2, 2, 1], [0, 2, 2, 1, 1])}, {**CHEBYSHEV, "rcut": 4.0}),
    "Zuo-Si": section(
        "Si",
        {"number_of_functions_per_element": 500, "ALL": orders([15, 6, 4, 3, 2], [0, 4, 3, 2, 1])},
        {**BESSEL, "rcut": 5.5},
    ),
}
POTENTIAL_FILES = {"Cu-III": "Cu-III.yaml", "Cu.pbe.in": "Cu.pbe.in.yaml", "Ag-Cu": "DFT10B-AgCu_asi.yaml"}
TRAINING_FILES = {
    "Cu-I": "pace_Cu-I/Cu_df1_A1_A2_A3_EV_elast_phon.pckl.gzip",
    "cu-large": "zuo2020_Cu/train.xyz.gz",
    "ethanol": "ethanol/train.xyz.gz",
    "Zuo-Si": "zuo2020_Si/train.xyz.gz",
}
FIRST = {"cu-large": 100}
"""Number of structures that are used where it is not all of them."""

SHAPES = ("Cu-III", "Cu.pbe.in", "Ag-Cu", "ethanol-like")
TRAINING_SETS = ("Cu-I", "cu-large", "ethanol", "Zuo-Si", "example")


def random_potential(settings: Mapping[str, Any], seed: int = 1) -> Potential:
    """Potential of a section with random coefficients that give densities of order one."""
    potential = build_target(settings)
    layout, rng = parameter_layout(potential), np.random.default_rng(seed)
    x = layout.vector()
    x[: layout.n_radial] += rng.normal(0.0, 0.05, layout.n_radial)
    x[layout.n_radial :] = rng.normal(0.0, 0.1, layout.n_func) / np.sqrt(layout.n_func)
    return layout.apply(x)


def rattled(atoms: Atoms, seed: int, stdev: float = 0.05) -> Atoms:
    """The same structure with displaced atoms."""
    atoms = atoms.copy()
    atoms.rattle(stdev, seed=seed)
    return atoms


def copper(quick: bool, a: float = 3.615) -> Atoms:
    """500 atoms of rattled fcc copper (32 when quick)."""
    return rattled(bulk("Cu", cubic=True, a=a) * ((2, 2, 2) if quick else (5, 5, 5)), seed=1)


def silver_copper(quick: bool) -> Atoms:
    """Random alloy, dilute enough for 89 neighbours within 7 Å."""
    atoms = copper(quick, a=3.93)
    atoms.numbers[np.random.default_rng(1).random(len(atoms)) < 0.5] = 47
    return atoms


def molecules(quick: bool) -> Atoms:
    """56 distorted molecules of nine atoms on a grid, too far apart to interact (4 when quick)."""
    parts = [rattled(molecule("CH3CH2OH"), seed) for seed in range(4 if quick else 56)]
    for number, part in enumerate(parts):
        part.translate(15.0 * np.array(np.unravel_index(number, (4, 4, 4))))
    atoms = parts[0]
    for part in parts[1:]:
        atoms += part
    return atoms


STRUCTURES: dict[str, Callable[[bool], Atoms]] = {
    "Cu-III": copper,
    "Cu.pbe.in": copper,
    "Ag-Cu": silver_copper,
    "ethanol-like": molecules,
}


def load_shape(name: str, shared: Path | None, quick: bool) -> Shape:
    """Potential and structure of one row of the evaluation table."""
    file = shared / "golden" / POTENTIAL_FILES[name] if shared and name in POTENTIAL_FILES else None
    synthetic = file is None or not file.exists()
    potential = random_potential(SECTIONS[name]) if synthetic else read_potential(file)
    return Shape(name, potential, STRUCTURES[name](quick), synthetic)


def invented_frames(name: str, quick: bool) -> list[Atoms]:
    """Structures of the size and density of a training set."""
    if name == "ethanol":
        return [rattled(molecule("CH3CH2OH"), seed) for seed in range(100 if quick else 1000)]
    if name == "Zuo-Si":
        cell, count = bulk("Si", cubic=True) * (2, 2, 2), 207
    else:
        cell, count = (bulk("Cu", cubic=True), 92) if name == "Cu-I" else (bulk("Cu", cubic=True) * (3, 3, 3), 92)
    frames = [rattled(cell, seed) for seed in range(max(count // 10, 2) if quick else count)]
    for seed, atoms in enumerate(frames):
        atoms.set_cell(atoms.cell * (0.97 + 0.06 * seed / len(frames)), scale_atoms=True)
    return frames


def with_labels(structures: StructureSet, raw_energies: np.ndarray | None = None) -> StructureSet:
    """Energies and forces for every structure: total energies without their median per atom, random where there are none."""
    rng, n = np.random.default_rng(1), np.diff(structures.offsets)
    energies = structures.energies
    if raw_energies is not None and np.isnan(energies).any():
        energies = raw_energies - n * np.median(raw_energies / n)
    energies = np.where(np.isfinite(energies), energies, n * rng.normal(-1.0, 0.1, len(n)))
    forces = np.where(np.isfinite(structures.forces), structures.forces, rng.normal(0.0, 0.3, structures.forces.shape))
    return replace(structures, energies=energies, forces=forces)


def load_training_set(name: str, shared: Path | None, quick: bool) -> TrainingSet:
    """Potential and data of one row of the loss table."""
    file = REPOSITORY / "examples/silicon/silicon.xyz.gz"
    if name != "example":
        file = shared / "data" / TRAINING_FILES[name] if shared else Path()
    settings = SECTIONS.get(name) or yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())["potential"]
    if not file.is_file():
        structures = with_labels(StructureSet.from_ase(invented_frames(name, quick)))
        return TrainingSet(name, random_potential(settings), structures, True)
    data = read_files([{"path": str(file)}]).dataset
    structures = with_labels(data.structures, data.raw_energies)
    keep = FIRST.get(name, structures.n_structures)
    structures = structures.select(np.arange(max(keep // 10, 1) if quick else keep))
    return TrainingSet(name, random_potential(settings), structures, False)
