"""Plain-language description of what a key accepts, from the JSON schema of the model.

The same words stand in error messages and in the documentation.
"""

from functools import cache
from typing import Any

Node = dict[str, Any]


@cache
def schema() -> Node:
    """JSON schema of the configuration, with the spellings of the input file."""
    from acefit.config.model import Config

    return Config.model_json_schema(by_alias=True)


def resolved(node: Node) -> Node:
    """Follow a reference to a named section; keys beside the reference (description, default) win."""
    if "$ref" in node:
        return {**schema()["$defs"][node["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def alternatives(node: Node) -> list[Node]:
    """Members of a union, references kept; a node that is no union is its only member."""
    parts = node.get("anyOf") or node.get("oneOf")
    return [branch for part in parts for branch in alternatives(part)] if parts else [node]


def find_node(loc: tuple[str | int, ...]) -> Node | None:
    """Schema node of an error location, whose names of union members are used or passed over; None for an unknown key."""
    node = schema()
    for position, element in enumerate(loc):
        following = _descend(node, element)
        if following is None and position == len(loc) - 1 and "properties" in node:
            return None
        node = following or node
    return node


def _descend(node: Node, element: str | int) -> Node | None:
    for branch in alternatives(node):
        if branch.get("$ref", "").endswith(f"/{element}"):
            return resolved(branch)
        content = resolved(branch)
        if isinstance(element, int):
            if "items" in content:
                return resolved(content["items"])
        elif element in content.get("properties", {}):
            return resolved(content["properties"][element])
    for branch in alternatives(node):
        rest = resolved(branch).get("additionalProperties")
        # A member name such as "list[...]" never is a key: keys are words
        if isinstance(rest, dict) and isinstance(element, str) and "[" not in element:
            return resolved(rest)
    return None


def describe(node: Node) -> str:
    """Words for the values a node accepts, such as "number from 0 to 1, or 'auto'"."""
    texts = list(dict.fromkeys(_describe_one(resolved(part)) for part in alternatives(node) if part.get("type") != "null"))
    return ", or ".join(texts) or "anything"


def _describe_one(node: Node) -> str:
    if "const" in node:
        return f"'{node['const']}'"
    if "enum" in node:
        return "one of " + ", ".join(f"'{value}'" for value in node["enum"])
    kind = node.get("type")
    if kind in ("number", "integer"):
        return _describe_number(node)
    if kind == "array":
        size = f"{node['minItems']} entries" if node.get("minItems", 0) == node.get("maxItems", -1) else "entries"
        return f"list ({size}: {describe(node.get('items', {}))})"
    if kind == "object":
        rest = node.get("additionalProperties")
        return f"map (each entry: {describe(rest)})" if isinstance(rest, dict) and "properties" not in node else "map of keys"
    if "pattern" in node:
        return "name of letters, digits, '.', '_', '+', '-'"
    return {"string": "text", "boolean": "true or false"}.get(str(kind), "anything")


def _describe_number(node: Node) -> str:
    word = "integer" if node["type"] == "integer" else "number"
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{word} from {low:.12g} to {high:.12g}"
    if above is not None and below is not None:
        return f"{word} above {above:.12g} and below {below:.12g}"
    if above == 0 or (low == 1 and word == "integer"):
        return f"positive {word}"
    return f"{word}, {low:.12g} or more" if low is not None else word
