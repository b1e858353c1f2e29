"""One fit job: from a start potential, data and settings to the fitted potential, its metrics and a result.

Files of the pipeline are read and written in `acefit.steps.fit`; only the run directory is touched here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acefit.basis.trainable import trainable_mask
from acefit.data.neighborlists import NeighborList
from acefit.data.pairs import Pairs, as_pairs
from acefit.data.structures import StructureSet, as_indices
from acefit.data.weights import Weights
from acefit.evaluation.grouping import ATOM_COST, sum_per_range
from acefit.evaluation.threads import default_threads
from acefit.fit.batch import N_SHARES
from acefit.fit.callbacks import Callbacks, load_callbacks
from acefit.fit.checkpoint import EvaluationLog, LoggedStates, ReplayedLoss, content_digest
from acefit.fit.diagnosis import explain_non_finite
from acefit.fit.loss import Loss, LossSettings
from acefit.fit.memory import SetSize, check_memory, choose_streaming, estimate_memory, optimizer_bytes, resident_bytes
from acefit.fit.metrics import ErrorMeter, Reference, Row, low_energy_set
from acefit.fit.minibatches import BatchPlan, DivisibleLoss, epochs_of, plan_batches
from acefit.fit.optimizers import SCALES, Explain, Minibatches, Minimum, minimize
from acefit.fit.processes import (
    ALONE,
    DividedLoss,
    Part,
    Processes,
    dismiss,
    divide,
    measure_speeds,
    read_speeds,
    refuse_minibatches,
    serve,
)
from acefit.fit.progress import Progress
from acefit.fit.recorder import DividedMeter, LossFunction, Meter, Recorder
from acefit.fit.restarts import cycle_generator, perturb
from acefit.fit.scaling import parameter_scales
from acefit.fit.settings import FitSettings
from acefit.fit.stopping import EarlyStopping
from acefit.potential.bbasis import format_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import ParameterLayout, parameter_layout

log = logging.getLogger(__name__)

LOG_FILE = "evaluations.log"
SPEEDS_FILE = "processes.yaml"


@dataclass(frozen=True)
class FitData:
    """One subset of the data.

    Attributes
    ----------
    structures, neighbors, weights : of the subset, consistent with each other; neighbours in memory or in files
    effective_energies : (S,) eV/atom above the hull or the lowest energy; NaN where not known
    """

    structures: StructureSet
    neighbors: NeighborList | Pairs
    weights: Weights
    effective_energies: NDArray[np.float64]

    def select(self, indices: ArrayLike) -> FitData:
        """Structures at the given positions, in the given order, with everything that belongs to them."""
        chosen = as_indices(indices, self.structures.n_structures)
        return FitData(
            self.structures.select(chosen),
            self.neighbors.select(chosen),
            self.weights.select(chosen, self.structures),
            self.effective_energies[chosen],
        )

    def size(self) -> SetSize:
        """What memory depends on."""
        counts = as_pairs(self.neighbors).counts
        per_structure = sum_per_range(counts, self.structures.offsets)
        return SetSize(self.structures.n_atoms, int(counts.sum()), int(per_structure.max(initial=0)))

    def reference(self) -> Reference:
        """What predictions of the subset are compared with."""
        structures, weights = self.structures, self.weights
        return Reference(
            structures.offsets,
            structures.energies,
            structures.forces,
            structures.stresses,
            weights.energy,
            weights.force,
            weights.stress,
            self.low_energy(),
        )

    def low_energy(self) -> NDArray[np.bool_]:
        """Mark the structures of low energy, shape (S,)."""
        per_atom = self.structures.energies / np.maximum(self.structures.atoms_per_structure, 1)
        return low_energy_set(per_atom, self.effective_energies)

    def costs(self) -> NDArray[np.int64]:
        """Work of each structure, in units of that of a pair, shape (S,)."""
        return sum_per_range(as_pairs(self.neighbors).counts + ATOM_COST, self.structures.offsets)

    def digest(self) -> bytes:
        """Digest of everything the loss depends on."""
        s, w = self.structures, self.weights
        arrays = (
            s.offsets,
            s.numbers,
            s.positions,
            s.cells,
            s.pbc,
            s.energies,
            s.forces,
            s.stresses,
            w.energy,
            w.force,
            w.stress,
        )
        return content_digest(*arrays, self.neighbors.cutoff)


MakeLoss = Callable[[Potential, FitData, FitSettings, bool, int | None], LossFunction]


def build_loss(
    potential: Potential, data: FitData, settings: FitSettings, with_gradient: bool, n_blocks: int | None = None
) -> LossFunction:
    """Build the loss of a potential shape on a subset, with or without gradient (None then).

    With `n_blocks` it is a `acefit.fit.minibatches.DivisibleLoss` of that many blocks.
    """
    arguments = (potential, data.structures, data.neighbors, data.weights, settings.loss)
    loss = Loss(*arguments, tables=settings.tables, n_blocks=n_blocks, folder=settings.pair_folder)
    return cast(LossFunction, loss if with_gradient else partial(loss, with_gradient=False))


@dataclass(frozen=True)
class FitJob:
    """What is to be fitted, and how.

    Attributes
    ----------
    potential : extended start of the ladder step, or the best of its earlier cycles
    train, test : data; there may be no test set
    settings : FitSettings
    seed, step, cycle : for random numbers and labels
    folder : run directory
    code : digest of the code
    make_loss : builds the loss, see `build_loss`
    search_folders : where user callbacks are looked for
    processes : that share the work; only the first one calls `run_fit`, the others `assist_fit`
    """

    potential: Potential
    train: FitData
    test: FitData | None
    settings: FitSettings
    seed: int
    step: int
    cycle: int
    folder: Path
    code: str = ""
    make_loss: MakeLoss = build_loss
    search_folders: tuple[Path, ...] = ()
    processes: Processes = ALONE


@dataclass(frozen=True)
class FitOutcome:
    """A finished fit.

    Attributes
    ----------
    potential : best potential, metadata `_loss` and `_fit_cycles`
    rows : metrics of all iterations, train and test
    metrics : metrics of the best point, subset -> row
    minimum : how the minimisation went
    n_functions, n_parameters, n_trainable : size of the potential and number of parameters that were free
    seconds, seconds_evaluating : wall time in total and inside the loss, interrupted runs included
    """

    potential: Potential
    rows: list[Row]
    metrics: dict[str, Row]
    minimum: Minimum
    n_functions: int
    n_parameters: int
    n_trainable: int
    seconds: float
    seconds_evaluating: float


def run_fit(job: FitJob) -> FitOutcome:
    """Fit one cycle of one ladder step; after an interruption the same call goes on where it stopped.

    Parameters
    ----------
    job : FitJob
        What to do.

    Returns
    -------
    FitOutcome

    Raises
    ------
    FitError
        If the loss is not finite, memory does not suffice, or a callback fails and is to stop the fit.
    """
    settings = job.settings
    layout = parameter_layout(job.potential)
    mask = trainable_mask(job.potential, settings.trainable, layout)
    x0 = start_parameters(job, layout, mask)
    functions = load_callbacks(settings.callbacks, job.search_folders)
    callbacks = Callbacks(functions, cycle=job.cycle, step=job.step, stop_on_error=settings.stop_on_callback_error)
    plan = plan_batches(settings, job.train.structures, job.seed, job.step, job.cycle)
    if plan is not None:
        refuse_minibatches(job.processes)
    job.folder.mkdir(parents=True, exist_ok=True)
    if report_size(job, layout, mask, plan):
        job = replace(job, settings=replace(settings, pair_folder=job.folder))
    job.processes.share(job.settings)
    with EvaluationLog.open(job.folder / LOG_FILE, job_digest(job, x0, mask, plan)) as evaluations:
        if evaluations.n_evaluations:
            log.info("continues an earlier run after %d evaluations, which are taken from its log", evaluations.n_evaluations)
        data = job.train if plan is None else job.train.select(plan.shuffled(job.train.structures.n_structures))
        train = _meter(job, layout, data, "train", None if plan is None else plan.n_blocks)
        loss = ReplayedLoss(train.loss, evaluations)
        minibatches = None if plan is None else epochs_of(cast(DivisibleLoss, train.loss), plan)
        recorder = Recorder(
            job.folder,
            layout,
            evaluations,
            loss,
            train=train,
            test=None if job.test is None else _meter(job, layout, job.test, "test"),
            stopping=early_stopping(settings),
            callbacks=callbacks,
            progress=Progress(job.train.structures.n_atoms, settings.maxiter),
            display_step=settings.display_step,
        )
        explain = partial(explain_non_finite, structures=data.structures)
        found, metrics = _minimize(job, loss, recorder, x0, mask, minibatches, LoggedStates(evaluations), explain)
    dismiss(job.processes, layout.n_parameters)
    report_end(found, recorder)
    fitted = layout.apply(found.x).with_metadata(_loss=repr(found.value), _fit_cycles=str(job.cycle + 1))
    times = (recorder.seconds, recorder.seconds_evaluating)
    return FitOutcome(fitted, recorder.rows, metrics, found, layout.n_functions, layout.n_parameters, int(mask.sum()), *times)


def assist_fit(job: FitJob) -> None:
    """Evaluate a part of the structures for the first process, which calls `run_fit` with the same job."""
    layout = parameter_layout(job.potential)
    job = replace(job, settings=job.processes.share(None))
    meters = [_meter(job, layout, job.train, "train")]
    if job.test is not None:
        meters.append(_meter(job, layout, job.test, "test"))
    serve(job.processes, [cast(DividedLoss, meter.loss) for meter in meters], layout.n_parameters)


def _minimize(
    job: FitJob,
    loss: ReplayedLoss,
    recorder: Recorder,
    x0: NDArray[np.float64],
    mask: NDArray[np.bool_],
    minibatches: Minibatches | None,
    memory: LoggedStates,
    explain: Explain,
) -> tuple[Minimum, dict[str, Row]]:
    """Minimise; the minimum and the metrics of its point, subset -> row."""
    settings = job.settings
    try:
        found = minimize(
            loss,
            x0,
            method=settings.optimizer,
            maxiter=settings.maxiter,
            options=settings.options,
            callback=recorder.record,
            trainable=mask,
            minibatches=minibatches,
            memory=memory,
            scales=optimizer_scales(job),
            explain=explain,
        )
        return found, recorder.finish(found.x)
    finally:
        recorder.close()


def optimizer_scales(job: FitJob) -> NDArray[np.float64] | None:
    """Units in which the optimiser sees the parameters; None if it takes them as they are."""
    if job.settings.optimizer != "ScaledBFGS":
        return None
    options = job.settings.options or {}
    return parameter_scales(parameter_layout(job.potential), **{key: options[key] for key in SCALES if key in options})


def start_parameters(job: FitJob, layout: ParameterLayout, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Starting point: that of the potential in the first cycle, perturbed in later ones if the settings say so."""
    x = layout.vector()
    perturbation = job.settings.perturbation
    if job.cycle == 0 or not perturbation.is_random:
        return x
    return perturb(x, mask, layout.n_radial, perturbation, cycle_generator(job.seed, job.step, job.cycle))


