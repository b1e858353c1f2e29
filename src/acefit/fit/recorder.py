"""What happens after each iteration: metrics, files in the run directory, progress, callbacks, early stopping.

Iterations that an interrupted run has already recorded are only read back: their rows are taken over, nothing is written, said or
called a second time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acefit.faults import fault_point
from acefit.fit.callbacks import Callbacks
from acefit.fit.checkpoint import EvaluationLog, LoggedEvaluation, ReplayedLoss
from acefit.fit.metrics import ErrorMeter, Row, loss_parts, text_header, text_row
from acefit.fit.optimizers import HasGradient
from acefit.fit.progress import Progress
from acefit.fit.stopping import EarlyStopping
from acefit.potential.bbasis import write_potential
from acefit.potential.parameters import ParameterLayout

Vector = NDArray[np.float64]
WRITING_SHARE = 0.02
"""Share of the time that writing the current potential may take: thousands of functions take as long as a loss."""
TEXT_FILES = {"train": "metrics.txt", "test": "test_metrics.txt"}


class Evaluation(HasGradient, Protocol):
    """Evaluation of a loss with its predictions."""

    @property
    def terms(self) -> Mapping[str, float]:
        """Weighted contributions to the loss."""
        ...

    @property
    def energies(self) -> Vector:
        """Predicted energies, eV, shape (S,)."""
        ...

    @property
    def forces(self) -> Vector:
        """Predicted forces, eV/Angstrom, shape (A, 3)."""
        ...

    @property
    def stresses(self) -> Vector:
        """Predicted stresses, eV/Angstrom^3, shape (S, 6)."""
        ...


LossFunction = Callable[[Vector], Evaluation]


@dataclass(frozen=True)
class Meter:
    """Everything that turns an evaluation of one subset into a row of metrics.

    Attributes
    ----------
    loss : loss of the subset
    errors : error metrics of the subset
    kappa, kappa_stress : factors of the force and stress terms
    labels : columns that are the same in all rows of the subset
    """

    loss: LossFunction
    errors: ErrorMeter
    kappa: float
    kappa_stress: float
    labels: Mapping[str, Any]

    def measure(self, evaluation: Evaluation) -> Row:
        """Metrics of an evaluation without its place in the fit."""
        return self._row(self.errors.measure(evaluation.energies, evaluation.forces, evaluation.stresses), evaluation)

    def _row(self, errors: Mapping[str, float], evaluation: Evaluation) -> Row:
        row = {**self.labels, **errors, **loss_parts(errors, evaluation.terms, self.kappa, self.kappa_stress)}
        row["loss"] = float(evaluation.value)
        return row


class DividedMeter(Meter):
    """The same for structures that are divided among processes: their evaluations bring the errors along."""

    def measure(self, evaluation: Any) -> Row:
        """Metrics of an evaluation without its place in the fit."""
        return self._row(evaluation.errors, evaluation)


class Recorder:
    """Bookkeeping of one minimisation.

    Parameters
    ----------
    folder : Path
        Run directory, for the metrics files in pacemaker's layout and `potential.yaml`, the current potential: replaced after
        every iteration, or less often where that would take more than `WRITING_SHARE` of the time.
    layout : ParameterLayout
        Turns parameters into potentials.
    log : EvaluationLog
        Where iterations are recorded.
    loss : ReplayedLoss
        The loss the optimiser sees, for the number of evaluations.
    train, test : Meter
        Metrics of the subsets; there may be no test set.
    stopping : mapping of subset -> EarlyStopping
    callbacks : Callbacks
        User functions.
    progress : Progress
        Lines for the user.
    display_step : int
        The test set is evaluated and the table printed every so many iterations.
    """

    def __init__(
        self,
        folder: Path,
        layout: ParameterLayout,
        log: EvaluationLog,
        loss: ReplayedLoss,
        *,
        train: Meter,
        test: Meter | None,
        stopping: Mapping[str, EarlyStopping],
        callbacks: Callbacks,
        progress: Progress,
        display_step: int,
    ) -> None:
        self._folder = folder
        self._layout = layout
        self._log = log
        self._loss = loss
        self._train, self._test = train, test
        self._stopping = stopping
        self._callbacks = callbacks
        self._progress = progress
        self._display_step = display_step
        self._began = time.perf_counter()
        earlier = [row for content in log.iterations.values() for row in content["rows"]]
        self._seconds_before = max((row["time"] for row in earlier), default=0.0)
        self._evaluating_before = max((row["evaluation_time"] for row in earlier), default=0.0)
        self._next_writing = 0.0
        self._files: dict[str, int] = {}
        self.rows: list[Row] = []

    def record(self, iteration: int, x: Vector, evaluation: HasGradient) -> None:
        """Record the start (iteration 0) or an accepted step.

        Raises
        ------
        StopIteration
            With the reason, if early stopping or a callback ends the minimisation.
        """
        content = self._log.iterations.get(iteration)
        if content is None:
            content = self._record_new(iteration, x, evaluation)
        self.rows.extend(content["rows"])
        reason = content["stop"]
        for row in content["rows"]:
            reason = self._stopping[row["subset"]].add(row["loss"]) or reason
        if reason is not None:
            raise StopIteration(reason)

    def finish(self, x: Vector) -> dict[str, Row]:
        """Metrics of the best point, subset -> row; the test set gets a last row in the tables if it has none there yet."""
        train = [row for row in self.rows if row["subset"] == "train"]
        results = {"train": min(train, key=lambda row: row["loss"])}
        if self._test is not None:
            last = train[-1]
            row = {**self._place(last["iter_num"]), **self._test.measure(self._test.loss(x))}
            results["test"] = row
            if last["iter_num"] % self._display_step != 0:
                self.rows.append(row)
            self._progress.report_table("TEST STATS", row, self.seconds_per_evaluation)
        self._progress.report_table("FIT STATS", results["train"], self.seconds_per_evaluation)
        self._write_potential(x, results["train"]["loss"])
        self._write_text_files()
        self.close()
        return results

    def close(self) -> None:
        """Close the metrics files."""
        while self._files:
            os.close(self._files.popitem()[1])

    @property
    def seconds(self) -> float:
        """Wall time of the minimisation, interrupted runs included."""
        return self._seconds_before + time.perf_counter() - self._began

    @property
    def seconds_evaluating(self) -> float:
        """Wall time inside the loss, interrupted runs included."""
        return self._evaluating_before + self._loss.seconds

    @property
    def seconds_per_evaluation(self) -> float:
        """Mean time of an evaluation of the training set; 0 before the first."""
        return self.seconds_evaluating / max(self._loss.n_evaluations, 1)

    def _record_new(self, iteration: int, x: Vector, evaluation: HasGradient) -> dict[str, Any]:
        fault_point("iteration")
        is_shown = iteration % self._display_step == 0
        # what comes from the log has no predictions: the run died between the evaluation and the end of its iteration
        complete: Any = self._train.loss(x) if isinstance(evaluation, LoggedEvaluation) else evaluation
        rows = [{**self._place(iteration), **self._train.measure(complete)}]
        if is_shown and self._test is not None:
            rows.append({**self._place(iteration), **self._test.measure(self._test.loss(x))})
        if time.perf_counter() >= self._next_writing:
            self._write_potential(x, rows[0]["loss"])
        if not self._files:
            self._write_text_files()
        for row in rows:
            # one system call per line, so that a reader never meets half a line
            fault_point(TEXT_FILES[row["subset"]])
            os.write(self._files[row["subset"]], text_row(row).encode())
        self._report(rows, is_shown)
        reason = None
        if iteration > 0 and self._callbacks:
            reason = self._callbacks.call(self._layout.apply(x), iteration, rows[0])
        content = {"rows": rows, "stop": reason}
        self._log.append_iteration(iteration, content)
        return content

    def _write_potential(self, x: Vector, loss: float) -> None:
        began = time.perf_counter()
        write_potential(self._layout.apply(x).with_metadata(_loss=repr(loss)), self._folder / "potential.yaml", sync=False)
        now = time.perf_counter()
        self._next_writing = now + (now - began) / WRITING_SHARE

    def _place(self, iteration: int) -> Row:
        return {
            "iter_num": iteration,
            "evaluations": self._loss.n_evaluations,
            "time": self.seconds,
            "evaluation_time": self.seconds_evaluating,
        }

    def _report(self, rows: list[Row], is_shown: bool) -> None:
        seconds = self.seconds_per_evaluation
        for row in rows:
            is_test = row["subset"] == "test"
            self._progress.report("Test" if is_test else "Iteration", row, seconds)
            if is_shown:
                title = ("INIT " if row["iter_num"] == 0 else "") + ("TEST STATS" if is_test else "FIT STATS")
                self._progress.report_table(title, row, seconds)

    def _write_text_files(self) -> None:
        """Write the metrics files anew with all rows so far and keep them open for more."""
        self.close()
        for subset, name in TEXT_FILES.items():
            if subset == "test" and self._test is None:
                continue
            path = self._folder / name
            text = text_header() + "".join(text_row(row) for row in self.rows if row["subset"] == subset)
            fault_point(f"{name}/anew")
            path.write_text(text, encoding="utf-8")
            self._files[subset] = os.open(path, os.O_WRONLY | os.O_APPEND)
