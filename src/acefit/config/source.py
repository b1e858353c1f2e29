"""Reading of a YAML input file together with the line of every key and value.

No key is interpreted here.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from acefit.errors import ConfigError
from acefit.untrusted import YamlLimitError, check_yaml, read_text

KeyPath = tuple[str | int, ...]

MAX_BYTES = 2**20
"""A configuration larger than this is none; PyYAML needs a thousand times as much memory as the text has characters."""


class _Loader(yaml.SafeLoader):
    """Safe loader in which only true and false are booleans.

    YAML 1.1 also takes yes, no, on and off for booleans, and with them the pairs `NO` and `ON` of nitrogen and oxygen.
    """


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


@dataclass(frozen=True)
class Source:
    """An input file.

    Attributes
    ----------
    path : the file
    data : its content
    lines : line (from 1) of every key path
    repeated : path and line of keys that occur again in the same map
    """

    path: Path
    data: dict[Any, Any]
    lines: dict[KeyPath, int]
    repeated: list[tuple[KeyPath, int]] = field(default_factory=list)


def read_source(path: str | Path) -> Source:
    """Read an input file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is larger than a configuration can be, is no YAML, or holds something else than a map.
    """
    path = Path(path)
    try:
        text = read_text(path, MAX_BYTES)
        loader = _Loader(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as a configuration file: {error}") from error
    lines: dict[KeyPath, int] = {}
    repeated: list[tuple[KeyPath, int]] = []
    try:
        check_yaml(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path}: must hold a map of sections (potential, data, fit, ...)")
        _record_lines(node, (), lines, repeated)
        data = loader.construct_document(node)
    except ConfigError:
        raise
    except Exception as error:  # a value that is not what its tag says may raise anything within PyYAML
        raise ConfigError(_syntax_message(path, error)) from error
    finally:
        loader.dispose()
    return Source(path, data, lines, repeated)


def read_value(text: str) -> Any:
    """Value of a text, such as the cell of a table, as it would be read behind a key.

    Raises
    ------
    ConfigError
        If the text is not valid YAML.
    """
    try:
        check_yaml(text)
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ConfigError(f"{text!r} is not valid YAML: {getattr(error, 'problem', None) or error}") from error


def _syntax_message(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    what = getattr(error, "problem", None) or str(error)
    if isinstance(error, YamlLimitError):
        return f"{where}: {what}; no configuration needs that"
    return f"{where}: not valid YAML: {what} (check indentation, brackets, quotes and tabs near this line)"


def _record_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], repeated: list[tuple[KeyPath, int]]) -> None:
    """Note the line of every key below a node; maps merged with `<<` count at their own place."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            _record_lines(item, (*path, index), lines, repeated)
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key_node, value in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for part in merged:
                _record_lines(part, path, lines, repeated)
            continue
        here = (*path, str(key_node.value))
        line = key_node.start_mark.line + 1
        if here in seen:
            repeated.append((here, line))
        seen.add(here)
        lines[here] = line
        _record_lines(value, here, lines, repeated)


def locate(sources: list[Source], path: KeyPath) -> tuple[str, int]:
    """File and line of a key path, or of the closest enclosing key; the last source that has it wins.

    Line 0 stands for a key that is in no source, the empty file name for no source at all.
    """
    for length in range(len(path), 0, -1):
        for source in reversed(sources):
            if path[:length] in source.lines:
                return str(source.path), source.lines[path[:length]]
    return (str(sources[-1].path) if sources else ""), 0
