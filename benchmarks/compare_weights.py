"""Compare weights, reference energies and splits with those of pacemaker, run beside as it is.

    python benchmarks/compare_weights.py --peers DIR

DIR is an environment with pacemaker (see `peer`). Each case is one run of ``pacemaker --no-fit --no-predict``
(about ten seconds) on invented structures of Al, Cu and Ni; its file ``fitting_data_info.pckl.gzip`` is compared with what acefit
makes of the same input. The table is printed as Markdown.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acefit.data.readers import read_files
from acefit.data.references import Composition, determine_references
from acefit.data.split import split_structures
from acefit.data.storage import Dataset, with_energies
from acefit.data.unpickle import read_pickled_frame
from acefit.data.weighting import assign_weights
from acefit.data.weights import Weighting
from peer import argument_parser, run_pacemaker, write_frames

POTENTIAL = {
    "deltaSplineBins": 0.001,
    "elements": ["Al", "Cu", "Ni"],
    "embeddings": {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1], "ndensity": 1}},
    "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 6.0, "dcut": 0.01, "NameOfCutoffFunction": "cos"}},
    "functions": {"ALL": {"nradmax_by_orders": [2], "lmax_by_orders": [0]}},
}

ENERGY = {"type": "EnergyBasedWeightingPolicy"}
CASES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "uniform, augmented structures and w_factor": {"file": "special"},
    "weights of the dataset, augmented structures without": {"file": "given"},
    "three elements, hull, wlow": {"file": "ternary", "weighting": {**ENERGY, "DElow": 0.4, "wlow": 0.6, "seed": 23}},
    "hull, defaults": {"weighting": {**ENERGY, "seed": 7}},
    "hull, limits, wlow": {
        "weighting": {**ENERGY, "DElow": 0.5, "DEup": 1.6, "DFup": 3.2, "wlow": 0.7, "DE": 0.3, "DF": 2.0, "seed": 1}
    },
    "hull, nfit": {"weighting": {**ENERGY, "DElow": 0.25, "DEup": 3.0, "nfit": 25, "wlow": 0.9, "seed": 3}},
    "hull, n_lower and n_upper": {"weighting": {**ENERGY, "DElow": 0.6, "n_lower": 9, "n_upper": 11, "wlow": 0.5, "seed": 5}},
    "hull, bulk only": {"weighting": {**ENERGY, "DElow": 0.6, "reftype": "bulk", "seed": 5}},
    "cohesive, wlow": {"weighting": {**ENERGY, "energy": "cohesive", "DElow": 1.0, "DEup": 2.5, "wlow": 0.6, "seed": 11}},
    "cohesive, clusters, nfit": {
        "weighting": {**ENERGY, "energy": "cohesive", "reftype": "cluster", "nfit": 6, "DElow": 0.2, "seed": 2}
    },
    "reference auto, hull": {"reference": "auto", "weighting": {**ENERGY, "DElow": 0.5, "wlow": 0.8, "seed": 13}},
    "reference map with shift": {"reference": {"Al": -3.5, "Ni": -5.25, "shift": 0.5}},
    "test_size 0.2": {"test_size": 0.2},
    "test_size 0.25, hull, nfit": {
        "test_size": 0.25,
        "weighting": {**ENERGY, "DElow": 0.25, "nfit": 30, "wlow": 0.8, "seed": 17},
    },
    "test_size 7, reference auto": {"test_size": 7, "reference": "auto"},
    "test file, cohesive": {
        "test_file": True,
        "weighting": {**ENERGY, "energy": "cohesive", "DElow": 0.9, "wlow": 0.7, "seed": 19},
    },
}


def invent_structures(n_structures: int, seed: int, kind: str) -> list[Atoms]:
    """Invent structures with energies and forces, three quarters of them periodic.

    Parameters
    ----------
    n_structures, seed : int
    kind : str
        ``data`` and ``test``: Al and Ni; ``ternary``: Al, Cu and Ni; ``special``: every fifth structure is called augmented and
        all have a ``w_factor``; ``given``: those that are not augmented have weights, the others a mask.
    """
    generator = np.random.default_rng(seed)
    elements = ["Al", "Cu", "Ni"] if kind == "ternary" else ["Al", "Ni"]
    frames = []
    for k in range(n_structures):
        n_atoms = int(generator.integers(2, 7))
        shares = [*np.eye(len(elements)), generator.dirichlet(np.ones(len(elements)))]
        symbols = generator.choice(elements, n_atoms, p=shares[generator.integers(len(shares))]).tolist()
        sites = np.array([(a, b, c) for a in range(2) for b in range(2) for c in range(2)])[:n_atoms]
        cell = np.eye(3) * (5.2 * n_atoms ** (1 / 3)) + 0.2 * generator.random((3, 3)) if k % 4 else None
        atoms = Atoms(symbols, 2.4 * sites + 0.2 * generator.random((n_atoms, 3)), cell=cell, pbc=bool(k % 4))
        n_of = np.array([symbols.count(element) for element in elements])
        mixing = -0.4 * (n_atoms**2 - (n_of**2).sum()) / n_atoms
        energy = n_of @ [-3.1, -4.9, -4.0][: len(elements)] + mixing + n_atoms * generator.gamma(1.5, 0.4)
        augmented = kind in ("special", "given") and k % 5 == 0
        atoms.info |= {"dft_energy": float(energy), "name": f"augmented-{k}" if augmented else f"structure-{k}"}
        atoms.arrays["dft_forces"] = generator.normal(size=(n_atoms, 3))
        if kind == "special":
            atoms.info["w_factor"] = float(generator.choice([0.5, 1.0, 2.0]))
        if kind == "given" and augmented:
            atoms.arrays["w_forces_mask"] = generator.integers(0, 2, n_atoms).astype(float)
        elif kind == "given":
            atoms.info["w_energy"] = float(generator.random())
            atoms.arrays["w_forces"] = generator.random(n_atoms)
        frames.append(atoms)
    return frames


def invent_files(folder: Path) -> dict[Path, list[Atoms]]:
    """Structures of all files of the cases."""
    numbers = {"data": 60, "test": 20, "special": 40, "given": 40, "ternary": 80}
    return {folder / f"{kind}.pckl.gzip": invent_structures(n, seed, kind) for seed, (kind, n) in enumerate(numbers.items())}


def run_peer(case: dict[str, Any], folder: Path, peers: Path) -> None:
    """Run pacemaker on a case without fitting."""
    data: dict[str, Any] = {"filename": str(folder.parent / f"{case.get('file', 'data')}.pckl.gzip")}
    data |= {
        key: value for key, value in (("reference_energy", case.get("reference")), ("test_size", case.get("test_size"))) if value
    }
    if case.get("test_file"):
        data["test_filename"] = str(folder.parent / "test.pckl.gzip")
    fit = {"loss": {"kappa": 0.3}, "optimizer": "BFGS", "maxiter": 1}
    fit |= {"weighting": case["weighting"]} if "weighting" in case else {}
    settings = {
        "cutoff": 6.0,
        "seed": 42,
        "potential": POTENTIAL,
        "data": data,
        "fit": fit,
        "backend": {"evaluator": "tensorpot"},
    }
    run_pacemaker(settings, folder, peers, "--no-fit")


def run_acefit(case: dict[str, Any], folder: Path) -> tuple[Dataset, Weighting]:
    """Do the same with acefit."""
    role = "train" if case.get("test_file") else "data"
    files = [{"path": str(folder / f"{case.get('file', 'data')}.pckl.gzip"), "subset": role}]
    files += [{"path": str(folder / "test.pckl.gzip"), "subset": "test"}] if case.get("test_file") else []
    data: Dataset = read_files(files).dataset
    if "reference" in case:
        rows = [s for s, r in enumerate(data.roles) if r != "test"]
        known = data.select(rows)
        references = determine_references(case["reference"], Composition.of(known.structures), known.raw_energies)
        data = with_energies(data, references.correct(Composition.of(data.structures), data.raw_energies))
    division = split_structures(data.roles, data.structures.groups, case.get("test_size"), 42)
    policy = {**case["weighting"], "joint": True} if "weighting" in case else None
    return data, assign_weights(data, division.subsets, policy)


def compare(case: dict[str, Any], folder: Path, peers: Path) -> dict[str, Any]:
    """Largest relative differences between both; structures of each subset must be the same."""
    folder.mkdir()
    run_peer(case, folder, peers)
    data, weighting = run_acefit(case, folder.parent)
    structures, row = data.structures, {"structures": "", "energies": 0.0, "w_energy": 0.0, "w_forces": 0.0, "distance": 0.0}
    sizes = []
    for subset, file in (("train", "fitting_data_info.pckl.gzip"), ("test", "test_data_info.pckl.gzip")):
        members = np.flatnonzero(np.array(weighting.subsets) == subset)
        if not len(members) and not (folder / file).exists():
            continue
        frame = read_pickled_frame(folder / file)
        by_key = {(name, len(atoms)): k for k, (name, atoms) in enumerate(zip(frame["name"], frame["ase_atoms"], strict=True))}
        keys = [(structures.names[s], int(structures.atoms_per_structure[s])) for s in members]
        if set(by_key) != set(keys):
            raise SystemExit(f"{folder.name}: the {subset} sets differ: {set(by_key) ^ set(keys)}")
        sizes.append(f"{len(members)} {subset}")
        for s, key in zip(members, keys, strict=True):
            theirs, atoms = frame.iloc[by_key[key]], slice(structures.offsets[s], structures.offsets[s + 1])
            row["energies"] = max(row["energies"], _relative(structures.energies[s], theirs["energy_corrected"]))
            row["w_energy"] = max(row["w_energy"], _relative(weighting.weights.energy[s], theirs["w_energy"]))
            row["w_forces"] = max(row["w_forces"], _relative(weighting.weights.force[atoms], np.asarray(theirs["w_forces"])))
            if "effective_energy" in frame.columns:
                difference = abs(weighting.effective_energies[s] - theirs["effective_energy"])
                row["distance"] = max(row["distance"], float(difference))
    return {**row, "structures": ", ".join(sizes)}


def _relative(ours: Any, theirs: Any) -> float:
    return float(np.max(np.abs(np.asarray(ours) - theirs) / np.maximum(np.abs(theirs), 1e-300)))


def main() -> None:
    """Run all cases and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--only", help="run only the cases whose name contains this")
    args = parser.parse_args()
    print("| case | structures | energy_corrected | w_energy | w_forces | effective energy |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        write_frames(invent_files(Path(name)), args.peers)
        for number, (title, case) in enumerate(CASES.items()):
            if args.only and args.only not in title:
                continue
            row = compare(case, Path(name) / f"case-{number}", args.peers)
            distance = f"{row['distance']:.1e}" if case.get("weighting") else "-"
            numbers = " | ".join(f"{row[key]:.1e}" for key in ("energies", "w_energy", "w_forces"))
            print(f"| {title} | {row['structures']} | {numbers} | {distance} |", flush=True)


if __name__ == "__main__":
    main()
