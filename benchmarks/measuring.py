"""What all parts of the suite share: one row of the results, repeated timings, fresh processes, tables and files."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent


class Row(NamedTuple):
    """One measured number.

    Attributes
    ----------
    section, case, quantity, unit : what was measured; a quantity without unit is a ratio or a count
    threads : 0 where threads play no role
    median, minimum : of the runs
    runs : how often it was measured
    atoms, neighbours, functions : size of the case (pairs per atom), 0 where there is none
    synthetic : whether data or potential were invented here because the published ones are not at hand
    """

    section: str
    case: str
    quantity: str
    unit: str
    threads: int
    median: float
    minimum: float
    runs: int
    atoms: int = 0
    neighbours: float = 0.0
    functions: int = 0
    synthetic: bool = False


class Options(NamedTuple):
    """How the suite runs: see the options of `suite.py`."""

    shared: Path | None
    peers: Path | None
    repeats: int
    threads: tuple[int, ...]
    quick: bool
    limit: float = 300.0


SECONDS_PER_REPEAT = 0.05
"""Fast functions are called more often than asked for, until they have taken this long for each repeat: the median of a few
calls of milliseconds is that of whatever else the machine was doing."""

MOST = 20
"""Calls for each repeat at most."""


def seconds(function: Callable[[], Any], repeats: int) -> list[float]:
    """Wall times after one call that compiles and warms up."""
    return alternate([function], repeats)[0]


def alternate(functions: Sequence[Callable[[], Any]], repeats: int) -> list[list[float]]:
    """Wall times of several functions called in turn, so that all see the same state of the machine; at least `repeats` each."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    end = time.perf_counter() + SECONDS_PER_REPEAT * repeats * len(functions)
    while len(times[0]) < repeats or (time.perf_counter() < end and len(times[0]) < MOST * repeats):
        for function, found in zip(functions, times, strict=True):
            begun = time.perf_counter()
            function()
            found.append(time.perf_counter() - begun)
    return times


def summary(values: Iterable[float], scale: float = 1.0) -> dict[str, Any]:
    """Fields `median`, `minimum` and `runs` of a row."""
    scaled = [scale * value for value in values]
    return {"median": statistics.median(scaled), "minimum": min(scaled), "runs": len(scaled)}


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, Any]:
    """Fields of a row for the ratio of two times: of the medians and of the minima."""
    return {
        "median": statistics.median(above) / statistics.median(below),
        "minimum": min(above) / min(below),
        "runs": min(len(above), len(below)),
    }


def rows_of_all(parts: Iterable[Iterable[Row]]) -> Iterator[Row]:
    """Rows of all parts; one that fails does not stop the others.

    Raises
    ------
    RuntimeError
        At the end, with the errors of all parts that failed.
    """
    errors = []
    for part in parts:
        try:
            yield from part
        except RuntimeError as error:
            errors.append(str(error))
    if errors:
        raise RuntimeError("\n".join(errors))


def run_fresh(script: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Any:
    """Run a script of this folder in a fresh process and return the JSON it prints last.

    Raises
    ------
    RuntimeError
        If it fails; with the end of its errors.
    """
    command = [sys.executable, HERE / script, *arguments]
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def format_number(value: float) -> str:
    """Three significant digits, without exponent where that is readable."""
    if value != 0.0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def markdown(rows: Sequence[Row]) -> str:
    """Rows of one section as a table."""
    lines = ["| case | threads | quantity | median | min | unit | atoms | neighbours | functions |", "|---" * 9 + "|"]
    for row in rows:
        case = f"{row.case} (synthetic)" if row.synthetic else row.case
        sizes = [f"{size:.4g}" if size else "" for size in (row.atoms, row.neighbours, row.functions)]
        numbers = [format_number(row.median), format_number(row.minimum)]
        lines.append("| " + " | ".join([case, str(row.threads or ""), row.quantity, *numbers, row.unit, *sizes]) + " |")
    return "\n".join(lines)


def write_results(rows: Sequence[Row], machine: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `suite.parquet` and `suite.json`; the machine is in the metadata of the first and beside the rows of the second."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([row._asdict() for row in rows], schema=schema())
    pq.write_table(table.replace_schema_metadata({"machine": json.dumps(machine)}), folder / "suite.parquet")
    content = {"machine": dict(machine), "rows": [row._asdict() for row in rows]}
    (folder / "suite.json").write_text(json.dumps(content, indent=1) + "\n")
    return [folder / "suite.parquet", folder / "suite.json"]


def schema() -> pa.Schema:
    """Columns of the results."""
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return pa.schema([(name, kinds[kind]) for name, kind in get_type_hints(Row).items()])
