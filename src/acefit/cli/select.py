"""`acefit select`: choose informative structures among candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acefit.cli.activeset import Iterations, LammpsElements, Memory, OfFunctions, Query, Refinements, Tables, Tolerance
from acefit.cli.output import Force, Json, Quiet, print_json, print_pairs, print_table, progress
from acefit.errors import AcefitError

if TYPE_CHECKING:
    from acefit.active.selection import Selection
    from acefit.data.storage import Dataset


def select(
    potential: OfFunctions,
    candidates: Annotated[list[Path], typer.Argument(help="Structures: the kinds of files that fits read, and LAMMPS dumps.")],
    active_set: Annotated[
        Path | None,
        typer.Option(
            "--active-set", "-a", help="Choose what is new beside it; default: potential's name, .asi, if there is one."
        ),
    ] = None,
    most: Annotated[int | None, typer.Option("--most", "-m", help="Largest number of structures.")] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="By its name: .xyz, .xyz.gz, .db, .pckl.gzip, a folder for Parquet, or POSCAR for VASP's files.",
        ),
    ] = Path("selected.xyz"),
    query: Query = None,
    tolerance: Tolerance = 1.01,
    iterations: Iterations = 3000,
    refinements: Refinements = 2,
    memory: Memory = "auto",
    tables: Tables = False,
    lammps_elements: LammpsElements = "",
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose the structures that add most to an active set (D-optimality), to be calculated and fitted next.

    Example: [bold]acefit select potential.yaml md.dump -e "Ni Nb" -a potential.asi -m 20 -o new.xyz[/]
    """
    from acefit.active.active_set import import_functions, read_active_set
    from acefit.active.candidates import EVERYTHING, check_output, read_candidates, select_by_query
    from acefit.active.memory import parse_memory
    from acefit.active.search import SearchSettings
    from acefit.active.selection import select_structures

    former = _former(check_output(output), force)
    settings, limit, model = SearchSettings(tolerance, iterations, refinements), parse_memory(memory), import_functions(potential)
    known = active_set or next((path for path in [potential.with_suffix(".asi")] if path.is_file()), None)
    given = None if known is None else read_active_set(known, model)
    dataset = select_by_query(read_candidates(candidates, model.elements, lammps_elements.split()), query or EVERYTHING)
    track, structures = lambda items, what, total: progress(items, what, total, quiet), dataset.structures
    selection = select_structures(model, structures, given, most, settings=settings, memory=limit, tables=tables, track=track)
    chosen = dataset.select(selection.structures)
    files = _write(chosen, output, former)
    facts = {
        "candidates": structures.n_structures,
        "active set": "none" if known is None else str(known),
        "chosen": len(selection.structures),
        "files": [str(path) for path in files],
    }
    rows = _rows(chosen, selection)
    if as_json:
        print_json({**facts, "structures": rows})
        return
    print_pairs(facts)
    print_table(rows)


def _former(files: list[Path], force: bool) -> list[Path]:
    if files and not force:
        raise AcefitError(f"{files[0]} exists already; name another file, or give --force to replace it")
    return files


def _write(chosen: Dataset, output: Path, former: list[Path]) -> list[Path]:
    """Write the structures, if any; files of a former choice that would be taken for a part of this one go."""
    from acefit.active.candidates import write_candidates

    files = write_candidates(chosen, output) if chosen.structures.n_structures else []
    for path in set(former) - set(files):
        if path.parent not in files:
            path.unlink()
    return files


def _rows(chosen: Dataset, selection: Selection) -> list[dict[str, Any]]:
    """What there is to say about each chosen structure."""
    columns = (chosen.structures.names, chosen.sources, chosen.rows.tolist(), *(values.tolist() for values in selection[1:]))
    return [
        dict(zip(("structure", "file", "row", "environments", "gamma"), row, strict=True)) for row in zip(*columns, strict=True)
    ]
