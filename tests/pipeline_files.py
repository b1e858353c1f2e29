"""The files a fit, a report or a comparison reads, written for a handful of structures without running the stages before."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.artifact_contracts import CONTRACTS
from acefit.artifacts import write_table
from acefit.basis.expansion import build_target
from acefit.basis.ladder import empty_basis
from acefit.data.neighborlists import build
from acefit.data.storage import Dataset, write_dataset, write_shard
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.files import write_yaml
from acefit.potential.bbasis import write_configuration
from bases import section, shape

CUTOFF = 5.0
SUBSETS = ("train", "train", "test", "train", "excluded", "train")


def emt_frames(n: int = len(SUBSETS)) -> list[Atoms]:
    """Rattled copper cells of one atom with energies, forces and stresses."""
    frames = []
    for k in range(n):
        atoms = bulk("Cu", "fcc", a=3.5 + 0.05 * k) * (2, 1, 1)
        atoms.rattle(0.05, seed=k)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def write_inputs(folder: Path, cutoff: float = CUTOFF) -> dict[str, object]:
    """Write dataset, one shard, weights, basis and start; keyword arguments of the step `fit`."""
    structures = StructureSet.from_ase(emt_frames())
    write_dataset(Dataset.from_structures(structures), folder / "structures.parquet", folder / "atoms.parquet")
    write_shard(build(structures, cutoff), structures, 0, folder / "shard.parquet")
    write_weights(folder, structures, SUBSETS)
    target = build_target(section("Cu", {"ALL": shape([3, 1], [0, 1])}))
    write_configuration(target, folder / "step-00.yaml")
    write_configuration(empty_basis(target), folder / "start.yaml")
    return {
        "path_to_step": folder / "step-00.yaml",
        "path_to_start": folder / "start.yaml",
        "paths_to_shards": [folder / "shard.parquet"],
        "path_to_structures": folder / "structures.parquet",
        "path_to_atoms": folder / "atoms.parquet",
        "path_to_weights": folder / "weights.parquet",
        "path_to_atom_weights": folder / "atom_weights.parquet",
        "path_to_summary": folder / "summary.yaml",
    }


def write_weights(folder: Path, structures: StructureSet, subsets: tuple[str, ...]) -> None:
    """Write uniform weights of both subsets and their summary."""
    energy, stress = np.zeros(structures.n_structures), np.zeros(structures.n_structures)
    force = np.zeros(structures.n_atoms)
    for subset in ("train", "test"):
        chosen = np.flatnonzero(np.array(subsets) == subset)
        part = Weights.uniform(structures.select(chosen))
        energy[chosen], stress[chosen] = part.energy, part.stress
        force[np.isin(structures.structure_of_atom, chosen)] = part.force
    n = structures.n_structures
    columns = {"structure": structures.ids, "subset": list(subsets), "w_energy": energy, "w_stress": stress}
    more = {"effective_energy": np.full(n, np.nan), "tier": [""] * n, "reason": ["uniform weights"] * n}
    write_table(columns | more, folder / "weights.parquet", "weights")
    atoms = {"structure": structures.structure_of_atom, "atom": np.arange(structures.n_atoms), "w_force": force}
    write_table(atoms, folder / "atom_weights.parquet", "weights_atoms")
    write_yaml({"kappa_auto": 0.25}, folder / "summary.yaml")


def outputs(folder: Path) -> dict[str, Path]:
    """Output arguments of the step `fit` for a folder."""
    names = {"potential": "potential.yaml", "metrics": "metrics.parquet", "result": "result.yaml"}
    return {f"path_to_{key}": folder / name for key, name in names.items()}


def fill(contract: str, n_rows: int, **given: object) -> dict[str, object]:
    """Table of a contract: the given columns, zeros or empty texts for the others."""
    zeros = {"string": [""] * n_rows, "bool": np.zeros(n_rows, dtype=bool)}
    columns = {}
    for column in CONTRACTS[contract].columns:
        base, _, size = column.dtype.partition("[")
        default = zeros.get(
            base, np.zeros((n_rows, int(size[:-1])) if size else n_rows, dtype=None if base == "string" else base)
        )
        columns[column.name] = given.get(column.name, default)
    return columns


def write_predictions(folder: Path, subsets: list[str], energy_error: float = 0.01) -> None:
    """Write tables of the predict stage for single atoms whose energies are off by the same error (eV)."""
    n = len(subsets)
    rng = np.random.default_rng(0)
    energies = rng.uniform(-5, -4, n)
    structures = fill(
        "predicted_structures",
        n,
        structure=np.arange(n),
        subset=subsets,
        reason=["too high" if s == "excluded" else "" for s in subsets],
        n_atoms=np.ones(n, dtype=int),
        energy=energies,
        energy_predicted=energies + energy_error,
        energy_per_atom=energies,
        energy_per_atom_predicted=energies + energy_error,
        nn_min=np.full(n, 2.3),
        stress=np.full((n, 6), np.nan),
        w_energy=np.full(n, 1 / n),
    )
    force = rng.normal(size=(n, 3))
    atoms = fill(
        "predicted_atoms",
        n,
        structure=np.arange(n),
        atom=np.arange(n),
        element=["Si"] * n,
        force=force,
        force_predicted=force * 1.1,
        w_force=np.full(n, 1 / n),
    )
    write_table(structures, folder / "structures.parquet", "predicted_structures")
    write_table(atoms, folder / "atoms.parquet", "predicted_atoms")
