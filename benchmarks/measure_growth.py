"""Time and memory of every stage of the pipeline against the number of atoms, up to sets that do not fit into memory.

    python benchmarks/measure_growth.py --folder DIR [--atoms 10000 100000 1000000] [--cores 2] [--figure FILE]

makes crystals of copper and silver with displaced atoms, some 100 neighbours each within the cutoff, and energies, forces and
stresses of a pair potential; runs the workflow on them; and prints a table of what the logs of the jobs say: seconds of the
stage itself by the clock, seconds of the processor of its whole processes, by which growth is measured, since other jobs disturb
them less, and the largest memory of one process, counted by the system and not by samples. What is measured stays in the folder
as `<atoms>.json` and is not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import ase.io.extxyz
import numpy as np
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from matplotlib.figure import Figure

import measure_pipeline
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from machine import describe
from measuring import REPOSITORY

CUTOFF = 6.65
STAGES = ("dataset", "neighborlists", "split", "weights", "basis", "fit", "select", "potential", "predict", "report")
LATTICES = {"fcc": (4, ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))), "bcc": (2, ((0, 0, 0), (0.5, 0.5, 0.5)))}
VOLUME = 11.6
"""Å^3 per atom, by which about 100 neighbours are closer than the cutoff."""


def make_structure(generator: np.random.Generator) -> Atoms:
    """A supercell of 54 to 500 atoms: fcc or bcc, pure or an alloy, strained, with displaced atoms."""
    kind = str(generator.choice(list(LATTICES)))
    per_cell, basis = LATTICES[kind]
    n = 3 + int(generator.integers(3))
    length = (VOLUME * per_cell) ** (1 / 3) * generator.uniform(0.97, 1.03)
    corners = np.stack(np.meshgrid(*3 * [np.arange(n)], indexing="ij"), axis=-1).reshape(-1, 1, 3)
    scaled = (corners + np.array(basis)).reshape(-1, 3)
    strain = np.eye(3) + generator.normal(0.0, 0.01, (3, 3))
    positions = length * scaled @ strain + generator.normal(0.0, generator.uniform(0.02, 0.12), (len(scaled), 3))
    symbols = np.where(generator.random(len(scaled)) < generator.choice([0.0, 0.25, 0.5, 1.0]), "Ag", "Cu")
    atoms = Atoms(list(symbols), positions, cell=n * length * strain, pbc=True)
    atoms.info["config_type"] = f"{kind}-{'pure' if len(set(symbols)) == 1 else 'alloy'}"
    return atoms


def add_labels(frames: list[Atoms]) -> None:
    """Energies (eV), forces and stresses of a Morse potential whose depth and length depend on the pair, zero at the cutoff."""
    structures = StructureSet.from_ase(frames)
    pairs = build(structures, CUTOFF)
    i, j, r = pairs.i, pairs.j, pairs.distances()
    silver = (structures.numbers == 47).astype(float)
    n_silver = silver[i] + silver[j]
    depth, best = 0.35 + 0.03 * n_silver - 0.02 * (n_silver == 1), 2.55 + 0.12 * n_silver
    decay = np.exp(-1.4 * (r - best))
    morse, slope = depth * (decay**2 - 2 * decay), depth * 2.8 * (decay - decay**2)
    window, bend = (1 - (r / CUTOFF) ** 2) ** 2, -4 * r / CUTOFF**2 * (1 - (r / CUTOFF) ** 2)
    atomic = np.bincount(i, 0.5 * morse * window, structures.n_atoms)
    pull = ((slope * window + morse * bend) / r)[:, None] * pairs.vectors
    forces = np.stack([np.bincount(i, pull[:, axis], structures.n_atoms) for axis in range(3)], axis=1)
    of_pair = structures.structure_of_atom[i]
    for s, atoms in enumerate(frames):
        rows = slice(structures.offsets[s], structures.offsets[s + 1])
        first, last = np.searchsorted(of_pair, [s, s + 1])
        virial = 0.5 * pull[first:last].T @ pairs.vectors[first:last]
        stress = (virial / atoms.get_volume())[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        atoms.calc = SinglePointCalculator(atoms, energy=float(atomic[rows].sum()), forces=forces[rows], stress=stress)


def write_set(path: Path, n_atoms: int) -> dict[str, int]:
    """Write structures until there are so many atoms; the sets of different sizes begin with the same ones."""
    generator, done, n_structures = np.random.default_rng(1), 0, 0
    with path.open("w") as file:
        while done < n_atoms:
            frames: list[Atoms] = []
            while len(frames) < 20 and done < n_atoms:
                frames.append(make_structure(generator))
                done += len(frames[-1])
            add_labels(frames)
            _write(file, frames)
            n_structures += len(frames)
    return {"atoms": done, "structures": n_structures}


def _write(file: TextIO, frames: list[Atoms]) -> None:
    ase.io.extxyz.write_xyz(file, frames)


def configuration(shards: int, stream: str) -> dict[str, Any]:
    """A small potential and a short fit with everything switched on that reads the data: weights, test set, core repulsion."""
    embedding = {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}
    return {
        "name": "growth",
        "seed": 1,
        "data": {"filename": "set.xyz", "test_size": 0.05, "stratify": True, "reference_energy": 0, "shards": shards},
        "potential": {
            "elements": ["Ag", "Cu"],
            "embeddings": {"ALL": embedding},
            "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": CUTOFF, "dcut": 0.01}},
            "functions": {"ALL": {"nradmax_by_orders": [6, 2], "lmax_by_orders": [0, 2]}},
        },
        "fit": {
            "loss": {"kappa": 0.1, "kappa_stress": 0.1, "L2_coeffs": 1e-8},
            "weighting": {"type": "EnergyBasedWeightingPolicy", "DElow": 1.0, "DEup": 50.0},
            "maxiter": 3,
            "repulsion": "auto",
            "stream": stream,
        },
    }


def run(folder: Path, n_atoms: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run the workflow on a set of this size; sizes of the set, and seconds and bytes of each stage."""
    place = folder / str(n_atoms)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    size = write_set(place / "set.xyz", n_atoms)
    (place / "input.yaml").write_text(yaml.safe_dump(configuration(options.cores, options.stream)))
    command = [sys.executable, "-m", "snakemake", "--cores", str(options.cores), "--snakefile", str(REPOSITORY / "Snakefile")]
    measure_pipeline.run([*command, "--configfile", "input.yaml"], place, ACEFIT_LOG_LEVEL="DEBUG")
    pairs = sum(int(number) for text in _logs(place, "neighborlists") for number in re.findall(r"(\d+) pairs", text))
    stages = {stage: measured(list(_logs(place, stage))) for stage in STAGES}
    disk = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    if not options.keep:
        shutil.rmtree(place)
    return {**size, "pairs": pairs, "disk": disk, "stages": stages}


