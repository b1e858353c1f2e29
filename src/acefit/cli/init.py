"""`acefit init`: a configuration for given data, by questions or options."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from acefit.cli.output import Json, Quiet, print_json, print_pairs, progress
from acefit.errors import AcefitError

if TYPE_CHECKING:
    from acefit.data.survey import Survey

LEAST_CUTOFF = 0.5

Data = Annotated[list[Path] | None, typer.Argument(help="Data files; asked for if none is given.", metavar="DATA...")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Configuration to write.")]
Name = Annotated[str | None, typer.Option("--name", "-n", help="Name of the run; default: that of the data.")]
Elements = Annotated[str | None, typer.Option("--elements", help='Elements, e.g. "Al Ni"; default: those of the data.')]
NumberOfFunctions = Annotated[int | None, typer.Option("--functions", min=1, help="Functions per element.")]
Cutoff = Annotated[float | None, typer.Option("--cutoff", min=LEAST_CUTOFF, help="Cutoff, Å.")]
TestSize = Annotated[float | None, typer.Option("--test-size", min=0, help="Share or number of test structures.")]
Weighting = Annotated[str | None, typer.Option("--weighting", help="energy or uniform.")]
OfReferences = Annotated[
    str | None, typer.Option("--references", help="auto, isolated, none, a CSV file, or energies such as 'Al:-0.1 Ni:-0.2'.")
]


def init(
    data: Data = None,
    output: Output = Path("input.yaml"),
    name: Name = None,
    elements: Elements = None,
    functions: NumberOfFunctions = None,
    cutoff: Cutoff = None,
    test_size: TestSize = None,
    weighting: Weighting = None,
    references: OfReferences = None,
    energy_key: Annotated[str | None, typer.Option("--energy-key", help="Name of the energies in the data.")] = None,
    forces_key: Annotated[str | None, typer.Option("--forces-key", help="Name of the forces in the data.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is proposed.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a configuration that exists.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read data, propose settings, which options and answers change, and write a complete commented configuration.

    Example: [bold]acefit init silicon.xyz.gz --yes[/]
    """
    from acefit.pipeline.proposal import parse_elements, parse_references, propose, write_configuration

    ask = _proposed if yes or as_json else _asked
    _check_target(output, force, ask)
    if not data and ask is _proposed:
        raise AcefitError("no data are named; give their files, as in acefit init data.xyz --yes")
    paths = [_found(path) for path in data or typer.prompt("Data files").split()]
    keys = {name: key for name, key in (("energy_key", energy_key), ("forces_key", forces_key)) if key}
    survey = _survey(paths, keys, quiet)
    if not (as_json or quiet):
        print_pairs(_described(survey))
    proposed = propose(survey)
    choices = replace(
        proposed,
        test_size=ask("Test set: share (below 1) or number of structures, 0 for none", test_size, proposed.test_size, _number),
        elements=ask("Elements", elements, " ".join(proposed.elements), parse_elements),
        reference_energy=ask(
            "Reference energies: auto, isolated, none, or such as Al:-0.1",
            references,
            proposed.reference_energy or "none",
            parse_references,
        ),
        functions=ask("Functions per element", functions, proposed.functions, _positive_integer),
        cutoff=ask("Cutoff (Å)", cutoff, proposed.cutoff, _cutoff),
        weighting=ask("Weighting: energy or uniform", weighting, proposed.weighting, _weighting),
    )
    _check_elements(survey, choices.elements)
    word = ask("Name of the run", name, _plain(paths[0]), _run_name)
    runs = write_configuration(choices, survey, paths, output, word, keys)
    if as_json:
        print_json({"written": str(output), "data": _described(survey), "choices": vars(choices)})
    else:
        _tell(runs.configs[word].notices, output)


Ask = Callable[[str, Any, Any, Callable[[str], Any]], Any]


def _proposed(question: str, given: Any, default: Any, parse: Callable[[str], Any]) -> Any:
    """What was given, else what is proposed."""
    return parse(str(default if given is None else given))


