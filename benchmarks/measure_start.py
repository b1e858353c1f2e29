"""Time from the start of a process to the first result, with an empty and with a filled cache of compiled kernels.

python benchmarks/measure_start.py energy|loss      does it once in this process and prints JSON
"""

from __future__ import annotations

import time

BEGUN = time.time()

import argparse  # noqa: E402 - the clock starts before everything else
import importlib  # noqa: E402
import json  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

GOALS = {"energy": "first energy and forces", "loss": "first loss and gradient"}
IMPORTS = ("numpy", "scipy.sparse", "ase", "pyarrow", "numba", "vesin", "acefit.calculator", "acefit.fit.loss", "acefit.fit.run")
"""In the order in which they are imported and timed: each entry costs what those before have not loaded."""


def timed_imports() -> dict[str, float]:
    """Seconds of each import."""
    found = {}
    for name in IMPORTS:
        begun = time.perf_counter()
        importlib.import_module(name)
        found[f"import {name}"] = time.perf_counter() - begun
    return found


def first_energy() -> None:
    """Energy and forces of two copper atoms."""
    from ase.build import bulk

    from acefit.calculator import ACECalculator
    from shapes import SECTIONS, random_potential

    atoms = bulk("Cu", cubic=True)
    atoms.calc = ACECalculator(random_potential(SECTIONS["Cu-III"]))
    atoms.get_forces()


def first_loss() -> None:
    """Loss and gradient of a few copper cells."""
    from measure_loss import build_loss
    from shapes import load_training_set

    loss = build_loss(load_training_set("Cu-I", None, True), 1)
    loss(loss.layout.vector())


def in_this_process(goal: str) -> dict[str, Any]:
    """Seconds from the start of the script; the parts."""
    parts = timed_imports()
    imported = time.time()
    (first_energy if goal == "energy" else first_loss)()
    return {**parts, "all imports": imported - BEGUN, "after imports": time.time() - imported, "end": time.time()}


def run_once(goal: str, cache: str) -> dict[str, float]:
    """Parts of one run in a fresh process; `total` counts from before the interpreter starts."""
    from measuring import run_fresh

    begun = time.time()
    parts: dict[str, float] = run_fresh("measure_start.py", goal, environment={"ACEFIT_KERNEL_CACHE": cache})
    return {**parts, "total": parts.pop("end") - begun}


def measure(repeats: int) -> Iterator[Any]:
    """Rows of both goals, cold once and warm several times."""
    from measuring import Row, summary

    imports: list[dict[str, float]] = []
    for goal, title in GOALS.items():
        with tempfile.TemporaryDirectory(prefix="acefit-cache-") as cache:
            cold, *warm = [run_once(goal, cache) for _ in range(1 + repeats)]
        imports += warm
        yield Row("start", "empty cache", title, "s", 1, cold["total"], cold["total"], 1)
        yield Row("start", "filled cache", title, "s", 1, **summary(run["total"] for run in warm))
        yield Row("start", "filled cache", f"{title}, after imports", "s", 1, **summary(run["after imports"] for run in warm))
    for name in [f"import {name}" for name in IMPORTS] + ["all imports"]:
        yield Row("start", "imports", name, "s", 1, **summary(run[name] for run in imports))


def main() -> None:
    """Do it once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goal", choices=tuple(GOALS))
    print(json.dumps(in_this_process(parser.parse_args().goal)))


if __name__ == "__main__":
    main()
