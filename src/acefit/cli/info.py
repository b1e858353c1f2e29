"""`acefit info`: what is in a potential file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from acefit.cli.output import Json, print_json, print_pairs, print_table


def info(
    potentials: Annotated[list[Path], typer.Argument(help="Potential files, .yaml or .yace.", metavar="POTENTIAL...")],
    as_json: Json = False,
) -> None:
    """Say what is in a potential: elements, cutoffs, embeddings, functions and parameters.

    Example: [bold]acefit info results/silicon/potential.yaml[/]
    """
    from acefit.potential.description import describe
    from acefit.potential.files import read_any

    descriptions: dict[str, Any] = {str(path): describe(read_any(path)) for path in potentials}
    if as_json:
        print_json(descriptions)
        return
    for path, description in descriptions.items():
        print_pairs({"file": path, **description["potential"]})
        for name in ("embeddings", "bonds", "functions"):
            print_table(description[name], title=name)
