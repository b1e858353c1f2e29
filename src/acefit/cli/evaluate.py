"""`acefit evaluate`: predictions of a potential for structures in files, and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from acefit.cli.output import Force, Json, Quiet, print_json, print_pairs, print_table, progress, refuse_to_replace

HEADINGS = {
    "n_structures": "structures",
    "n_atoms": "atoms",
    "rmse_epa": "energy RMSE (meV/atom)",
    "mae_epa": "MAE",
    "rmse_f_comp": "force RMSE (eV/Å)",
    "mae_f_comp": "MAE ",
    "max_f": "largest",
    "rmse_stress": "stress RMSE (GPa)",
}


def evaluate(
    potential: Annotated[Path, typer.Argument(help="Potential file (.yaml, .yace).")],
    data: Annotated[list[Path], typer.Argument(help="Structures, with or without labels: the kinds of files that fits read.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Predictions: .xyz, .xyz.gz, or a folder for Parquet tables.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads; default: all.")] = None,
    energy_key: Annotated[str | None, typer.Option("--energy-key", help="Name of the energies in the data.")] = None,
    forces_key: Annotated[str | None, typer.Option("--forces-key", help="Name of the forces in the data.")] = None,
    stress_key: Annotated[str | None, typer.Option("--stress-key", help="Name of the stresses in the data.")] = None,
    group_key: Annotated[str, typer.Option("--group-key", help="Name of the group of a structure.")] = "config_type",
    lammps_elements: Annotated[
        str, typer.Option("--lammps-elements", "-e", help='Elements of types of dumps, e.g. "Ni Nb".')
    ] = "",
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Leave out structures that cannot be used; else stop.")] = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict energies, forces and stresses of structures; errors where the structures have labels.

    Example: [bold]acefit evaluate results/silicon/potential.yaml test.xyz -o predicted.xyz[/]
    """
    from acefit.data.readers import ReadingOptions
    from acefit.data.writers import STRUCTURES
    from acefit.pipeline.evaluate import evaluate_files
    from acefit.potential.files import read_any

    refuse_to_replace((output, output / STRUCTURES) if output else (), force)
    model = read_any(potential)
    options = ReadingOptions(
        energy_key=energy_key,
        forces_key=forces_key,
        stress_key=stress_key,
        group_key=group_key,
        on_bad_structure="leave_out" if leave_out else "stop",
        elements=model.elements,
        lammps_elements=lammps_elements.split(),
        energy_needed=False,
        leaving_out="give --leave-out",
    )
    done = evaluate_files(model, data, output, options, threads, lambda parts: progress(parts, "Evaluating", quiet=quiet))
    if as_json:
        groups = {name: errors.row() for name, errors in done.groups.items()}
        left_out = [str(item) for item in done.left_out]
        print_json({"written": output, "scale": done.scale, "total": done.total.row(), "groups": groups, "left_out": left_out})
        return
    for item in done.left_out:
        typer.echo(f"left out: {item}", err=True)
    _print(done, output)


def _print(done: Any, output: Path | None) -> None:
    total = done.total
    pairs = {"structures": total.n_structures, "atoms": total.n_atoms, **({"written": str(output)} if output else {})}
    print_pairs({**pairs, "compared": done.scale if total.has_labels else "nothing, as there are no labels"})
    if total.has_labels:
        rows = {**(done.groups if len(done.groups) > 1 else {}), "all": total}
        print_table([{"group": name or "(none)", **_row(errors.row())} for name, errors in rows.items()])


def _row(values: dict[str, float]) -> dict[str, float]:
    return {heading: values[key] for key, heading in HEADINGS.items()}
