"""A fit job whose loss is a cheap analytic function, for tests of everything around the loss."""

from typing import NamedTuple

import numpy as np
from ase import Atoms

from acefit.basis.expansion import build_target
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.fit.run import FitData, FitJob
from acefit.fit.settings import FitSettings
from bases import section, shape


class Evaluation(NamedTuple):
    value: float
    gradient: np.ndarray
    terms: dict
    energies: np.ndarray
    forces: np.ndarray
    stresses: np.ndarray


class Sample(NamedTuple):
    value: float
    gradient: np.ndarray


class AnalyticLoss:
    """Rosenbrock's function of all parameters, with predictions that depend on them in some way.

    `before` is called with the number of the evaluation, from 1, before each.
    """

    def __init__(self, data, before=lambda number: None):
        self.data = data
        self.before = before
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        self.before(self.calls)
        inner = x[1:] - x[:-1] ** 2
        gradient = 2.0 * (x - 1.0)
        gradient[1:] += 20.0 * inner
        gradient[:-1] -= 40.0 * inner * x[:-1]
        value = float(np.sum((1.0 - x) ** 2) + 10.0 * np.sum(inner**2))
        s = self.data.structures
        return Evaluation(
            value, gradient, {"energy": value, "l1": 0.0}, s.energies + value, s.forces + x[0], np.zeros((s.n_structures, 6))
        )


class DividedLoss(AnalyticLoss):
    """The same with minibatches: each block adds a slope of its own, and these add up to zero.

    `before_minibatch` is called with the number of the minibatch, from 1, before each; where `is_bad(x, is_minibatch)` there
    is no loss.
    """

    def __init__(
        self,
        data,
        n_blocks,
        before=lambda number: None,
        before_minibatch=lambda number: None,
        is_bad=lambda x, is_minibatch: False,
    ):
        super().__init__(data, before)
        self.n_blocks = n_blocks
        self.before_minibatch = before_minibatch
        self.is_bad = is_bad
        self.n_minibatches = 0

    def __call__(self, x):
        found = super().__call__(x)
        return found._replace(value=float("nan")) if self.is_bad(x, False) else found

    def minibatch(self, x, blocks, factor):
        self.n_minibatches += 1
        self.before_minibatch(self.n_minibatches)
        whole = AnalyticLoss(self.data)(x)
        slopes = np.cos(np.outer(np.arange(self.n_blocks), np.arange(1, len(x) + 1)))
        slopes = 0.3 * (slopes - slopes.mean(axis=0))
        share = factor * len(blocks) / self.n_blocks
        own = factor * slopes[blocks].sum(axis=0)
        value = float("inf") if self.is_bad(x, True) else share * whole.value + float(own @ x)
        return Sample(value, share * whole.gradient + own)


def small_potential():
    """One element, a handful of parameters."""
    return build_target(section("Cu", {"ALL": shape([2, 1], [0, 1])}))


def small_data(n=3):
    """A few dimers with energies and forces."""
    frames = [Atoms("Cu2", [[0, 0, 0], [0, 0, 2.2 + 0.1 * k]]) for k in range(n)]
    bare = StructureSet.from_ase(frames)
    fields = {name: getattr(bare, name) for name in bare.__dataclass_fields__}
    fields["energies"], fields["forces"] = np.linspace(-1.0, 1.0, n), np.full((2 * n, 3), 0.1)
    structures = StructureSet(**fields)
    return FitData(structures, build(structures, 5.0), Weights.uniform(structures), np.full(n, np.nan))


def small_job(folder, fit=None, before=lambda number: None, has_test=True, **changes):
    """A job in a run directory; `fit` holds keys of the fit section, `changes` fields of the job."""
    losses = []

    def make_loss(potential, data, settings, with_gradient, n_blocks):
        losses.append(AnalyticLoss(data, before if with_gradient else lambda number: None))
        return losses[-1]

    fields = {
        "potential": small_potential(),
        "train": small_data(),
        "test": small_data(2) if has_test else None,
        "settings": FitSettings.from_section({"maxiter": 30, "display_step": 5, **(fit or {})}),
        "seed": 3,
        "step": 1,
        "cycle": 0,
        "folder": folder,
        "make_loss": make_loss,
    }
    return FitJob(**{**fields, **changes})


def stochastic_job(folder, fit=None, n=20, **hooks):
    """A job of Adam with minibatches of four structures; `hooks` are those of `DividedLoss`."""

    def make_loss(potential, data, settings, with_gradient, n_blocks):
        return DividedLoss(data, n_blocks, **hooks) if with_gradient else AnalyticLoss(data)

    options = {"batch_size": 4, "learning_rate": 0.02, **(fit or {}).get("options", {})}
    settings = {"maxiter": 8, **(fit or {}), "optimizer": "Adam", "options": options}
    return small_job(folder, settings, train=small_data(n), make_loss=make_loss)
