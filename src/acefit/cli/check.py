"""`acefit check`: what is wrong with a configuration and its data, and what a run would do."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from acefit.cli.output import Configuration, Json, Quiet, counted, print_json, print_pairs, print_table


def check(
    configuration: Configuration = None,
    cores: Annotated[int | None, typer.Option("--cores", "-c", min=1, help="Cores of the estimates; default: all.")] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time some evaluations here (seconds) instead of trusting the documented machine.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check configuration and data, and say what a run would do: stages, sizes, memory and time.

    All data are read and the basis is built, in a temporary folder; nothing is changed here. Exit code 1 if something is wrong.

    Example: [bold]acefit check input.yaml[/]
    """
    from acefit.errors import ConfigError
    from acefit.pipeline.check import CheckReport, as_mapping, check_runs
    from acefit.pipeline.configuration import find_configuration, load_configuration

    console = Console(stderr=True)
    path = find_configuration(configuration)
    try:
        table = load_configuration(path)
    except ConfigError as error:
        report = CheckReport([str(error)], [], {})
    else:
        with console.status("") as status:
            hides = quiet or not console.is_terminal
            report = check_runs(table, threads=cores, measure=measure, say=lambda text: None if hides else status.update(text))
    if as_json:
        print_json({"configuration": str(path), **as_mapping(report)})
    else:
        _print(report, measure)
    if report.problems:
        raise typer.Exit(1)


def _print(report: Any, measured: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for text in report.warnings:
        console.print(f"[yellow]note:[/] {escape(text)}")
    for name, run in report.runs.items():
        _print_run(name, run, measured)
    for text in report.problems:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(text)}")
    if not report.problems:
        console.print("configuration and data are in order")


def _print_run(name: str, run: Any, measured: bool) -> None:
    from acefit.fit.memory import megabytes
    from acefit.fit.progress import format_duration

    size, time, steps = run.size, run.time, counted(len(run.size.steps), "ladder step")
    print_pairs(
        {
            "run": name,
            "results": f"results/{name}",
            "stages": ", ".join(f"{stage} ({n})" if n > 1 else stage for stage, n in run.stages.items()),
            "potential": f"{' '.join(size.elements)}, cutoff {size.cutoff:g} Å",
            "fits": f"{steps} of {counted(size.cycles, 'cycle')}, at most {counted(size.iterations, 'iteration')} each",
            "memory": f"about {megabytes(run.memory)} for the largest fit (estimate, within 20 %)",
            "time": f"about {format_duration(time.total)} if every fit makes all its iterations ({_basis(measured)})",
        }
    )
    pairs = "pairs" if size.is_pair_count_exact else "pairs (estimated)"
    print_table(
        [
            {"subset": subset, "structures": part.n_structures, "atoms": part.n_atoms, pairs: part.n_pairs}
            for subset, part in size.subsets.items()
        ]
    )
    print_table(
        [
            {"step": k, "functions": step.n_functions, "parameters": step.n_parameters, "at most": format_duration(seconds)}
            for k, (step, seconds) in enumerate(zip(size.steps, time.steps, strict=True))
        ]
    )


def _basis(measured: bool) -> str:
    return (
        "estimate, from evaluations timed here"
        if measured
        else "estimate for the machine of docs/performance.md; --measure times this one"
    )
