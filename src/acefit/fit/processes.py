"""One fit on several processes: each holds some of the structures, the first one has the optimiser.

For each evaluation the first process sends the point to all, everyone evaluates its structures on its own threads, and the sums
of loss and gradient are reduced to the first one. These two messages are the halves of an all-to-all reduction, so nothing is
saved by an optimiser in each process; and since only one computes the points, they are the same everywhere by construction, with
different processors, too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from acefit.errors import DamagedArtifactError, FitError
from acefit.evaluation.grouping import ranges_of_cost
from acefit.files import read_yaml, write_yaml
from acefit.fit.metrics import (
    LARGEST_METRICS,
    MEAN_METRICS,
    SQUARED_METRICS,
    WEIGHTED_SUMS,
    ErrorMeter,
    additive_errors,
    merge_errors,
)
from acefit.fit.recorder import LossFunction

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
DATA_TERMS = ("energy", "force", "stress")
STOP = -1.0
UNEVEN = 1.1
"""Structures are dealt again where the slowest process takes longer than the mean by this factor."""


class Processes(Protocol):
    """The processes of a fit; `Alone`, or `MpiProcesses`."""

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """Number of processes."""
        ...

    @property
    def size_here(self) -> int:
        """How many of them are on this machine."""
        ...

    def sum(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum over all processes, in each of them."""
        ...

    def share(self, value: Any) -> Any:
        """What the first process gives, in each of them."""
        ...

    def collect(self, value: Any) -> list[Any]:
        """What each process gives, in each of them."""
        ...

    def send_point(self, point: Floats) -> None:
        """Replace an array by that of the first process."""
        ...

    def reduce(self, sums: Floats) -> Floats:
        """Sum over all processes in the first one; elsewhere of no meaning."""
        ...


