"""From the input section `potential:` to a complete basis.

The rules are pacemaker's, so that its inputs give the same functions in the same order, but couplings are generated rather
than looked up: no limit on l and on the number of different slots. Files and initial potentials: `acefit.potential.combine`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from acefit.basis.keys import (
    as_count,
    as_counts,
    as_float,
    as_floats,
    as_map,
    check_keys,
    expand_blocks,
    expand_elements,
    expand_pairs,
)
from acefit.basis.ladder import body_order, choose_functions, needed_shapes
from acefit.basis.offered import REFERENCE_L_LIMITS, equality_pattern, is_in_reference_table, offered_couplings
from acefit.errors import ConfigError
from acefit.potential.checks import check_element, check_potential
from acefit.potential.model import Block, Bond, Embedding, Function, Potential, pair_key
from acefit.potential.shapes import Shape, delta_crad, resize_bond, shape_of

log = logging.getLogger(__name__)

MAX_ORDER = 6
DEFAULT_SEED = 42
MAX_FUNCTIONS = 200_000  # far beyond what can be fitted; keeps a slip of the pen from filling memory
RANDOM_SCALE = 1e-4
EMBEDDING_KEYS = ("npot", "fs_parameters", "ndensity", "rho_core_cut", "drho_core_cut")
BOND_KEYS = (
    "radbase",
    "radparameters",
    "rcut",
    "dcut",
    "NameOfCutoffFunction",
    "core-repulsion",
    "r_in",
    "delta_in",
    "inner_cutoff_type",
    "nradbase",
    "nradmax",
    "lmax",
)
FUNCTION_KEYS = ("nradmax_by_orders", "lmax_by_orders", "coefs_init")
LIMIT_KEYS = ("number_of_functions_per_element", "number_of_functions_mode")
SECTION_KEYS = ("deltaSplineBins", "elements", "embeddings", "bonds", "functions", "metadata")
INITIAL_KEYS = ("initial_potential", "overwrite_blocks_from_initial_bbasis")
OLD_KEYS = ("element", "nradmax", "lmax", "func_coefs_init")


@dataclass(frozen=True)
class BlockShape:
    """Function settings of one block."""

    n_by_order: tuple[int, ...]
    l_by_order: tuple[int, ...]
    coefs_init: str

    def bond_shape(self) -> Shape:
        """Smallest shape of the block's bonds: k from order 1, n from the higher orders, l from all."""
        return Shape(max(self.n_by_order[1:], default=0), max(self.l_by_order, default=0), max(self.n_by_order[:1], default=0))


def build_target(
    section: Mapping[str, Any], seed: int | None = None, initial: Potential | None = None, reference_caps: bool = False
) -> Potential:
    """Build the complete basis of a `potential:` section.

    Parameters
    ----------
    section : the section as a map, also in the old single-element form
    seed : for `coefs_init: random`, None means 42; the draws equal pacemaker's bit for bit
    initial : potential whose embeddings and blocks take part by the rules of upfitting
    reference_caps : True offers only the couplings of the reference's table and refuses what it does not know

    Returns
    -------
    Potential
        Blocks and functions in construction order, radial coefficients c_nlk = delta_nk.

    Raises
    ------
    ConfigError
        If the section is incomplete, contradictory or has an unknown key.
    """
    section = modern_section(section)
    elements = _elements(section)
    embeddings = _embeddings(section, elements, initial)
    settings, limits = _function_settings(section, elements)
    blocks = _constructed_blocks(settings, embeddings, DEFAULT_SEED if seed is None else seed, reference_caps)
    shapes = _shapes_of_settings(settings) if not limits else {}
    if limits:
        blocks = _limited(blocks, len(elements), limits)
    overwrite = bool(section.get("overwrite_blocks_from_initial_bbasis", False))
    constructed = set(settings)
    if initial is not None:
        blocks, constructed = _with_initial_blocks(blocks, initial, overwrite)
        elements = tuple(sorted({*elements, *initial.elements}))
    potential = Potential(
        elements=elements,
        embeddings=embeddings,
        bonds=_bonds(section, elements, blocks, constructed, shapes, initial, has_limits=bool(limits)),
        blocks=tuple(blocks),
        delta_spline_bins=as_float(section.get("deltaSplineBins", 0.001), "potential.deltaSplineBins"),
        metadata={key: str(value) for key, value in as_map(section.get("metadata"), "potential.metadata").items()},
    )
    if potential.delta_spline_bins <= 0:
        raise ConfigError(f"potential.deltaSplineBins must be positive, got {potential.delta_spline_bins:g}")
    check_potential(potential, "potential")
    return potential


