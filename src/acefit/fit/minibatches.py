"""Minibatches: how many there are, and which structures belong to which in each epoch.

The training structures are shuffled once and divided into blocks of equal numbers, so that a block is a random sample although
datasets are sorted by origin. Each epoch then deals the blocks to its minibatches anew. All of it follows from seed, ladder step,
cycle and number of the epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from acefit.data.structures import StructureSet
from acefit.fit.adam import AdamOptions
from acefit.fit.optimizers import Evaluate, HasGradient, check_options
from acefit.fit.quasi_newton import Vector
from acefit.fit.restarts import cycle_generator
from acefit.fit.settings import FitSettings

STOCHASTIC = ("Adam",)
"""Optimisers that use minibatches."""

MIN_BLOCKS = 64
ATOMS_PER_BLOCK = 32
"""Blocks should fill the lanes of the kernels, which take eight atoms of an element at a time."""
BLOCKS_PER_BATCH = (4, 32)
"""Fewest blocks of a minibatch, for mixing and for threads, and most."""
SHUFFLE, EPOCH = 0, 1
"""Streams of random numbers."""


class DivisibleLoss(Protocol):
    """A loss that can be estimated from some of the blocks of its structures."""

    def minibatch(self, x: Vector, blocks: NDArray[np.int64], factor: float) -> HasGradient:
        """`factor` times the data terms of the blocks, and the whole regularisation."""
        ...


class BatchPlan(NamedTuple):
    """How a training set is divided: numbers of minibatches and of blocks, and what the random numbers come from."""

    n_batches: int
    n_blocks: int
    seed: int
    step: int
    cycle: int

    def shuffled(self, n_structures: int) -> NDArray[np.int64]:
        """Order of the structures whose consecutive ranges are the blocks, shape (n_structures,)."""
        return cycle_generator(self.seed, self.step, self.cycle, SHUFFLE).permutation(n_structures)

    def draw(self, epoch: int) -> list[NDArray[np.int64]]:
        """Blocks of each minibatch of an epoch; together they are all blocks, each once."""
        order = cycle_generator(self.seed, self.step, self.cycle, EPOCH, epoch).permutation(self.n_blocks)
        # in ascending order memory is passed over in one direction
        return [np.sort(part) for part in np.array_split(order, self.n_batches)]


def plan_batches(settings: FitSettings, structures: StructureSet, seed: int, step: int, cycle: int) -> BatchPlan | None:
    """Divide a training set into minibatches.

    Parameters
    ----------
    settings : FitSettings
        Optimiser and its options.
    structures : StructureSet
        Training set.
    seed, step, cycle : what the random numbers come from

    Returns
    -------
    BatchPlan or None
        None if the optimiser takes the full gradient, or one batch holds all structures.

    Raises
    ------
    FitError
        If an option is wrong.
    """
    options = check_options(settings.optimizer, settings.options)
    if settings.optimizer not in STOCHASTIC:
        return None
    n_structures = structures.n_structures
    batch_size = AdamOptions(**options).batch_size
    if batch_size >= n_structures:
        return None
    n_batches = -(-n_structures // batch_size)
    fewest, most = BLOCKS_PER_BATCH
    per_batch = min(max(structures.n_atoms // (n_batches * ATOMS_PER_BLOCK), fewest), most)
    per_batch = max(per_batch, -(-MIN_BLOCKS // n_batches))
    return BatchPlan(n_batches, min(n_batches * per_batch, n_structures), seed, step, cycle)


def epochs_of(loss: DivisibleLoss, plan: BatchPlan) -> Callable[[int], list[Evaluate]]:
    """Minibatches of each epoch as functions of the parameters.

    The data terms are multiplied by the number of minibatches, so that their mean over an epoch is the loss of all structures.
    """

    def epoch(number: int) -> list[Evaluate]:
        return [partial(loss.minibatch, blocks=blocks, factor=float(plan.n_batches)) for blocks in plan.draw(number)]

    return epoch
