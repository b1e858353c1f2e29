"""Running the workflow on tiny data: datasets made here, Snakemake in a process of its own, its answer read."""

import copy
import os
import re
import subprocess
import sys
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
    """What Snakemake said: exit code, number of planned jobs per rule, fits as (step, cycle), everything it printed."""

    code: int
    jobs: dict[str, int]
    fits: list[tuple[int, int]]
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


def command(folder: Path, config: Path | None, *arguments: str, cores: int | None = 2) -> list[str]:
    """Command line of a run in a folder; arguments come first, since --configfile takes all words that follow it.

    Without cores the jobs go to a batch system, which the arguments name.
    """
    line = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [*line, *(["--cores", str(cores)] if cores else []), *(["--configfile", str(config)] if config else [])]


def run(
    folder: Path, config: Path | None, *arguments: str, cores: int | None = 2, environment: dict[str, str] | None = None
) -> Answer:
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
    jobs: dict[str, int] = {}
    for table in re.findall(r"^job +count\n[- ]+\n((?:\w+ +\d+\n)+)", done.stdout, re.MULTILINE):
        jobs = {
            name: int(number) for name, number in map(str.split, table.splitlines()) if name not in {"all", "default", "total"}
        }
    fits = re.findall(r"Fitting ladder step (\d+), cycle (\d+)", done.stdout)
    return Answer(done.returncode, jobs, sorted({(int(step), int(cycle)) for step, cycle in fits}), done.stdout)


def planned(folder: Path, config: Path | None, *arguments: str, **keywords) -> Answer:
    """What would run."""
    answer = run(folder, config, "--dry-run", *arguments, **keywords)
    assert answer.code == 0, answer.text
    return answer
