"""What a report is made from, read from the files of a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from acefit.analysis.cycles import summarize_cycles, tabulate_timing
from acefit.analysis.figure_set import RunData
from acefit.analysis.predictions import Predictions
from acefit.artifacts import read_arrays, read_frame
from acefit.errors import ArtifactError
from acefit.files import read_yaml
from acefit.potential.bbasis import read_sealed_potential

log = logging.getLogger(__name__)


def read_run(
    name: str,
    path_to_potential: str | Path,
    predicted: tuple[str | Path, str | Path],
    fits: tuple[Sequence[str | Path], Sequence[str | Path], Sequence[str | Path]],
    paths_to_benchmarks: Sequence[str | Path] = (),
) -> tuple[RunData, dict[tuple[int, int], str]]:
    """Read everything figures and tables are made from, and why each cycle stopped.

    Parameters
    ----------
    name : of the run
    path_to_potential : final potential
    predicted : tables of the predict stage, of structures and of atoms
    fits : metrics and results of all cycles, tables of the select stages
    paths_to_benchmarks : of the jobs, each in a folder `benchmarks` or below one; those that do not exist are left out

    Raises
    ------
    ArtifactError
        If a file cannot be used.
    """
    predictions = Predictions.from_columns(
        read_arrays(predicted[0], "predicted_structures"), read_arrays(predicted[1], "predicted_atoms")
    )
    paths_to_metrics, paths_to_results, paths_to_cycles = fits
    frames = [read_frame(path, "metrics") for path in paths_to_metrics]
    metrics = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    results = [read_yaml(path) for path in paths_to_results]
    reasons = {(int(result["step"]), int(result["cycle"])): str(result["reason"]) for result in results}
    selected: dict[int, int] = {}
    for path in paths_to_cycles:
        table = read_frame(path, "cycles")
        best = table[table["selected"]]
        selected |= {int(step): int(cycle) for step, cycle in zip(best["step"], best["cycle"], strict=True)}
    n_train_atoms = int((predictions.atoms["subset"] == "train").sum())
    cycles = summarize_cycles(metrics, n_train_atoms, selected)
    measured = [Path(path) for path in paths_to_benchmarks if Path(path).exists()]
    if len(measured) < len(paths_to_benchmarks):
        log.warning("%d jobs have no benchmark file and are missing from the timing", len(paths_to_benchmarks) - len(measured))
    timing = tabulate_timing([(_job_name(path), _read_benchmark(path)) for path in measured])
    return RunData(name, read_sealed_potential(path_to_potential), predictions, metrics, cycles, timing), reasons


def _job_name(path: Path) -> str:
    """Part of the path below its folder `benchmarks`, without extension; shards belong to the neighborlists stage."""
    parts = path.with_suffix("").parts
    below = parts[parts.index("benchmarks") + 1 :] if "benchmarks" in parts else parts[-1:]
    return "/".join(("neighborlists", *below) if below[0].startswith("shard-") else below)


def _read_benchmark(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep="\t", na_values=["-", "NA"])
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ArtifactError(f"{path} is not a readable benchmark file ({error}); run the stage again that writes it") from error
