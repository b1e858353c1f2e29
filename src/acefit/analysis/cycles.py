"""One row per fit cycle, from the metrics of all iterations and the result files; and one row per job of the workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

KEY = ["ladder_step", "cycle_step"]
# Rules in the order of the pipeline; others come after them by name
STAGES = ("dataset", "neighborlists", "split", "weights", "basis", "fit", "select", "potential", "predict", "report")


def summarize_cycles(metrics: pd.DataFrame, n_train_atoms: int, selected: Mapping[int, int]) -> pd.DataFrame:
    """State of each cycle at its best point.

    Parameters
    ----------
    metrics : a row per recorded iteration and subset of all cycles
    n_train_atoms : atoms of the training set
    selected : ladder step -> cycle that was chosen

    Returns
    -------
    cycles : a row per cycle and subset, by step, cycle and subset
        Train rows are those of the lowest loss, test rows the last ones. Columns of the metrics table, and n_functions,
        n_evaluations, n_iterations, seconds, microseconds_per_atom (per evaluation), is_selected.
    """
    if metrics.empty:
        return pd.DataFrame()
    train = metrics[metrics["subset"] == "train"]
    test = metrics[metrics["subset"] == "test"].sort_values("iter_num", kind="stable")
    best = train.loc[train.groupby(KEY)["loss"].idxmin()]
    rows = pd.concat([best, test.groupby(KEY).tail(1)], ignore_index=True)
    totals = train.groupby(KEY).agg(
        n_iterations=("iter_num", "max"),
        n_evaluations=("evaluations", "max"),
        seconds=("time", "max"),
    )
    cycles = rows.join(totals, on=KEY)
    per_evaluation = _time_per_evaluation(train).rename("microseconds_per_atom") * (1e6 / max(n_train_atoms, 1))
    cycles = cycles.join(per_evaluation, on=KEY)
    cycles["n_functions"] = cycles["nfuncs"]
    pairs = zip(cycles["ladder_step"], cycles["cycle_step"], strict=True)
    cycles["is_selected"] = [selected.get(int(step)) == int(cycle) for step, cycle in pairs]
    return cycles.sort_values([*KEY, "subset"], ascending=[True, True, False], kind="stable").reset_index(drop=True)


def _time_per_evaluation(train: pd.DataFrame) -> pd.Series:
    """Median over the iterations of each cycle, s, so that compilation does not count; NaN for a single iteration."""
    rows = train.sort_values([*KEY, "iter_num"], kind="stable").set_index(KEY)
    steps = rows.groupby(level=KEY)[["evaluation_time", "evaluations"]].diff()
    times = steps["evaluation_time"] / steps["evaluations"].where(steps["evaluations"] > 0)
    return times.where(times > 0).groupby(level=KEY).median()


def tabulate_cycles(cycles: pd.DataFrame, reasons: Mapping[tuple[int, int], str]) -> pd.DataFrame:
    """Table for readers: one row per cycle, errors of train and test side by side (meV/atom, eV/Angstrom), why it stopped."""
    rows = []
    for _, part in cycles.groupby(KEY, sort=True) if len(cycles) else ():
        train = part[part["subset"] == "train"].iloc[0]
        test = part[part["subset"] == "test"]
        row: dict[str, Any] = {
            "step": int(train["ladder_step"]),
            "cycle": int(train["cycle_step"]),
            "selected": "yes" if train["is_selected"] else "",
            "functions": int(train["n_functions"]),
            "parameters": int(train["ncoefs"]),
            "iterations": int(train["n_iterations"]),
            "evaluations": int(train["n_evaluations"]),
            "seconds": float(train["seconds"]),
            "loss": float(train["loss"]),
        }
        for subset, values in (("train", train), ("test", test.iloc[0] if len(test) else None)):
            row[f"{subset}_rmse_epa"] = np.nan if values is None else 1000 * float(values["rmse_epa"])
            row[f"{subset}_rmse_f_comp"] = np.nan if values is None else float(values["rmse_f_comp"])
        row["stopped"] = reasons.get((row["step"], row["cycle"]), "")
        rows.append(row)
    return pd.DataFrame(rows)


def tabulate_timing(benchmarks: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Time and memory of each job.

    Parameters
    ----------
    benchmarks : sequence of (name, table)
        Name of the job within the benchmarks folder, without extension, e.g. `fit/step-00-cycle-01`: its first part is the stage.
        The table is Snakemake's: columns s, max_rss (MB), cpu_time (s); a row per repetition.

    Returns
    -------
    timing : columns stage, job, seconds, cpu_seconds, memory_mb; stages in the order of the pipeline
    """
    rows = []
    for name, table in benchmarks:
        stage, _, rest = name.partition("/")
        numbers = {
            c: pd.to_numeric(table[c], errors="coerce").mean() if c in table else np.nan for c in ("s", "max_rss", "cpu_time")
        }
        rows.append(
            {
                "stage": stage,
                "job": rest or stage,
                "seconds": float(numbers["s"]),
                "cpu_seconds": float(numbers["cpu_time"]),
                "memory_mb": float(numbers["max_rss"]),
            }
        )
    table = pd.DataFrame(rows, columns=["stage", "job", "seconds", "cpu_seconds", "memory_mb"])
    place = table["stage"].map({stage: k for k, stage in enumerate(STAGES)}).fillna(len(STAGES))
    return (
        table.assign(place=place).sort_values(["place", "stage", "job"], kind="stable", ignore_index=True).drop(columns="place")
    )
