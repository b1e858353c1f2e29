"""`acefit collect`: results of electronic-structure programs as a dataset."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from acefit.cli.output import Force, Json, Quiet, counted, print_json, print_pairs, print_table, progress, refuse_to_replace

Selection = Annotated[
    str, typer.Option("--selection", "-s", help="Steps: first, last, all, first_and_last, or a slice such as ::10.")
]
OfFreeAtoms = Annotated[
    list[str] | None,
    typer.Option("--free-atoms", help="Energies to subtract: auto (single atoms among the results) or 'Al:-0.1 Cu:auto'."),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="cp2k, cp2k-trajectory, or ASE's name of the format; default: known by name and content."),
]
Patterns = Annotated[list[str] | None, typer.Option("--glob", help="Only files of this name, such as 'run*/OUTCAR'.")]
KeepUnfinished = Annotated[
    bool, typer.Option("--keep-unfinished", help="Use the complete steps of calculations that did not come to their end.")
]
Stop = Annotated[bool, typer.Option("--stop", help="Stop at the first result that cannot be used, instead of listing it.")]
GroupDepth = Annotated[
    int, typer.Option("--group-depth", min=0, help="Folders below FOLDER that name the group (config_type) of a structure.")
]
Roots = Annotated[list[Path] | None, typer.Argument(help="Folders and files; default: this folder.", metavar="FOLDER...")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Dataset to write; its suffix says the format.")]


def collect(
    roots: Roots = None,
    output: Output = Path("collected.xyz"),
    selection: Selection = "last",
    free_atoms: OfFreeAtoms = None,
    kind: Format = None,
    patterns: Patterns = None,
    keep_unfinished: KeepUnfinished = False,
    stop: Stop = False,
    group_depth: GroupDepth = 1,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Collect results of VASP, Quantum ESPRESSO, CP2K, ABINIT, GPAW, NWChem and whatever ASE reads into one dataset.

    Example: [bold]acefit collect calculations --selection all --free-atoms auto -o data.xyz[/]
    """
    from acefit.collect.free_atoms import parse_free_atoms
    from acefit.collect.tree import CollectOptions, collect_results
    from acefit.data.writers import STRUCTURES

    refuse_to_replace((output, output / STRUCTURES), force)
    options = CollectOptions(
        patterns=patterns or (),
        kind=kind,
        selection=selection,
        free_atoms=parse_free_atoms(free_atoms) if free_atoms else None,
        stop=stop,
        keep_unfinished=keep_unfinished,
        group_depth=group_depth,
    )
    done = collect_results(
        roots or [Path()], output, options, lambda files: progress(files, "Reading", total=len(files), quiet=quiet)
    )
    if as_json:
        print_json(_as_mapping(done, output))
        return
    for problem in done.problems:
        typer.echo(f"left out: {problem}", err=True)
    if done.unknown:
        typer.echo(f"not results of a known program: {', '.join(map(str, done.unknown))}", err=True)
    _print(done, output)


def _as_mapping(done: Any, output: Path) -> dict[str, Any]:
    return {
        "written": str(output),
        "files": done.n_files,
        "unknown": [str(path) for path in done.unknown],
        "left_out": [{"file": str(p.path), "step": p.step, "reason": p.reason} for p in done.problems],
        "total": asdict(done.statistics.total),
        "groups": {name: asdict(group) for name, group in done.statistics.groups.items()},
        "elements": done.statistics.elements,
        "free_atoms": {el: {"energy": energy, "from": origin} for el, (energy, origin) in done.references.items()},
    }


def _print(done: Any, output: Path) -> None:
    statistics = done.statistics
    print_pairs(
        {
            "written": str(output),
            "results": f"{counted(done.n_files, 'file')}, {counted(len(done.problems), 'problem')}",
            "atoms": ", ".join(f"{element} {n}" for element, n in sorted(statistics.elements.items())),
            **{f"free {el}": f"{energy:.6f} eV ({origin})" for el, (energy, origin) in done.references.items()},
        }
    )
    rows = {**(statistics.groups if len(statistics.groups) > 1 else {}), "all": statistics.total}
    print_table([{"group": name or "(none)", **_row(group)} for name, group in rows.items()])


def _row(group: Any) -> dict[str, Any]:
    return {
        "structures": group.n_structures,
        "atoms": group.n_atoms,
        "eV/atom from": group.lowest,
        "to": group.highest,
        "largest force (eV/Å)": group.largest_force,
        "shortest distance (Å)": group.shortest,
        "without forces": group.n_without_forces,
        "with stress": group.n_with_stress,
    }