def _asked(question: str, given: Any, default: Any, parse: Callable[[str], Any]) -> Any:
    """What was given, else what the user answers, who is asked again until it is valid."""
    if given is not None:
        return parse(str(given))
    while True:
        try:
            return parse(str(typer.prompt(question, default=default, type=str)))
        except AcefitError as error:
            typer.echo(f"  {error}")


def _check_elements(survey: Survey, elements: Iterable[str]) -> None:
    missing = set(survey.elements) - set(elements)
    if missing:
        raise AcefitError(f"the data have {', '.join(sorted(missing))}, which is not among the elements; add it")


def _check_target(output: Path, force: bool, ask: Ask) -> None:
    if output.is_dir():
        raise AcefitError(f"{output} is a folder; name a file, such as {output / 'input.yaml'}")
    if output.exists() and not force and (ask is _proposed or not typer.confirm(f"{output} exists; replace it?")):
        raise AcefitError(f"{output} exists already; name another file with --output, or give --force to replace it")


def _found(name: str | Path) -> Path:
    from acefit.config.paths import DATA_VARIABLE, resolve_file

    return Path(resolve_file(str(name), what="data", base_path=Path(), datapath=os.environ.get(DATA_VARIABLE)))


def _survey(paths: list[Path], keys: dict[str, str], quiet: bool) -> Survey:
    """What is in the data, which must have energies."""
    from acefit.data.readers import ReadingOptions
    from acefit.data.survey import survey_data

    options = ReadingOptions(on_bad_structure="leave_out", **keys)  # type: ignore[arg-type]
    survey = survey_data(paths, options, lambda parts: progress(parts, "Reading", quiet=quiet))
    if not survey.n_energies and not survey.n_corrected:
        raise AcefitError(
            "no structure has an energy, without which nothing is fitted; if the files name it otherwise: --energy-key"
        )
    return survey


def _number(text: str, least: float = 0.0) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise AcefitError(f"{text!r} is no number from {least:g} on")
    return value


def _cutoff(text: str) -> float:
    return _number(text, LEAST_CUTOFF)


def _positive_integer(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise AcefitError(f"{text!r} is no positive integer")
    return int(text)


def _weighting(text: str) -> str:
    from acefit.pipeline.proposal import WEIGHTINGS

    if text not in WEIGHTINGS:
        raise AcefitError(f"weighting {text!r} is not known; give {' or '.join(WEIGHTINGS)}")
    return text


def _run_name(text: str) -> str:
    from acefit.config.model import RUN_NAME

    if not re.fullmatch(RUN_NAME, text):
        raise AcefitError(
            f"{text!r} cannot be the name of a run: it has letters, digits and . _ + - and begins with a letter or digit"
        )
    return text


def _plain(path: Path) -> str:
    """Name of a file without its suffixes, made of what names of runs may have."""
    word = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in path.name.split(".")[0])
    return word.strip("-") or "fit"


def _described(survey: Survey) -> dict[str, Any]:
    labels = {
        "energy": survey.n_energies,
        "corrected energy": survey.n_corrected,
        "forces": survey.n_forces,
        "stress": survey.n_stresses,
    }
    return {
        "structures": survey.n_structures,
        "atoms": survey.n_atoms,
        "elements": " ".join(survey.elements),
        "labels": ", ".join(f"{label} {n}" for label, n in labels.items() if n) or "none",
        "free atoms": " ".join(survey.isolated) or "none",
        "groups": len(survey.groups),
        "shortest distance": f"{survey.shortest:.3f} Å (typical {survey.typical:.2f} Å)" if survey.typical > 0 else "none",
        **({"cannot be used": f"{len(survey.left_out)}, first {survey.left_out[0]}"} if survey.left_out else {}),
    }


def _tell(notices: Iterable[str], output: Path) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for notice in notices:
        console.print(f"[yellow]note:[/] {escape(notice)}")
    console.print(
        f"written: {escape(str(output))}; next: acefit check {escape(str(output))}, then acefit run {escape(str(output))}"
    )
