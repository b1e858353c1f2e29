"""Run a step in this process, or in several that `mpiexec` or `srun` starts.

    mpiexec -n 4 python -m acefit.launch job.json

is what `run_step` calls; each process reads the same file and takes its part.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from acefit.errors import AcefitError, FitError
from acefit.workflow import available_threads, job_context, limit_threads

log = logging.getLogger(__name__)

REPORTED = 3
"""Status of processes that have said what is wrong."""


def run_step(step: Callable[..., None], arguments: Mapping[str, Any], snakemake: Any) -> None:
    """Call a step, in several processes if the job has the resource `mpi`.

    Parameters
    ----------
    step : callable
        Function of `acefit.steps` that takes `processes`.
    arguments : mapping
        Its other keywords; JSON-able.
    snakemake : object
        What Snakemake gives its scripts. Of its resources, `mpi` is the command that starts processes and `tasks` their number;
        each has the threads of the rule.

    Raises
    ------
    FitError
        If mpi4py is absent, or a process ended before its work was done.
    """
    command = snakemake.resources.get("mpi")
    if not command:
        step(**arguments)
        return
    if find_spec("mpi4py") is None:
        raise FitError("the resource mpi needs mpi4py: pip install 'acefit[mpi]', or take the resource away")
    job = {
        "step": step.__name__,
        "arguments": dict(arguments),
        "rule": str(snakemake.rule),
        "wildcards": dict(snakemake.wildcards.items()),
        "log": str(snakemake.log[0]),
        "threads": int(snakemake.threads),
    }
    _launch(shlex.split(command), int(snakemake.resources.get("tasks") or 1), job)


def find_program(name: str) -> str | None:
    """Path of a program: the one of this environment first, which mpi4py was installed with."""
    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def _launch(command: list[str], tasks: int, job: Mapping[str, Any]) -> None:
    """Start the processes and wait for them."""
    # beside the log, where all nodes see it
    path = Path(job["log"]).with_suffix(".job.json")
    found = find_program(command[0])
    if found is None:
        raise FitError(f"there is no program {command[0]!r}; mend the resource mpi of the rule fit, or install Open MPI or MPICH")
    path.write_text(json.dumps(job, default=str), encoding="utf-8")
    this = [sys.executable, "-m", "acefit.launch", str(path)]
    try:
        status = subprocess.run([found, *command[1:], "-n", str(tasks), *this], check=False).returncode
    finally:
        path.unlink(missing_ok=True)
    if status == REPORTED:
        raise SystemExit(1)
    if status:
        raise FitError(
            f"one of {tasks} processes of the fit ended before its time ({command[0]} says more above, status {status}); was it "
            "killed, or out of memory? Nothing is lost: the same command goes on from the last evaluation"
        )


def main(path: str) -> None:
    """Take part in a job; ends all of its processes if something is wrong."""
    from mpi4py import MPI

    from acefit.fit.processes import MpiProcesses

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    processes = MpiProcesses(MPI.COMM_WORLD)
    step = getattr(import_module(f"acefit.steps.{job['step']}"), job["step"])
    context = job_context(_described(job), continues=True) if processes.rank == 0 else _assistant(job, processes.rank)
    try:
        with context:
            if available_threads() < job["threads"]:
                message = "%d processors for %d threads; see the options of mpiexec or srun"
                log.warning(message, available_threads(), job["threads"])
            step(**job["arguments"], processes=processes)
    except SystemExit as error:
        if error.code:
            sys.stderr.flush()
            MPI.COMM_WORLD.Abort(REPORTED)


def _described(job: Mapping[str, Any]) -> SimpleNamespace:
    """What `job_context` wants to know of a job."""
    return SimpleNamespace(rule=job["rule"], wildcards=job["wildcards"], log=[job["log"]], threads=job["threads"])


@contextmanager
def _assistant(job: Mapping[str, Any], rank: int) -> Iterator[None]:
    """Context of the processes other than the first one: they speak of errors only."""
    logging.basicConfig(level=logging.WARNING, format=f"[{job['rule']}, process {rank}] %(levelname)s: %(message)s")
    limit_threads(job["threads"])
    try:
        yield
    except Exception as error:
        log.error("%s", error, exc_info=not isinstance(error, AcefitError))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1])
