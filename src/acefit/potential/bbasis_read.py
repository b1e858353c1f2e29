"""Read B-basis potential files in all their historical variants.

Legal potentials that the reference loader refuses are accepted: blocks in any order, and n and l of a slot limited by the
bond the slot really uses rather than by the bond of its block. Writing is in `acefit.potential.bbasis_write`.
"""

from __future__ import annotations

import logging
import re
import uuid
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.errors import PotentialError
from acefit.files import SEAL, read_sealed
from acefit.potential.checks import check_element, check_potential, doubts
from acefit.potential.model import NO_CORE, Block, Bond, Embedding, Function, Potential, pair_key
from acefit.potential.yaml_text import (
    load_text,
    shorten,
    to_bool,
    to_float,
    to_floats,
    to_int,
    to_ints,
    to_list,
    to_map,
    to_text,
)
from acefit.untrusted import read_text

log = logging.getLogger(__name__)

MAX_INDEX = 1000  # nothing sensible has more radial functions or a larger l; keeps a damaged file from filling memory
SHAPE_KEYS = ("nradmaxi", "nradbaseij", "radbase", "radparameters", "radcoefficients")
BOND_KEYS = ("lmaxi", *SHAPE_KEYS, "rcutij", "dcutij")
CORE_KEYS = ("core-repulsion", "inner_cutoff_type", "r_in", "delta_in")
UNARY_KEYS = ("ndensityi", "npoti", "parameters", "rho_core_cut", "drho_core_cut")
KNOWN_KEYS = frozenset(("speciesblock", "nbody", "NameOfCutoffFunctionij", *BOND_KEYS, *CORE_KEYS, *UNARY_KEYS))
_NUMBERS = r"\d{1,4}(?:, ?\d{1,4})*"
_FUNCTION_LINE = re.compile(
    rf"      - \{{type: ([A-Za-z ]+), nr: \[({_NUMBERS})\], nl: \[({_NUMBERS})\]"
    rf"(?:, lint: \[({_NUMBERS})\])?, c: \[([-+.\deE, ]+)\]\}}"
)
AUX_TYPES: dict[str, Any] = {"_int": to_int, "_double": to_float, "_string": to_text}


class _RawBlock(NamedTuple):
    """One entry of `species` before its values are interpreted."""

    elements: tuple[str, ...]
    values: dict[str, Any]
    where: str


