"""Structures of an extended XYZ file, before ASE reads them."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import TextIO

from acefit.errors import DataError

_COLUMNS = re.compile(r":[RISL]:(\d+)")


def check_frames(text: TextIO, path: Path) -> None:
    """Compare the numbers of atoms and columns with what is there: ASE trusts them, and stops silently at an empty line.

    Raises
    ------
    DataError
        With the line that is wrong.
    """
    lines = enumerate(text, 1)
    number, line = next(lines, (1, ""))
    while line.strip():
        try:
            n_atoms = int(line)
        except ValueError:
            raise DataError(f"{path}, line {number}: a number of atoms is expected, not {line.strip()[:40]!r}") from None
        comment = next(lines, (0, ""))[1]
        if any(len(columns) > 4 for columns in _COLUMNS.findall(comment)):
            raise DataError(f"{path}, line {number + 1}: properties have an absurd number of columns")
        n_found = sum(1 for _ in itertools.islice(lines, min(max(n_atoms, 0), sys.maxsize)))
        if n_found != n_atoms:
            raise DataError(f"{path}, line {number}: {n_atoms} atoms are announced, but {n_found} lines follow; is it cut off?")
        number, line = next(lines, (number, ""))
        while line.lstrip().startswith("VEC"):
            number, line = next(lines, (number, ""))
    for number, line in lines:
        if line.strip():
            raise DataError(f"{path}, line {number}: structures behind an empty line would be lost; remove that line")
