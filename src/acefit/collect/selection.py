"""Which ionic steps of a calculation are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from acefit.errors import DataError

Item = TypeVar("Item")

WORDS = ("first", "last", "all", "first_and_last")


def parse_selection(text: str) -> slice | str:
    """A selection as a slice, or the word `first_and_last`, which is none.

    Raises
    ------
    DataError
        If it is neither one of `WORDS` nor a slice `first:last:step` as in Python.
    """
    words: dict[str, slice | str] = {
        "first": slice(0, 1),
        "last": slice(-1, None),
        "all": slice(None),
        "first_and_last": "first_and_last",
    }
    if text in words:
        return words[text]
    parts = text.split(":")
    try:
        if len(parts) not in (2, 3):
            raise ValueError
        chosen = slice(*(int(part) if part.strip() else None for part in parts))
        range(0)[chosen]  # a step of zero is an error
    except ValueError:
        raise DataError(
            f"selection {text!r} is not understood; give {', '.join(WORDS)} or a slice such as ::10 (every tenth step)"
        ) from None
    return chosen


def select_steps(steps: Sequence[Item], selection: slice | str) -> list[Item]:
    """The selected ones of some steps; a single step is taken once."""
    if isinstance(selection, str):
        return list(steps) if len(steps) < 2 else [steps[0], steps[-1]]
    return list(steps[selection])
