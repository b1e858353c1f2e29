"""A configuration for given data, by the rules of the recommended one (docs/recipe.md)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ase.data import atomic_numbers

from acefit.config.runs import Runs, load_runs
from acefit.data.survey import Survey
from acefit.errors import ConfigError
from acefit.files import write_text

COMPONENTS_PER_FUNCTION = 43
"""Force components for each function of an element: 30,000 were enough for 700 functions of one element."""

FEWEST, MOST = 20, 700
LARGE_CELL = 30
"""Atoms per structure from which energies need more weight against the many forces."""

DISTANCES = 2.4
"""Cutoff of crystals in shortest distances: up to about the third shell of neighbours."""

WEIGHTINGS = ("energy", "uniform")
SHAPES = {
    "UNARY": ([15, 8, 6, 4, 3], [0, 5, 4, 2, 1]),
    "BINARY": ([15, 6, 4, 3, 2], [0, 4, 3, 2, 1]),
    "TERNARY": ([15, 3, 3, 2, 1], [0, 3, 2, 1, 1]),
    "ALL": ([15, 3, 2, 1, 1], [0, 2, 2, 1, 1]),
}
"""Largest n and l by order of the blocks with so many elements, pairs (n, l)."""


@dataclass(frozen=True)
class Choices:
    """What is proposed, or was chosen.

    Parameters
    ----------
    elements : in alphabetical order
    functions : per element
    cutoff : Å
    test_size : share or number of structures; 0: none
    weighting : one of `WEIGHTINGS`
    reference_energy : as in the configuration; None: the data have corrected energies
    kappa : weight of the forces in the loss
    radial : radial functions
    """

    elements: tuple[str, ...]
    functions: int
    cutoff: float
    test_size: float
    weighting: str
    reference_energy: str | dict[str, float] | None
    kappa: float
    radial: str


def propose(survey: Survey) -> Choices:
    """Settings for data, from the numbers of elements, atoms and distances in them."""
    molecular, n_elements = survey.is_molecular, len(survey.elements)
    by_data = 3 * survey.n_atoms / (COMPONENTS_PER_FUNCTION * max(n_elements, 1))
    functions = int(min(max(by_data, FEWEST), MOST))
    cutoff = min(max(round(2 * DISTANCES * survey.typical) / 2, 4.5), 7.0) if survey.typical > 0 else 6.0
    small = survey.n_atoms / max(survey.n_structures, 1) < LARGE_CELL
    return Choices(
        elements=survey.elements,
        functions=functions - functions % 10,
        cutoff=4.0 if molecular else cutoff,
        test_size=0.1 if survey.n_structures >= 10 else 0.0,
        weighting="energy" if survey.spread > 1.0 else "uniform",
        reference_energy=_references(survey),
        kappa=0.9 if molecular else 0.05 if small else 0.005,
        radial="ChebExpCos" if molecular else "SBessel",
    )


def _references(survey: Survey) -> str | None:
    if not survey.n_energies:
        return None
    return "isolated" if set(survey.isolated) == set(survey.elements) else "auto"


def parse_references(text: str) -> str | dict[str, float] | None:
    """Reference energies as typed: `auto`, `isolated`, `none`, a CSV file, or words such as `Al:-0.1 Cu:-0.2`.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    text = text.strip()
    if text == "none":
        return None
    if text in ("auto", "isolated") or text.endswith(".csv"):
        return text
    energies = {}
    for word in text.replace(",", " ").split():
        element, _, value = word.replace("=", ":").partition(":")
        try:
            energies[element] = float(value)
        except ValueError:
            energies = {}
            break
    if not energies or not set(energies) <= set(atomic_numbers):
        raise ConfigError(f"reference energies {text!r} are not understood; give auto, isolated, none, or words such as Al:-0.1")
    return energies


def parse_elements(text: str) -> tuple[str, ...]:
    """Elements as typed, in alphabetical order.

    Raises
    ------
    ConfigError
        If one is none.
    """
    elements = sorted(set(text.replace(",", " ").split()))
    unknown = [element for element in elements if element not in atomic_numbers]
    if unknown or not elements:
        raise ConfigError(f"elements {text!r}: {unknown[0] if unknown else 'nothing'} is no chemical symbol; give e.g. Al Ni")
    return tuple(elements)


def write_configuration(
    choices: Choices, survey: Survey, data: Sequence[Path], target: Path, name: str, keys: Mapping[str, str] | None = None
) -> Runs:
    """Write a complete, commented configuration, which is checked before.

    Parameters
    ----------
    choices, survey : what is written, and the data it is for
    data : their files; the configuration names them as seen from its folder
    target : file to write
    name : of the run
    keys : further keys of the section `data`, such as `energy_key`

    Returns
    -------
    runs : the checked configuration

    Raises
    ------
    ConfigError
        If a choice is not valid.
    """
    folder = target.parent.absolute()
    names = [_seen_from(folder, path) for path in data]
    text = render(choices, survey, names, name, keys or {})
    runs = load_runs(yaml.safe_load(text))
    write_text(text, target)
    return runs


