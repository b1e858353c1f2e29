"""How large a run is: structures, atoms, pairs, functions, ladder steps and fits; estimates of its memory and its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.artifacts import read_arrays
from acefit.config import stages
from acefit.config.model import Config
from acefit.data.neighborlists import build
from acefit.data.stored import StoredDataset, open_dataset
from acefit.data.structures import StructureSet, concatenate, consecutive_ranges
from acefit.data.weights import Weights
from acefit.evaluation.cost import choose_sample
from acefit.evaluation.grouping import sum_per_range
from acefit.fit.batch import N_SHARES
from acefit.fit.loss import Loss, LossSettings
from acefit.fit.memory import MemoryEstimate, SetSize, estimate_memory, optimizer_bytes
from acefit.pipeline.folders import RUN
from acefit.pipeline.stepwise import Run
from acefit.potential.bbasis import import_potential

ATOMS_AT_ONCE = 2**13
REPEATS = 3
SAMPLE_ATOMS = 20_000
"""Atoms whose neighbours are counted; those of larger sets are estimated from them."""

# Microseconds of a thread for loss and gradient of an atom on the machine of docs/performance.md ("Loss with gradient")
ATOM, PAIR, PAIR_FUNCTION, FUNCTION = 0.9, 0.04, 7e-5, 2.5e-3
PREDICTION_SHARE = 1 / 2.8
"""Energies and forces alone beside loss and gradient."""
EVALUATIONS_PER_ITERATION = 1.2
THREAD_SHARE = 0.93
"""What each thread adds."""
# Seconds of jobs besides their work, from "Start-up" there
FIT_JOB, OTHER_JOB, REPORT_JOB, DATASET_ATOM, PAIR_SEARCH = 1.6, 0.8, 6.0, 4e-5, 2e-7


class DataSize(NamedTuple):
    """Numbers of structures and atoms of a subset, its pairs within the cutoff and those of its largest structure (estimated)."""

    n_structures: int
    n_atoms: int
    n_pairs: int
    largest: int

    def for_memory(self) -> SetSize:
        """What memory depends on."""
        return SetSize(self.n_atoms, self.n_pairs, self.largest)


class StepSize(NamedTuple):
    """Functions and parameters of a ladder step."""

    n_functions: int
    n_parameters: int


class RunSize(NamedTuple):
    """Size of a run.

    Attributes
    ----------
    subsets : train, test, excluded -> DataSize; those that have structures
    elements, cutoff : of the potential; the cutoff in Angstrom
    steps : of the ladder
    cycles, iterations : fits of each step, and most iterations of each
    is_pair_count_exact : whether all pairs were counted
    """

    subsets: dict[str, DataSize]
    elements: list[str]
    cutoff: float
    steps: list[StepSize]
    cycles: int
    iterations: int
    is_pair_count_exact: bool

    @property
    def n_fits(self) -> int:
        """Number of minimisations."""
        return len(self.steps) * self.cycles


def measure_run(run: Run) -> RunSize:
    """Size of a run whose stages before the neighbour lists are made; pairs are counted in a sample of structures."""
    subsets, is_exact = _measure_subsets(run)
    steps = [StepSize(step["n_functions"], step["n_parameters"]) for step in run.plan()["steps"]]
    fit = run.config.fit
    elements = stages.potential_elements(run.config)
    return RunSize(subsets, elements, stages.neighbor_cutoff(run.config), steps, fit.fit_cycles, fit.maxiter, is_exact)


def _measure_subsets(run: Run) -> tuple[dict[str, DataSize], bool]:
    """Sizes of the subsets, and whether all pairs were counted."""
    dataset, cutoff = open_dataset(*run.dataset()), stages.neighbor_cutoff(run.config)
    of_structures = dataset.atoms_per_structure
    chosen = _choose(of_structures)
    pairs = np.zeros(len(of_structures))
    for rows, structures in _in_parts(dataset, chosen):
        pairs[rows] = sum_per_range(np.diff(build(structures, cutoff).offsets), structures.offsets)
    others = np.setdiff1d(np.arange(len(of_structures)), chosen)
    pairs[others] = pairs[chosen].sum() / of_structures[chosen].sum() * of_structures[others]
    subset_of = read_arrays(run.weights()[0], "weights")["subset"]
    sizes = {}
    for subset in ("train", "test", "excluded"):
        rows = np.flatnonzero(subset_of == subset)
        if len(rows):
            n_atoms = int(of_structures[rows].sum())
            sizes[subset] = DataSize(len(rows), n_atoms, round(pairs[rows].sum()), round(pairs[rows].max()))
    return sizes, not len(others)


def _in_parts(dataset: StoredDataset, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], StructureSet]]:
    """The structures of ascending rows, some at a time, with their rows."""
    bounds = consecutive_ranges(dataset.atoms_per_structure, ATOMS_AT_ONCE)
    for (first, last), part in zip(pairwise(bounds), dataset.parts(bounds), strict=True):
        of_part = rows[(rows >= first) & (rows < last)]
        if len(of_part):
            yield of_part, part.structures.select(of_part - first)


def _choose(of_structures: NDArray[np.int64]) -> NDArray[np.int64]:
    """Structures spread evenly over the data with about `SAMPLE_ATOMS` atoms; all of a small set."""
    n_atoms, n_structures = int(of_structures.sum()), len(of_structures)
    number = n_structures if n_atoms <= SAMPLE_ATOMS else max(1, round(n_structures * SAMPLE_ATOMS / n_atoms))
    return np.arange(number) * n_structures // number


def estimate_fit_memory(config: Config, size: RunSize, threads: int) -> MemoryEstimate:
    """Memory of the largest fit with all pairs in memory, by the model of `acefit.fit.memory`."""
    sets = [size.subsets[subset].for_memory() for subset in ("train", "test") if subset in size.subsets]
    n_parameters = max(step.n_parameters for step in size.steps)
    optimizer = optimizer_bytes(config.fit.optimizer, n_parameters, config.fit.maxiter)
    return estimate_memory(sets, n_parameters, optimizer, stream=False, threads=threads, n_shares=N_SHARES)


class TimeEstimate(NamedTuple):
    """Seconds of wall time: at most, since a fit may end before its last iteration.

    Attributes
    ----------
    data : dataset, weights, neighbour lists and basis
    steps : of each ladder step, all of its cycles
    rest : predictions, report and others
    """

    data: float
    steps: list[float]
    rest: float

    @property
    def total(self) -> float:
        """Sum of all."""
        return self.data + sum(self.steps) + self.rest


def estimate_time(size: RunSize, threads: int, speed: float = 1.0) -> TimeEstimate:
    """Estimate the time of a run.

    A model with five constants that were fitted to the table "Loss with gradient" of docs/performance.md: the time of an atom is
    a + b P + c P F + d F with P pairs of an atom and F functions of an element, times 1.2 evaluations an iteration. Within some
    30 % of that table on its machine; others differ by factors.

    Parameters
    ----------
    size : RunSize
    threads : of a fit
    speed : time of an evaluation on this machine, in units of the model
    """
    subsets = [size.subsets[subset] for subset in ("train", "test") if subset in size.subsets]
    everything = list(size.subsets.values())
    n_atoms, n_pairs = sum(part.n_atoms for part in everything), sum(part.n_pairs for part in everything)
    steps = []
    for step in size.steps:
        evaluation = sum(evaluation_seconds(part, step, len(size.elements), threads) for part in subsets[:1]) * speed
        iterations = size.iterations * EVALUATIONS_PER_ITERATION
        steps.append(size.cycles * (FIT_JOB + iterations * evaluation))
    prediction = sum(evaluation_seconds(part, size.steps[-1], len(size.elements), threads) for part in everything)
    data = 4 * OTHER_JOB + DATASET_ATOM * n_atoms + PAIR_SEARCH * n_pairs
    rest = (2 + len(steps)) * OTHER_JOB + REPORT_JOB + PREDICTION_SHARE * speed * prediction
    return TimeEstimate(data, steps, rest)


def evaluation_seconds(subset: DataSize, step: StepSize, n_elements: int, threads: int) -> float:
    """Time of loss and gradient by the model."""
    pairs, functions = subset.n_pairs / max(subset.n_atoms, 1), step.n_functions / n_elements
    per_atom = ATOM + PAIR * pairs + PAIR_FUNCTION * pairs * functions + FUNCTION * functions
    return 1e-6 * subset.n_atoms * per_atom / (1 + THREAD_SHARE * (threads - 1))


def measure_speed(run: Run, size: RunSize) -> float:
    """Time of an evaluation of the last ladder step on this machine in units of the model, measured on one thread."""
    dataset = open_dataset(*run.dataset())
    structures = concatenate([part for _, part in _in_parts(dataset, choose_sample(dataset.atoms_per_structure))])
    neighbors = build(structures, size.cutoff)
    path = run.place.path(f"{RUN}/basis/target.yaml")
    loss = Loss(import_potential(path), structures, neighbors, Weights.uniform(structures), LossSettings(kappa=0.5), threads=1)
    x = loss.layout.vector()
    loss(x)
    times: list[float] = []
    while len(times) < REPEATS:
        start = time.thread_time()
        loss(x)
        times.append(time.thread_time() - start)
    counted = DataSize(structures.n_structures, structures.n_atoms, neighbors.n_pairs, 0)
    return min(times) / evaluation_seconds(counted, size.steps[-1], len(size.elements), 1)