def job_digest(job: FitJob, x0: NDArray[np.float64], mask: NDArray[np.bool_], plan: BatchPlan | None = None) -> bytes:
    """Digest of everything the path of the minimisation depends on; number of threads and iterations are not among it."""
    shape = format_potential(replace(job.potential, metadata={}))
    parts = [shape, x0, mask, job.train.digest(), b"" if job.test is None else job.test.digest()]
    return content_digest(*parts, job.settings.key(), None if plan is None else list(plan), job.code)


def early_stopping(settings: FitSettings) -> dict[str, EarlyStopping]:
    """Stopping criteria of both subsets."""
    return {
        "train": EarlyStopping(settings.train_threshold, settings.patience, 1, "train"),
        "test": EarlyStopping(settings.test_threshold, settings.patience, settings.display_step, "test"),
    }


def report_size(job: FitJob, layout: ParameterLayout, mask: NDArray[np.bool_], plan: BatchPlan | None = None) -> bool:
    """Log the size of the problem, check that it fits into memory, and say whether the pairs are to be kept in files for that."""
    settings = job.settings
    n_free = int(mask.sum())
    log.info(
        "ladder step %d, cycle %d: %d functions, %d parameters (%d trainable); %d structures, %d atoms, %d pairs to fit",
        job.step, job.cycle, layout.n_functions, layout.n_parameters, n_free,
        job.train.structures.n_structures, job.train.structures.n_atoms, job.train.neighbors.n_pairs,
    )  # fmt: skip
    if plan is not None:
        n = job.train.structures.n_structures
        log.info("%d minibatches of %.1f structures an iteration", plan.n_batches, n / plan.n_batches)
    n_processes, n_here = job.processes.size, job.processes.size_here
    sizes = [subset.size().share(n_processes) for subset in (job.train, job.test) if subset is not None]
    optimizer = optimizer_bytes(settings.optimizer, n_free, settings.maxiter)
    resident, threads = resident_bytes(), default_threads()
    estimate_of = partial(
        estimate_memory, sizes, layout.n_parameters, optimizer, threads=threads, n_shares=N_SHARES, resident=resident
    )
    estimate = estimate_of(stream=False)
    stream = choose_streaming(settings.stream, estimate, settings.max_memory, n_here)
    if stream:
        estimate = estimate_of(stream=True)
    check_memory(estimate, settings.optimizer, settings.max_memory)
    return stream


