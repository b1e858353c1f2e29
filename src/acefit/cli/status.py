"""`acefit status`: what is done, running, out of date or absent, and the metrics so far."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from acefit.cli.output import Configuration, Json, print_json, print_table


def status(
    configuration: Configuration = None,
    fast: Annotated[bool, typer.Option("--fast", help="Look at files only; do not ask Snakemake what is out of date.")] = False,
    as_json: Json = False,
) -> None:
    """Say which stages are done, running, out of date (and why) or absent, and how far all fits have come.

    Asking Snakemake takes two to four seconds; [bold]--fast[/] takes none and believes that what is there is up to date.

    Example: [bold]acefit status input.yaml --fast[/]
    """
    from acefit.pipeline.configuration import find_configuration, load_configuration
    from acefit.pipeline.staleness import SnakemakeError, ask_snakemake, plan_files
    from acefit.pipeline.status import look_at

    path = find_configuration(configuration)
    table, planned, problem = load_configuration(path), None, ""
    if not fast:
        try:
            planned = plan_files(ask_snakemake(path, Path()))
        except SnakemakeError as error:
            problem = str(error)
    found = look_at(table, Path(), planned)
    if as_json:
        stages, cycles = ([row._asdict() for row in rows] for rows in (found.stages, found.cycles))
        checked = {"is_staleness_known": planned is not None, "problem": problem, "has_lock": found.has_lock}
        print_json({"configuration": str(path), **checked, "stages": stages, "cycles": cycles})
        return
    _print(found, table.name, table.is_single)
    if problem:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[yellow]note:[/] {escape(problem)}")


def _print(found: Any, name: str, is_single: bool) -> None:
    from acefit.fit.progress import format_duration
    from acefit.pipeline.status import LIVE

    rows = []
    for row in found.stages:
        jobs = f"{row.n_done} of {row.n_jobs}" if row.n_jobs else ""
        rows.append({"run": row.run, "stage": row.stage, "state": row.state, "jobs": jobs, "why": row.reason})
    shown = [{key: row[key] for key in row if key != "run"} for row in rows] if is_single else rows
    print_table(shown, title=name)
    cycles = []
    for row in found.cycles:
        of_run = {} if is_single else {"run": row.run}
        cycles.append(
            {
                **of_run,
                "step": row.step,
                "cycle": row.cycle,
                "state": row.state,
                "iteration": f"{row.iteration} of {row.maxiter}",
                "functions": row.n_functions,
                "loss": row.loss,
                "E train": 1000 * row.rmse_epa_train,
                "E test": 1000 * row.rmse_epa_test,
                "F train": row.rmse_f_comp_train,
                "F test": row.rmse_f_comp_test,
                "written": f"{format_duration(row.seconds_ago)} ago",
            }
        )
    print_table(cycles, title="fits: RMSE of energies (E, meV/atom) and force components (F, eV/Å)")
    if found.has_lock and not any(row.state == LIVE for row in found.cycles):
        note = "Snakemake's lock is here: it is at work, or was killed; if it was: acefit run --unlock"
        Console(soft_wrap=True, highlight=False).print(f"[yellow]note:[/] {note}")
