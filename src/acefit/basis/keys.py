"""Keys of the `potential:` section: the keywords ALL, UNARY, ... and element names, and how stronger keys win."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import isfinite
from typing import Any

from acefit.errors import ConfigError
from acefit.potential.model import pair_key

ARITIES = ("UNARY", "BINARY", "TERNARY", "QUATERNARY", "QUINARY")
KEYWORDS = ("ALL", *ARITIES)
_ELEMENT = re.compile("[A-Z][a-z]?")


def parse_elements(key: Any, elements: Sequence[str], where: str) -> tuple[str, ...]:
    """Elements of a key such as `AlNi`, `Al Ni` or (Al, Ni), in the order written.

    Raises
    ------
    ConfigError
        If the key is neither a keyword nor made of elements of the potential.
    """
    parts = list(key) if isinstance(key, tuple) else _ELEMENT.findall(str(key))
    similar = difflib.get_close_matches(str(key), KEYWORDS, 1, 0.7)
    hint = f"; did you mean {similar[0]}?" if similar else ""
    if not parts or (isinstance(key, str) and "".join(parts) != re.sub(r"[\s-]+", "", key)):
        raise ConfigError(f"{where}: {key!r} is neither a keyword ({', '.join(KEYWORDS)}) nor made of element symbols{hint}")
    for part in parts:
        if part not in elements:
            raise ConfigError(f"{where}: key {key!r} names {part}, which is not among the elements {', '.join(elements)}{hint}")
    return tuple(parts)


def block_key(key: Any, elements: Sequence[str], where: str) -> tuple[str, ...]:
    """Block of a key: the central element and the others sorted; `AlAl` is the block of Al."""
    central, *others = parse_elements(key, elements, where)
    rest = [element for element in others if element != central]
    if len(set(rest)) != len(rest) or (len(rest) != len(others) and rest):
        raise ConfigError(f"{where}: key {key!r} names an element twice")
    return (central, *sorted(rest))


def block_keys(elements: Sequence[str], arity: int) -> list[tuple[str, ...]]:
    """All blocks with so many distinct elements, sorted."""
    return sorted(
        (central, *others)
        for central in elements
        for others in combinations([element for element in sorted(elements) if element != central], arity - 1)
    )


def expand_blocks(section: Mapping[Any, Any], elements: Sequence[str], where: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Settings of every block, keys in the order in which the expansion first mentions them; stronger keys win key by key."""
    blocks: dict[tuple[str, ...], dict[str, Any]] = {}
    for keyword in KEYWORDS:
        if keyword not in section:
            continue
        arities = range(1, len(elements) + 1) if keyword == "ALL" else [ARITIES.index(keyword) + 1]
        for arity in arities:
            for key in block_keys(elements, arity):
                blocks.setdefault(key, {}).update(as_map(section[keyword], f"{where}: {keyword}"))
    for key, values in section.items():
        if key not in KEYWORDS:
            blocks.setdefault(block_key(key, elements, where), {}).update(as_map(values, f"{where}: {key}"))
    return blocks


def expand_pairs(section: Mapping[Any, Any], elements: Sequence[str], where: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Settings of every unordered pair, possibly empty; explicit keys are mirrored, the later one wins key by key."""
    pairs = {pair_key(a, b): dict[str, Any]() for a in elements for b in elements}
    for keyword in KEYWORDS:
        if keyword not in section:
            continue
        if keyword not in ("ALL", "UNARY", "BINARY"):
            raise ConfigError(
                f"{where}: a bond has one or two elements, so {keyword} has no meaning here; use ALL, UNARY or BINARY"
            )
        values = as_map(section[keyword], f"{where}: {keyword}")
        for (a, b), settings in pairs.items():
            if keyword == "ALL" or (keyword == "UNARY") == (a == b):
                settings.update(values)
    for key, values in section.items():
        if key not in KEYWORDS:
            parts = parse_elements(key, elements, where)
            if len(parts) > 2:
                raise ConfigError(f"{where}: {key!r} names {len(parts)} elements; a bond has one or two")
            pairs[pair_key(parts[0], parts[-1])].update(as_map(values, f"{where}: {key}"))
    return pairs


def expand_elements(section: Mapping[Any, Any], elements: Sequence[str], where: str) -> dict[str, dict[str, Any]]:
    """Settings of every element, possibly empty; ALL and UNARY say the same, symbols are stronger."""
    result = {element: dict[str, Any]() for element in elements}
    for keyword in KEYWORDS:
        if keyword not in section:
            continue
        if keyword not in ("ALL", "UNARY"):
            raise ConfigError(f"{where}: an embedding belongs to one element, so {keyword} has no meaning here; use ALL")
        for settings in result.values():
            settings.update(as_map(section[keyword], f"{where}: {keyword}"))
    for key, values in section.items():
        if key not in KEYWORDS:
            parts = parse_elements(key, elements, where)
            if len(parts) != 1:
                raise ConfigError(f"{where}: {key!r} names {len(parts)} elements; an embedding belongs to one")
            result[parts[0]].update(as_map(values, f"{where}: {key}"))
    return result


def as_map(value: Any, where: str) -> Mapping[Any, Any]:
    """The value if it is a map; an empty value counts as an empty map."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a map of settings, got {value!r}")
    return value


def as_float(value: Any, where: str) -> float:
    """Finite number; YAML reads 1e-8 as text, which is accepted."""
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number):
        raise ConfigError(f"{where}: expected a number, got {value!r}")
    return number


def as_count(value: Any, where: str, least: int = 0) -> int:
    """Integer not below `least`."""
    number = as_float(value, where)
    if number != int(number) or number < least:
        raise ConfigError(f"{where}: expected an integer of at least {least}, got {value!r}")
    return int(number)


def as_floats(value: Any, where: str) -> tuple[float, ...]:
    """List of finite numbers."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: expected a list of numbers, got {value!r}")
    return tuple(as_float(item, where) for item in value)


def as_counts(value: Any, where: str) -> tuple[int, ...]:
    """List of integers, not negative."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: expected a list of integers by order, got {value!r}")
    return tuple(as_count(item, where) for item in value)


def check_keys(given: Iterable[Any], known: Sequence[str], where: str) -> None:
    """Refuse unknown keys and name the nearest known one."""
    for key in given:
        if key not in known:
            hint = difflib.get_close_matches(str(key), known, 1)
            raise ConfigError(
                f"{where}: unknown key {key!r}" + (f"; did you mean {hint[0]}?" if hint else f"; known are {', '.join(known)}")
            )