def report_end(found: Minimum, recorder: Recorder) -> None:
    """Log why the minimisation ended and where its time went."""
    own = max(0.0, found.seconds - found.seconds_evaluating)
    share = 100.0 * own / found.seconds if found.seconds else 0.0
    log.info(
        "%s after %d iterations, %d evaluations; loss %.6e; %.1f s, %.0f %% of this run outside the loss (optimiser, files)",
        found.reason, found.iterations, found.evaluations, found.value, recorder.seconds, share,
    )  # fmt: skip
    if found.reason.startswith("stopped: ") or "improved on the start" in found.reason:
        log.warning("%s", found.reason)
    if found.non_finite:
        log.info("%d trial points had a loss that is not finite and were left by shorter steps", found.non_finite)


def _meter(job: FitJob, layout: ParameterLayout, data: FitData, subset: str, n_blocks: int | None = None) -> Meter:
    labels = {
        "subset": subset,
        "ladder_step": job.step,
        "cycle_step": job.cycle,
        "nfuncs": layout.n_functions,
        "ncoefs": layout.n_parameters,
    }
    kappas = (job.settings.loss.kappa, job.settings.loss.kappa_stress)
    if job.processes.size > 1:
        loss, errors = _divided(job, layout, data, subset)
        return DividedMeter(loss, errors, *kappas, labels)
    whole = job.make_loss(job.potential, data, job.settings, subset == "train", n_blocks)
    return Meter(whole, ErrorMeter(data.reference()), *kappas, labels)


