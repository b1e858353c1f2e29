"""`acefit import-input`: an input file of pacemaker with all its files as a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from acefit.cli.output import Json, print_json


def import_input(
    source: Annotated[Path, typer.Argument(help="Input file of pacemaker (or of acefit).", metavar="INPUT")],
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Write into a folder that exists; files of the same names are replaced.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy an input file and all data, weights and potentials it names into one folder that needs nothing else.

    Data are also looked for in data.datapath and in the folder that PACEMAKERDATAPATH names. Of the text only names of files
    change. (acefit run takes an input.yaml where it stands, too.)

    Example: [bold]acefit import-input ~/fits/input.yaml copper[/]
    """
    from acefit.pipeline import import_input as importing

    done = importing.import_input(source, folder, force)
    if as_json:
        print_json({"configuration": str(done.configuration), "files": done.files, "notices": done.notices})
        return
    console = Console(soft_wrap=True, highlight=False)
    for name, origin in done.files.items():
        console.print(f"{escape(name)}  from {escape(origin)}")
    for notice in done.notices:
        console.print(f"[yellow]note:[/] {escape(notice)}")
    check = f"acefit check {done.configuration.name}"
    console.print(f"written: {escape(str(done.configuration))}; next: cd {escape(str(folder))}, then {escape(check)}")
