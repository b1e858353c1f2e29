"""Guards for files that nobody vouches for: what is no file, YAML that unfolds without end, memory without bound.

Readers of one kind of file have their own checks beside these; what was tried against them is in `docs/fuzzing.md`.
"""

import os
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from acefit.errors import AcefitError
from acefit.system import memory_entry

MEMORY_BASE = 2**32
MEMORY_PER_BYTE = 200
"""Reading a file may take MEMORY_BASE bytes and this many more per byte of the file; compressed text takes about 50.

What is counted is address space, of which libraries reserve a gigabyte at once and never use it.
"""

MAX_NESTING = 100
MAX_ALIASED = 1_000_000
"""Entries that aliases may add to a YAML file when they are written out."""

MAX_DIGITS = 300
_DIGITS = re.compile(r"[-+]?[0-9][0-9A-Fa-f_:x.]*")
_EVENTS = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def check_regular(path: Path) -> None:
    """Refuse folders, pipes and devices, of which the latter would never end; a missing file is left to whoever opens it.

    Raises
    ------
    OSError
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is a folder, a pipe or a device, not a file")


def read_text(path: Path, max_bytes: int | None = None) -> str:
    """Text of a regular file in UTF-8.

    Raises
    ------
    OSError, UnicodeDecodeError
        If there is none, or it has more than `max_bytes`.
    """
    check_regular(path)
    if max_bytes is not None and path.stat().st_size > max_bytes:
        raise OSError(f"it has more than {max_bytes / 2**20:.0f} MiB")
    return path.read_text(encoding="utf-8")


def first_line(error: BaseException) -> str:
    """First line of an error's text, or its name if it says nothing."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def fair_size(path: str | os.PathLike[str]) -> int:
    """Bytes that the content of a file may reasonably take when it is unpacked."""
    return MEMORY_BASE // 4 + _size_unpacked(path)


def _size_unpacked(path: str | os.PathLike[str]) -> int:
    return MEMORY_PER_BYTE * os.path.getsize(path) if os.path.isfile(path) else 0


@contextmanager
def bounded_memory(path: str | os.PathLike[str], error: type[AcefitError]) -> Iterator[None]:
    """Let a block take only memory in proportion to the size of the file it reads (on Linux; elsewhere without effect).

    Parameters
    ----------
    path : path
        The file that is read.
    error : type
        What a lack of memory is raised as.

    Raises
    ------
    AcefitError
        Of the given type, if the block needs more.
    """
    used = memory_entry("VmSize")
    if used is None:
        yield
        return
    allowance = MEMORY_BASE + _size_unpacked(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + allowance
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *limits]), hard))
    try:
        yield
    except MemoryError:
        raise error(
            f"{path} would take more than {allowance / 2**30:.1f} GiB of memory, {MEMORY_PER_BYTE} times its size and more: "
            "it is damaged or made to do harm; if you trust it, divide it or save it in another format"
        ) from None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class YamlLimitError(yaml.MarkedYAMLError):
    """YAML that is well-formed and must not be loaded."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def check_yaml(text: str) -> None:
    """Refuse YAML that would exhaust stack, memory or patience when it is loaded and looked through; takes linear time itself.

    Raises
    ------
    yaml.YAMLError
        If the text is not YAML, nests too deep, has an alias within what it refers to, aliases that write out to too many
        entries, or a number of too many digits.
    """
    # Each open collection, the stream being the first: anchor, entries with aliases written out, levels below it
    stack: list[tuple[str | None, int, int]] = [(None, 0, 0)]
    anchors: dict[str, tuple[int, int] | None] = {}
    for n_events, event in enumerate(yaml.parse(text, Loader=_EVENTS)):
        anchor, entries, levels = getattr(event, "anchor", None), 1, 0
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((anchor, 1, 1))
            if anchor:
                anchors[anchor] = None
            if len(stack) > MAX_NESTING:
                raise YamlLimitError(f"lists or maps nested more than {MAX_NESTING} deep", event.start_mark)
            continue
        if isinstance(event, yaml.AliasEvent):
            known = anchors.get(event.anchor or "", (1, 0))  # an alias of nothing is left to the loader
            if known is None:
                raise YamlLimitError("an alias (*name) refers to the map or list that contains it", event.start_mark)
            anchor, (entries, levels) = None, known
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, entries, levels = stack.pop()
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        elif len(event.value) > MAX_DIGITS and _DIGITS.fullmatch(event.value):
            raise YamlLimitError(f"a number has more than {MAX_DIGITS} digits", event.start_mark)
        if anchor:
            anchors[anchor] = (entries, levels)
        above, total, below = stack[-1]
        stack[-1] = (above, total + entries, max(below, levels + 1))
        if len(stack) + levels > MAX_NESTING:
            raise YamlLimitError(f"lists or maps nested more than {MAX_NESTING} deep", event.start_mark)
        if total + entries > n_events + MAX_ALIASED:
            raise YamlLimitError(f"aliases (*name) write out to more than {MAX_ALIASED} entries", event.start_mark)
