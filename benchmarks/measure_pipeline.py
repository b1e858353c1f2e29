"""Start-up of the pipeline on the embedded example: what a job costs besides its stage, the first iteration, an idle call.

A fit of few iterations runs once in a temporary folder. From it come the cost of a job (time of its process without the stage
itself: interpreter, Snakemake's preamble, imports) and the script that Snakemake wrote for the fit, which is then started
again and again by itself, up to the first line of its log with an iteration.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from measuring import REPOSITORY, Row, summary

CASE = "embedded example"
SETTINGS = "fit={maxiter: 2, ladder_step: 120, fit_cycles: 1}"
COMMAND = [
    *(sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", str(REPOSITORY / "Snakefile")),
    *("--skip-script-cleanup", "--configfile", str(REPOSITORY / "config/config.yaml"), "--config", SETTINGS),
]


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Output of a command in a folder.

    Raises
    ------
    RuntimeError
        If it fails; with the end of what it said.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def overheads(output: str, folder: Path) -> dict[str, float]:
    """Seconds of each stage's job process outside the stage."""
    inside = {name: float(value) for name, value in re.findall(r"^\[(\w+)[^\]]*\] done in ([\d.]+) s$", output, re.M)}
    found = {}
    for path in (folder / "results").rglob("benchmarks/**/*.tsv"):
        parts = path.relative_to(folder / "results").parts
        stage = "neighborlists" if path.stem.startswith("shard") else parts[parts.index("benchmarks") + 1].removesuffix(".tsv")
        with path.open() as file:
            found[stage] = max(0.0, float(next(csv.DictReader(file, delimiter="\t"))["s"]) - inside[stage])
    return found


def first_iteration(folder: Path, **environment: str) -> float:
    """Seconds from the start of the process of a fit to the first iteration in its log."""
    script = next((folder / ".snakemake/scripts").glob("*.fit.py"))
    log = next((folder / "results").rglob("logs/fit/step-00-cycle-00.log"))
    for running in (folder / "results").rglob("fit/step-00/cycle-00/running"):
        shutil.rmtree(running)
    begun = time.time()
    run([sys.executable, str(script)], folder, **environment)
    line = next(line for line in log.read_text().splitlines() if " Iteration " in line)
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp() - begun


def idle(folder: Path) -> float:
    """Seconds of a call with nothing to do."""
    begun = time.perf_counter()
    output = run(COMMAND, folder)
    if "Nothing to be done" not in output:
        raise RuntimeError(f"a finished run is not idle:\n{output[-2000:]}")
    return time.perf_counter() - begun


def rows(quantity: str, function: Callable[[], float], repeats: int) -> Iterator[Row]:
    """Seconds by the clock, and of the processor for the whole process, which other jobs disturb less."""
    clock, processor = [], []
    for _ in range(repeats):
        before = os.times()
        clock.append(function())
        after = os.times()
        processor.append(after.children_user + after.children_system - before.children_user - before.children_system)
    for title, values in ((quantity, clock), (f"{quantity}, processor", processor)):
        yield Row("pipeline", CASE, title, "s", 1, **summary(values))


def measure(repeats: int) -> Iterator[Row]:
    """Rows of all three."""
    with tempfile.TemporaryDirectory(prefix="acefit-pipeline-") as name:
        folder = Path(name)
        output = run(COMMAND, folder, ACEFIT_LOG_LEVEL="DEBUG")
        yield from rows("call with nothing to do", lambda: idle(folder), repeats)
        yield from rows("fit to its first iteration, filled cache", lambda: first_iteration(folder), repeats)
        with tempfile.TemporaryDirectory(prefix="acefit-cache-") as cache:
            yield from rows(
                "fit to its first iteration, empty cache", lambda: first_iteration(folder, ACEFIT_KERNEL_CACHE=cache), 1
            )
        for stage, seconds in overheads(output, folder).items():
            yield Row("pipeline", CASE, f"job of {stage} without the stage itself", "s", 1, seconds, seconds, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", nargs="?", type=int, default=5, help="how often each time is taken (default 5)")
    for row in measure(parser.parse_args().repeats):
        print(f"{row.quantity}: median {row.median:.2f}, minimum {row.minimum:.2f} {row.unit}", flush=True)
