"""Draw the figures, write the tables and the page of a run's report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from acefit import __version__
from acefit.analysis import errors
from acefit.analysis.canvas import draw_note, write_figure
from acefit.analysis.catalog import TABLES, figure_file, table_file
from acefit.analysis.cycles import tabulate_cycles
from acefit.analysis.figure_set import RunData, draw_all
from acefit.analysis.report_page import Background, format_report
from acefit.analysis.run_data import read_run
from acefit.files import file_digest, read_yaml, write_text
from acefit.shortrange.check import check_walls

log = logging.getLogger(__name__)


def report(
    *,
    name: str,
    path_to_potential: str | Path,
    path_to_predicted_structures: str | Path,
    path_to_predicted_atoms: str | Path,
    path_to_references: str | Path,
    path_to_weight_summary: str | Path,
    paths_to_metrics: Sequence[str | Path],
    paths_to_results: Sequence[str | Path],
    paths_to_cycles: Sequence[str | Path],
    paths_to_benchmarks: Sequence[str | Path],
    path_to_figures: str | Path,
    path_to_tables: str | Path,
    path_to_report: str | Path,
    configuration: str = "",
) -> None:
    """Write all figures and tables of `acefit.analysis.catalog` and the page that shows them.

    Figures without data are written too, as a small note with the reason; the page names them at its end.

    Parameters
    ----------
    name : str
        Name of the run.
    path_to_potential : path
        Final potential.
    path_to_predicted_structures, path_to_predicted_atoms : path
        Tables of the predict stage.
    path_to_references : path
        What the dataset stage says about references, files and structures that were left out.
    path_to_weight_summary : path
        What the weights stage says about itself.
    paths_to_metrics, paths_to_results : paths
        Metrics and result of every fit cycle.
    paths_to_cycles : paths
        Tables of the select stage, one per ladder step.
    paths_to_benchmarks : paths
        Benchmark files of the jobs, each in a folder `benchmarks` or below one; those that do not exist are left out.
    path_to_figures, path_to_tables : folders to write to; the names are those of `figure_file` and `table_file`
    path_to_report : HTML page to write
    configuration : YAML to be shown

    Raises
    ------
    ArtifactError
        If an input cannot be used.
    """
    run, reasons = read_run(
        name,
        path_to_potential,
        (path_to_predicted_structures, path_to_predicted_atoms),
        (paths_to_metrics, paths_to_results, paths_to_cycles),
        paths_to_benchmarks,
    )
    tables = _write_tables(run, reasons, Path(path_to_tables))
    figures, absent = _write_figures(run, Path(path_to_figures))
    digests = {"potential.yaml": path_to_potential, "predictions": path_to_predicted_structures}
    background = _read_background(run, path_to_references, path_to_weight_summary, digests, configuration)
    write_text(format_report(run, tables, figures, absent, background), path_to_report)


def _write_tables(run: RunData, reasons: dict[tuple[int, int], str], folder: Path) -> dict[str, pd.DataFrame]:
    """Write every table of the catalogue as CSV, full precision; those without rows have at least their heading."""
    predictions = run.predictions
    tables = {
        "errors": errors.tabulate_overall(predictions),
        "errors-by-group": errors.tabulate_groups(predictions),
        "errors-by-element": errors.tabulate_elements(predictions),
        "cycles": tabulate_cycles(run.cycles, reasons),
        "worst-structures": errors.tabulate_worst(predictions),
        "excluded": errors.tabulate_excluded(predictions),
        "timing": run.timing,
    }
    for name in TABLES:
        write_text(tables[name].to_csv(index=False, lineterminator="\n"), folder / table_file(name))
    return tables


def _write_figures(run: RunData, folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Write every figure of the catalogue; PNG content of those that show something, reasons for the others."""
    shown, absent = {}, {}
    for name, figure in draw_all(run):
        path = folder / figure_file(name)
        if isinstance(figure, str):
            absent[name] = figure
            write_figure(draw_note(figure), path)
        else:
            write_figure(figure, path)
            shown[name] = path.read_bytes()
        log.info("%s: %s", name, absent.get(name, "drawn"))
    return shown, absent


def _read_background(
    run: RunData, references: str | Path, weight_summary: str | Path, files: dict[str, str | Path], configuration: str
) -> Background:
    """Texts about the dataset, the weights and short distances, and where everything came from."""
    dataset, weights = read_yaml(references), read_yaml(weight_summary)
    left_out = [f"{i['source']}, structure {i['row']} ({i['name']}): {i['reason']}" for i in dataset["left_out"]]
    notes = [text for text in dataset["warnings"] if not text.startswith("left out: ")]
    energies = ", ".join(f"{element} {energy:.6f} eV" for element, energy in dataset["energies"].items())
    facts: dict[str, Any] = {}
    for file in dataset["files"]:
        content = f"{file['n_structures']} structures, {file['n_atoms']} atoms, used as {file['role']}"
        facts[f"file {file['source']}"] = f"{content}; SHA-256 {file['sha256']}"
    facts["reference energies"] = f"{dataset['mode']}: {energies or 'none'}; shift {dataset['shift']:.6f} eV/atom"
    kappa = weights["kappa_auto"]
    facts["weights"] = weights["source"] + ("" if kappa is None else f"; kappa would be {kappa:.4g} by the rule 'auto'")
    folders = {"dataset": references, "weights": weight_summary}
    facts |= {f"folder of the {key}": str(Path(path).parent) for key, path in folders.items()}
    facts |= {f"{key}, SHA-256": file_digest(path) for key, path in files.items()}
    facts["acefit"] = __version__
    walls = [(str(wall), wall.is_sound) for wall in check_walls(run.potential)]
    return Background(left_out, notes, facts, walls, configuration)