def _logs(place: Path, stage: str) -> Iterator[str]:
    """Texts of the logs of a stage's jobs."""
    pattern = "neighborlists-*/logs/shard-*.log" if stage == "neighborlists" else f"logs/{stage}*"
    for path in sorted((place / "results").rglob(pattern)):
        yield from (file.read_text() for file in (sorted(path.glob("*.log")) if path.is_dir() else [path]))


def measured(logs: Sequence[str]) -> dict[str, float]:
    """Seconds of the longest job of a stage, since its jobs run side by side; of the processor of all; MB of the largest."""
    text = "\n".join(logs)
    seconds = [float(number) for number in re.findall(r"done in ([\d.]+) s$", text, re.MULTILINE)]
    rest = re.findall(r"([\d.]+) s of the processor, at most (\d+) MB of memory$", text, re.MULTILINE)
    return {"seconds": max(seconds), "processor": sum(float(s) for s, _ in rest), "megabytes": max(float(m) for _, m in rest)}


def exponent(small: dict[str, Any], large: dict[str, Any], stage: str) -> float:
    """Power of the number of atoms by which the time of the processor grows."""
    times = [found["stages"][stage]["processor"] for found in (small, large)]
    return math.log(times[1] / times[0]) / math.log(large["atoms"] / small["atoms"])


def table(results: list[dict[str, Any]]) -> str:
    """Seconds by the clock, of the processor, and MB of each stage by size, and the growth between the two largest sets."""
    head = " | ".join(f"{found['atoms']:,} atoms, {found['pairs']:,} pairs" for found in results)
    lines = [f"| stage | {head} | growth |", "|---" * (len(results) + 2) + "|"]
    for stage in STAGES:
        rows = [found["stages"][stage] for found in results]
        cells = [f"{row['seconds']:.1f} s ({row['processor']:.1f} s), {row['megabytes']:.0f} MB" for row in rows]
        lines.append(" | ".join([f"| `{stage}`", *cells, f"{exponent(*results[-2:], stage):.2f}"]) + " |")
    totals = [[sum(row[key] for row in found["stages"].values()) for key in ("seconds", "processor")] for found in results]
    lines.append(" | ".join(["| all", *(f"{clock:.0f} s ({processor:.0f} s)" for clock, processor in totals), ""]) + " |")
    return "\n".join(lines)


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Time and memory of each stage against the number of atoms, both axes logarithmic."""
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    atoms = [found["atoms"] for found in results]
    panels = (("processor", "time of the processor (s)"), ("megabytes", "memory of a process (MB)"))
    for axes, (key, label) in zip(figure.subplots(1, 2), panels, strict=True):
        for number, stage in enumerate(STAGES):
            values = [max(found["stages"][stage][key], 0.05) for found in results]
            axes.plot(atoms, values, marker="osD^v"[number % 5], linewidth=1.1, markersize=4, label=stage)
        axes.set(xscale="log", yscale="log", xlabel="atoms", ylabel=label)
        axes.grid(alpha=0.3)
    time_axes, memory_axes = figure.axes
    largest = max(found["processor"] for found in results[-1]["stages"].values())
    time_axes.plot(atoms, [largest * n / atoms[-1] for n in atoms], color="grey", linestyle=":", label="linear")
    memory_axes.axhline(4096, color="black", linestyle=":", linewidth=0.9)
    memory_axes.text(atoms[0], 4300, "4 GiB", fontsize=8)
    memory_axes.set(ylim=(50, 8000))
    figure.legend(*time_axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main() -> None:
    """Measure what is not measured yet, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for sets, runs and results; 15 GB for 10^6 atoms")
    parser.add_argument("--atoms", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--cores", type=int, default=2, help="also the number of parts of the neighbour lists")
    parser.add_argument("--stream", default="always", choices=["auto", "always", "never"], help="fit: stream")
    parser.add_argument("--keep", action="store_true", help="do not delete the runs")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    results = []
    for n_atoms in sorted(options.atoms):
        path = options.folder / f"{n_atoms}.json"
        if not path.exists():
            found = run(options.folder, n_atoms, options)
            path.write_text(json.dumps(found, indent=1) + "\n")
        results.append(json.loads(path.read_text()))
    print(json.dumps(describe(), indent=1))
    print(table(results))
    if options.figure:
        draw(results, options.figure)


if __name__ == "__main__":
    main()
