"""Merging of the keyword entries of the `potential` section: weaker keywords first, key by key.

Unknown keys are passed over here; `relations` reports them.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

from acefit.config.elements import split_key
from acefit.config.fields import Section
from acefit.config.potential_section import BondSettings, EmbeddingSettings, PotentialDefinition

Pair = tuple[str, str]


class Given(NamedTuple):
    """A value and the entry it comes from."""

    value: Any
    entry: str


Merged = dict[str, Given]


def given_keys(entry: Section) -> dict[str, Any]:
    """Keys that stand in the file, in its spelling."""
    return entry.model_dump(by_alias=True, exclude_unset=True)


def embedding_entries(definition: PotentialDefinition, element: str) -> list[str]:
    """Entries that apply to an element, weakest first."""
    return [name for name in ("ALL", "UNARY", element) if name in definition.embeddings]


def bond_entries(definition: PotentialDefinition, pair: Pair) -> list[str]:
    """Entries that apply to a pair of elements, weakest first; explicit pairs in file order."""
    keyword = "UNARY" if pair[0] == pair[1] else "BINARY"
    explicit = [name for name in definition.bonds if _pair_of(name) == pair]
    return [name for name in ("ALL", keyword) if name in definition.bonds] + explicit


def _pair_of(name: str) -> Pair | None:
    symbols = sorted(split_key(name))
    return (symbols[0], symbols[-1]) if 1 <= len(symbols) <= 2 else None


def pairs(elements: Iterable[str]) -> list[Pair]:
    """All unordered pairs of elements, each with itself too."""
    return list(combinations_with_replacement(sorted(set(elements)), 2))


def merged_embeddings(definition: PotentialDefinition) -> dict[str, Merged]:
    """Keys given for each element; elements without any entry are absent."""
    found = {element: embedding_entries(definition, element) for element in sorted(set(definition.elements))}
    return {element: _merge(definition.embeddings, names) for element, names in found.items() if names}


def merged_bonds(definition: PotentialDefinition) -> dict[Pair, Merged]:
    """Keys given for each pair; pairs without any entry are absent."""
    found = {pair: bond_entries(definition, pair) for pair in pairs(definition.elements)}
    return {pair: _merge(definition.bonds, names) for pair, names in found.items() if names}


def _merge(entries: Mapping[str, Section], names: list[str]) -> Merged:
    merged: Merged = {}
    for name in names:
        merged.update({key: Given(value, name) for key, value in given_keys(entries[name]).items()})
    return merged


def with_defaults(definition: PotentialDefinition) -> dict[str, dict[str, dict[str, Any]]]:
    """Entries of embeddings and bonds with defaults filled into the weakest entry of each element and pair.

    Merging these entries key by key gives complete settings, so that nobody else needs to know a default.
    """
    weakest_embeddings = {embedding_entries(definition, element)[0] for element in merged_embeddings(definition)}
    weakest_bonds = {bond_entries(definition, pair)[0] for pair in merged_bonds(definition)}

    def fill(entries: Mapping[str, Section], weakest: set[str], model: type[Section]) -> dict[str, dict[str, Any]]:
        defaults = {k: v for k, v in model().model_dump(by_alias=True).items() if v is not None}
        return {name: {**(defaults if name in weakest else {}), **given_keys(entry)} for name, entry in entries.items()}

    return {
        "embeddings": fill(definition.embeddings, weakest_embeddings, EmbeddingSettings),
        "bonds": fill(definition.bonds, weakest_bonds, BondSettings),
    }
