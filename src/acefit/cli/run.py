"""`acefit run`: the pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from acefit.cli.output import Configuration
from acefit.errors import AcefitError

OPTIONS = "options for Snakemake"


class PassingOn(TyperCommand):
    """A command that hands everything behind `--` on."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the words behind `--` away before the others are understood."""
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[OPTIONS] = args[place + 1 :]
        rest: list[str] = super().parse_args(ctx, args[:place])
        return rest


COMMAND: dict[str, Any] = {"cls": PassingOn, "options_metavar": "[OPTIONS]"}


def run(
    context: typer.Context,
    configuration: Configuration = None,
    cores: Annotated[
        int | None, typer.Option("--cores", "-c", min=1, help="Cores to use; default: all, or what the profile says.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Snakemake profile: a folder, or one of acefit's (slurm, generic).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would run, and why.")] = False,
    unlock: Annotated[
        bool, typer.Option("--unlock", help="Unlock the folder after a run that was killed, and do nothing else.")
    ] = False,
    print_command: Annotated[
        bool, typer.Option("--print-command", help="Print the Snakemake command instead of running it.")
    ] = False,
) -> None:
    """Run the pipeline in this folder: everything that is not up to date, results in [bold]results/[/].

    What stands behind [bold]--[/] goes to Snakemake: options, or files to make. After an interruption the same command goes on.

    Example: [bold]acefit run input.yaml --cores 8 -- --keep-going[/]
    """
    import shlex

    from acefit.pipeline.command import replace_process, snakemake_command
    from acefit.pipeline.configuration import find_configuration

    if not print_command and not os.access(".", os.W_OK):
        raise AcefitError(f"{Path.cwd()} cannot be written to, but results and Snakemake's notes go there; run in another folder")
    options = [*(["--dry-run"] if dry_run else []), *(["--unlock"] if unlock else []), *context.meta.get(OPTIONS, [])]
    command = snakemake_command(find_configuration(configuration), options, cores=cores, profile=profile)
    if print_command:
        typer.echo(shlex.join(command))
        return
    replace_process(command)
