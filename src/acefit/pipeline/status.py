"""What there is of the runs of a configuration: stages done, running, out of date or absent, and the metrics of all fits."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from acefit.config.model import Config
from acefit.config.runs import COMPARISON, Runs
from acefit.config.stages import label_jobs, walks
from acefit.errors import AcefitError
from acefit.files import read_yaml
from acefit.fit.recorder import TEXT_FILES
from acefit.fit.run import LOG_FILE
from acefit.pipeline.folders import CALCULATED, DATASET, FIT, RUN, SELECT, SPLIT, WEIGHTS, Place
from acefit.pipeline.staleness import Planned
from acefit.steps.fit import RUNNING
from acefit.untrusted import check_regular

LOCKS = Path("/proc/locks")
RECENT = 60.0
DONE, STALE, PARTLY, ABSENT, LIVE, STOPPED = "done", "stale", "partly", "absent", "running", "interrupted"


class StageStatus(NamedTuple):
    """State of a stage of a run.

    Attributes
    ----------
    run, stage : names
    state : done, running, interrupted (a fit that goes on when asked), stale (would be made again), partly, absent
    n_done, n_jobs : jobs whose files are there, and all; 0 jobs where their number is not known yet
    reason : why it would be made again
    """

    run: str
    stage: str
    state: str
    n_done: int
    n_jobs: int
    reason: str = ""


class CycleStatus(NamedTuple):
    """Metrics of a fit cycle so far.

    Attributes
    ----------
    run, step, cycle : which
    state : done, running, interrupted
    iteration, maxiter : last iteration, most iterations
    n_functions : of the potential
    loss : of the last iteration; of the best point of a finished cycle
    rmse_epa_train, rmse_epa_test : eV/atom, the last ones that were recorded; NaN when absent
    rmse_f_comp_train, rmse_f_comp_test : eV/Angstrom
    seconds_ago : since something was written
    """

    run: str
    step: int
    cycle: int
    state: str
    iteration: int
    maxiter: int
    n_functions: int
    loss: float
    rmse_epa_train: float
    rmse_epa_test: float
    rmse_f_comp_train: float
    rmse_f_comp_test: float
    seconds_ago: float


class Status(NamedTuple):
    """State of all runs.

    Attributes
    ----------
    stages, cycles : of all runs
    has_lock : whether Snakemake's lock is in the folder: it runs, or it was killed
    """

    stages: list[StageStatus]
    cycles: list[CycleStatus]
    has_lock: bool


def look_at(table: Runs, folder: Path, planned: Iterable[Planned] | None = None) -> Status:
    """State of all runs of a configuration, from their files alone.

    Parameters
    ----------
    table : checked configuration
    folder : in which the pipeline runs
    planned : what Snakemake says about the files; None: what is there counts as up to date
    """
    plans = {} if planned is None else {entry.path: entry for entry in planned}
    stages: list[StageStatus] = []
    cycles: list[CycleStatus] = []
    for name, config in table.configs.items():
        place = Place.of(folder, name, config)
        ladder = _ladder(place)
        found = list(_cycles(place, config, ladder))
        cycles += found
        stages += _stages(place, _jobs(place, config, ladder), found, plans)
    if not table.is_single:
        files = [[folder / "results" / table.name / COMPARISON / "summary.html"]]
        stages += _stages(Place(folder, table.name, {}), {"compare": files}, [], plans)
    locks = folder / ".snakemake" / "locks"
    return Status(stages, cycles, locks.is_dir() and any(locks.iterdir()))


def _ladder(place: Place) -> list[Any] | None:
    """Steps of the ladder; None as long as the basis is not made or cannot be read."""
    path = place.path(f"{RUN}/basis/ladder.yaml")
    try:
        return list(read_yaml(path)["steps"]) if path.exists() else None
    except (AcefitError, KeyError, TypeError):
        return None


def _jobs(place: Place, config: Config, ladder: list[Any] | None) -> dict[str, list[list[Path]]]:
    """Stage -> for each of its jobs the files that say that it is done."""
    steps, cycles = range(len(ladder or ())), range(config.fit.fit_cycles)
    return {
        "dataset": [[place.path(f"{DATASET}/{name}") for name in ("structures.parquet", "atoms.parquet", "references.yaml")]],
        "neighborlists": [[path] for path in place.shards()],
        "split": [[place.path(f"{SPLIT}/split.parquet")]],
        "weights": [[place.path(f"{WEIGHTS}/{name}") for name in ("structures.parquet", "atoms.parquet", "summary.yaml")]],
        "basis": [[place.path(f"{RUN}/basis/{name}") for name in ("ladder.yaml", "functions.parquet", "steps")]],
        "fit": [[place.path(f"{FIT}/result.yaml", step=step, cycle=cycle)] for step in steps for cycle in cycles],
        "select": [[place.path(f"{SELECT}/potential.yaml", step=step)] for step in steps],
        "potential": [[place.path(f"{RUN}/potential.yaml")]],
        "predict": [[place.path(f"{RUN}/predict/{name}") for name in ("structures.parquet", "atoms.parquet", "cost.yaml")]],
        "report": [[place.path(f"{RUN}/report/summary.html")]],
        "export": [[place.path(f"{RUN}/export/{name}") for name in ("potential.yace", "lammps.in")]],
        **_round_jobs(place, config),
    }


def _round_jobs(place: Place, config: Config) -> dict[str, list[list[Path]]]:
    """What a round of active learning does after its fit; the last one does nothing."""
    if config.active is None or len(config.labelled) == config.active.rounds:
        return {}
    tables, n_jobs = ("structures.parquet", "atoms.parquet"), label_jobs(config)
    return {
        "activeset": [[place.path(f"{RUN}/active/active_set.asi")]],
        "explore": [
            [place.path(f"{RUN}/explore/walk-{number:02d}/{name}") for name in tables] for number in range(len(walks(config)))
        ],
        "choose": [[place.path(f"{RUN}/choose/{name}") for name in tables]],
        "calculate": [[place.path(f"{CALCULATED}/{name}", job=k, jobs=n_jobs) for name in tables] for k in range(n_jobs)],
        "label": [[place.path(f"{RUN}/label/{name}") for name in tables]],
    }


def _stages(
    place: Place, jobs: Mapping[str, list[list[Path]]], cycles: list[CycleStatus], plans: Mapping[str, Planned]
) -> Iterator[StageStatus]:
    states = {cycle.state for cycle in cycles}
    waits = False
    for stage, files in jobs.items():
        n_done = sum(all(map(Path.exists, job)) for job in files)
        entries = [entry for job in files for path in job if (entry := plans.get(_name(path, place.root)))]
        pending = [entry for entry in entries if entry.is_pending]
        reasons = list(dict.fromkeys(entry.reason for entry in pending if entry.reason))
        if not pending and plans and waits and stage in ("fit", "select"):
            reasons = ["known when the basis is made"] if not entries else []
        state = DONE if files and n_done == len(files) else PARTLY if n_done else ABSENT
        if stage == "fit" and LIVE in states:
            state = LIVE
        elif stage == "fit" and STOPPED in states:
            state = STOPPED
        elif n_done and (pending or reasons) and state == DONE:
            state = STALE
        if state == STALE and not reasons:
            reasons = ["follows from earlier stages"]
        waits = waits or (stage == "basis" and bool(pending))
        shown = [] if state not in (DONE, STALE) and reasons == ["not made yet"] else reasons
        yield StageStatus(place.run, stage, state, n_done, len(files), "; ".join(shown))


def _name(path: Path, root: Path) -> str:
    """The file as Snakemake writes it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _cycles(place: Place, config: Config, ladder: list[Any] | None) -> Iterator[CycleStatus]:
    """All cycles that have begun."""
    for step in range(len(ladder or ())):
        for cycle in range(config.fit.fit_cycles):
            folder = place.path(FIT, step=step, cycle=cycle)
            found = _finished(folder) or _unfinished(folder / RUNNING)
            if found is not None:
                yield CycleStatus(run=place.run, step=step, cycle=cycle, maxiter=config.fit.maxiter, **found)


