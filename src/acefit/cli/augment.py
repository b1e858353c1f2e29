"""`acefit augment`: synthetic data at short distances."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from acefit.cli.output import Force, Json, Quiet, print_json, print_pairs, print_table, progress, refuse_to_replace

LABELS = (
    "file",
    "active set",
    "compressed structures",
    "of them unreliable at all sizes",
    "candidates",
    "structures",
    "atoms",
    "atoms whose forces count",
    "shortest distances (Å)",
    "energies (eV/atom)",
)


def augment(
    potential: Annotated[Path, typer.Argument(help="Potential that was fitted to the data.")],
    data: Annotated[list[Path], typer.Option("--data", "-d", help="The data; repeat for more files.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=".xyz(.gz), .db, .pkl.gz of pacemaker, or a folder for Parquet.")
    ] = Path("augmented.xyz.gz"),
    active_set: Annotated[
        Path | None,
        typer.Option(
            "--active-set", "-a", help="Says where the potential can be relied on; default: its name, .asi, if there is one."
        ),
    ] = None,
    gamma: Annotated[float, typer.Option("--gamma", "-g", help="Grade up to which it is relied on.")] = 10.0,
    n_selected: Annotated[int | None, typer.Option("--most", "-m", help="Structures to keep at most.")] = None,
    select: Annotated[bool, typer.Option(help="Keep a D-optimal selection only.")] = True,
    n_seeds: Annotated[int, typer.Option("--seeds", help="Structures to compress.")] = 100,
    largest_seed: Annotated[int, typer.Option("--largest", help="Atoms that they may have.")] = 32,
    shortest: Annotated[float, typer.Option(help="Shortest distance of the compressed structures (Å).")] = 1.0,
    step: Annotated[float, typer.Option(help="Step between distances.")] = 0.1,
    highest: Annotated[float, typer.Option(help="Highest energy of augmented structures (eV/atom).")] = 150.0,
    lowest: Annotated[float, typer.Option(help="Lowest one.")] = -math.inf,
    highest_reliable: Annotated[
        float, typer.Option("--highest-reliable", help="Energy up to which the potential is relied on (eV/atom).")
    ] = math.inf,
    seed: Annotated[int, typer.Option(help="Of the draw of structures.")] = 42,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make data with the energies and forces of ZBL at distances shorter than those of a dataset, to be fitted with it.

    Example: [bold]acefit augment potential.yaml -d train.xyz -o augmented.xyz.gz[/]
    """
    from acefit.data.writers import STRUCTURES, check_target, open_writer
    from acefit.shortrange.augment import AugmentSettings
    from acefit.shortrange.augment import augment as make
    from acefit.shortrange.grading import grades_of, ranks_of, read_with_active_set
    from acefit.shortrange.inputs import read_geometries

    open_writer(output)  # looks at the name; nothing is written before it is entered
    refuse_to_replace((output, output / STRUCTURES), force)
    check_target(output, data)
    settings = AugmentSettings(n_seeds, largest_seed, shortest, step, highest, lowest, highest_reliable, gamma, n_selected, seed)
    model, known, path_to_known = read_with_active_set(potential, active_set)
    found = make(
        model,
        read_geometries(data, model),
        settings,
        gamma_of=grades_of(model, known),
        rank=ranks_of(model, known) if select else None,
        watch=partial(progress, what="compressing structures", quiet=quiet),
    )
    with open_writer(output) as write:
        write(found.dataset())
    facts = {"file": str(output), "active_set": "none" if path_to_known is None else str(path_to_known), **found.facts()}
    if as_json:
        print_json({**facts, "thresholds": {"-".join(pair): value for pair, value in found.thresholds.items()}})
        return
    print_pairs(dict(zip(LABELS, facts.values(), strict=True)))
    print_table([{"pair": "-".join(pair), "shorter than the data (Å)": value} for pair, value in found.thresholds.items()])
