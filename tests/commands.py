"""Run `acefit` in this process."""

import json

from typer.testing import CliRunner

from acefit.cli.app import build_app


def run(*arguments):
    """Result of a command: exit_code, stdout, stderr, exception."""
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).invoke(build_app(), [str(a) for a in arguments])


def run_json(*arguments):
    """What a command prints with `--json`."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)
