"""`acefit convert`: potentials and data from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from acefit.cli.output import Force, Json, Quiet, print_json, print_pairs, progress, refuse_to_replace
from acefit.errors import AcefitError


def convert(
    sources: Annotated[
        list[Path], typer.Argument(help="Potential, or data files and folders, which are joined.", metavar="SOURCE...")
    ],
    target: Annotated[
        Path, typer.Argument(help="File to write; its suffix says the format. A name without one: Parquet tables.")
    ],
    e0: Annotated[
        str | None,
        typer.Option(
            "--e0", help="Energy per atom of a potential: zero, references (those of its fit), or Al=-1.2,Ni=-0.8 in eV."
        ),
    ] = None,
    lammps: Annotated[Path | None, typer.Option("--lammps", help="LAMMPS input to write beside a .yace file.")] = None,
    energy_key: Annotated[str | None, typer.Option("--energy-key", help="Name of the energies in the data.")] = None,
    forces_key: Annotated[str | None, typer.Option("--forces-key", help="Name of the forces in the data.")] = None,
    stress_key: Annotated[str | None, typer.Option("--stress-key", help="Name of the stresses in the data.")] = None,
    group_key: Annotated[
        str, typer.Option("--group-key", help="Name of the group of a structure, read and written.")
    ] = "config_type",
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Leave out structures that cannot be used; else stop.")] = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert a potential (.yaml, .yace) or data (.xyz, .xyz.gz, .db, .pckl.gzip, Parquet) to another format.

    Example: [bold]acefit convert potential.yaml potential.yace --e0 references --lammps lammps.in[/]
    """
    from acefit.data.writers import STRUCTURES
    from acefit.potential.files import SUFFIXES

    refuse_to_replace((target, target / STRUCTURES, lammps), force)
    if sources[0].suffix.lower() in SUFFIXES:
        of_data = {"--energy-key": energy_key, "--forces-key": forces_key, "--stress-key": stress_key, "--leave-out": leave_out}
        _refuse(of_data, f"{sources[0]} is a potential")
        if len(sources) > 1:
            raise AcefitError(f"{len(sources)} sources are given; potentials are converted one by one")
        result = _convert_potential(sources[0], target, e0, lammps)
    else:
        _refuse({"--e0": e0, "--lammps": lammps}, f"{sources[0]} is no potential ({', '.join(SUFFIXES)})")
        keys = {"energy_key": energy_key, "forces_key": forces_key, "stress_key": stress_key, "group_key": group_key}
        keys |= {"leaving_out": "give --leave-out"}
        result = _convert_data(sources, target, {**keys, "on_bad_structure": "leave_out" if leave_out else "stop"}, quiet)
    if as_json:
        print_json(result)
    elif not quiet:
        print_pairs(result)


def _refuse(options: dict[str, Any], why: str) -> None:
    """Options without a meaning for what is converted."""
    given = [name for name, value in options.items() if value]
    if given:
        raise AcefitError(f"{', '.join(given)} has no meaning here: {why}")


def _convert_potential(source: Path, target: Path, e0: str | None, lammps: Path | None) -> dict[str, Any]:
    from acefit.potential.conversion import convert_potential

    potential = convert_potential(source, target, e0, lammps)
    return {
        "written": str(target),
        "elements": list(potential.elements),
        "functions": potential.n_functions,
        "E0": [potential.e0.get(element, 0.0) for element in potential.elements],
        **({"LAMMPS input": str(lammps)} if lammps else {}),
    }


def _convert_data(sources: list[Path], target: Path, options: dict[str, Any], quiet: bool) -> dict[str, Any]:
    from acefit.data.conversion import convert_data
    from acefit.data.readers import ReadingOptions

    done = convert_data(sources, target, ReadingOptions(**options), lambda parts: progress(parts, "Converting", quiet=quiet))
    for item in done.left_out:
        if not quiet:
            typer.echo(f"left out: {item}", err=True)
    names = ("n_without_energy", "n_without_forces", "n_with_stress")
    totals = {name: sum(getattr(report, name) for report in done.files) for name in names}
    return {
        "written": str(target),
        "structures": done.n_structures,
        "atoms": done.n_atoms,
        "without energy": totals["n_without_energy"],
        "without forces": totals["n_without_forces"],
        "with stress": totals["n_with_stress"],
        "left out": len(done.left_out),
    }
