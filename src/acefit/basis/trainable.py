"""Which parameters a fit may change: the `trainable_parameters` setting as a mask over the parameter vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acefit.basis.keys import ARITIES, KEYWORDS, block_key
from acefit.errors import ConfigError
from acefit.potential.model import Potential
from acefit.potential.parameters import ParameterLayout, parameter_layout

KINDS = ("func", "radial")
WHERE = "fit.trainable_parameters"


def trainable_mask(potential: Potential, spec: Any = None, layout: ParameterLayout | None = None) -> NDArray[np.bool_]:
    """Mask of the trainable parameters.

    Parameters
    ----------
    potential : the potential to be fitted
    spec : None, [] or `ALL` for everything; `func` or `radial`; a keyword such as `BINARY`; a block such as `AlNi` (central Al);
        a list of these; or a map from keyword or block to `func`, `radial`, `all` or a list, where stronger keys replace weaker
    layout : layout of the potential if it is at hand

    Returns
    -------
    bool, shape (n_parameters,)
        In basis-set order. A function belongs to the block of its central element and its distinct elements; the radial
        coefficients of a pair belong to the block whose elements are sorted, so that `NiAl` trains none.

    Raises
    ------
    ConfigError
        If a key is unknown, names a block the potential does not have, or nothing would be trained.
    """
    layout = parameter_layout(potential) if layout is None else layout
    blocks = _existing_blocks(layout)
    kinds = _kinds_by_block(spec, potential.elements, blocks)
    mask = np.zeros(layout.n_parameters, dtype=bool)
    for pair, part in layout.bond_slices.items():
        block = pair[:1] if pair[0] == pair[1] else pair
        mask[part] = "radial" in kinds.get(block, ())
    for slot, function in zip(layout.slots, layout.functions(), strict=True):
        mask[slot.offset : slot.offset + slot.n_coeffs] = "func" in kinds.get(_block_of(function.elements), ())
    if not mask.any():
        raise ConfigError(f"{WHERE}: {spec!r} leaves nothing to train")
    return mask


def _block_of(elements: Sequence[str]) -> tuple[str, ...]:
    """Central element, then the other distinct elements sorted."""
    return (elements[0], *sorted(set(elements[1:]) - {elements[0]}))


def _existing_blocks(layout: ParameterLayout) -> list[tuple[str, ...]]:
    """All blocks that have functions or radial coefficients, both directions of a bond."""
    blocks = {_block_of(function.elements) for function in layout.functions()}
    for a, b in layout.bond_slices:
        blocks |= {(a,)} if a == b else {(a, b), (b, a)}
    return sorted(blocks)


def _kinds_by_block(
    spec: Any, elements: Sequence[str], blocks: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Which kinds of parameters each block trains, from weak to strong keys."""
    requests = _requests(spec)
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}
    for keyword in KEYWORDS:
        if keyword in requests:
            arities = range(1, len(elements) + 1) if keyword == "ALL" else [ARITIES.index(keyword) + 1]
            kinds.update({block: requests[keyword] for block in blocks if len(block) in arities})
    for key, value in requests.items():
        if key in KEYWORDS:
            continue
        block = block_key(key, elements, WHERE)
        if block not in blocks:
            raise ConfigError(f"{WHERE}: the potential has no block {' '.join(block)}; it has {', '.join(map(' '.join, blocks))}")
        kinds[block] = value
    return kinds


def _requests(spec: Any) -> dict[str, tuple[str, ...]]:
    """The setting as a map from key to kinds."""
    if spec is None or spec == [] or spec == {}:
        return {"ALL": KINDS}
    if isinstance(spec, Mapping):
        return {str(key): _kinds(value) for key, value in spec.items()}
    requests: dict[str, tuple[str, ...]] = {}
    for item in spec if isinstance(spec, list | tuple) else [spec]:
        if not isinstance(item, str):
            raise ConfigError(f"{WHERE}: expected a keyword, a block or a map of them, got {item!r}")
        if item in KINDS:
            requests["ALL"] = (*requests.get("ALL", ()), item)
        else:
            requests[item] = KINDS
    return requests


def _kinds(value: Any) -> tuple[str, ...]:
    """Kinds of one entry of the map."""
    kinds: list[str] = []
    for item in value if isinstance(value, list | tuple) else [value]:
        if item == "all":
            kinds += KINDS
        elif item in KINDS:
            kinds.append(item)
        else:
            raise ConfigError(f"{WHERE}: {item!r} is none of func, radial and all")
    return tuple(kinds)