def read_potential(path: str | Path) -> Potential:
    """Read a B-basis YAML file.

    Parameters
    ----------
    path : file name

    Returns
    -------
    Potential
        Blocks and functions in stored order, skipped functions kept with their mark.

    Raises
    ------
    PotentialError
        If the file is missing, is not YAML, or breaks a rule of the format; the message names file, block and function.
    """
    try:
        text = read_text(Path(path))
    except FileNotFoundError:
        raise PotentialError(f"{path}: no such potential file; check the name and the folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PotentialError(f"{path}: cannot be read as a text file ({error})") from None
    return parse_potential(text, str(path))


def read_sealed_potential(path: str | Path) -> Potential:
    """Read a potential that a stage wrote.

    Raises
    ------
    ArtifactError
        If the file is missing, or not as acefit wrote it (`acefit.files.read_sealed`).
    """
    return parse_potential(read_sealed(path)[0], str(path))


def import_potential(path: str | Path) -> Potential:
    """Read a B-basis YAML file that somebody gives, and log what is doubtful about it (`acefit.potential.checks.doubts`).

    One of ours without its last line may be cut off where the text still makes sense, or was written anew by another program.
    """
    potential = read_potential(path)
    if "acefit_version" in potential.metadata and not read_text(Path(path)).rstrip().rpartition("\n")[2].startswith(SEAL):
        log.warning("%s: acefit wrote it, but its last line, the seal, is missing: is the file cut off?", path)
    for doubt in doubts(potential):
        log.warning("%s: %s", path, doubt)
    return potential


def parse_potential(text: str, source: str = "potential") -> Potential:
    """Potential from the text of a B-basis file; source names it in error messages."""
    shortened, prepared = _take_out_functions(text)
    root = load_text(shortened, source)
    if not _is_all_in_blocks(prepared, root):
        root, prepared = load_text(text, source), {}
    if not isinstance(root, dict) or "species" not in root:
        raise PotentialError(f"{source}: not a B-basis potential: a map with the keys global and species is expected")
    bins = to_float(to_map(root.get("global", ""), f"{source}: global").get("DeltaSplineBins"), f"{source}: DeltaSplineBins")
    if bins <= 0:
        raise PotentialError(f"{source}: DeltaSplineBins must be positive, got {bins:g}")
    raw = _raw_blocks(root["species"], source)
    embeddings = {block.elements[0]: _embedding(block) for block in raw if len(block.elements) == 1}
    elements = tuple(sorted({element for block in raw for element in block.elements}))
    for element in elements:
        if element not in embeddings:
            raise PotentialError(f"{source}: element {element} has no block `{element}` with its embedding; add one")
    potential = Potential(
        elements=elements,
        embeddings={element: embeddings[element] for element in elements},
        bonds=_bonds(raw),
        blocks=tuple(_block(block, embeddings[block.elements[0]].ndensity, prepared) for block in raw),
        delta_spline_bins=bins,
        metadata=read_metadata(root.get("metadata", ""), source),
        auxdata=_auxdata(root.get("auxdata", ""), source),
    )
    check_potential(potential, source)
    return potential


def _raw_blocks(species: Any, source: str) -> list[_RawBlock]:
    """Entries of `species` with their element sets; every set may occur once."""
    blocks: list[_RawBlock] = []
    seen: set[tuple[str, ...]] = set()
    for number, values in enumerate(to_list(species, f"{source}: species"), 1):
        values = to_map(values, f"{source}: entry {number} of species")
        name = to_text(values.get("speciesblock", ""), f"{source}: speciesblock of entry {number}")
        where = f"{source}: block `{name}`"
        elements = tuple(dict.fromkeys(name.split()))
        if not elements:
            raise PotentialError(
                f"{source}: entry {number} of species has no speciesblock; write for example `speciesblock: Al Ni`"
            )
        for element in elements:
            check_element(element, where)
        if elements in seen:
            raise PotentialError(f"{where}: this block occurs twice; join the nbody lists of both")
        seen.add(elements)
        unknown = sorted(set(values) - KNOWN_KEYS - {"density"})
        if unknown:
            log.warning("%s: keys without a meaning are not used: %s", where, ", ".join(unknown))
        blocks.append(_RawBlock(elements, values, where))
    return blocks


def _required(block: _RawBlock, key: str) -> Any:
    """Value of a key that must be there."""
    value = block.values.get(key, "")
    if value == "":
        raise PotentialError(f"{block.where}: the key {key} is missing")
    return value


def _embedding(block: _RawBlock) -> Embedding:
    """Embedding of a unary block."""
    ndensity = to_int(_required(block, "ndensityi"), f"{block.where}: ndensityi")
    parameters = to_floats(_required(block, "parameters"), f"{block.where}: parameters")
    if ndensity < 1 or len(parameters) != 2 * ndensity:
        raise PotentialError(
            f"{block.where}: {ndensity} densities need {2 * max(ndensity, 1)} parameters (w_1, m_1, ...), got {len(parameters)}"
        )
    return Embedding(
        npot=to_text(_required(block, "npoti"), f"{block.where}: npoti"),
        parameters=parameters,
        rho_core_cut=to_float(block.values.get("rho_core_cut", "100000"), f"{block.where}: rho_core_cut"),
        drho_core_cut=to_float(block.values.get("drho_core_cut", "250"), f"{block.where}: drho_core_cut"),
    )


def _bonds(raw: list[_RawBlock]) -> dict[tuple[str, str], Bond]:
    """Bond of every unordered pair that has a unary or binary block, from one or both mirror blocks."""
    sides: dict[tuple[str, str], list[_RawBlock]] = {}
    for block in raw:
        if len(block.elements) <= 2:
            sides.setdefault(pair_key(block.elements[0], block.elements[-1]), []).append(block)
    bonds = {}
    for pair in sorted(sides):
        blocks = sides[pair]
        defined = [block for block in blocks if _defines_bond(block)]
        if not defined:
            raise PotentialError(
                f"{blocks[0].where}: the bond {'-'.join(pair)} is defined nowhere; give {', '.join(BOND_KEYS)} in this block"
                + ("" if pair[0] == pair[1] else " or in its mirror block")
            )
        cores = [_core(block) for block in blocks if "core-repulsion" in block.values]
        candidates = []
        for block in defined:
            core = _core(block) if "core-repulsion" in block.values or not cores else cores[0]
            candidates.append(_bond(block, core))
        _check_mirror(blocks, candidates, cores)
        bonds[pair] = candidates[0]
    return bonds


def _defines_bond(block: _RawBlock) -> bool:
    """Whether the block brings its own bond; lmaxi decides."""
    if "lmaxi" in block.values:
        return True
    present = [key for key in SHAPE_KEYS if key in block.values]
    if present:
        raise PotentialError(f"{block.where}: the bond is only partially defined: {present[0]} is given but lmaxi is missing")
    return False


def _core(block: _RawBlock) -> tuple[tuple[float, float], str, float, float]:
    """Core repulsion, inner cutoff type, r_in and delta_in of a block, defaults of old files where absent."""
    core = (
        to_floats(block.values["core-repulsion"], f"{block.where}: core-repulsion")
        if "core-repulsion" in block.values
        else NO_CORE
    )
    if len(core) != 2:
        raise PotentialError(f"{block.where}: core-repulsion must be [prefactor, lambda], got {len(core)} numbers")
    return (
        (core[0], core[1]),
        to_text(block.values.get("inner_cutoff_type", "density"), f"{block.where}: inner_cutoff_type"),
        to_float(block.values.get("r_in", "0"), f"{block.where}: r_in"),
        to_float(block.values.get("delta_in", "0"), f"{block.where}: delta_in"),
    )


def _bond(block: _RawBlock, core: tuple[tuple[float, float], str, float, float]) -> Bond:
    """Bond as one block defines it."""
    where = block.where
    sizes = []
    for key in ("nradmaxi", "lmaxi", "nradbaseij"):
        size = to_int(_required(block, key), f"{where}: {key}")
        if not 0 <= size <= MAX_INDEX:
            raise PotentialError(f"{where}: {key} must lie between 0 and {MAX_INDEX}, got {size}")
        sizes.append(size)
    return Bond(
        radbase=to_text(_required(block, "radbase"), f"{where}: radbase"),
        radparameters=to_floats(_required(block, "radparameters"), f"{where}: radparameters"),
        rcut=to_float(_required(block, "rcutij"), f"{where}: rcutij"),
        dcut=to_float(_required(block, "dcutij"), f"{where}: dcutij"),
        crad=to_crad(_required(block, "radcoefficients"), sizes[0], sizes[1], sizes[2], where),
        rcut_in=core[2],
        dcut_in=core[3],
        inner_cutoff_type=core[1],
        core_repulsion=core[0],
        cutoff_function=to_text(block.values.get("NameOfCutoffFunctionij") or "cos", f"{where}: NameOfCutoffFunctionij"),
    )


def to_crad(value: Any, n_max: int, l_max: int, k_max: int, where: str) -> NDArray[np.float64]:
    """Radial coefficients [n, l, k]; larger nested lists are cut, flat lists have k slowest, then n, then l."""
    what = f"{where}: radcoefficients"
    rows = to_list(value, what)
    shape = (n_max, l_max + 1, k_max)
    if rows and not isinstance(rows[0], list):
        flat = to_floats(rows, what)
        if len(flat) != n_max * (l_max + 1) * k_max:
            raise PotentialError(f"{what}: a flat list must have nradbaseij * nradmaxi * (lmaxi + 1) numbers, got {len(flat)}")
        return np.array(flat).reshape(k_max, n_max, l_max + 1).transpose(1, 2, 0)
    if len(rows) < n_max:
        raise PotentialError(f"{what}: nradmaxi = {n_max} radial functions, but only {len(rows)} are listed")
    crad = []  # grows with what the file really holds
    for n in range(n_max):
        columns = to_list(rows[n], what)
        if len(columns) <= l_max:
            raise PotentialError(f"{what}: lmaxi = {l_max} needs {l_max + 1} lists for n = {n + 1}, got {len(columns)}")
        for l in range(l_max + 1):
            numbers = to_list(columns[l], what)
            if len(numbers) < k_max:
                raise PotentialError(f"{what}: nradbaseij = {k_max}, but n = {n + 1}, l = {l} has only {len(numbers)} numbers")
            crad.append(to_floats(numbers[:k_max], what))
    return np.array(crad, dtype=np.float64).reshape(shape)


def _check_mirror(blocks: list[_RawBlock], candidates: list[Bond], cores: list[Any]) -> None:
    """Both mirror blocks must say the same."""
    where = blocks[-1].where
    if len(cores) == 2 and cores[0] != cores[1]:
        raise PotentialError(
            f"{where}: core repulsion or inner cutoff differ from those of block `{' '.join(blocks[0].elements)}`"
        )
    if len(candidates) < 2:
        return
    first, second = candidates
    for name in ("radbase", "radparameters", "rcut", "dcut", "rcut_in", "dcut_in", "inner_cutoff_type", "core_repulsion"):
        if getattr(first, name) != getattr(second, name):
            raise PotentialError(
                f"{where}: {name} differs from that of block `{' '.join(blocks[0].elements)}`; a pair has one bond"
            )
    if not np.array_equal(first.crad, second.crad):
        raise PotentialError(f"{where}: radcoefficients differ from those of block `{' '.join(blocks[0].elements)}`")


def _take_out_functions(text: str) -> tuple[str, dict[str, Function]]:
    """Functions written on one line each, as programs write them, and the text with a short mark in place of each.

    Most of a large file is functions, and YAML is thirty times slower on them than a regular expression.
    """
    mark = f"function-{uuid.uuid4().hex}-"
    prepared: dict[str, Function] = {}
    lines = text.split("\n")
    for i, line in enumerate(lines):
        match = _FUNCTION_LINE.fullmatch(line)
        if match is None:
            continue
        name, ns, ls, lint, coeffs = match.groups()
        try:
            values = tuple([float(c) for c in coeffs.split(",")])
        except ValueError:
            continue  # the careful reader finds the words for it
        if not all(map(isfinite, values)):
            continue
        function = Function(tuple(name.split()), _integers(ns), _integers(ls), _integers(lint) if lint else (), values)
        prepared[f"{mark}{i}"] = function
        lines[i] = f"      - {mark}{i}"
    return "\n".join(lines), prepared


@lru_cache(maxsize=65536)
def _integers(text: str) -> tuple[int, ...]:
    """Integers separated by commas."""
    return tuple(int(part) for part in text.split(","))


def _is_all_in_blocks(prepared: dict[str, Function], root: Any) -> bool:
    """Whether every mark stands in a list of functions and not, say, within a text of the metadata."""
    species = root.get("species") if isinstance(root, dict) else None
    blocks = [block for block in species if isinstance(block, dict)] if isinstance(species, list) else []
    lists = [block["nbody"] for block in blocks if isinstance(block.get("nbody"), list)]
    found = {entry for entries in lists for entry in entries if isinstance(entry, str)}
    return prepared.keys() <= found


def _block(block: _RawBlock, ndensity: int, prepared: dict[str, Function]) -> Block:
    """Functions of a block."""
    if "nbody" not in block.values:
        hint = (
            "; files with a `density` list are too old and not supported" if "density" in block.values else "; write `nbody: []`"
        )
        raise PotentialError(f"{block.where}: the list nbody is missing{hint}")
    functions = []
    for number, entry in enumerate(to_list(block.values["nbody"] or [], f"{block.where}: nbody"), 1):
        where = f"{block.where}, function {number}"
        function = prepared.get(entry) if isinstance(entry, str) else None
        if function is None:
            function = _function(entry, where)
        _check_membership(function, block, ndensity, where)
        functions.append(function)
    return Block(block.elements, tuple(functions))


def _function(entry: Any, where: str) -> Function:
    """One entry of `nbody`; rules that need the bonds are checked later."""
    entry = to_map(entry, where)
    for key in ("type", "nr", "nl", "c"):
        if key not in entry:
            raise PotentialError(f"{where}: the key {key} is missing")
    unknown = set(entry) - {"type", "nr", "nl", "lint", "c", "skip"}
    if unknown:
        raise PotentialError(f"{where}: unknown key {shorten(min(unknown))}; a function has type, nr, nl, lint, c and skip")
    coeffs = entry["c"]
    return Function(
        elements=tuple(to_text(entry["type"], f"{where}: type").split()),
        ns=to_ints(entry["nr"], f"{where}: nr"),
        ls=to_ints(entry["nl"], f"{where}: nl"),
        lint=to_ints(entry.get("lint", []), f"{where}: lint"),
        coeffs=to_floats(coeffs if isinstance(coeffs, list) else [coeffs], f"{where}: c"),
        skip=to_bool(entry.get("skip", "false"), f"{where}: skip"),
    )


def _check_membership(function: Function, block: _RawBlock, ndensity: int, where: str) -> None:
    """A function must fit its block and the densities of its central element."""
    elements = function.elements
    if not elements or elements[0] != block.elements[0]:
        name = shorten(" ".join(elements))
        raise PotentialError(f"{where}: type {name} must begin with the central element {block.elements[0]}")
    strangers = sorted(set(elements) - set(block.elements))
    if strangers:
        raise PotentialError(f"{where}: {strangers[0]} does not belong to the block `{' '.join(block.elements)}`")
    if len(function.coeffs) != ndensity:
        raise PotentialError(f"{where}: element {elements[0]} has {ndensity} densities, but c has {len(function.coeffs)} numbers")


def read_metadata(value: Any, source: str) -> dict[str, str]:
    """Metadata as the texts that stand in the file."""
    entries = to_map(value, f"{source}: metadata")
    return {key: to_text(text, f"{source}: metadata {key}") for key, text in entries.items()}


def _auxdata(value: Any, source: str) -> dict[str, Any]:
    """Typed user data; the name of each sub-map says the type of its values."""
    auxdata: dict[str, Any] = {}
    for kind, entries in to_map(value, f"{source}: auxdata").items():
        where = f"{source}: auxdata {kind}"
        convert = AUX_TYPES.get(re.sub("_arr$", "", kind))
        if convert is None:
            raise PotentialError(f"{where}: unknown kind; possible are {', '.join(AUX_TYPES)}, each also with _arr")
        entries = to_map(entries, where)
        if kind.endswith("_arr"):
            auxdata[kind] = {
                name: [convert(v, f"{where} {name}") for v in to_list(vs, f"{where} {name}")] for name, vs in entries.items()
            }
        else:
            auxdata[kind] = {name: convert(v, f"{where} {name}") for name, v in entries.items()}
    return auxdata
