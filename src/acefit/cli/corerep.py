"""`acefit corerep`: a potential with ZBL repulsion below inner cutoffs that are given or found."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from acefit.cli.output import Json, Quiet, print_json, print_pairs, print_table, progress


def corerep(
    potential: Annotated[Path, typer.Argument(help="Potential file.")],
    data: Annotated[
        list[Path] | None, typer.Option("--data", "-d", help="Training data; not needed with --inner-cutoff.")
    ] = None,
    active_set: Annotated[
        Path | None,
        typer.Option(
            "--active-set", "-a", help="Says where the potential can be relied on; default: its name, .asi, if there is one."
        ),
    ] = None,
    gamma: Annotated[float, typer.Option("--gamma", "-g", help="Grade up to which it is relied on.")] = 10.0,
    inner_cutoff: Annotated[
        list[str] | None,
        typer.Option("--inner-cutoff", help="Inner cutoff (Å) of a pair: Al:1.9 or Al-Ni:1.85; repeat for more."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: the name of the potential with -corerep.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that exists.")] = False,
    n_structures: Annotated[int, typer.Option("--structures", "-n", help="Structures to compress.")] = 50,
    shortest: Annotated[float, typer.Option(help="Shortest distance of the compressed structures (Å).")] = 0.5,
    longest: Annotated[float, typer.Option(help="Longest one.")] = 2.5,
    step: Annotated[float, typer.Option(help="Step between them.")] = 0.05,
    quantile: Annotated[float, typer.Option(help="Of the distances at which the structures fail.")] = 0.99,
    seed: Annotated[int, typer.Option(help="Of the draw of structures.")] = 42,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let ZBL repulsion take over at distances at which a potential cannot be relied on; writes a new file.

    Inner cutoffs are found by compressing structures of the training data, or given.

    Example: [bold]acefit corerep potential.yaml -d train.xyz -o repelling.yaml[/]
    """
    from acefit.potential.bbasis import write_potential
    from acefit.shortrange.corerep import CorerepSettings, output_path
    from acefit.shortrange.repelling import add_repulsion

    path = output_path(potential, output, overwrite)
    settings = CorerepSettings(n_structures, shortest, longest, step, gamma, quantile, seed)
    watch = partial(progress, what="compressing structures", quiet=quiet)
    found = add_repulsion(potential, data or (), inner_cutoff or (), active_set, settings, watch)
    write_potential(found.potential, path, {"step": "corerep"})
    if as_json:
        print_json({"file": path, **found.facts()})
        return
    print_pairs({"file": path, "active set": found.path_to_active_set or "none"})
    print_table([{"pair": "-".join(c.pair), "inner cutoff (Å)": c.distance, "from": c.source} for c in found.cutoffs])
    for wall in found.walls:
        typer.echo(f"{'' if wall.is_sound else 'warning: '}{wall}")