def _seen_from(folder: Path, path: Path) -> str:
    """The path as seen from a folder, if that is short, else absolute."""
    seen = os.path.relpath(path.absolute(), folder)
    return seen if seen.count("..") <= 3 else str(path.absolute())


def render(choices: Choices, survey: Survey, data: Sequence[str], name: str, keys: Mapping[str, str]) -> str:
    """The text of a configuration."""
    return "\n".join(
        [
            *_head(survey, name),
            *_potential(choices, survey),
            *_data(choices, survey, data, keys),
            *_fit(choices, survey),
            "",
        ]
    )


def _head(survey: Survey, name: str) -> list[str]:
    size = f"{survey.n_structures} structures, {survey.n_atoms} atoms of {', '.join(survey.elements)}"
    return [
        f"# Proposed by acefit init for {size}.",
        "# All keys: docs/configuration.md. What it would do: acefit check; go: acefit run.",
        "",
        f"name: {_flow(name)}  # results go to results/<name>",
        "seed: 42                        # of every random choice",
        "metadata: {comment: ''}         # free text, kept in the potential",
    ]


def _potential(choices: Choices, survey: Survey) -> list[str]:
    cutoff = f"rcut: {choices.cutoff:.15g}, dcut: 0.01"
    typical = f": the typical shortest distance in the data is {survey.typical:.2f} Å" if survey.typical > 0 else ""
    shapes = [("ALL", SHAPES["UNARY"])] if len(choices.elements) == 1 else list(SHAPES.items())[: min(len(choices.elements), 4)]
    return [
        "",
        "potential:",
        f"  elements: {_flow(list(choices.elements))}",
        "  embeddings:                   # two densities, one linear and one like a square root",
        "    ALL: {npot: FinnisSinclairShiftedScaled, fs_parameters: [1, 1, 1, 0.5], ndensity: 2}",
        f"  bonds:                        # rcut in Å{typical}",
        f"    ALL: {{radbase: {choices.radial}, radparameters: [5.25], {cutoff}}}",
        "  functions:                    # the simplest so many of all that the largest n and l by order allow",
        f"    number_of_functions_per_element: {choices.functions}",
        *[f"    {key}: {{nradmax_by_orders: {n}, lmax_by_orders: {l}}}" for key, (n, l) in shapes],
    ]


def _data(choices: Choices, survey: Survey, data: Sequence[str], keys: Mapping[str, str]) -> list[str]:
    lines = ["", "data:", f"  filename: {_flow(data[0] if len(data) == 1 else list(data))}"]
    if choices.test_size:
        lines += [
            f"  test_size: {choices.test_size:.15g}                # share (below 1) or number of structures that are only tested"
        ]
        if survey.groups:
            lines += [f"  stratify: true                # the same share of each of the {len(survey.groups)} groups"]
    if choices.reference_energy is not None:
        lines += [f"  reference_energy: {_flow(choices.reference_energy)}{_about(choices.reference_energy)}"]
    else:
        lines += ["  # no reference_energy: the data have corrected energies"]
    lines += [f"  {key}: {_flow(value)}" for key, value in keys.items()]
    if survey.left_out:
        lines += [
            f"  on_bad_structure: leave_out   # structures that cannot be used ({len(survey.left_out)}); the report lists them"
        ]
    return lines


def _about(reference_energy: Any) -> str:
    return {
        "isolated": "    # the single atoms in the data",
        "auto": "        # least squares; energies of free atoms are better: {Al: -0.1}, or single atoms in the data",
    }.get(reference_energy if isinstance(reference_energy, str) else "", "")


def _fit(choices: Choices, survey: Survey) -> list[str]:
    weighting = ["  # weighting: uniform, every structure and atom counts the same"]
    if choices.weighting == "energy":
        weighting = [
            f"  weighting:                    # energies span {survey.spread:.1f} eV/atom: those near the lowest count most",
            "    {type: EnergyBasedWeightingPolicy, DElow: 1.0, DEup: 10.0, wlow: 0.75}",
        ]
    step = -(-choices.functions * len(choices.elements) // 4)
    mode = ["  ladder_mode: total            # of all blocks together"] if len(choices.elements) > 1 else []
    return [
        "",
        "fit:",
        "  loss:                         # kappa: 0 energies only, 1 forces only; the others keep coefficients small and smooth",
        f"    {{kappa: {choices.kappa:.15g}, L1_coeffs: 1e-8, L2_coeffs: 1e-8, w0_rad: 1e-8, w1_rad: 1e-8, w2_rad: 1e-8}}",
        *weighting,
        f"  ladder_step: [{step}]             # the basis grows by so many functions",
        *mode,
        "  ladder_type: power_order",
        "  optimizer: ScaledBFGS         # L-BFGS-B for 10^5 parameters",
        "  maxiter: 200                  # iterations of each ladder step",
        "  repulsion: auto               # ZBL below the shortest distances of the data, so that atoms stay apart",
    ]


def _flow(value: Any) -> str:
    """A value on one line of YAML; JSON is YAML where quotes are needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {entry!r}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = str(value)
    plain = yaml.safe_load(text) == text if text and not set(text) & set("{}[],&*#?|<>=!%@:\\\"'\n") else False
    return text if plain else json.dumps(text, ensure_ascii=False)
