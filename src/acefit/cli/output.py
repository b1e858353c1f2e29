"""What subcommands print: tables for people, JSON for scripts; progress on standard error."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from acefit.errors import AcefitError

Item = TypeVar("Item")

WIDE = 200
"""Columns of tables that go to a file or another program."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text for people.")]
Configuration = Annotated[
    Path | None,
    typer.Argument(
        help="Configuration file; default: input.yaml, config.yaml or config/config.yaml of this folder.", metavar="CONFIG"
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only, no progress.")]


Force = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]


def counted(number: int, noun: str) -> str:
    """Number and noun, such as `1 problem` and `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def refuse_to_replace(paths: Iterable[Path | None], force: bool) -> None:
    """End with an error if one of the files is there, and it is not to be replaced."""
    for path in paths:
        if path is not None and path.is_file() and not force:
            raise AcefitError(f"{path} exists already; name another file, or give --force to replace it")


def print_table(rows: Sequence[Mapping[str, Any]], title: str | None = None) -> None:
    """Rows with the same keys as a table; nothing for no rows."""
    if not rows:
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    console.print(table)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Names and values, one pair a line."""
    console, width = Console(soft_wrap=True, highlight=False), max(map(len, pairs), default=0)
    for name, value in pairs.items():
        console.print(f"[bold]{escape(name):<{width}}[/]  {escape(_cell(value))}")


def print_json(result: Mapping[str, Any]) -> None:
    """One JSON object; numbers that are not finite are null, as JSON has none."""
    typer.echo(json.dumps(plain(result), ensure_ascii=False))


def progress(items: Iterable[Item], what: str, total: int | None = None, quiet: bool = False) -> Iterator[Item]:
    """The items, with a bar on standard error that goes when all is done; none where that is no terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield from items
    else:
        yield from track(items, what, total=total, console=console, transient=True)


def plain(value: Any) -> Any:
    """The value made of what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _cell(value: Any) -> str:
    """A value as text."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.6g}"
    if isinstance(value, list | tuple):
        return " ".join(_cell(entry) for entry in value)
    return str(value)
