"""Build the basis and the plan of the ladder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acefit.artifacts import made_by, write_table
from acefit.basis.keys import check_keys
from acefit.basis.ladder import LadderPlan, build_plan, power_order, unused_settings, with_core_of
from acefit.files import text_digest, write_sealed, write_yaml
from acefit.potential.bbasis import format_potential, write_configuration
from acefit.potential.combine import resolve_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout

log = logging.getLogger(__name__)

FIT_KEYS = ("ladder_step", "ladder_type", "ladder_mode")


def basis(
    *,
    potential: str | Mapping[str, Any],
    fit: Mapping[str, Any],
    seed: int | None,
    own_core: bool = False,
    paths_to_potentials: Sequence[str | Path] = (),
    code: str = "",
    path_to_target: str | Path,
    path_to_functions: str | Path,
    path_to_ladder: str | Path,
    path_to_steps: str | Path,
    path_to_start: str | Path,
) -> None:
    """Write the target basis, the list of its functions, and what every ladder step of a fit starts from.

    Parameters
    ----------
    potential : file name or `potential:` section
    fit : may hold `ladder_step`, `ladder_type` and `ladder_mode`
    seed : for random initial coefficients; None means 42
    own_core : whether the initial potential gets core repulsion and inner cutoffs of the setting; those of a finished run were
        set after its fit, and a new fit must not train behind them
    paths_to_potentials : files that `potential` names, for the provenance
    code : digest of the code, for the provenance
    path_to_target : potential to write, the complete basis in construction order
    path_to_functions : table to write (contract `functions`), one row per function of the last step
    path_to_ladder : YAML to write, the plan: `steps` with file, sha256 of its content, sizes, and functions added per block
    path_to_steps : folder to write `step-00.yaml`, ... to, each the basis that is present up to this step, unfitted
    path_to_start : potential to write, what step 0 extends: the initial potential or a basis without functions

    Raises
    ------
    ConfigError, PotentialError
        If the setting or a file it names cannot be used.
    """
    check_keys(fit, FIT_KEYS, "fit")
    target, initial = resolve_potential(potential, seed)
    if initial is not None and own_core and isinstance(potential, Mapping):
        own = resolve_potential({**potential, "initial_potential": []}, seed)[0]
        target, initial = with_core_of(target, own), with_core_of(initial, own)
    plan = build_plan(
        target, initial, fit.get("ladder_step"), fit.get("ladder_type") or "body_order", fit.get("ladder_mode") or "block"
    )
    for line in unused_settings(target, plan):
        log.warning("potential: %s", line)
    provenance = made_by("basis", code, *paths_to_potentials)
    write_configuration(target, path_to_target, provenance)
    start = format_potential(plan.start)
    write_sealed(start, path_to_start, provenance)
    steps = _write_steps(plan, Path(path_to_steps), provenance)
    description = {key: fit.get(key) for key in FIT_KEYS}
    entry = {"sha256": text_digest(start), **_sizes(plan.start)}
    write_yaml({"ladder": description, "start": entry, "target": _sizes(target), "steps": steps}, path_to_ladder, provenance)
    write_table(_function_table(plan), path_to_functions, "functions", provenance)


def _write_steps(plan: LadderPlan, folder: Path, provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write one potential per step; the entries of the plan describe them."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("step-*.yaml"):
        stale.unlink()
    entries = []
    for step in plan.steps:
        text = format_potential(step.potential)
        name = f"step-{step.number:02d}.yaml"
        write_sealed(text, folder / name, provenance)
        added = {" ".join(elements): len(functions) for elements, functions in step.added.items()}
        entries.append({"file": name, "sha256": text_digest(text), **_sizes(step.potential), "added": added})
    return entries


def _sizes(potential: Potential) -> dict[str, int]:
    """Numbers of functions and parameters."""
    layout = parameter_layout(potential)
    return {"n_functions": layout.n_functions, "n_parameters": layout.n_parameters, "n_radial": layout.n_radial}


def _function_table(plan: LadderPlan) -> dict[str, list[Any]]:
    """Columns of the contract `functions` for the last step of a plan, in canonical order."""
    layout = parameter_layout(plan.steps[-1].potential)
    functions = layout.functions()
    added_in = {function.identity: step.number for step in plan.steps for added in step.added.values() for function in added}
    others = [sorted(set(f.elements[1:]) - {f.elements[0]}) for f in functions]
    return {
        "function": list(range(len(functions))),
        "element": [f.elements[0] for f in functions],
        "block": [" ".join([f.elements[0], *rest]) for f, rest in zip(functions, others, strict=True)],
        "order": [f.order for f in functions],
        "neighbours": [" ".join(f.elements[1:]) for f in functions],
        "n": [" ".join(map(str, f.ns)) for f in functions],
        "l": [" ".join(map(str, f.ls)) for f in functions],
        "lint": [" ".join(map(str, f.lint)) for f in functions],
        "power": [power_order(f) for f in functions],
        "first_parameter": [slot.offset for slot in layout.slots],
        "n_parameters": [slot.n_coeffs for slot in layout.slots],
        "step": [added_in.get(f.identity, -1) for f in functions],
    }
