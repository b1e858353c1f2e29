"""Running the workflow on tiny data: datasets made here, Snakemake in a process of its own, its answer read."""

import copy
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "tests" / "config"


class Answer(NamedTuple):
    """What Snakemake said: exit code, number of jobs per rule, output files of the jobs, everything it printed."""

    code: int
    jobs: dict[str, int]
    outputs: list[str]
    text: str


def write_dataset(path: Path, symbols: tuple[str, ...] = ("Cu",), n_structures: int = 14) -> None:
    """Distorted fcc cells of four atoms with EMT energies, forces and stresses, and one isolated atom."""
    rng = np.random.default_rng(7)
    frames = []
    for number in range(n_structures):
        atoms = bulk("Cu", cubic=True, a=3.6 * (1 + 0.02 * rng.normal()))
        atoms.symbols = [symbols[k % len(symbols)] for k in range(number, number + 4)]
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.08 * rng.normal(size=atoms.positions.shape)
        atoms.info["config_type"] = "bulk"
        frames.append(atoms)
    frames += [Atoms(symbol, info={"config_type": "atom"}) for symbol in symbols]
    for atoms in frames:
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        if atoms.pbc.all():
            results["stress"] = atoms.get_stress()
        atoms.calc = SinglePointCalculator(atoms, **results)
    write(path, frames, format="extxyz")


def write_config(folder: Path, changes: dict | None = None, base: str = "tiny.yaml", file: str = "tiny.yaml") -> Path:
    """Write a configuration of tests/config with changes, given as nested maps; None removes a key."""
    config = yaml.safe_load((CONFIGS / base).read_text())
    _merge(config, copy.deepcopy(changes or {}))
    path = folder / file
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _merge(target: dict, changes: dict) -> None:
    for key, value in changes.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def command(folder: Path, config: Path | None, *arguments: str, cores: int = 2) -> list[str]:
    """Command line of a run in a folder."""
    line = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    line += ["--cores", str(cores)] + (["--configfile", str(config)] if config else [])
    return [*line, *arguments]


def run(folder: Path, config: Path | None, *arguments: str, cores: int = 2, environment: dict[str, str] | None = None) -> Answer:
    """Run Snakemake to its end."""
    done = subprocess.run(
        command(folder, config, *arguments, cores=cores),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg", **(environment or {})},
        check=False,
        timeout=600,
    )
    jobs: Counter[str] = Counter()
    outputs = []
    rule = None
    for text in done.stdout.splitlines():
        if started := re.match(r"^(?:local)?(?:rule|checkpoint) (\w+):$", text):
            rule = started[1]
            jobs[rule] += 1
        elif rule and text.startswith("    output: "):
            outputs += text.removeprefix("    output: ").split(", ")
    for target in ("all", "default"):
        jobs.pop(target, None)
    return Answer(done.returncode, dict(jobs), outputs, done.stdout)


def planned(folder: Path, config: Path | None, *arguments: str, **keywords) -> Answer:
    """What would run."""
    answer = run(folder, config, "--dry-run", *arguments, **keywords)
    assert answer.code == 0, answer.text
    return answer
