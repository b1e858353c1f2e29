"""The command `acefit` and what all its subcommands share: errors, exit codes, the list of subcommands.

A subcommand is a module of this package with one function of the same name (a dash is an underscore there). Modules import what
takes long to load inside their function, so that `acefit --help` and the completion of a shell are quick.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import acefit
from acefit.errors import AcefitError

COMMANDS = (
    *("collect", "init", "import-input", "check", "run", "status", "info", "evaluate", "convert"),
    *("activeset", "select", "augment", "corerep", "timing"),
)
"""Subcommands in the order in which a user needs them."""

FAILED, INTERRUPTED = 1, 130


def print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"acefit {acefit.__version__}")
        raise typer.Exit


def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)] = False,
) -> None:
    """Fit Atomic Cluster Expansion potentials and use them."""


def build_app() -> typer.Typer:
    """The command with all its subcommands."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    app.callback()(start)
    for name in COMMANDS:
        module = import_module(f"acefit.cli.{name.replace('-', '_')}")
        app.command(name, **getattr(module, "COMMAND", {}))(getattr(module, name.replace("-", "_")))
    return app


def main() -> None:
    """Run the command; an error of the input is one message and exit code 1."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        build_app()()
    except AcefitError as error:
        _complain(str(error))
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more when it closes
        sys.stderr.close()
        raise SystemExit(FAILED) from None
    except OSError as error:
        _complain(f"{error.filename or 'the system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted")
        raise SystemExit(INTERRUPTED) from None


def _complain(message: str) -> None:
    """One message on standard error, and the end."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(message)}")
    raise SystemExit(FAILED)
