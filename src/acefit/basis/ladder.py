"""Hierarchical growth of a basis: sort orders, step sizes, extension of a potential, and the plan of all steps.

A plan is made before any fit. Each step is a loadable potential that holds what is present up to it, so that the start of a
fit is `extend(best potential of the previous step, potential of this step)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from acefit.errors import ConfigError
from acefit.potential.model import Block, Bond, Embedding, Function, Potential, pair_key
from acefit.potential.shapes import Shape, needed_by_block_rule, needed_by_slots, resize_bond, shape_of

Additions = Mapping[tuple[str, ...], tuple[Function, ...]]
LADDER_MODES = ("block", "total")
BOND_SETTINGS = ("radbase", "radparameters", "rcut", "dcut", "rcut_in", "dcut_in", "inner_cutoff_type", "core_repulsion")
EMBEDDING_SETTINGS = ("npot", "parameters", "rho_core_cut", "drho_core_cut")


@dataclass(frozen=True)
class LadderStep:
    """One step: the functions added per block (keys: block elements) and the potential after adding them, unfitted."""

    number: int
    added: Additions
    potential: Potential


@dataclass(frozen=True)
class LadderPlan:
    """The potential everything starts from and all steps; there is always at least one step."""

    start: Potential
    steps: tuple[LadderStep, ...]


def power_order(function: Function) -> int:
    """Sort key: order + sum of n + sum of l."""
    return len(function.ns) + sum(function.ns) + sum(function.ls)


def body_order(function: Function) -> tuple[Any, ...]:
    """Sort key: order, n, l, L, elements."""
    return len(function.ns), function.ns, function.ls, function.lint, function.elements


LADDER_TYPES: dict[str, Callable[[Function], Any]] = {"body_order": body_order, "power_order": power_order}


def ladder_key(ladder_type: str) -> Callable[[Function], Any]:
    """Sort key of a ladder type."""
    if ladder_type not in LADDER_TYPES:
        raise ConfigError(f"ladder_type must be one of {', '.join(LADDER_TYPES)}, got {ladder_type!r}")
    return LADDER_TYPES[ladder_type]


def step_size(ladder_step: int | float | list[Any] | tuple[Any, ...] | None, n_current: int, n_remaining: int) -> int:
    """Size of the next step.

    Parameters
    ----------
    ladder_step : count, fraction of the current number of functions, list of both (the larger counts), or None for all
    n_current : functions present, all blocks together
    n_remaining : functions of the target that are not yet present

    Raises
    ------
    ConfigError
        If a count is not positive or a fraction does not lie between 0 and 1.
    """
    if ladder_step is None:
        return n_remaining
    sizes = ladder_step if isinstance(ladder_step, list | tuple) else [ladder_step]
    if not sizes:
        raise ConfigError("ladder_step is an empty list; give a count such as 10, a fraction such as 0.1, or both")
    return min(max(1, *(_single_step(size, n_current) for size in sizes)), n_remaining)


def _single_step(size: Any, n_current: int) -> int:
    """Size from one count or one fraction; halves are rounded to even."""
    try:
        number = float("nan") if isinstance(size, bool) else float(size)
    except (TypeError, ValueError):
        number = float("nan")
    if 0 < number < 1:
        return round(number * n_current)
    if number >= 1 and number == int(number):
        return int(number)
    raise ConfigError(f"ladder_step must be a positive integer or a fraction between 0 and 1, got {size!r}")


def empty_basis(target: Potential) -> Potential:
    """The target without functions and radial coefficients."""
    return replace(
        target,
        bonds={pair: resize_bond(bond, Shape()) for pair, bond in target.bonds.items()},
        blocks=tuple(Block(block.elements) for block in target.blocks),
    )


def missing_functions(current: Potential, target: Potential) -> dict[tuple[str, ...], list[Function]]:
    """Functions of the target that the current potential lacks, block by block in stored order."""
    present = {function.identity for function in current.functions()}
    missing = {}
    for block in target.blocks:
        functions = [f for f in block.functions if not f.skip and f.identity not in present]
        if functions:
            missing[block.elements] = functions
    return missing


def choose_functions(missing: Mapping[tuple[str, ...], list[Function]], size: int, ladder_type: str, mode: str) -> Additions:
    """The first functions by the order of the ladder: `size` of every block, or `size` of all blocks together."""
    key = ladder_key(ladder_type)
    if mode == "block":
        return {elements: tuple(sorted(functions, key=key)[:size]) for elements, functions in missing.items()}
    if mode != "total":
        raise ConfigError(f"ladder_mode must be one of {', '.join(LADDER_MODES)}, got {mode!r}")
    everything = [(elements, function) for elements, functions in missing.items() for function in functions]
    chosen: dict[tuple[str, ...], tuple[Function, ...]] = {}
    for elements, function in sorted(everything, key=lambda item: key(item[1]))[:size]:
        chosen[elements] = (*chosen.get(elements, ()), function)
    return chosen


def extend(current: Potential, target: Potential, added: Additions | None = None) -> Potential:
    """Add functions of the target to a potential.

    Existing functions and radial coefficients keep their values, new functions bring those of the target, new radial
    coefficients are c_nlk = delta_nk. Where something is added, the core repulsion (and for one-element blocks the core
    cutoffs of the embedding) is taken from the target; every other setting of an existing block stays.

    Parameters
    ----------
    current : what is there, possibly fitted
    target : where functions, new blocks, new bonds and new elements come from
    added : which functions, keys are block elements; None adds everything the current potential lacks
    """
    if added is None:
        added = {elements: tuple(functions) for elements, functions in missing_functions(current, target).items()}
    blocks: list[Block] = []
    for block in current.blocks:
        new = added.get(block.elements, ())
        functions = tuple(sorted((*block.functions, *new), key=body_order)) if new else block.functions
        blocks.append(Block(block.elements, functions))
    present = {block.elements for block in blocks}
    blocks += [
        Block(block.elements, tuple(sorted(added.get(block.elements, ()), key=body_order)))
        for block in target.blocks
        if block.elements not in present
    ]
    embeddings = {**target.embeddings, **current.embeddings}
    bonds = {**target.bonds, **current.bonds}
    for elements in added:
        if len(elements) == 1:
            embeddings[elements[0]] = _with_core_cuts(embeddings[elements[0]], target.embeddings[elements[0]])
        if len(elements) <= 2:
            pair = pair_key(elements[0], elements[-1])
            bonds[pair] = replace(bonds[pair], core_repulsion=target.bonds[pair].core_repulsion)
    elements_all = tuple(sorted(embeddings))
    extended = replace(current, elements=elements_all, embeddings={e: embeddings[e] for e in elements_all}, blocks=tuple(blocks))
    is_complete = not missing_functions(extended, target)
    return replace(extended, bonds=_grown_bonds(bonds, current, target, blocks, is_complete))


def with_core_of(potential: Potential, target: Potential) -> Potential:
    """Potential with core repulsion, inner cutoffs and core cutoffs of another one, as far as that has the bond or element."""
    bonds = dict(potential.bonds)
    for pair in bonds.keys() & target.bonds.keys():
        own = target.bonds[pair]
        bonds[pair] = replace(
            bonds[pair],
            rcut_in=own.rcut_in,
            dcut_in=own.dcut_in,
            inner_cutoff_type=own.inner_cutoff_type,
            core_repulsion=own.core_repulsion,
        )
    embeddings = {
        element: _with_core_cuts(embedding, target.embeddings[element]) if element in target.embeddings else embedding
        for element, embedding in potential.embeddings.items()
    }
    return replace(potential, bonds=bonds, embeddings=embeddings)


def unused_settings(target: Potential, plan: LadderPlan) -> Iterator[str]:
    """Yield settings of the target that an initial potential overrides, because `extend` keeps what is there."""
    last = plan.steps[-1].potential
    entries: list[tuple[str, Bond | Embedding, Bond | Embedding, tuple[str, ...]]] = [
        *((f"bond {a}-{b}", bond, last.bonds[a, b], BOND_SETTINGS) for (a, b), bond in target.bonds.items()),
        *((f"embedding of {e}", own, last.embeddings[e], EMBEDDING_SETTINGS) for e, own in target.embeddings.items()),
    ]
    for name, wanted, kept, settings in entries:
        for setting in settings:
            ours, theirs = getattr(wanted, setting), getattr(kept, setting)
            if ours != theirs:
                yield f"{name}: {setting} stays {theirs} of the initial potential; {ours} is not used"


def _with_core_cuts(embedding: Embedding, target: Embedding) -> Embedding:
    """Embedding with the core cutoffs of the target."""
    return replace(embedding, rho_core_cut=target.rho_core_cut, drho_core_cut=target.drho_core_cut)


def _grown_bonds(
    bonds: Mapping[tuple[str, str], Bond], current: Potential, target: Potential, blocks: Iterable[Block], is_complete: bool
) -> dict[tuple[str, str], Bond]:
    """Bonds large enough for all functions; a complete basis also has the target's shapes, nothing shrinks."""
    needed = needed_shapes(blocks)
    grown = {}
    for pair in sorted(bonds):
        shape = needed.get(pair, Shape())
        if pair in current.bonds:
            shape = shape.union(shape_of(current.bonds[pair]))
        if is_complete and pair in target.bonds:
            shape = shape.union(shape_of(target.bonds[pair]))
        grown[pair] = resize_bond(bonds[pair], shape)
    return grown