class Alone:
    """The only process of a fit."""

    rank, size, size_here = 0, 1, 1

    def sum(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum over all processes."""
        return values

    def share(self, value: Any) -> Any:
        """What the first process gives."""
        return value

    def collect(self, value: Any) -> list[Any]:
        """What each process gives."""
        return [value]

    def send_point(self, point: Floats) -> None:
        """Nobody else wants it."""

    def reduce(self, sums: Floats) -> Floats:
        """Sum over all processes."""
        return sums


ALONE = Alone()


class MpiProcesses:
    """Processes that were started by mpiexec or srun.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    """

    def __init__(self, communicator: Any) -> None:
        from mpi4py import MPI

        self._communicator = communicator
        self._sum = MPI.SUM
        self.rank: int = communicator.rank
        self.size: int = communicator.size
        self.size_here: int = communicator.Split_type(MPI.COMM_TYPE_SHARED).size

    def sum(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum over all processes, in each of them."""
        total = np.empty_like(values)
        self._communicator.Allreduce(values, total, op=self._sum)
        return total

    def share(self, value: Any) -> Any:
        """What the first process gives, in each of them."""
        return self._communicator.bcast(value, root=0)

    def collect(self, value: Any) -> list[Any]:
        """What each process gives, in each of them."""
        return self._communicator.allgather(value)

    def send_point(self, point: Floats) -> None:
        """Replace an array by that of the first process."""
        self._communicator.Bcast(point, root=0)

    def reduce(self, sums: Floats) -> Floats:
        """Sum over all processes in the first one; elsewhere of no meaning."""
        total = np.empty_like(sums)
        self._communicator.Reduce(sums, total, op=self._sum, root=0)
        return total


class Part(NamedTuple):
    """What one process has of a set of structures.

    Attributes
    ----------
    loss : of its structures; None if it has none
    errors : error metrics of its structures
    """

    loss: LossFunction | None
    errors: ErrorMeter


class DividedEvaluation(NamedTuple):
    """Loss of all structures, as `acefit.fit.loss.Evaluation` but with the errors of the predictions in their place."""

    value: float
    gradient: Floats
    terms: dict[str, float]
    errors: dict[str, float]


def message_lengths(size: int, n_gradient: int) -> tuple[int, int, int, int]:
    """Numbers of gradient, data terms, sums of errors and largest errors in what `size` processes add up for an evaluation."""
    n_sums = len(WEIGHTED_SUMS) + len(SQUARED_METRICS) + len(MEAN_METRICS)
    return n_gradient, len(DATA_TERMS), n_sums, size * len(LARGEST_METRICS)


class DividedLoss:
    """Loss of structures that are divided among processes; called in the first one, while the others `serve`.

    The regularisation belongs to the part of the first process alone.

    Parameters
    ----------
    processes : Processes
    number : int
        Of the loss among those that are served.
    part : Part
        What this process has.
    n_gradient : int
        Length of the gradients of the parts; 0 without.
    """

    def __init__(self, processes: Processes, number: int, part: Part, n_gradient: int) -> None:
        self._processes = processes
        self._number = number
        self._part = part
        self._lengths = message_lengths(processes.size, n_gradient)
        self._counts = part.errors.counts()
        names = list(self._counts)
        total = processes.sum(np.array([self._counts[name] for name in names]))
        self._total_counts = dict(zip(names, map(int, total), strict=True))

    def __call__(self, x: Floats) -> DividedEvaluation:
        """Evaluate at x."""
        self._processes.send_point(np.concatenate([[float(self._number)], x]))
        terms, message = self.answer(x)
        gradient, data_terms, sums, largest = self._parts(message)
        terms |= {name: float(value) for name, value in zip(DATA_TERMS, data_terms, strict=True)}
        errors = merge_errors(sums, largest.reshape(self._processes.size, -1).max(axis=0), self._total_counts)
        return DividedEvaluation(sum(terms.values()), gradient, terms, errors)

    def answer(self, x: Floats) -> tuple[dict[str, float], Floats]:
        """Take part in an evaluation; all terms of this process, and the message with the sums, in the first process only."""
        message = np.zeros(sum(self._lengths))
        gradient, data_terms, sums, largest = self._parts(message)
        terms: dict[str, float] = {}
        if self._part.loss is not None:
            found: Any = self._part.loss(x)
            terms = dict(found.terms)
            data_terms[:] = [terms[name] for name in DATA_TERMS]
            if len(gradient):
                gradient[:] = found.gradient
            errors = self._part.errors.measure(found.energies, found.forces, found.stresses)
            # each process has places of its own for what is not to be added, so that one message does for all
            places = largest.reshape(self._processes.size, -1)
            sums[:], places[self._processes.rank] = additive_errors(errors, self._counts)
        return terms, self._processes.reduce(message)

    def _parts(self, message: Floats) -> list[Floats]:
        """Gradient, data terms, sums and largest errors of all processes as views of a message."""
        return np.split(message, np.cumsum(self._lengths[:-1]))


def serve(processes: Processes, losses: Sequence[DividedLoss], n_parameters: int) -> None:
    """Take part in all evaluations that the first process asks for, until it calls `dismiss`."""
    message = np.empty(1 + n_parameters)
    while True:
        processes.send_point(message)
        if message[0] == STOP:
            return
        losses[int(message[0])].answer(message[1:].copy())


def dismiss(processes: Processes, n_parameters: int) -> None:
    """Let the processes that `serve` go on."""
    processes.send_point(np.full(1 + n_parameters, STOP))


def divide(costs: NDArray[np.int64], speeds: Sequence[float]) -> NDArray[np.int64]:
    """Bounds (size + 1,) of consecutive ranges of structures that take processes of different speed about equally long.

    Parameters
    ----------
    costs : (S,) work of each structure, in any unit
    speeds : work that each process does in a time
    """
    return ranges_of_cost(costs, np.cumsum(speeds)[:-1] / np.sum(speeds) * costs.sum())


def read_speeds(path: Path, processes: Processes) -> list[float] | None:
    """Speeds of as many processes that an earlier run of this fit has measured; with them it goes on to the same sums."""
    found: list[float] | None = None
    if processes.rank == 0 and path.exists():
        try:
            speeds = read_yaml(path)["speeds"]
        except DamagedArtifactError as error:
            log.warning("%s; speeds are measured again", error)
            speeds = []
        found = speeds if len(speeds) == processes.size else None
    return processes.share(found)


def measure_speeds(processes: Processes, evaluate: Callable[[], object] | None, cost: float, path: Path) -> list[float]:
    """Time an evaluation of each process, all at once.

    Parameters
    ----------
    processes : Processes
    evaluate : callable or None
        Evaluation of the structures of this process; None if it has none.
    cost : float
        Their work.
    path : Path
        File for the result, which the first process writes.

    Returns
    -------
    speeds : by which to deal the structures, one for each process; all 1.0 where they are dealt evenly enough as they are
    """
    seconds = 0.0
    if evaluate is not None:
        evaluate()  # compiles
    processes.collect(None)
    if evaluate is not None:
        began = time.perf_counter()
        evaluate()
        seconds = time.perf_counter() - began
    every = processes.collect((cost, seconds))
    busy = [(c, s) for c, s in every if s > 0.0]
    total_cost, total_seconds = (sum(values) for values in zip(*busy, strict=True))
    is_uneven = max(s for _, s in busy) > UNEVEN * total_seconds / len(busy)
    speeds = [1.0] * processes.size
    if is_uneven:
        speeds = [float(c / s if s > 0.0 else total_cost / total_seconds) for c, s in every]
    if processes.rank == 0:
        log.info(
            "%d processes, %s ms an evaluation%s", processes.size, ", ".join(f"{1e3 * s:.1f}" for _, s in every),
            "; structures are dealt again" if is_uneven else "",
        )  # fmt: skip
        write_yaml({"speeds": speeds}, path)
    return speeds


def refuse_minibatches(processes: Processes) -> None:
    """Minibatches need all structures in one process.

    Raises
    ------
    FitError
        If there is more than one process.
    """
    if processes.size > 1:
        raise FitError(
            f"minibatches (fit.options.batch_size) are made in one process, not {processes.size}; take the resources tasks and "
            "mpi away from the rule fit, or choose another optimizer"
        )
