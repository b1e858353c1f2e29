"""What is wrong with a configuration and its data, and what a run of it would do, before anything runs."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from acefit.active.labelling import load_calculator
from acefit.artifacts import read_arrays
from acefit.config import stages
from acefit.config.model import Config
from acefit.config.runs import Runs
from acefit.data.checks import warn_of_absent
from acefit.data.readers import LeftOut
from acefit.errors import AcefitError, DataError
from acefit.files import read_yaml
from acefit.fit.callbacks import load_callbacks
from acefit.pipeline.folders import DATASET
from acefit.pipeline.sizes import RunSize, TimeEstimate, estimate_fit_memory, estimate_time, measure_run, measure_speed
from acefit.pipeline.stepwise import Run, Say, make_basis, make_dataset, make_weights
from acefit.workflow import available_threads

log = logging.getLogger(__name__)

MOST_STRUCTURES = 20
"""Structures that are named one by one."""


class RunReport(NamedTuple):
    """What a run will do.

    Attributes
    ----------
    size, time : RunSize, TimeEstimate
    memory : bytes of its largest fit, estimated
    stages : name -> number of jobs
    """

    size: RunSize
    time: TimeEstimate
    memory: int
    stages: dict[str, int]


class CheckReport(NamedTuple):
    """Result of a check.

    Attributes
    ----------
    problems : what hinders the runs, each once
    warnings : what the user should know, each once
    runs : run -> RunReport, of those without problems; of active learning only the first round, as later ones depend on it
    """

    problems: list[str]
    warnings: list[str]
    runs: dict[str, RunReport]


def check_runs(table: Runs, *, threads: int | None = None, measure: bool = False, say: Say = lambda text: None) -> CheckReport:
    """Make the stages before the fits of all runs in a temporary folder, and collect everything that is wrong.

    Parameters
    ----------
    table : checked configuration
    threads : of a fit, for the estimates; None: all of this machine
    measure : whether an evaluation is timed on this machine
    say : is told what is done
    """
    problems: dict[str, None] = {}
    warnings: dict[str, None] = dict.fromkeys(text for config in table.configs.values() for text in config.notices)
    reports = {}
    with tempfile.TemporaryDirectory(prefix="acefit-") as temporary, _collected(warnings):
        for name, config in table.configs.items():
            if config.labelled:
                continue  # a later round of active learning, whose data nobody knows yet
            found = list(_hindrances(config))
            if not found:
                run = Run.of(Path(temporary), name, config)
                found = _make(run, say, warnings)
            problems |= dict.fromkeys(found)
            if not found:
                if config.active is not None:
                    warnings[f"{config.active.rounds} more rounds follow, with the data that will be labelled"] = None
                say(f"{name}: sizes")
                reports[name] = _report(run, threads or available_threads(), measure)
    return CheckReport(list(problems), list(warnings), reports)


def _hindrances(config: Config) -> Iterator[str]:
    """What is wrong outside of the files of data and potentials: missing files, callbacks that cannot be loaded."""
    folders = (Path(), config.base_path)
    for look in (
        stages.data_files,
        stages.reference_files,
        stages.potential_files,
        stages.weights_params,
        lambda c: load_callbacks(stages.fit_params(c, 0)["fit"]["callbacks"], folders),
        *((stages.exploration_files, _load_labelling) if config.active is not None else ()),
    ):
        try:
            look(config)
        except AcefitError as error:
            yield str(error)


def _load_labelling(config: Config) -> None:
    """Make the calculator of the labels once."""
    label = stages.calculate_params(config)
    load_calculator(label["calculator"], label["parameters"], label["folders"])


def _make(run: Run, say: Say, warnings: dict[str, None]) -> list[str]:
    """Make the stages before the fits; what is wrong with the data and with the basis, independently of each other."""
    problems: list[str] = []

    def attempt(what: str, make: Callable[[], Any]) -> None:
        say(f"{run.place.run}: {what}")
        try:
            make()
        except AcefitError as error:
            problems.append(str(error))

    if not run.weights()[0].exists():
        attempt("data", lambda: _read_data(run, problems, warnings))
        if not problems:
            attempt("weights", lambda: make_weights(run))
    attempt("basis", lambda: make_basis(run))
    return problems


def _read_data(run: Run, problems: list[str], warnings: dict[str, None]) -> None:
    """Read the data; all structures that cannot be used are problems instead of warnings, unless they may be left out."""
    path = run.place.path(f"{DATASET}/references.yaml")
    if not path.exists():
        try:
            make_dataset(run, on_bad_structure="leave_out")
        except DataError as error:
            # what is wrong with the first structure may say more
            problems.append(str(error))
            make_dataset(run)
    left_out = read_yaml(path)["left_out"]
    if run.config.data.on_bad_structure == "stop" and left_out:
        bad = [str(LeftOut(**item)) for item in left_out]
        for text in bad:
            warnings.pop(f"left out: {text}", None)
        problems += bad[:MOST_STRUCTURES]
        more = f"{len(bad) - MOST_STRUCTURES} more structures cannot be used" if len(bad) > MOST_STRUCTURES else ""
        problems.append(f"{more + '; ' if more else ''}mend or remove them, or set data.on_bad_structure: leave_out")


def _doubts(run: Run, size: RunSize) -> None:
    """Warn of what a fit can be made of, but not what its user wants."""
    # formulas, since the table of atoms may be too large to be read at once
    formulas = np.unique(read_arrays(run.dataset()[0], "structures")["formula"].astype(str))
    warn_of_absent(size.elements, re.findall("[A-Z][a-z]?", "".join(formulas)), "data")
    train, most = size.subsets.get("train"), max((step.n_parameters for step in size.steps), default=0)
    if train and most > (labels := train.n_structures + 3 * train.n_atoms):
        log.warning("%d parameters are fitted to at most %d energies and force components: take fewer functions", most, labels)


def _report(run: Run, threads: int, measure: bool) -> RunReport:
    size, config = measure_run(run), run.config
    _doubts(run, size)
    speed = measure_speed(run, size) if measure else 1.0
    jobs = {
        "dataset": 1,
        "neighborlists": config.data.shards,
        "split": 1,
        "weights": 1,
        "basis": 1,
        "fit": size.n_fits,
        "select": len(size.steps),
        "potential": 1,
        "predict": 1,
        "report": 1,
        "export": 1,
    }
    if config.active is not None:
        walks, calculations = len(stages.walks(config)), stages.label_jobs(config)
        jobs |= {"activeset": 1, "explore": walks, "choose": 1, "calculate": calculations, "label": 1}
    return RunReport(size, estimate_time(size, threads, speed), estimate_fit_memory(config, size, threads).total, jobs)


@contextmanager
def _collected(warnings: dict[str, None]) -> Iterator[None]:
    """Collect what the steps warn of instead of printing it."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings[record.getMessage()] = None

    logger, collector = logging.getLogger("acefit"), Collector(logging.WARNING)
    before = logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.propagate = before


def as_mapping(report: CheckReport) -> Mapping[str, Any]:
    """The report as plain values, for JSON."""
    runs = {}
    for name, run in report.runs.items():
        size = run.size
        runs[name] = {
            "stages": run.stages,
            "subsets": {subset: part._asdict() for subset, part in size.subsets.items()},
            "pairs_are_counted": size.is_pair_count_exact,
            "elements": size.elements,
            "cutoff": size.cutoff,
            "ladder": [step._asdict() for step in size.steps],
            "fit_cycles": size.cycles,
            "fits": size.n_fits,
            "maxiter": size.iterations,
            "estimated_bytes": run.memory,
            "estimated_seconds": {**run.time._asdict(), "total": run.time.total},
        }
    return {"problems": report.problems, "warnings": report.warnings, "runs": runs}