def _finished(folder: Path) -> dict[str, Any] | None:
    """What the result of a cycle says; None if there is none."""
    path = folder / "result.yaml"
    try:
        result = read_yaml(path) if path.exists() else None
        if result is None:
            return None
        errors = {subset: result["metrics"].get(subset, {}) for subset in TEXT_FILES}
        return {
            "state": DONE,
            "iteration": result["iterations"],
            "n_functions": result["n_functions"],
            "loss": result["loss"],
            **_errors(errors),
            "seconds_ago": time.time() - path.stat().st_mtime,
        }
    except (AcefitError, OSError, KeyError, TypeError, AttributeError):
        # damaged, or replaced at this moment; the pipeline names and mends what is damaged
        return None


def _unfinished(folder: Path) -> dict[str, Any] | None:
    """What the live tables of a fit say; None if it has not begun."""
    rows = {subset: read_last_row(folder / name) for subset, name in TEXT_FILES.items()}
    train = rows["train"]
    try:
        return train and {
            "state": LIVE if is_locked(folder / LOG_FILE) else STOPPED,
            "iteration": int(train["iter_num"]),
            "n_functions": int(train["nfuncs"]),
            "loss": train["loss"],
            **_errors({subset: row or {} for subset, row in rows.items()}),
            "seconds_ago": time.time() - (folder / TEXT_FILES["train"]).stat().st_mtime,
        }
    except (OSError, KeyError, ValueError, OverflowError):
        # no numbers of iterations and functions, or gone at this moment
        return None


def _errors(of_subsets: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    nan = float("nan")
    return {
        f"{name}_{subset}": float(of_subsets[subset].get(name, nan))
        for name in ("rmse_epa", "rmse_f_comp")
        for subset in TEXT_FILES
    }


def is_locked(path: Path, table: Path = LOCKS) -> bool:
    """Whether a process of this machine holds the lock of a file.

    The lock is not tried, since that could hinder the fit that is about to take it. Where the system has no table of locks, a
    file that was written within the last `RECENT` seconds counts as locked.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    try:
        lines = table.read_text(encoding="ascii").splitlines()
    except OSError:
        return time.time() - status.st_mtime < RECENT
    held = (re.search(r"FLOCK\s+\w+\s+WRITE\s+\d+\s+\w+:\w+:(\d+)\s", line) for line in lines)
    return any(match is not None and int(match.group(1)) == status.st_ino for match in held)


def read_last_row(path: Path) -> dict[str, float] | None:
    """Last complete row of a live table of metrics; None if there is none.

    Only the end of the file is read, and a line that is being written or is damaged does not count.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            names = file.readline(2**14).decode("ascii").split()
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2**14))
            lines = file.read().split(b"\n")[:-1]
    except (OSError, UnicodeDecodeError):
        return None
    for line in reversed(lines):
        try:
            values = [float(word) for word in line.decode("ascii").split()]
        except ValueError:
            continue
        if names and len(values) == len(names):
            return dict(zip(names, values, strict=True))
    return None
