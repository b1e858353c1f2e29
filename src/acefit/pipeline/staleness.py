"""What Snakemake would do and why: its table of files, and the settings that a dry run says have changed.

Snakemake is asked as another program. `--detailed-summary` gives a row per file, with stage, state and whether it would be made;
what has changed in the settings of a stage is only in the text of a dry run, which is asked for if it is needed.
"""

from __future__ import annotations

import ast
import csv
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from acefit.errors import AcefitError
from acefit.pipeline.command import snakemake_command, workflow_folder

REASONS = {
    "missing": "not made yet",
    "params changed": "settings changed",
    "set of input files changed": "other input files",
    "updated input files": "newer input files",
    "code has changed": "its script changed",
}
"""States of files in Snakemake's words, and in ours."""

_DIGEST = re.compile(r"^[0-9a-f]{16}$")
_CHANGED = re.compile(r"before: (.*) now: (.*?)\s*$")
_PLACEHOLDER = re.compile(r"\\\{(?:(?:wildcards|input)\\\.)?(\w+)\\\}")

Ask = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class SnakemakeError(AcefitError):
    """Snakemake could not say what it would do."""


class Planned(NamedTuple):
    """A file that the pipeline makes.

    Attributes
    ----------
    path, stage : relative to the folder of the pipeline, as Snakemake writes it; name of its rule
    is_pending : whether it would be made
    reason : why, if that is known from the file itself; empty where it follows from other stages
    """

    path: str
    stage: str
    is_pending: bool
    reason: str


def ask_snakemake(configuration: Path, folder: Path) -> Ask:
    """Function that runs Snakemake in a folder with some options and gives what it says; nothing is made."""

    def ask(options: Sequence[str]) -> subprocess.CompletedProcess[str]:
        command = snakemake_command(configuration.absolute(), [*options, "--nolock", "--nocolor"], cores=1)
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return ask


def plan_files(ask: Ask) -> list[Planned]:
    """All files that the pipeline makes, as far as Snakemake knows: those behind a basis that is to be made are not among them.

    Raises
    ------
    SnakemakeError
        If Snakemake fails; with the end of what it says.
    """
    answer = ask(["--detailed-summary"])
    lines = answer.stdout.splitlines()
    start = next((k for k, line in enumerate(lines) if line.startswith("output_file\t")), None)
    if answer.returncode or start is None:
        said = [line for line in (answer.stderr + answer.stdout).splitlines() if line.strip()]
        raise SnakemakeError("Snakemake cannot say what is up to date: " + " / ".join(said[-5:]))
    rows = list(csv.DictReader(lines[start:], delimiter="\t"))
    changes = _changes(ask) if any(row["status"] == "params changed" for row in rows) else {}
    return [_planned(row, changes) for row in rows]


def _planned(row: Mapping[str, str], changes: Mapping[str, list[str]]) -> Planned:
    status, stage = row["status"], row["rule"]
    reason = "" if status == "ok" else REASONS.get(status, status)
    if status == "params changed" and stage in changes:
        reason = ", ".join(changes[stage])
    return Planned(row["output_file"], stage, row["plan"] == "update pending", reason)


def _changes(ask: Ask) -> dict[str, list[str]]:
    """Stage -> what has changed in its settings, by the text of a dry run."""
    lines = ask(["--dry-run"]).stdout.splitlines()
    found: dict[str, dict[str, None]] = {}
    for line, after in pairwise(lines):
        message = re.match(r"Job \d+: (.*)", line)
        if message is None or not after.startswith("Reason: Params have changed"):
            continue
        stage = next((stage for stage, pattern in messages() if pattern.fullmatch(message.group(1))), None)
        if stage is not None:
            found.setdefault(stage, {}).update(dict.fromkeys(describe_change(after)))
    return {stage: list(texts) for stage, texts in found.items()}


@cache
def messages() -> list[tuple[str, re.Pattern[str]]]:
    """Name of each rule and the form of its message, read from the rule files."""
    found = []
    for path in sorted((workflow_folder() / "workflow" / "rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        for rule, message in re.findall(
            r'^(?:rule|checkpoint) (\w+):.*?^    message:\s+"(.*?)"$', text, re.MULTILINE | re.DOTALL
        ):
            found.append((rule, re.compile(_PLACEHOLDER.sub(".+", re.escape(message)))))
    return found


def describe_change(reason: str) -> list[str]:
    """Keys and values that differ, from the sentence of a dry run; one general word where it cannot be understood."""
    match = _CHANGED.search(reason)
    try:
        before, now = (ast.literal_eval(f"[{text}]") for text in match.groups()) if match else ([], [])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return [REASONS["params changed"]]
    texts: list[str] = []
    for old, new in _pairs(before, now):
        if isinstance(old, dict) and isinstance(new, dict):
            texts += [f"{key}: {a} -> {b}" for key, a, b in _differences(old, new)]
        elif any(isinstance(value, str) and _DIGEST.match(value) for value in (old, new)):
            texts.append("code or a library changed")
    return texts or [REASONS["params changed"]]


def _pairs(before: list[Any], now: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Old and new value of each parameter: the only mapping, and the only text, on each side."""
    for kind in (dict, str):
        old, new = ([value for value in side if isinstance(value, kind)] for side in (before, now))
        if len(old) == 1 or len(new) == 1:
            yield next(iter(old), None), next(iter(new), None)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted keys whose values differ."""
    for key in dict.fromkeys([*old, *new]):
        a, b, name = old.get(key), new.get(key), f"{path}{key}"
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differences(a, b, f"{name}.")
        elif a != b:
            yield name, a, b