def needed_shapes(blocks: Iterable[Block]) -> dict[tuple[str, str], Shape]:
    """Shape every bond must have for the functions of all blocks and for the reference's loader."""
    blocks = list(blocks)
    needed = needed_by_slots(function for block in blocks for function in block.functions if not function.skip)
    for pair, shape in needed_by_block_rule(blocks).items():
        needed[pair] = shape.union(needed.get(pair, Shape()))
    return needed


def build_plan(
    target: Potential,
    initial: Potential | None = None,
    ladder_step: int | float | list[Any] | None = None,
    ladder_type: str = "body_order",
    mode: str = "block",
) -> LadderPlan:
    """Plan all steps from the initial potential (or an empty basis) to the target.

    Parameters
    ----------
    target : the complete basis
    initial : where to start; None is an empty basis if there is a ladder, else the target itself
    ladder_step : see `step_size`; None adds everything at once
    ladder_type : `body_order` or `power_order`
    mode : `block` applies the step to every block separately, as pacemaker does; `total` to all blocks together

    Returns
    -------
    LadderPlan
        With exactly one step that adds nothing if there is nothing to add, so that there is always a fit.

    Raises
    ------
    ConfigError
        If ladder_step, ladder_type or mode is not valid.
    """
    ladder_key(ladder_type)
    if mode not in LADDER_MODES:
        raise ConfigError(f"ladder_mode must be one of {', '.join(LADDER_MODES)}, got {mode!r}")
    if initial is None:
        initial = target if ladder_step is None else empty_basis(target)
    current = initial
    steps: list[LadderStep] = []
    while missing := missing_functions(current, target):
        n_remaining = sum(len(functions) for functions in missing.values())
        size = step_size(ladder_step, current.n_functions, n_remaining)
        added = choose_functions(missing, size, ladder_type, mode)
        current = extend(current, target, added)
        steps.append(LadderStep(len(steps), added, current))
    if not steps:
        steps.append(LadderStep(0, {}, extend(initial, target, {})))
    return LadderPlan(initial, tuple(steps))
