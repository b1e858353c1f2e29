"""Trials of the fault-injection suite on one fit: each child process of this script meets one fault, the next one goes on.

    python tests/fault_trials.py FOLDER kill full:first memory

The step `fit` runs on real files with a cheap loss in place of the true one, so that a trial takes a fraction of a second. A calm
run lists the fault points that are passed; then there is one trial for each time one is passed, or the first time. Prints JSON:
per kind of fault the number of trials, of those that ended at the potential of the calm run, and the most iterations lost.
"""

import json
import os
import shutil
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import acefit.fit.recorder as recorder
import acefit.steps.fit as step
from acefit.faults import armed
from acefit.fit.checkpoint import DIGEST_BYTES, MAGIC, EvaluationLog
from acefit.fit.run import FitJob
from pipeline_files import outputs, write_inputs
from standins import AnalyticLoss

SECTION = {"maxiter": 4, "display_step": 3, "loss": {"kappa": "auto"}}
OUTPUTS = ("potential.yaml", "metrics.parquet", "result.yaml")
ITERATION = "iteration"
FAILED = 17


def cheap_loss(potential, data, settings, with_gradient, n_blocks):
    """Loss that needs no compiled kernels."""
    return AnalyticLoss(data)


def run_child(inputs, folder, setting):
    """Fit in a child process with a fault; its status as from `os.waitpid`."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    fault_point = armed(setting)
    for module in list(sys.modules.values()):
        if hasattr(module, "fault_point"):
            module.fault_point = fault_point
    recorder.WRITING_SHARE = float("inf")  # the current potential after each iteration, so that each run passes the same points
    step.FitJob = partial(FitJob, make_loss=cheap_loss)
    try:
        step.fit(fit=SECTION, seed=1, step=0, cycle=0, code="x", paths_to_previous=(), **inputs, **outputs(folder))
    except (OSError, MemoryError):
        os._exit(FAILED)
    os._exit(0)


def logged_iterations(folder):
    """Number of iterations in the log of evaluations, the start included."""
    path = folder / "running" / "evaluations.log"
    if not path.exists() or path.stat().st_size < len(MAGIC) + DIGEST_BYTES:
        return 0
    digest = path.read_bytes()[len(MAGIC) : len(MAGIC) + DIGEST_BYTES]
    with EvaluationLog.open(path, digest) as log:
        return len(log.iterations)


def try_fault(inputs, folder, calm, fault):
    """One trial; whether the potential is that of the calm run, and the number of iterations lost.

    `fault` is the point, the how-many-eth time it is passed, the iterations begun before, and the action.
    """
    name, number, begun, action = fault
    shutil.rmtree(folder, ignore_errors=True)
    status = run_child(inputs, folder, f"{name}:{number}:{action}")
    expected = os.WTERMSIG(status) == signal.SIGKILL if action == "kill" else os.waitstatus_to_exitcode(status) == FAILED
    assert expected, (fault, status)
    for output in OUTPUTS[:1]:
        # what is there is complete
        assert not (folder / output).exists() or (folder / output).read_bytes() == (calm / output).read_bytes(), fault
    lost = begun - logged_iterations(folder)
    for output in OUTPUTS:
        # as Snakemake does before it gives a job again
        (folder / output).unlink(missing_ok=True)
    assert run_child(inputs, folder, None) == 0, fault
    same = all(
        (folder / file).read_bytes() == (calm / file).read_bytes() for file in ("potential.yaml", "running/potential.yaml")
    )
    left = [path for path in folder.rglob("*") if path.name.endswith(".part")]
    assert not left, (fault, left)
    return same, lost


def main():
    """Run all trials of the kinds that are asked for."""
    base, actions = Path(sys.argv[1]), sys.argv[2:]
    inputs, calm = write_inputs(base), base / "calm"
    assert run_child(inputs, calm, f"list:{base / 'points'}") == 0
    passed, points = Counter(), []
    for name in (base / "points").read_text().splitlines():
        passed[name] += 1
        points.append((name, passed[name], passed[ITERATION]))
    table = {}
    for text in actions:
        action, _, when = text.partition(":")
        chosen = [point for point in points if when != "first" or point[1] == 1]
        results = [try_fault(inputs, base / "trial", calm, (*point, action)) for point in chosen]
        table[action] = {
            "trials": len(results),
            "survivors": sum(same for same, _ in results),
            "lost": max(lost for _, lost in results),
        }
    print(json.dumps({"points": sorted(passed), "table": table}))


if __name__ == "__main__":
    main()
