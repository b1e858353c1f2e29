"""`acefit activeset`: choose the environments that tell interpolation from extrapolation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acefit.cli.output import Json, Quiet, print_json, print_pairs, print_table, progress, refuse_to_replace

if TYPE_CHECKING:
    from acefit.active.active_set import ElementSummary

OfFunctions = Annotated[Path, typer.Argument(help="B-basis file (.yaml).")]
Query = Annotated[
    str | None, typer.Option(help="Use structures for which this holds, e.g. \"n_atoms < 100 and group != 'liquid'\".")
]
Tolerance = Annotated[float, typer.Option("--tolerance", "-g", help="Grade up to which nothing is exchanged.")]
Iterations = Annotated[int, typer.Option("--iterations", "-i", help="Largest number of exchanges of a search.")]
Refinements = Annotated[int, typer.Option("--refinements", "-r", help="Times all batches are gone through again.")]
Memory = Annotated[str, typer.Option(help="What may be used: 500MB, 2GB, or auto.")]
Tables = Annotated[bool, typer.Option("--tables", help="Interpolate radial functions as LAMMPS does.")]
LammpsElements = Annotated[str, typer.Option("--lammps-elements", "-e", help='Elements of types of dumps, e.g. "Ni Nb".')]


def activeset(
    potential: OfFunctions,
    data: Annotated[list[Path], typer.Argument(help="Training data: the kinds of files that fits read, and LAMMPS dumps.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: potential's name, .asi.")] = None,
    full: Annotated[
        bool, typer.Option("--full", "-f", help="Of derivatives by all coefficients, not of projections (.asi.nonlinear).")
    ] = False,
    query: Query = None,
    force_error: Annotated[
        str, typer.Option(help="Leave out atoms with a larger error of the force: eV/Å, auto (outliers) or none.")
    ] = "auto",
    tolerance: Tolerance = 1.01,
    iterations: Iterations = 3000,
    refinements: Refinements = 5,
    memory: Memory = "auto",
    tables: Tables = False,
    lammps_elements: LammpsElements = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the active set of a potential, with which the calculator and LAMMPS grade extrapolation.

    Example: [bold]acefit activeset results/silicon/potential.yaml examples/silicon/silicon.xyz.gz[/]
    """
    from acefit.active.active_set import build_active_set, import_functions
    from acefit.active.asi import FULL, LINEAR
    from acefit.active.candidates import read_candidates, select_by_query
    from acefit.active.force_errors import parse_limit, well_described
    from acefit.active.memory import parse_memory
    from acefit.active.search import SearchSettings

    path = output or potential.with_suffix(".asi.nonlinear" if full else ".asi")
    refuse_to_replace([path], force)
    settings, limit, most = SearchSettings(tolerance, iterations, refinements), parse_limit(force_error), parse_memory(memory)
    model = import_functions(potential)
    read = read_candidates(data, model.elements, lammps_elements.split())
    structures = select_by_query(read, query).structures
    used = None if limit is None else well_described(model, structures, limit.value)
    kind, track = FULL if full else LINEAR, lambda items, what, total: progress(items, what, total, quiet)
    built = build_active_set(model, structures, kind, settings=settings, memory=most, used=used, tables=tables, track=track)
    built.active_set.write(path)
    facts = {
        "file": str(path),
        "kind": kind,
        "structures": structures.n_structures,
        "structures_left_out": read.structures.n_structures - structures.n_structures,
        "atoms_left_out": 0 if used is None else int((~used).sum()),
    }
    _print(facts, built.summaries, as_json)


def _print(facts: Mapping[str, Any], summaries: list[ElementSummary], as_json: bool) -> None:
    rows = [summary._asdict() for summary in summaries]
    if as_json:
        print_json({**facts, "elements": rows})
        return
    print_pairs({name.replace("_", " "): value for name, value in facts.items()})
    print_table(rows)
    for element in (summary for summary in summaries if summary.rank < summary.functions):
        what = f"the data span {element.rank} of {element.functions} directions"
        print_pairs({"note": f"{element.element}: {what}; environments with anything in the others get very large grades"})
