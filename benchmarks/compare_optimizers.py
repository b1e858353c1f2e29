"""Loss against evaluations and against time of several optimisers, on the training data of given configurations.

    python benchmarks/compare_optimizers.py input.yaml [other.yaml ...] [--optimizers BFGS ScaledBFGS L-BFGS-B] [--seconds 60]

Each starts from the last ladder step's basis with its initial coefficients, in this process, and ends after `--seconds` or
`--iterations`. `--every 8` takes every eighth structure. Writes optimizers.parquet and optimizers.png to `--out`, and prints a
table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from acefit.basis.ladder import extend
from acefit.config import loading, stages
from acefit.files import read_yaml
from acefit.fit.inputs import read_fit_data
from acefit.fit.loss import Loss
from acefit.fit.optimizers import OPTIONS, minimize
from acefit.fit.run import FitData
from acefit.fit.scaling import parameter_scales
from acefit.fit.settings import FitSettings
from acefit.potential.bbasis import read_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout
from acefit.steps.basis import basis
from acefit.steps.dataset import dataset
from acefit.steps.neighborlists import neighborlists
from acefit.steps.split import split
from acefit.steps.weights import weights

MARKS = (30, 60, 80, 100, 150, 200, 300, 400, 600, 800, 1200)
"""Evaluations after which the table gives the loss."""


def prepare(path: str) -> tuple[str, Potential, FitData, FitSettings]:
    """Name, start potential, training data and settings of a configuration, by the steps before the fit in a scratch folder."""
    config = loading.load_config(path)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = {"path_to_structures": folder / "structures", "path_to_atoms": folder / "atoms"}
        dataset(**stages.dataset_params(config), **data, path_to_references=folder / "references")
        cutoff = stages.neighbor_cutoff(config)
        neighborlists(**data, cutoff=cutoff, shard=0, n_shards=1, path_to_shard=folder / "pairs")
        split(path_to_structures=folder / "structures", **stages.split_params(config), path_to_split=folder / "split")
        files = {"path_to_weights": folder / "weights", "path_to_atom_weights": folder / "atom_weights"}
        summary = folder / "summary"
        weights(**data, path_to_split=folder / "split", **stages.weights_params(config), **files, path_to_summary=summary)
        plan = {f"path_to_{name}": folder / name for name in ("target", "functions", "ladder", "steps", "start")}
        basis(**stages.basis_params(config), **plan)
        last = read_yaml(folder / "ladder")["steps"][-1]["file"]
        potential = extend(read_potential(folder / "start"), read_potential(folder / "steps" / last))
        train, _ = read_fit_data(potential, tuple(data.values()), tuple(files.values()), [folder / "pairs"])
        settings = FitSettings.from_section(stages.fit_params(config, 0)["fit"], read_yaml(summary)["kappa_auto"])
    return stages.run_name(config, path), potential, train, settings


class Curve:
    """A loss that notes its best value after every evaluation."""

    def __init__(self, loss: Any, seconds: float) -> None:
        self.loss, self.limit = loss, seconds
        self.rows: list[dict[str, float]] = []
        self.best, self.begun = np.inf, time.perf_counter()

    def __call__(self, x: np.ndarray) -> Any:
        """Evaluate."""
        result = self.loss(x)
        self.best = min(self.best, result.value)
        seconds = time.perf_counter() - self.begun
        self.rows.append({"evaluations": len(self.rows) + 1, "seconds": seconds, "loss": self.best})
        return result

    def stop_late(self, *state: Any) -> None:
        """End the minimisation when its time is over."""
        if time.perf_counter() - self.begun > self.limit:
            raise StopIteration("time is over")


def run(method: str, start: Potential, data: FitData, settings: FitSettings, limits: tuple[float, int]) -> pd.DataFrame:
    """Curve of one optimiser with its default options."""
    loss, layout = Loss(start, data.structures, data.neighbors, data.weights, settings.loss), parameter_layout(start)
    x0 = layout.vector()
    loss(x0)
    curve = Curve(loss, limits[0])
    scales = parameter_scales(layout) if method == "ScaledBFGS" else None
    found = minimize(curve, x0, method=method, maxiter=limits[1], callback=curve.stop_late, scales=scales)
    print(f"  {method}: {found.reason}, {found.evaluations} evaluations, loss {found.value:.4e}", flush=True)
    return pd.DataFrame(curve.rows).assign(optimizer=method)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Two panels per configuration: loss against evaluations and against time."""
    names = list(dict.fromkeys(table["run"]))
    figure, axes = plt.subplots(len(names), 2, figsize=(10, 3.5 * len(names)), squeeze=False)
    for row, name in zip(axes, names, strict=True):
        for axis, column, label in zip(row, ("evaluations", "seconds"), ("evaluations", "seconds"), strict=True):
            for method, part in table[table["run"] == name].groupby("optimizer", sort=False):
                axis.loglog(part[column], part["loss"], label=method)
            axis.set(xlabel=label, ylabel="loss", title=name)
            axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Compare on all given configurations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+")
    parser.add_argument("--optimizers", nargs="+", choices=list(OPTIONS), default=["BFGS", "ScaledBFGS", "L-BFGS-B"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--iterations", type=int, default=10**6)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    tables = []
    for path in arguments.configs:
        name, start, data, settings = prepare(path)
        data = data.select(np.arange(0, data.structures.n_structures, arguments.every))
        n_parameters = parameter_layout(start).n_parameters
        print(f"{name}: {n_parameters} parameters, {data.structures.n_structures} structures", flush=True)
        limits = (arguments.seconds, arguments.iterations)
        tables += [run(method, start, data, settings, limits).assign(run=name) for method in arguments.optimizers]
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = pd.concat(tables, ignore_index=True)
    table.to_parquet(arguments.out / "optimizers.parquet", index=False)
    draw(table, arguments.out / "optimizers.png")
    for (name, method), part in table.groupby(["run", "optimizer"], sort=False):
        last = part["evaluations"].max()
        losses = [f"{mark}: {part[part['evaluations'] <= mark]['loss'].min():.3e}" for mark in MARKS if last >= mark]
        print(f"{name:>20} {method:>12}  " + "  ".join(losses))


if __name__ == "__main__":
    main()
