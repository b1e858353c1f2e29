"""Problems of a configuration, each with its key, value, valid range and nearest valid key, and their presentation."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acefit.config.elements import KEYWORDS, split_key
from acefit.config.schema_text import Node, alternatives, describe, find_node, resolved, schema
from acefit.config.source import KeyPath, Source, locate


@dataclass(frozen=True)
class Problem:
    """One fault: the path of the key, what is wrong and how to mend it, and other keys that take part."""

    path: KeyPath
    message: str
    involves: tuple[KeyPath, ...] = ()


def dotted(path: KeyPath) -> str:
    """Path as text: `fit.ladder_step[1]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def nearest(word: str, choices: Iterable[str]) -> str:
    """Closest choice as a question, or nothing."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def problems_from_errors(errors: Sequence[Mapping[str, Any]], data: Any) -> list[Problem]:
    """Translate pydantic's errors; alternatives of a union that all failed become one problem."""
    found: dict[KeyPath, Problem] = {}
    for error in errors:
        loc, kind = tuple(error["loc"]), error["type"]
        path = _data_path(loc, data, missing=kind == "missing")
        if kind == "missing":
            message = _missing_message(loc)
        elif kind == "extra_forbidden":
            message = _unknown_message(loc)
        else:
            message = _entry_message(path) or _value_message(error, loc, path, data)
        found.setdefault(path, Problem(path, message))
    # An entry of a list or map is to blame, not the list or map for not being a plain value
    return [
        problem for path, problem in found.items() if not any(other != path and other[: len(path)] == path for other in found)
    ]


def _data_path(loc: KeyPath, data: Any, *, missing: bool) -> KeyPath:
    """Drop the names of union members from a location: what is left leads to a value in the data."""
    path: list[str | int] = []
    for element in loc:
        inside = (isinstance(data, dict) and element in data) or (
            isinstance(data, list) and isinstance(element, int) and element < len(data)
        )
        if inside:
            path.append(element)
            data = data[element]
    return (*path, loc[-1]) if missing else tuple(path)


def _value_at(path: KeyPath, data: Any) -> Any:
    for element in path:
        data = data[element]
    return data


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _node_of(loc: KeyPath, path: KeyPath) -> Node:
    """Node that describes a value: that of the whole union if the value is a plain one."""
    keys = [position for position, element in enumerate(loc) if path and element == path[-1]]
    return find_node(loc[: keys[-1] + 1] if keys else loc) or {}


def _value_message(error: Mapping[str, Any], loc: KeyPath, path: KeyPath, data: Any) -> str:
    if error["type"] == "weighting_type":
        return str(error["msg"])
    return f"is {_shown(_value_at(path, data))}; valid: {describe(_node_of(loc, path))}"


def _entry_message(path: KeyPath) -> str | None:
    """Say that an entry of embeddings, bonds or functions is a misspelt key rather than a keyword with a wrong value."""
    if len(path) != 3 or path[0] != "potential" or not isinstance(path[2], str) or path[2] in KEYWORDS or split_key(path[2]):
        return None
    keys = (find_node(path[:2]) or {}).get("properties", {})
    return f"unknown key{nearest(path[2], [*KEYWORDS, *keys])}"


def _missing_message(loc: KeyPath) -> str:
    node = find_node(loc) or {}
    return f"is missing: {node.get('description', '')}; valid: {describe(node)}"


def _unknown_message(loc: KeyPath) -> str:
    section, word = find_node(loc[:-1]) or {}, str(loc[-1])
    valid = [name for branch in alternatives(section) for name in resolved(branch).get("properties", {})]
    hint = nearest(word, valid)
    if not hint:
        elsewhere = [place for place in _places_of(word) if place != dotted(loc)]
        hint = f"; it belongs to {elsewhere[0]}" if elsewhere else f"; valid keys: {', '.join(valid)}"
    return f"unknown key{hint}"


def _places_of(word: str) -> list[str]:
    """Paths of all keys with this name in the whole tree."""
    places: list[str] = []

    def visit(node: Node, path: str) -> None:
        for branch in alternatives(node):
            content = resolved(branch)
            for name, child in content.get("properties", {}).items():
                here = f"{path}.{name}".lstrip(".")
                if name == word:
                    places.append(here)
                visit(child, here)
            rest = content.get("additionalProperties")
            if isinstance(rest, dict):
                visit(rest, f"{path}.<key>")

    visit(schema(), "")
    return places


def place_name(path: KeyPath, sources: list[Source]) -> str:
    """Where a key stands, `input.yaml:7: data.filename`; what is not known is left out."""
    file, line = locate(sources, path)
    return ": ".join(filter(None, (f"{file}:{line}" if line else file, dotted(path))))


def listing(problems: Sequence[Problem], sources: list[Source]) -> str:
    """All problems as one text in the order of the file: file and line, key, message."""
    placed = sorted(((*locate(sources, problem.path), problem) for problem in problems), key=lambda item: item[:2])
    lines = ["  " + ": ".join(filter(None, (place_name(problem.path, sources), problem.message))) for *_, problem in placed]
    head = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([f"{head} in the configuration:", *lines])