def modern_section(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section with the old single-element form rewritten; unknown keys are refused."""
    if "element" not in section:
        check_keys(section, (*SECTION_KEYS, *INITIAL_KEYS), "potential")
        return dict(section)
    # pacemaker forgets r_in, delta_in and inner_cutoff_type of this form; here they count
    known = (*OLD_KEYS, *EMBEDDING_KEYS, *BOND_KEYS, *FUNCTION_KEYS, *LIMIT_KEYS, *INITIAL_KEYS, "deltaSplineBins", "metadata")
    check_keys(section, known, "potential")
    element = section["element"]
    renamed = {"nradmax": "nradmax_by_orders", "lmax": "lmax_by_orders", "func_coefs_init": "coefs_init"}
    parts: dict[str, dict[str, Any]] = {"embeddings": {}, "bonds": {}, "functions": {}}
    modern: dict[str, Any] = {"elements": [element]}
    for key, value in section.items():
        new = renamed.get(key, key)
        if key in ("nradmax", "lmax") and not isinstance(value, list | tuple):
            raise ConfigError(f"potential.{key}: expected a list by order, got {value!r}; write {new}: [...]")
        if new in EMBEDDING_KEYS:
            parts["embeddings"][new] = value
        elif new in FUNCTION_KEYS:
            parts["functions"][new] = value
        elif new in BOND_KEYS:
            parts["bonds"][new] = value
        elif key not in ("element", *LIMIT_KEYS):
            modern[key] = value
    modern |= {name: {element: values} for name, values in parts.items()}
    modern["functions"] |= {key: section[key] for key in LIMIT_KEYS if key in section}
    return modern


def _elements(section: Mapping[str, Any]) -> tuple[str, ...]:
    """Elements, alphabetical."""
    elements = section.get("elements")
    if not isinstance(elements, list | tuple) or not elements:
        raise ConfigError("potential.elements: give the list of elements, for example [Al, Ni]")
    # YAML reads the symbol of nobelium as false
    symbols = ["No" if symbol is False else symbol for symbol in elements]
    for symbol in symbols:
        if not isinstance(symbol, str):
            raise ConfigError(f"potential.elements: {symbol!r} is not an element symbol")
        check_element(symbol, "potential.elements")
    if len(set(symbols)) != len(symbols):
        raise ConfigError(f"potential.elements: an element occurs twice in {', '.join(symbols)}")
    return tuple(sorted(symbols))


def _embeddings(section: Mapping[str, Any], elements: Sequence[str], initial: Potential | None) -> dict[str, Embedding]:
    """Embedding of every element; the initial potential replaces what is not given for an element by its symbol."""
    given = as_map(section.get("embeddings"), "potential.embeddings")
    settings = expand_elements(given, elements, "potential.embeddings")
    embeddings = dict(initial.embeddings) if initial is not None else {}
    for element, values in settings.items():
        where = f"potential.embeddings: {element}"
        check_keys(values, EMBEDDING_KEYS, where)
        if element in embeddings:
            if element not in given:
                continue
            values = {**values, "ndensity": embeddings[element].ndensity}
        for key in ("npot", "fs_parameters", "ndensity"):
            if key not in values:
                raise ConfigError(f"{where}: {key} is missing; give it for {element} or for ALL")
        ndensity = as_count(values["ndensity"], f"{where}: ndensity", 1)
        parameters = as_floats(values["fs_parameters"], f"{where}: fs_parameters")
        if len(parameters) != 2 * ndensity:
            origin = " (taken from the initial potential)" if initial is not None and element in initial.embeddings else ""
            raise ConfigError(
                f"{where}: ndensity {ndensity}{origin} needs {2 * ndensity} fs_parameters (w_1, m_1, ...), got {len(parameters)}"
            )
        embeddings[element] = Embedding(
            npot=str(values["npot"]),
            parameters=parameters,
            rho_core_cut=as_float(values.get("rho_core_cut", 100000.0), f"{where}: rho_core_cut"),
            drho_core_cut=as_float(values.get("drho_core_cut", 250.0), f"{where}: drho_core_cut"),
        )
    return {element: embeddings[element] for element in sorted(embeddings)}


def _function_settings(
    section: Mapping[str, Any], elements: Sequence[str]
) -> tuple[dict[tuple[str, ...], BlockShape], dict[str, Any]]:
    """Settings of every block in construction order, and the limit on the number of functions if there is one."""
    given = dict(as_map(section.get("functions"), "potential.functions"))
    limits = {key: given.pop(key, None) for key in LIMIT_KEYS}
    limits = {key: value for key, value in limits.items() if value is not None}
    if not given:
        raise ConfigError("potential.functions: no functions are asked for; give for example ALL with nradmax_by_orders")
    settings = {}
    for key, values in expand_blocks(given, elements, "potential.functions").items():
        where = f"potential.functions: {''.join(key)}"
        check_keys(values, FUNCTION_KEYS, where)
        for name in FUNCTION_KEYS[:2]:
            if name not in values:
                raise ConfigError(f"{where}: {name} is missing")
        n_by_order = as_counts(values["nradmax_by_orders"], f"{where}: nradmax_by_orders")
        l_by_order = as_counts(values["lmax_by_orders"], f"{where}: lmax_by_orders")
        coefs_init = str(values.get("coefs_init", "zero"))
        if coefs_init not in ("zero", "random"):
            raise ConfigError(f"{where}: coefs_init must be zero or random, got {coefs_init!r}")
        n_orders = min(len(n_by_order), len(l_by_order))
        if n_orders > MAX_ORDER:
            raise ConfigError(f"{where}: {n_orders} orders are asked for; at most {MAX_ORDER} are possible")
        if len(n_by_order) != len(l_by_order):
            log.warning(
                "%s: nradmax_by_orders and lmax_by_orders differ in length; orders above %d are left out", where, n_orders
            )
        settings[key] = BlockShape(n_by_order, l_by_order, coefs_init)
    return settings, limits


def block_functions(
    key: tuple[str, ...], shape: BlockShape, reference_caps: bool = False
) -> Iterator[tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Identities (elements, n, l, L) of the functions of one block in construction order.

    Every function contains each element of the block, the central one counting as present.
    """
    central, members = key[0], sorted(key)
    for order, (n_limit, l_limit) in enumerate(zip(shape.n_by_order, shape.l_by_order, strict=False), 1):
        for neighbours in combinations_with_replacement(members, order):
            if {central, *neighbours} != set(members):
                continue
            # Slots of one element may be exchanged, so n does not decrease among them
            choices = [
                combinations_with_replacement(range(1, n_limit + 1), neighbours.count(element))
                for element in dict.fromkeys(neighbours)
            ]
            for parts in product(*choices):
                ns = tuple(n for part in parts for n in part)
                pattern = equality_pattern(list(zip(neighbours, ns, strict=True)))
                if reference_caps:
                    if not is_in_reference_table(pattern):
                        raise ConfigError(
                            f"block {' '.join(key)}: the reference offers no functions of order {order} with nr {ns}"
                        )
                    l_limit = min(l_limit, REFERENCE_L_LIMITS[order])
                for ls, lint in offered_couplings(pattern, l_limit):
                    yield (central, *neighbours), ns, ls, lint


def _constructed_blocks(
    settings: Mapping[tuple[str, ...], BlockShape], embeddings: Mapping[str, Embedding], seed: int, reference_caps: bool
) -> list[Block]:
    """All functions with their initial coefficients."""
    rng = np.random.RandomState(seed)  # the legacy generator draws pacemaker's numbers
    blocks = []
    n_functions = 0
    for key, shape in settings.items():
        functions = []
        ndensity = embeddings[key[0]].ndensity
        for identity in block_functions(key, shape, reference_caps):
            n_functions += 1
            if n_functions > MAX_FUNCTIONS:
                raise ConfigError(
                    f"potential.functions: more than {MAX_FUNCTIONS} functions; lower nradmax_by_orders or lmax_by_orders"
                )
            is_random = shape.coefs_init == "random"
            coeffs = tuple((rng.randn(ndensity) * RANDOM_SCALE).tolist()) if is_random else (0.0,) * ndensity
            functions.append(Function(*identity, coeffs))
        blocks.append(Block(key, tuple(functions)))
    return blocks


def _limited(blocks: list[Block], n_elements: int, limits: Mapping[str, Any]) -> list[Block]:
    """The functions of lowest power: equally many per block (as pacemaker does), or exactly so many per central element."""
    if "number_of_functions_per_element" not in limits:
        raise ConfigError("potential.functions: number_of_functions_mode has no meaning without number_of_functions_per_element")
    where = "potential.functions: number_of_functions_per_element"
    number = as_count(limits["number_of_functions_per_element"], where, 1)
    mode = limits.get("number_of_functions_mode", "block")
    if mode not in ("block", "element"):
        raise ConfigError(f"potential.functions: number_of_functions_mode must be block or element, got {mode!r}")
    offered = sum(len(block.functions) for block in blocks)
    if offered < number * n_elements:
        log.warning(
            "%s: %d asked for, %d in all; nradmax_by_orders and lmax_by_orders give only %d",
            where,
            number,
            number * n_elements,
            offered,
        )
    chosen: dict[tuple[str, ...], tuple[Function, ...]] = {}
    if mode == "block":
        size = number * n_elements // len(blocks)
        if size == 0:
            raise ConfigError(
                f"{where}: {number} is too small for {len(blocks)} blocks; at least {-(-len(blocks) // n_elements)} are needed"
            )
        chosen.update(choose_functions({b.elements: list(b.functions) for b in blocks}, size, "power_order", "block"))
    else:
        for central in {block.elements[0] for block in blocks}:
            own = {b.elements: list(b.functions) for b in blocks if b.elements[0] == central}
            chosen.update(choose_functions(own, number, "power_order", "total"))
    return [Block(b.elements, tuple(sorted(chosen.get(b.elements, ()), key=body_order))) for b in blocks]


def _shapes_of_settings(settings: Mapping[tuple[str, ...], BlockShape]) -> dict[tuple[str, str], Shape]:
    """Shape of each bond from the order lists of the blocks that touch it."""
    shapes: dict[tuple[str, str], Shape] = {}
    for key, block in settings.items():
        for other in key[1:] or key[:1]:
            pair = pair_key(key[0], other)
            shapes[pair] = block.bond_shape().union(shapes.get(pair, Shape()))
    return shapes


def _with_initial_blocks(blocks: list[Block], initial: Potential, overwrite: bool) -> tuple[list[Block], set[tuple[str, ...]]]:
    """Blocks with those of the initial potential appended, or put in place of constructed ones; and which are constructed."""
    own = {block.elements: block for block in initial.blocks}
    constructed = {block.elements for block in blocks} - (set(own) if overwrite else set())
    merged = [block if block.elements in constructed else own[block.elements] for block in blocks]
    present = {block.elements for block in merged}
    return merged + [block for block in initial.blocks if block.elements not in present], constructed


def _bonds(
    section: Mapping[str, Any],
    elements: Sequence[str],
    blocks: Sequence[Block],
    constructed: set[tuple[str, ...]],
    shapes: Mapping[tuple[str, str], Shape],
    initial: Potential | None,
    has_limits: bool,
) -> dict[tuple[str, str], Bond]:
    """Bond of every pair of elements; one without functions keeps its cutoffs and core repulsion and has no radial functions."""
    settings = expand_pairs(as_map(section.get("bonds"), "potential.bonds"), elements, "potential.bonds")
    needed = needed_shapes(blocks)
    bonds = {}
    for pair, values in sorted(settings.items()):
        check_keys(values, BOND_KEYS, f"potential.bonds: {'-'.join(pair)}")
        own_blocks = {(pair[0],)} if pair[0] == pair[1] else {pair, pair[::-1]}
        known = initial.bonds.get(pair) if initial is not None else None
        shape = needed.get(pair, Shape()).union(shapes.get(pair, Shape()))
        if known is not None and not own_blocks & constructed:
            bonds[pair] = resize_bond(known, shape.union(shape_of(known)))
            continue
        if not values:
            raise ConfigError(
                f"potential.bonds: nothing is given for the pair {'-'.join(pair)}; give it or ALL, else it would not interact"
            )
        if known is not None and any(block.elements in own_blocks - constructed for block in blocks):
            shape = shape.union(shape_of(known))
        bonds[pair] = _bond(values, f"potential.bonds: {'-'.join(pair)}", shape, has_limits)
    return bonds


def _bond(values: Mapping[str, Any], where: str, shape: Shape, has_limits: bool) -> Bond:
    """Bond from its settings."""
    for key in ("radparameters", "rcut"):
        if key not in values:
            raise ConfigError(f"{where}: {key} is missing")
    explicit = dict(zip(("nradmax", "lmax", "nradbase"), shape, strict=True))
    for key, least in explicit.items():
        if values.get(key) is None or has_limits:
            continue
        explicit[key] = as_count(values[key], f"{where}: {key}")
        if explicit[key] < least:
            raise ConfigError(f"{where}: {key} is {explicit[key]}, but the functions need {least}; raise it or leave it out")
    core = as_floats(values.get("core-repulsion", (0.0, 0.0)), f"{where}: core-repulsion")
    if len(core) != 2:
        raise ConfigError(f"{where}: core-repulsion must be [prefactor, lambda], got {len(core)} numbers")
    return Bond(
        radbase=str(values.get("radbase", "ChebExpCos")),
        radparameters=as_floats(values["radparameters"], f"{where}: radparameters"),
        rcut=as_float(values["rcut"], f"{where}: rcut"),
        dcut=as_float(values.get("dcut", 0.0), f"{where}: dcut"),
        crad=delta_crad(Shape(explicit["nradmax"], explicit["lmax"], explicit["nradbase"])),
        rcut_in=as_float(values.get("r_in", 0.0), f"{where}: r_in"),
        dcut_in=as_float(values.get("delta_in", 0.0), f"{where}: delta_in"),
        inner_cutoff_type=str(values.get("inner_cutoff_type", "distance")),
        core_repulsion=(core[0], core[1]),
        cutoff_function=str(values.get("NameOfCutoffFunction") or "cos"),
    )
