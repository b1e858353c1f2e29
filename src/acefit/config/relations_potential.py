"""Checks of the `potential` section that need several keys: which entries fit the elements, what a pair ends up with."""

from collections.abc import Iterable, Iterator

from acefit.config.elements import KEYWORDS, SYMBOLS, keyword_arity, split_key
from acefit.config.fields import as_list
from acefit.config.merging import Merged, Pair, bond_entries, merged_bonds, merged_embeddings, pairs
from acefit.config.model import Config
from acefit.config.potential_section import BondSettings, PotentialDefinition, SingleElementPotential
from acefit.config.problems import Problem, nearest
from acefit.config.source import KeyPath

ZBL_ELEMENTS = 103  # lawrencium: the mode is defined up to there
MAX_ORDER = 6
BOND_DEFAULTS = BondSettings()
KEPT_BY_SINGLE_FORM = ("r_in", "delta_in", "inner_cutoff_type")


def potential_problems(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with the section."""
    definition = config.basis
    if not isinstance(definition, PotentialDefinition):
        return
    problems = [
        *_element_problems(definition),
        *_key_problems(definition),
        *_embedding_problems(definition),
        *_bond_problems(definition),
        *_function_problems(definition),
    ]
    single = isinstance(config.potential, SingleElementPotential)
    for problem in dict.fromkeys(problems):
        yield Problem(_single_element_path(problem.path), problem.message) if single else problem


def _single_element_path(path: KeyPath) -> KeyPath:
    """Path of a key of the converted section in the old form."""
    flat = path[3:] if path[1] in ("embeddings", "bonds", "functions") else path[1:]
    return (path[0], *("element" if part == "elements" else part for part in flat if part != 0))


def _element_problems(definition: PotentialDefinition) -> Iterator[Problem]:
    for index, symbol in enumerate(definition.elements):
        here = ("potential", "elements", index)
        if symbol not in SYMBOLS:
            yield Problem(here, f"'{symbol}' is not a chemical symbol{nearest(symbol, SYMBOLS)}")
        elif symbol in definition.elements[:index]:
            yield Problem(here, f"'{symbol}' is listed twice")


def _key_problems(definition: PotentialDefinition) -> Iterator[Problem]:
    """Yield entries whose key is neither a keyword of the section nor made of its elements."""
    known = set(definition.elements)
    sections: dict[str, tuple[Iterable[str], tuple[str, ...], int, str]] = {
        "embeddings": (definition.embeddings, KEYWORDS[:2], 1, "an element"),
        "bonds": (definition.bonds, KEYWORDS[:3], 2, "an element or a pair such as AlNi"),
        "functions": (definition.functions.shapes, KEYWORDS, len(known), "a block such as AlNi"),
    }
    for section, (entries, keywords, most, explicit) in sections.items():
        for name in entries:
            symbols, here = split_key(name), ("potential", section, name)
            if name in keywords:
                continue
            if not symbols or (name in KEYWORDS):
                valid = [*keywords, *sorted(known)]
                if section == "functions":
                    valid.append("number_of_functions_per_element")
                yield Problem(here, f"unknown key: must be one of {', '.join(keywords)}, or {explicit}{nearest(name, valid)}")
            elif foreign := sorted(set(symbols) - known):
                listed = ", ".join(sorted(known))
                yield Problem(here, f"{', '.join(foreign)} is not among the elements ({listed}){nearest(foreign[0], known)}")
            elif (
                len(set(symbols)) > most
                or 1 < len(set(symbols)) < len(symbols)
                or (section == "embeddings" and name not in known)
            ):
                yield Problem(here, f"must name {explicit}, each symbol once")


def _embedding_problems(definition: PotentialDefinition) -> Iterator[Problem]:
    embeddings = merged_embeddings(definition)
    for element in sorted(set(definition.elements) & set(SYMBOLS)):
        merged = embeddings.get(element, {})
        absent = [key for key in ("npot", "fs_parameters", "ndensity") if key not in merged]
        if absent and not definition.initial_potential:
            yield Problem(
                ("potential", "embeddings"), f"{', '.join(absent)} missing for {element}; give it under ALL or {element}"
            )
        if "fs_parameters" in merged and "ndensity" in merged:
            parameters, ndensity = merged["fs_parameters"], merged["ndensity"].value
            if len(parameters.value) != 2 * ndensity:
                message = (
                    f"{len(parameters.value)} numbers for ndensity = {ndensity}: must be {2 * ndensity}, "
                    "a weight and an exponent per density"
                )
                yield Problem(("potential", "embeddings", parameters.entry, "fs_parameters"), message)


def _bond_problems(definition: PotentialDefinition) -> Iterator[Problem]:
    bonds = merged_bonds(definition)
    usable = [pair for pair in pairs(definition.elements) if set(pair) <= set(SYMBOLS)]
    if not definition.initial_potential:
        for key in ("rcut", "radparameters"):
            absent = [f"{a}-{b}" for a, b in usable if key not in bonds.get((a, b), {})]
            if absent:
                message = f"{key} missing for {', '.join(absent)}; give it under ALL or for each pair"
                yield Problem(("potential", "bonds"), message)
    for pair in usable:
        yield from _one_bond_problems(pair, bonds.get(pair, {}))
    kinds = {str(_value(merged, "inner_cutoff_type")): merged for merged in bonds.values()}
    if len(kinds) > 1:
        given = [m["inner_cutoff_type"].entry for m in kinds.values() if "inner_cutoff_type" in m]
        message = f"must be the same for all bonds; found {', '.join(sorted(kinds))}"
        yield Problem(("potential", "bonds", given[-1], "inner_cutoff_type"), message)


def _value(merged: Merged, key: str) -> float | str | list[float]:
    given = merged.get(key)
    return given.value if given else BOND_DEFAULTS.model_dump(by_alias=True)[key]


def _one_bond_problems(pair: Pair, merged: Merged) -> Iterator[Problem]:
    def problem(key: str, message: str) -> Problem:
        entry = merged[key].entry if key in merged else next(iter(merged.values())).entry
        return Problem(("potential", "bonds", entry, key), message)

    rcut, radbase = merged["rcut"].value if "rcut" in merged else None, _value(merged, "radbase")
    r_in, delta_in, dcut = (float(str(_value(merged, key))) for key in ("r_in", "delta_in", "dcut"))
    if rcut is not None and r_in >= rcut:
        yield problem("r_in", f"{r_in:g} Angstrom must be below rcut = {rcut:g} Angstrom")
    if rcut is not None and dcut > rcut:
        yield problem("dcut", f"{dcut:g} Angstrom must not exceed rcut = {rcut:g} Angstrom")
    if delta_in > r_in:
        yield problem("delta_in", f"{delta_in:g} Angstrom must not exceed r_in = {r_in:g} Angstrom")
    if _value(merged, "inner_cutoff_type") == "zbl":
        if delta_in == 0:
            yield problem("delta_in", "must be positive with inner_cutoff_type: zbl; 0.1 Angstrom is usual")
        heavy = [symbol for symbol in pair if SYMBOLS.index(symbol) >= ZBL_ELEMENTS]
        if heavy:
            yield problem("inner_cutoff_type", f"zbl is defined for H to Lr, not for {', '.join(heavy)}")
    if "radparameters" in merged:
        exponent = merged["radparameters"].value[0]
        if radbase == "ChebPow" and exponent <= 0:
            yield problem("radparameters", f"the exponent of ChebPow must be positive; got {exponent:g}")
        if radbase == "ChebExpCos" and exponent == 0:
            yield problem("radparameters", "the exponent of ChebExpCos must not be 0")


def _function_problems(definition: PotentialDefinition) -> Iterator[Problem]:
    shapes = definition.functions.shapes
    if not shapes and not definition.initial_potential:
        yield Problem(("potential", "functions"), "no functions: give nradmax_by_orders and lmax_by_orders under ALL or UNARY")
    for name, shape in shapes.items():
        arity = keyword_arity(name) if name in KEYWORDS else len(split_key(name))
        if min(len(shape.nradmax_by_orders or ()), len(shape.lmax_by_orders or ())) > MAX_ORDER:
            yield Problem(
                ("potential", "functions", name, "nradmax_by_orders"), f"has more than {MAX_ORDER} orders, the most possible"
            )
        weaker = [shapes[key] for key in ("ALL", KEYWORDS[min(arity, 5)]) if key in shapes]
        for key in ("nradmax_by_orders", "lmax_by_orders"):
            if all(getattr(part, key) is None for part in (*weaker, shape)):
                yield Problem(("potential", "functions", name, key), "is missing: one entry per order")


def potential_notices(config: Config) -> Iterator[str]:
    """Yield what is worth knowing about the section."""
    definition = config.basis
    single = isinstance(config.potential, SingleElementPotential)
    if single and set(KEPT_BY_SINGLE_FORM) & config.potential.model_fields_set:
        yield f"potential: {', '.join(KEPT_BY_SINGLE_FORM)} are used in the single-element form; pacemaker drops them there"
    if not definition.initial_potential and definition.overwrite_blocks_from_initial_bbasis:
        yield "potential.overwrite_blocks_from_initial_bbasis: has no effect without initial_potential"
    if isinstance(definition, PotentialDefinition):
        yield from _shape_notices(definition)
        yield from dict.fromkeys(_bond_notices(config, definition))


def _shape_notices(definition: PotentialDefinition) -> Iterator[str]:
    for name, shape in definition.functions.shapes.items():
        if name in KEYWORDS and keyword_arity(name) > len(definition.elements):
            yield f"potential.functions.{name}: has no effect with {len(definition.elements)} element(s)"
        radial, angular = shape.nradmax_by_orders, shape.lmax_by_orders
        if radial and angular and len(radial) != len(angular):
            orders = min(len(radial), len(angular))
            yield f"potential.functions.{name}: nradmax_by_orders and lmax_by_orders differ in length; {orders} orders are used"
    yield from _one_sided_notices(set(definition.functions.shapes))


def _one_sided_notices(names: set[str]) -> Iterator[str]:
    """Blocks such as AlNi whose elements have no functions around the other centres; a key of a bond would count for both."""
    given = {symbols[:1] + tuple(sorted(symbols[1:])) for symbols in map(split_key, names - set(KEYWORDS)) if symbols}
    for block in sorted(given):
        others = [(centre, *sorted(set(block) - {centre})) for centre in sorted(set(block) - {block[0]})]
        absent = ["".join(other) for other in others if other not in given]
        if absent and not names & {"ALL", KEYWORDS[min(len(block), 5)]}:
            yield (
                f"potential.functions: {''.join(block)} gives functions of {block[0]} alone; "
                f"for the other element(s) as centre give {', '.join(absent)}"
            )


def _bond_notices(config: Config, definition: PotentialDefinition) -> Iterator[str]:
    bonds = merged_bonds(definition)
    cutoffs = [merged["rcut"].value for merged in bonds.values() if "rcut" in merged]
    if config.cutoff is not None and cutoffs and config.cutoff != max(cutoffs) and not as_list(definition.initial_potential):
        yield f"cutoff: {config.cutoff:g} is not used; neighbours are taken up to the largest rcut of the bonds, {max(cutoffs):g}"
    for pair, merged in bonds.items():
        here = f"potential.bonds.{bond_entries(definition, pair)[-1]}"
        if _value(merged, "radbase") == "ChebLinear":
            yield f"{here}: ChebLinear does not vanish at the cutoff, so that energies jump when an atom crosses it"
        r_in, delta_in = (float(str(_value(merged, key))) for key in ("r_in", "delta_in"))
        if _value(merged, "inner_cutoff_type") == "density" and r_in > delta_in:
            yield f"{here}: with inner_cutoff_type: density the radial functions end abruptly at r_in - delta_in"
        repels = any(_value(merged, "core-repulsion")) or r_in > 0  # type: ignore[arg-type]
        if config.fit.repulsion == "auto" and repels:
            yield f"{here}: its core repulsion is replaced after the fit, because of fit.repulsion: auto"
