"""Compare the errors and the cost of several runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from acefit.analysis import page
from acefit.analysis.canvas import write_figure
from acefit.analysis.comparison import COSTS, ERRORS, measure_errors, tabulate_runs
from acefit.analysis.figures_comparison import draw_comparison
from acefit.analysis.predictions import Predictions
from acefit.artifacts import content_digest, read_arrays, write_table
from acefit.files import read_yaml, write_text

log = logging.getLogger(__name__)

LABELS = {
    "n_functions": "functions",
    "microseconds_per_atom": "time of an evaluation",
    "neighbors_per_atom": "neighbours of an atom",
    "rmse_epa_train": "energy RMSE, train",
    "rmse_f_comp_train": "force RMSE, train",
    "rmse_epa_test": "energy RMSE, test",
    "rmse_f_comp_test": "force RMSE, test",
    "optimal_time": "Pareto-optimal by time",
    "optimal_functions": "Pareto-optimal by functions",
}
UNITS = {
    "microseconds_per_atom": "µs/atom",
    **dict.fromkeys(("rmse_epa_train", "rmse_epa_test"), "meV/atom"),
    **dict.fromkeys(("rmse_f_comp_train", "rmse_f_comp_test"), "eV/Å"),
}
FIGURE_CAPTION = (
    "Errors of the {subset} set against what an evaluation costs. A run is Pareto-optimal if no other one is both cheaper and "
    "more accurate; the stairs join these runs, and whatever lies above them is beaten by one of them."
)
TABLE_CAPTION = (
    "The runs, the cheapest first; force errors are those of components. The time is that of a processor for energies, forces "
    "and virials on one thread, without the search for neighbours."
)


def compare(
    *,
    name: str,
    changes: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, str],
    paths_to_structures: Sequence[str | Path],
    paths_to_atoms: Sequence[str | Path],
    paths_to_costs: Sequence[str | Path],
    path_to_table: str | Path,
    path_to_csv: str | Path,
    path_to_figure: str | Path,
    path_to_page: str | Path,
    code: str = "",
) -> None:
    """Tabulate and draw errors against cost, and mark the runs that are Pareto-optimal.

    Parameters
    ----------
    name : of the configuration that has these runs
    changes : name of the run -> keys of the configuration that differ from the common file
    labels : name of the run -> what is written beside its mark
    paths_to_structures, paths_to_atoms, paths_to_costs : what the predict stage wrote for each run, in the order of `changes`
    path_to_table : table to write (contract `runs`)
    path_to_csv : the same with a column for each changed key
    path_to_figure, path_to_page : PNG and HTML page to write
    code : digest of the code, for the provenance

    Raises
    ------
    ArtifactError
        If an input cannot be used.
    """
    rows, processors = [], {}
    inputs: dict[str, str] = {}
    for run, *paths in zip(changes, paths_to_structures, paths_to_atoms, paths_to_costs, strict=True):
        tables = read_arrays(paths[0], "predicted_structures"), read_arrays(paths[1], "predicted_atoms")
        cost = read_yaml(paths[2])
        inputs |= {f"{run}/{Path(path).name}": content_digest(path) for path in paths}
        processors[run] = cost["processor"]
        measured = {key: cost[key] for key in ("n_functions", "microseconds_per_atom", "neighbors_per_atom")}
        rows.append(
            {"run": run, "changes": json.dumps(changes[run]), **measured, **measure_errors(Predictions.from_columns(*tables))}
        )
    table = tabulate_runs(rows)
    write_table(table, path_to_table, "runs", {"step": "compare", "code": code, "inputs": inputs})
    keys = list(dict.fromkeys(key for changed in changes.values() for key in changed))
    for_people = _with_changes(table, changes, keys)
    write_text(for_people.to_csv(index=False, lineterminator="\n"), path_to_csv)
    words = [key.rpartition(".")[2] for key in keys]
    heading = "" if all(label == run for run, label in labels.items()) else f"labels: {', '.join(words)}"
    write_figure(draw_comparison(table, labels, heading), path_to_figure)
    write_text(_format_page(name, for_people, keys, Path(path_to_figure).read_bytes(), processors), path_to_page)
    for error in ERRORS:
        optimal = table.loc[table[f"optimal_{error}_time"], "run"]
        log.info("Pareto-optimal by %s error and time: %s", error, ", ".join(optimal))


def _with_changes(table: pd.DataFrame, changes: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> pd.DataFrame:
    """The table with the changed keys as columns behind the name; empty where a run does not change a key."""
    values = {key: [str(changes[run].get(key, "")) for run in table["run"]] for key in keys}
    return pd.concat(
        [table[["run"]], pd.DataFrame(values, index=table.index), table.drop(columns=["run", "changes"])], axis="columns"
    )


def _format_page(name: str, table: pd.DataFrame, keys: Sequence[str], figure: bytes, processors: Mapping[str, str]) -> str:
    """Page with the figure, the table and links to the reports of the runs."""
    subset = {"train": "training"}.get(table["subset"].iloc[0], "test")
    shown = table.drop(columns=["subset", *(f"optimal_{error}_{cost}" for error in ERRORS for cost in COSTS)])
    for cost in COSTS:
        flags = {error: table[f"optimal_{error}_{cost}"] for error in ERRORS}
        shown[f"optimal_{cost}"] = [", ".join(e for e in ERRORS if flags[e].iloc[row]) for row in range(len(table))]
    kinds = sorted(set(processors.values()))
    note = f"Times were measured on different processors ({', '.join(kinds)}) and cannot be compared." if len(kinds) > 1 else ""
    headings = {**{key: key for key in keys}, **LABELS}
    shown_table = page.format_table(shown.dropna(axis="columns", how="all"), headings, UNITS, TABLE_CAPTION)
    sections = [
        page.Section("Error against cost", page.format_figure(figure, "pareto", FIGURE_CAPTION.format(subset=subset))),
        page.Section("Runs", shown_table + (page.format_paragraph(note) if note else "")),
        page.Section("Reports", page.format_links({run: f"../{run}/report/summary.html" for run in table["run"]})),
    ]
    lead = f"{len(table)} fits of one configuration, each with some values changed. Errors are those of the reports of the runs."
    return page.format_page(f"acefit comparison: {name}", lead, sections)
