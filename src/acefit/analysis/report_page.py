"""The text of the report: summary, what was left out, how the fits ended, figures and tables, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from acefit.analysis import page
from acefit.analysis.catalog import FIGURES, TABLES, table_file
from acefit.analysis.errors import UNITS
from acefit.analysis.figure_set import RunData
from acefit.analysis.figures_fit import duration

LABELS = {
    "structures": "energies",
    "n_structures": "structures",
    "n_atoms": "atoms",
    "rmse_epa": "energy RMSE",
    "mae_epa": "energy MAE",
    "max_abs_epa": "energy largest",
    "rmse_f": "force RMSE, norm",
    "mae_f": "force MAE, norm",
    "rmse_f_comp": "force RMSE, components",
    "mae_f_comp": "force MAE, components",
    "max_abs_f_comp": "force largest component",
    "rmse_stress": "stress RMSE",
    "mae_stress": "stress MAE",
    "max_abs_stress": "stress largest",
    "nn_min": "shortest distance",
    "energy_error": "energy error",
    "force_error_max": "largest force error",
    "train_rmse_epa": "energy RMSE, train",
    "test_rmse_epa": "energy RMSE, test",
    "train_rmse_f_comp": "force RMSE, train",
    "test_rmse_f_comp": "force RMSE, test",
    "selected": "best",
    "cpu_seconds": "processor time",
    "seconds": "wall time",
    "memory_mb": "peak memory",
}
TABLE_UNITS = {
    **UNITS,
    "nn_min": "Å",
    "energy_error": "meV/atom",
    "force_error_max": "eV/Å",
    **dict.fromkeys(("train_rmse_epa", "test_rmse_epa"), "meV/atom"),
    **dict.fromkeys(("train_rmse_f_comp", "test_rmse_f_comp"), "eV/Å"),
    **dict.fromkeys(("seconds", "cpu_seconds"), "s"),
    "memory_mb": "MB",
}
SUMMARY_COLUMNS = [
    "subset", "structures", "n_structures", "n_atoms", "rmse_epa", "mae_epa", "max_abs_epa", "rmse_f_comp", "mae_f_comp",
    "max_abs_f_comp", "rmse_stress",
]  # fmt: skip
HIDDEN = ["rmse_f", "mae_f", "mae_stress", "max_abs_stress"]
"""Columns that only the CSV files have."""
SECTIONS = ("Errors", "Convergence", "Data", "Potential", "Timing")


class Background(NamedTuple):
    """What is said about a run besides its numbers.

    Attributes
    ----------
    left_out : texts on what the dataset stage did not use
    notes : texts on the weights and the split
    provenance : name -> value
    walls : on each pair of elements, what its energy does at short distances, and whether that is sound
    configuration : what the user asked for, YAML
    """

    left_out: list[str]
    notes: list[str]
    provenance: Mapping[str, Any]
    walls: Sequence[tuple[str, bool]] = ()
    configuration: str = ""


def format_report(
    run: RunData,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, bytes],
    absent: Mapping[str, str],
    background: Background,
) -> str:
    """Complete HTML page.

    Parameters
    ----------
    run : RunData
    tables : name of `TABLES` -> table
    figures : name of `FIGURES` -> PNG, without the figures that have nothing to show
    absent : name -> why a figure has nothing to show
    background : Background
    """
    sections = [
        page.Section("Summary", _format_summary(run, tables["errors"])),
        page.Section("Short distances", _format_walls(background.walls)),
        page.Section("What was left out", _format_left_out(tables["excluded"], background)),
        page.Section("How the fits ended", _format_ends(tables["cycles"])),
    ]
    shown_above = {"cycles", "excluded"}
    for category in SECTIONS:
        parts = [
            page.format_figure(figures[name], name, e.caption)
            for name, e in FIGURES.items()
            if e.category == category and name in figures
        ]
        for name, entry in TABLES.items():
            if entry.category == category and name not in shown_above:
                table = tables[name].drop(columns=HIDDEN, errors="ignore").dropna(axis="columns", how="all")
                caption = f"{entry.caption} File: tables/{table_file(name)}"
                parts.append(page.format_table(table, LABELS, TABLE_UNITS, caption))
        sections.append(page.Section(category, "".join(parts)))
    sections.append(page.Section("Not shown", page.format_list(_group_absent(absent))))
    sections.append(page.Section("Configuration", page.format_text(background.configuration) if background.configuration else ""))
    sections.append(page.Section("Provenance", page.format_facts(background.provenance)))
    lead = (
        "Fit of an Atomic Cluster Expansion potential. Errors are predicted minus reference; energies are on the fitted scale, "
    )
    return page.format_page(f"acefit report: {run.name}", lead + "that is after subtraction of the reference energies.", sections)


def _group_absent(absent: Mapping[str, str]) -> list[str]:
    """One line per reason with the figures it concerns."""
    reasons: dict[str, list[str]] = {}
    for name, reason in absent.items():
        reasons.setdefault(reason, []).append(name)
    return [f"{reason}: {', '.join(names)}" for reason, names in reasons.items()]


def _format_summary(run: RunData, errors: pd.DataFrame) -> str:
    columns = [name for name in SUMMARY_COLUMNS if name in errors and not errors[name].isna().all()]
    potential = run.potential
    facts: dict[str, Any] = {
        "elements": " ".join(potential.elements),
        "functions": potential.n_functions,
        "cutoff": f"{potential.cutoff:g} Å",
    }
    if len(run.cycles):
        chosen = run.cycles[run.cycles["is_selected"] & (run.cycles["subset"] == "train")]
        facts["parameters"] = int(run.cycles["ncoefs"].max())
        facts["ladder steps and cycles"] = f"{run.cycles['ladder_step'].nunique()} steps, {len(_pairs(run.cycles))} cycles in all"
        if len(chosen):
            last = chosen.iloc[-1]
            facts["final loss"] = f"{last['loss']:.6e} (step {int(last['ladder_step'])}, cycle {int(last['cycle_step'])})"
    if len(run.timing):
        facts["time of all jobs"] = duration(float(np.nansum(run.timing["seconds"])))
    return page.format_table(errors[columns], LABELS, TABLE_UNITS, TABLES["errors"].caption) + page.format_facts(facts)


def _pairs(cycles: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(cycles["ladder_step"], cycles["cycle_step"], strict=True))


def _format_walls(walls: Sequence[tuple[str, bool]]) -> str:
    """Warnings of pairs of elements that do not keep apart, and a list of those that do."""
    return "".join(page.format_warning(text) for text, is_sound in walls if not is_sound) + page.format_list(
        [text for text, is_sound in walls if is_sound]
    )


def _format_left_out(excluded: pd.DataFrame, background: Background) -> str:
    """Dataset stage, split and weights: what was not used, with reasons; a plain statement if everything was."""
    parts = page.format_list(background.left_out)
    if len(excluded):
        counts = excluded["reason"].value_counts(sort=False)
        lines = [
            f"{count} structures excluded from the fit: {reason or 'no reason recorded'}" for reason, count in counts.items()
        ]
        table = page.format_table(
            excluded, LABELS, TABLE_UNITS, "Structures excluded from the fit, and how they are predicted all the same."
        )
        parts += page.format_list(lines) + table
    if not parts:
        parts = page.format_paragraph("Nothing: all structures of the dataset are in the training or the test set.")
    return parts + page.format_list(background.notes)


def _format_ends(cycles: pd.DataFrame) -> str:
    return page.format_table(cycles.dropna(axis="columns", how="all"), LABELS, TABLE_UNITS, TABLES["cycles"].caption)
