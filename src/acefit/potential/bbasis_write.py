"""Write B-basis potential files in the layout of the reference (key order, lists in flow style, 17 significant digits).

The text is rendered directly, because the current potential is written again and again during a fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from acefit.basis.order import sort_canonically
from acefit.files import write_sealed
from acefit.potential.model import Block, Bond, Embedding, Function, Potential, pair_key
from acefit.potential.shapes import Shape, needed_by_block_rule, resize_bond, shape_of
from acefit.potential.yaml_text import quote


def write_potential(
    potential: Potential, path: str | Path, provenance: Mapping[str, Any] | None = None, sync: bool = True
) -> None:
    """Write atomically and sealed (`write_sealed`), functions in canonical order (the layout of a fitted potential)."""
    write_sealed(format_potential(potential), path, provenance, sync)


def write_configuration(potential: Potential, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write atomically and sealed, blocks and functions in stored order (the layout of a constructed basis)."""
    write_sealed(format_potential(potential, canonical=False), path, provenance)


def format_potential(potential: Potential, canonical: bool = True) -> str:
    """Text of the file.

    Parameters
    ----------
    potential : what to write
    canonical : True groups functions by their elements, sorts the groups by element order and the functions canonically;
        False keeps stored order. Either way unary blocks precede the blocks that need them, both mirror blocks carry
        their bond, and no block or skipped function is left out.

    Returns
    -------
    str
        Floats with up to 17 significant digits, so that reading gives every number back exactly.
    """
    blocks = regroup(potential) if canonical else complete_blocks(potential)
    lines: list[str] = []
    if potential.metadata:
        lines.append("metadata:")
        lines += [f"  {quote(key)}: {quote(value)}" for key, value in sorted(potential.metadata.items())]
    if potential.auxdata:
        lines.append("auxdata:")
        for kind, entries in sorted(potential.auxdata.items()):
            lines.append(f"  {quote(kind)}:")
            lines += [f"    {quote(name)}: {_aux(value)}" for name, value in sorted(entries.items())]
    lines += ["global:", f"  DeltaSplineBins: {potential.delta_spline_bins:.17g}", "species:"]
    demanded = needed_by_block_rule(blocks)
    for block in blocks:
        lines.append(f"  - speciesblock: {quote(' '.join(block.elements))}")
        if block.arity == 1:
            lines += _embedding_lines(potential.embeddings[block.elements[0]])
        bond = potential.bond(block.elements[0], block.elements[-1]) if block.arity <= 2 else None
        if bond is not None:
            # Padding with zeros changes nothing, and without it the reference could not load the file
            shape = shape_of(bond).union(demanded.get(pair_key(*block.elements), Shape()) if block.arity == 2 else Shape())
            lines += _bond_lines(resize_bond(bond, shape, delta=False))
        lines.append("    nbody:" if block.functions else "    nbody: []")
        lines += [format_function(function) for function in block.functions]
    return "\n".join(lines) + "\n"


def regroup(potential: Potential) -> list[Block]:
    """Blocks by the exact elements of their functions, groups and functions in canonical order.

    A group is named by the central element and the others in order of appearance.
    """
    groups: dict[tuple[str, ...], list[Function]] = {
        block.elements: [] for block in complete_blocks(potential) if block.arity <= 2 or not block.functions
    }
    indexed = (((b, f), function) for b, block in enumerate(potential.blocks) for f, function in enumerate(block.functions))
    for b, f in sort_canonically(indexed):
        function = potential.blocks[b].functions[f]
        groups.setdefault(tuple(dict.fromkeys(function.elements)), []).append(function)
    return [Block(elements, tuple(groups[elements])) for elements in sorted(groups)]


def complete_blocks(potential: Potential) -> list[Block]:
    """Stored blocks, unary ones first, and empty ones for embeddings and bonds without a stored block."""
    blocks = [block for block in potential.blocks if block.arity == 1] + [block for block in potential.blocks if block.arity > 1]
    present = {block.elements for block in blocks}
    missing_unary = [Block((element,)) for element in potential.elements if (element,) not in present]
    pairs = sorted(pair for a, b in potential.bonds if a != b for pair in ((a, b), (b, a)))
    return missing_unary + blocks + [Block(pair) for pair in pairs if pair not in present]


def format_function(function: Function) -> str:
    """One line of `nbody`."""
    coeffs = ", ".join([f"{c:.17g}" for c in function.coeffs])
    return f"{_function_head(*function.identity)}{coeffs}]{', skip: true' if function.skip else ''}}}"


@lru_cache(maxsize=65536)
def _function_head(elements: tuple[str, ...], ns: tuple[int, ...], ls: tuple[int, ...], lint: tuple[int, ...]) -> str:
    """Everything before the coefficients; the same at every iteration of a fit."""
    couplings = f", lint: {list(lint)}" if len(ns) > 2 else ""
    return f"      - {{type: {' '.join(elements)}, nr: {list(ns)}, nl: {list(ls)}{couplings}, c: ["


def _embedding_lines(embedding: Embedding) -> list[str]:
    return [
        f"    ndensityi: {embedding.ndensity}",
        f"    npoti: {quote(embedding.npot)}",
        f"    parameters: {_numbers(embedding.parameters)}",
        f"    rho_core_cut: {embedding.rho_core_cut:.17g}",
        f"    drho_core_cut: {embedding.drho_core_cut:.17g}",
    ]


def _bond_lines(bond: Bond) -> list[str]:
    rows = ", ".join("[" + ", ".join(_numbers(numbers) for numbers in row) + "]" for row in bond.crad.tolist())
    return [
        f"    nradmaxi: {bond.n_max}",
        f"    lmaxi: {bond.l_max}",
        f"    rcutij: {bond.rcut:.17g}",
        f"    dcutij: {bond.dcut:.17g}",
        f"    NameOfCutoffFunctionij: {quote(bond.cutoff_function)}",
        f"    r_in: {bond.rcut_in:.17g}",
        f"    delta_in: {bond.dcut_in:.17g}",
        f"    inner_cutoff_type: {quote(bond.inner_cutoff_type)}",
        f"    nradbaseij: {bond.k_max}",
        f"    radbase: {quote(bond.radbase)}",
        f"    radparameters: {_numbers(bond.radparameters)}",
        f"    radcoefficients: [{rows}]",
        f"    core-repulsion: {_numbers(bond.core_repulsion)}",
    ]


def _numbers(values: Iterable[float]) -> str:
    return "[" + ", ".join([f"{value:.17g}" for value in values]) + "]"


def _aux(value: Any) -> str:
    """Typed user data: text, integer or float, or a list of one of them."""
    if isinstance(value, list):
        return "[" + ", ".join(_aux(item) for item in value) + "]"
    if isinstance(value, str):
        return quote(value)
    return str(value) if isinstance(value, int) else f"{value:.17g}"
