"""Read C-tilde potential files (`.yace`) as ordinary potentials.

The coefficients of a function's products lie in the span of its rotation invariants; solving for these gives B functions that add
up to it, so that everything that works with a potential works with a file of this kind. The intermediate momenta need not be
those the file was made from, and padded densities are taken off: only energies are the same.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acefit.basis.ctilde import ProductSum, add_products, check_slots, merge_products, to_invariants
from acefit.errors import PotentialError
from acefit.potential.bbasis_read import MAX_INDEX, read_metadata, to_crad
from acefit.potential.checks import check_element, check_potential, doubts
from acefit.potential.model import Block, Bond, Embedding, Function, Potential, e0_entries, pair_key
from acefit.potential.yaml_text import load_text, shorten, to_float, to_floats, to_int, to_ints, to_list, to_map, to_text
from acefit.untrusted import read_text

log = logging.getLogger(__name__)

ROOT_KEYS = ("elements", "E0", "deltaSplineBins", "embeddings", "bonds", "functions", "metadata")
BOND_KEYS = (
    *("nradmax", "lmax", "nradbasemax", "radbasename", "radparameters", "radcoefficients", "prehc", "lambdahc", "rcut", "dcut"),
    *("rcut_in", "dcut_in", "inner_cutoff_type", "NameOfCutoffFunction"),
)
EMBEDDING_KEYS = ("ndensity", "FS_parameters", "npoti", "rho_core_cutoff", "drho_core_cutoff")
FUNCTION_KEYS = ("mu0", "rank", "ndensity", "num_ms_combs", "mus", "ns", "ls", "ms_combs", "ctildes")
MAX_ORDER = 12


def read_yace(path: str | Path) -> Potential:
    """Read a C-tilde file.

    Returns
    -------
    Potential
        With B functions that give the energies of the file; its `E0` is `Potential.e0`, its inner cutoff type that of the bond
        read last.

    Raises
    ------
    PotentialError
        If the file is missing, is not YAML, breaks a rule of the format, has radial functions of ACE.jl, or functions that are no
        rotation invariants.
    """
    try:
        text = read_text(Path(path))
    except FileNotFoundError:
        raise PotentialError(f"{path}: no such potential file; check the name and the folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PotentialError(f"{path}: cannot be read as a text file ({error})") from None
    return parse_yace(text, str(path))


def import_yace(path: str | Path) -> Potential:
    """Read a C-tilde file that somebody gives, and log what is doubtful about it (`acefit.potential.checks.doubts`)."""
    potential = read_yace(path)
    for doubt in doubts(potential):
        log.warning("%s: %s", path, doubt)
    return potential


def parse_yace(text: str, source: str = "potential") -> Potential:
    """Potential from the text of a C-tilde file; source names it in error messages."""
    root = load_text(text, source, sequence_keys=True)
    if not isinstance(root, dict) or not {"elements", "embeddings", "bonds", "functions"} <= root.keys():
        raise PotentialError(
            f"{source}: not a C-tilde potential: a map with elements, embeddings, bonds and functions is expected"
        )
    elements = _elements(root["elements"], source)
    bonds = _bonds(root["bonds"], elements, source)
    unknown = sorted(str(key) for key in root if key not in ROOT_KEYS)
    if unknown:
        log.warning("%s: keys without a meaning are not used: %s", source, ", ".join(map(shorten, unknown)))
    bins = to_float(root.get("deltaSplineBins", "0.001"), f"{source}: deltaSplineBins")
    if bins <= 0:
        raise PotentialError(f"{source}: deltaSplineBins must be positive, got {bins:g}")
    energies = to_floats(root.get("E0", ["0"] * len(elements)), f"{source}: E0")
    if len(energies) != len(elements):
        raise PotentialError(f"{source}: {len(elements)} elements need as many numbers in E0, got {len(energies)}")
    embeddings = _embeddings(root["embeddings"], elements, source)
    blocks = _blocks(root["functions"], elements, embeddings, source)
    potential = Potential(
        elements=tuple(sorted(elements)),
        embeddings={element: embeddings[element] for element in sorted(elements)},
        bonds=bonds,
        blocks=tuple(blocks),
        delta_spline_bins=bins,
        metadata=read_metadata(root.get("metadata", ""), source),
        auxdata=e0_entries(dict(zip(elements, energies, strict=True))) if any(energies) else {},
    )
    potential = without_padding(potential)
    check_potential(potential, source)
    return potential


def without_padding(potential: Potential) -> Potential:
    """Potential without last densities of weight zero whose coefficients are all zero; the first density stays."""
    embeddings, blocks = dict(potential.embeddings), list(potential.blocks)
    for element, embedding in potential.embeddings.items():
        own = [f for block in blocks for f in block.functions if f.elements[0] == element]
        p = embedding.ndensity
        while p > 1 and embedding.parameters[2 * p - 2] == 0.0 and not any(f.coeffs[p - 1] for f in own):
            p -= 1
        embeddings[element] = replace(embedding, parameters=embedding.parameters[: 2 * p])
        blocks = [
            block
            if block.elements[0] != element
            else Block(block.elements, tuple(f._replace(coeffs=f.coeffs[:p]) for f in block.functions))
            for block in blocks
        ]
    return replace(potential, embeddings=embeddings, blocks=tuple(blocks))


def _elements(value: Any, source: str) -> list[str]:
    """Symbols by species number."""
    elements = [to_text(item, f"{source}: elements") for item in to_list(value, f"{source}: elements")]
    if not elements:
        raise PotentialError(f"{source}: elements is empty")
    for element in elements:
        check_element(element, f"{source}: elements")
    if len(set(elements)) != len(elements):
        raise PotentialError(f"{source}: an element occurs twice in {', '.join(elements)}")
    return elements


def _species(value: Any, elements: list[str], where: str) -> str:
    """Symbol of a species number."""
    mu = to_int(value, where)
    if not 0 <= mu < len(elements):
        raise PotentialError(f"{where}: there is no species {mu}; the elements are 0 to {len(elements) - 1}")
    return elements[mu]


def _check_keys(values: dict[str, Any], needed: tuple[str, ...], known: tuple[str, ...], where: str) -> None:
    for key in needed:
        if key not in values:
            raise PotentialError(f"{where}: the key {key} is missing")
    unknown = sorted(set(values) - set(known))
    if unknown:
        log.warning("%s: keys without a meaning are not used: %s", where, ", ".join(map(shorten, unknown)))


def _embeddings(value: Any, elements: list[str], source: str) -> dict[str, Embedding]:
    """Embedding of every element."""
    embeddings = {}
    for key, entry in to_map(value, f"{source}: embeddings").items():
        element = _species(key, elements, f"{source}: embeddings")
        where = f"{source}: embedding of {element}"
        values = to_map(entry, where)
        _check_keys(values, EMBEDDING_KEYS[:3], EMBEDDING_KEYS, where)
        parameters = to_floats(values["FS_parameters"], f"{where}: FS_parameters")
        n_densities = to_int(values["ndensity"], f"{where}: ndensity")
        if n_densities < 1 or len(parameters) != 2 * n_densities:
            raise PotentialError(
                f"{where}: {n_densities} densities need {2 * max(n_densities, 1)} FS_parameters (w_1, m_1, ...), "
                f"got {len(parameters)}"
            )
        embeddings[element] = Embedding(
            npot=to_text(values["npoti"], f"{where}: npoti"),
            parameters=parameters,
            rho_core_cut=to_float(values.get("rho_core_cutoff", "100000"), f"{where}: rho_core_cutoff"),
            drho_core_cut=to_float(values.get("drho_core_cutoff", "250"), f"{where}: drho_core_cutoff"),
        )
    missing = [element for element in elements if element not in embeddings]
    if missing:
        raise PotentialError(f"{source}: {', '.join(missing)} has no entry in embeddings")
    return embeddings


def _bonds(value: Any, elements: list[str], source: str) -> dict[tuple[str, str], Bond]:
    """Bond of every unordered pair; both directions must agree, and all have the inner cutoff type of the one read last."""
    bonds: dict[tuple[str, str], Bond] = {}
    if not isinstance(value, dict):
        raise PotentialError(f"{source}: bonds: expected a map, got {shorten(value)}")
    modes = []
    for key, entry in value.items():
        if not isinstance(key, tuple) or len(key) != 2:
            raise PotentialError(f"{source}: bonds: a key is a list of two species such as [0, 0], got {shorten(key)}")
        a, b = (_species(part, elements, f"{source}: bonds") for part in key)
        where = f"{source}: bond [{', '.join(map(str, key))}] of {a}-{b}"
        bond = _bond(to_map(entry, where), where)
        modes.append(bond.inner_cutoff_type)
        known = bonds.setdefault(pair_key(a, b), bond)
        different = [name for name in vars(bond) if not np.array_equal(getattr(bond, name), getattr(known, name))]
        if set(different) - {"inner_cutoff_type"}:
            raise PotentialError(f"{where}: {different[0]} differs from that of [{key[1]}, {key[0]}]; bonds must be symmetric")
    missing = [f"{a}-{b}" for i, a in enumerate(elements) for b in elements[i:] if pair_key(a, b) not in bonds]
    if missing:
        log.warning("%s: %s: no entry in bonds, so these pairs do not interact", source, ", ".join(missing))
    if len(set(modes)) > 1:
        log.warning("%s: bonds have different inner_cutoff_type; that of the last one, %s, counts for all", source, modes[-1])
    return {pair: replace(bonds[pair], inner_cutoff_type=modes[-1]) for pair in sorted(bonds)}


def _bond(values: dict[str, Any], where: str) -> Bond:
    name = to_text(values.get("radbasename", ""), f"{where}: radbasename")
    if name.startswith("ACE.jl"):
        raise PotentialError(
            f"{where}: radial functions of ACE.jl ({name}) are not supported; only files with those of pacemaker are"
        )
    _check_keys(values, BOND_KEYS[:6], BOND_KEYS, where)
    sizes = []
    for key in ("nradmax", "lmax", "nradbasemax"):
        size = to_int(values[key], f"{where}: {key}")
        if not 0 <= size <= MAX_INDEX:
            raise PotentialError(f"{where}: {key} must lie between 0 and {MAX_INDEX}, got {size}")
        sizes.append(size)

    def number(key: str, default: str | None = "0") -> float:
        if default is None and key not in values:
            raise PotentialError(f"{where}: the key {key} is missing")
        return to_float(values.get(key, default), f"{where}: {key}")

    return Bond(
        radbase=name,
        radparameters=to_floats(values["radparameters"], f"{where}: radparameters"),
        rcut=number("rcut", None),
        dcut=number("dcut", None),
        crad=to_crad(values["radcoefficients"], sizes[0], sizes[1], sizes[2], where),
        rcut_in=number("rcut_in"),
        dcut_in=number("dcut_in"),
        inner_cutoff_type=to_text(values.get("inner_cutoff_type", "density"), f"{where}: inner_cutoff_type"),
        core_repulsion=(number("prehc"), number("lambdahc")),
    )


def _blocks(value: Any, elements: list[str], embeddings: dict[str, Embedding], source: str) -> list[Block]:
    """Functions of all elements, in blocks by the elements they have."""
    groups: dict[tuple[str, ...], list[Function]] = {(element,): [] for element in sorted(elements)}
    sums: dict[str, list[ProductSum]] = {element: [] for element in sorted(elements)}
    for key, entries in to_map(value, f"{source}: functions").items():
        element = _species(key, elements, f"{source}: functions")
        for number, entry in enumerate(to_list(entries or [], f"{source}: functions of {element}"), 1):
            where = f"{source}: function {number} of {element}"
            sums[element].append(_function(to_map(entry, where), element, elements, embeddings[element].ndensity, where))
    for element, items in sums.items():
        scale = max((float(np.abs(item.coeffs).max(initial=0.0)) for item in items), default=0.0)
        for item in add_products(items):
            names = ", ".join(f"{e} n={n} l={l}" for e, n, l in item.slots)
            for function in to_invariants(element, item, scale, f"{source}: function of {element} with ({names})"):
                groups.setdefault(tuple(dict.fromkeys(function.elements)), []).append(function)
    return [Block(key, tuple(functions)) for key, functions in sorted(groups.items(), key=lambda item: (len(item[0]), item[0]))]


def _function(values: dict[str, Any], element: str, elements: list[str], n_densities: int, where: str) -> ProductSum:
    """One entry of `functions`."""
    _check_keys(values, FUNCTION_KEYS, FUNCTION_KEYS, where)
    rank, own_densities, n_terms = (to_int(values[key], f"{where}: {key}") for key in ("rank", "ndensity", "num_ms_combs"))
    if _species(values["mu0"], elements, f"{where}: mu0") != element:
        raise PotentialError(f"{where}: mu0 is another element than the one it is listed under")
    if own_densities != n_densities:
        raise PotentialError(f"{where}: ndensity is {own_densities}, but the embedding of {element} has {n_densities}")
    mus, ns, ls = (to_ints(values[key], f"{where}: {key}") for key in ("mus", "ns", "ls"))
    if not 1 <= rank <= MAX_ORDER or not len(mus) == len(ns) == len(ls) == rank:
        raise PotentialError(
            f"{where}: rank {rank} (1 to {MAX_ORDER}) must be the length of mus, ns and ls, "
            f"got {len(mus)}, {len(ns)} and {len(ls)}"
        )
    if min(ns) < 1 or min(ls) < 0 or max(ls) > MAX_INDEX or (rank == 1 and ls != (0,)):
        raise PotentialError(f"{where}: ns begins at 1 and ls at 0, for rank 1 ls is [0]; got {list(ns)} and {list(ls)}")
    check_slots(ls, where)
    ms, coeffs = _terms(values, n_terms, rank, n_densities, where)
    if (np.abs(ms) > np.array(ls)).any() or ms.sum(axis=1).any():
        raise PotentialError(f"{where}: each m must lie between -l and l, and those of a term must add up to 0")
    slots = [(_species(mu, elements, f"{where}: mus"), n, l) for mu, n, l in zip(mus, ns, ls, strict=True)]
    return merge_products(slots, ms, coeffs)


def _terms(
    values: dict[str, Any], n_terms: int, rank: int, n_densities: int, where: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Tuples m, (n_terms, rank), and coefficients, (n_terms, n_densities)."""
    ms = to_ints(values["ms_combs"], f"{where}: ms_combs")
    coeffs = to_floats(values["ctildes"], f"{where}: ctildes")
    if n_terms < 1 or len(ms) != n_terms * rank or len(coeffs) != n_terms * n_densities:
        raise PotentialError(
            f"{where}: num_ms_combs {n_terms} needs as many tuples of {rank} in ms_combs and of {n_densities} in ctildes, "
            f"got {len(ms)} and {len(coeffs)} numbers"
        )
    if max(map(abs, ms)) > MAX_INDEX:
        raise PotentialError(f"{where}: each m must lie between -l and l")
    return np.array(ms, dtype=np.int64).reshape(n_terms, rank), np.array(coeffs).reshape(n_terms, n_densities)