def _divided(job: FitJob, layout: ParameterLayout, data: FitData, subset: str) -> tuple[LossFunction, ErrorMeter]:
    """Divide a subset among the processes so that all take equally long; its loss, and the errors of the part of this process."""
    processes, path, costs = job.processes, job.folder / SPEEDS_FILE, data.costs()
    speeds = read_speeds(path, processes)
    chosen = _share(processes, costs, speeds or [1.0] * processes.size)
    part = _part(job, data, chosen, subset)
    if speeds is None:
        evaluate = None if part.loss is None else partial(part.loss, layout.vector())
        speeds = measure_speeds(processes, evaluate, float(costs[chosen].sum()), path)
        if len(set(speeds)) > 1:
            part = _part(job, data, _share(processes, costs, speeds), subset)
    n_gradient = layout.n_parameters if subset == "train" else 0
    number = 0 if subset == "train" else 1
    return cast(LossFunction, DividedLoss(processes, number, part, n_gradient)), part.errors


def _share(processes: Processes, costs: NDArray[np.int64], speeds: list[float]) -> NDArray[np.int64]:
    """Structures of this process."""
    bounds = divide(costs, speeds)
    return np.arange(bounds[processes.rank], bounds[processes.rank + 1])


def _part(job: FitJob, data: FitData, chosen: NDArray[np.int64], subset: str) -> Part:
    """Loss and errors of some structures; the regularisation belongs to the first process."""
    settings, own = job.settings, data.select(chosen)
    if job.processes.rank:
        settings = replace(settings, loss=LossSettings(kappa=settings.loss.kappa, kappa_stress=settings.loss.kappa_stress))
    loss = job.make_loss(job.potential, own, settings, subset == "train", None) if len(chosen) else None
    # what counts as low energy depends on all structures
    return Part(loss, ErrorMeter(own.reference()._replace(is_low=data.low_energy()[chosen])))
