"""YAML as plain text values: no tags, no guessing of types, no way to run code or to exhaust the stack.

Every scalar arrives as the string that stands in the file. The reader of a field knows what it must be, so `No` stays an
element, `1e-8` becomes a number and a metadata text keeps its digits. Types of a configuration file are not handled here.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

import yaml

from acefit.errors import PotentialError
from acefit.untrusted import bounded_memory, check_yaml

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_PLAIN = re.compile(r"[A-Za-z0-9_.+][A-Za-z0-9_.+/-]*(?:[ :][A-Za-z0-9_.+/-]+)*")


class _SequenceKeyLoader(_LOADER):  # type: ignore[misc, valid-type]
    """Reads keys that are lists of texts, such as `[0, 1]:`, as tuples."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Map of a node; a list within a key cannot be hashed, which is an error."""
        pairs = []
        for key, value in node.value:
            made = self.construct_object(key, deep=True)
            pairs.append((tuple(made) if isinstance(made, list) else made, self.construct_object(value, deep=deep)))
        return dict(pairs)


def load_text(text: str, source: str, sequence_keys: bool = False) -> Any:
    """Nested dicts and lists of strings; with `sequence_keys` lists of strings may be keys, and become tuples.

    Raises
    ------
    PotentialError
        If the text is not YAML, or YAML that must not be loaded (see `acefit.untrusted.check_yaml`).
    """
    try:
        with bounded_memory(source, PotentialError):
            check_yaml(text)
            # BaseLoader: strings, lists and dicts only
            return yaml.load(text, Loader=_SequenceKeyLoader if sequence_keys else _LOADER)
    except (yaml.YAMLError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise PotentialError(f"{source}: not readable as YAML ({reason})") from None


def to_float(value: Any, what: str) -> float:
    """Finite number from its text; what names the place for the error."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise PotentialError(f"{what}: expected a number, got {shorten(value)}") from None
    if not isfinite(number):
        raise PotentialError(f"{what}: expected a finite number, got {shorten(value)}")
    return number


def to_int(value: Any, what: str) -> int:
    """Integer from its text."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise PotentialError(f"{what}: expected an integer, got {shorten(value)}") from None


def to_floats(value: Any, what: str) -> tuple[float, ...]:
    """Finite numbers from a list of texts."""
    return tuple(to_float(item, what) for item in to_list(value, what))


def to_ints(value: Any, what: str) -> tuple[int, ...]:
    """Integers from a list of texts."""
    return tuple(to_int(item, what) for item in to_list(value, what))


def to_list(value: Any, what: str) -> list[Any]:
    """The value if it is a list."""
    if not isinstance(value, list):
        raise PotentialError(f"{what}: expected a list, got {shorten(value)}")
    return value


def to_map(value: Any, what: str) -> dict[str, Any]:
    """The value if it is a map whose keys are texts; an empty value counts as an empty map."""
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise PotentialError(f"{what}: expected a map, got {shorten(value)}")
    return value


def to_bool(value: Any, what: str) -> bool:
    """Truth value from its text."""
    text = str(value).lower()
    if text not in ("true", "false", "yes", "no", "on", "off"):
        raise PotentialError(f"{what}: expected true or false, got {shorten(value)}")
    return text in ("true", "yes", "on")


def to_text(value: Any, what: str) -> str:
    """The value if it is a text."""
    if not isinstance(value, str):
        raise PotentialError(f"{what}: expected a text, got {shorten(value)}")
    return value


def shorten(value: Any, length: int = 60) -> str:
    """Value for an error message; nested values are not expanded, because aliases could make them endless."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a map of {len(value)}"
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def quote(text: str) -> str:
    """Text as a YAML scalar on one line: plain where that is safe, double-quoted with escapes otherwise."""
    if _PLAIN.fullmatch(text) and text.lower() not in ("no", "yes", "on", "off", "true", "false", "null"):
        return text
    dumped = yaml.dump(text, Dumper=yaml.SafeDumper, default_style='"', width=2**31, allow_unicode=False)
    return dumped.removesuffix("\n").removesuffix("\n...")
