"""`acefit timing`: what evaluations of a potential cost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from acefit.cli.output import Json, Quiet, print_json, print_pairs, print_table, progress


def timing(
    potentials: Annotated[list[Path], typer.Argument(help="Potential files.", metavar="POTENTIAL...")],
    n_structures: Annotated[int, typer.Option("--structures", "-n", help="Structures of each type and set of elements.")] = 5,
    repeats: Annotated[int, typer.Option(help="Evaluations of each structure, of which the fastest counts.")] = 10,
    n_atoms: Annotated[int, typer.Option("--atoms", help="Atoms of each structure at least.")] = 32,
    crystal: Annotated[list[str] | None, typer.Option(help="Type of structure: fcc, bcc, sc, diamond; repeat for more.")] = None,
    threads: Annotated[int, typer.Option("--threads", "-t", help="Threads; 0 for all.")] = 1,
    seed: Annotated[int, typer.Option(help="Of sizes, displacements and elements.")] = 42,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the time per atom of energies and forces on disordered crystals of each element and of all together.

    Example: [bold]acefit timing results/silicon/potential.yaml --threads 2[/]
    """
    from acefit.evaluation.timing import TimingSettings, measure_timings
    from acefit.potential.bbasis import import_potential

    chosen = tuple(crystal) if crystal else TimingSettings.crystals
    settings = TimingSettings(n_structures, repeats, n_atoms, chosen, threads or None, seed)
    models = {str(path): import_potential(path) for path in potentials}
    results = {
        path: measure_timings(model, settings, partial(progress, what="timing", quiet=quiet)) for path, model in models.items()
    }
    means = {path: sum(row.microseconds for row in rows) / len(rows) for path, rows in results.items()}
    if as_json:
        print_json({path: {"mean": means[path], "prototypes": [row._asdict() for row in rows]} for path, rows in results.items()})
        return
    for path, rows in results.items():
        print_pairs({"file": path, "functions": models[path].n_functions, "threads": threads or "all"})
        print_table(
            [
                {
                    "structure": row.structure,
                    "elements": row.elements,
                    "atoms": row.n_atoms,
                    "neighbours": round(row.neighbors, 1),
                    "µs/atom": round(row.microseconds, 2),
                    "search µs/atom": round(row.search, 2),
                }
                for row in rows
            ]
        )
        print_pairs({"mean": f"{means[path]:.2f} µs/atom"})
