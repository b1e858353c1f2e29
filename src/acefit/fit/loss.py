"""The loss and its exact gradient with respect to all parameters.

    Loss = (1 - kappa) sum_s wE_s [(E_s - E_s^ref)/N_s]^2 + kappa sum_a wF_a |F_a - F_a^ref|^2
         + kappa_stress sum_s wS_s |sigma_s - sigma_s^ref|^2
         + L1 sum |c| + L2 sum c^2 + w0 S_0 + w1 S_1 + w2 S_2 + w_orth O

The stress term is ours (squared Frobenius norm, (eV/Angstrom^3)^2) and off by default; without it the loss equals pacemaker's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import NeighborList
from acefit.data.pairs import Pairs
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.fit.batch import build_batch
from acefit.fit.regularisation import build_regularisation
from acefit.kernels.penalties import norms_into
from acefit.potential.model import Potential

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms; kappa between 0 and 1."""

    kappa: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    w0: float = 0.0
    w1: float = 0.0
    w2: float = 0.0
    w_orth: float = 0.0
    kappa_stress: float = 0.0


class Evaluation(NamedTuple):
    """Loss at one point.

    Attributes
    ----------
    value : total loss
    gradient : (n_parameters,), None if not asked for
    terms : contributions energy, force, stress, l1, l2, w0, w1, w2, w_orth, which add up to value
    energies : (S,) eV; forces : (A, 3) eV/Angstrom; stresses : (S, 6) eV/Angstrom^3
    """

    value: float
    gradient: Floats | None
    terms: dict[str, float]
    energies: Floats
    forces: Floats
    stresses: Floats


class Sample(NamedTuple):
    """Estimate of the loss and of its gradient (n_parameters,) from a part of the structures."""

    value: float
    gradient: Floats


class Loss:
    """Loss of a set of structures as a function of the parameter vector (order of `acefit.potential.parameters`).

    Parameters
    ----------
    potential : Potential
        Its shape is fixed; its coefficients are the default point.
    structures, neighbors, weights : of the same structures
    settings : LossSettings
    tables : bool
        Interpolated radial functions as the reference evaluator uses them.
    threads : int or None
        Threads to use; the result does not depend on it.
    n_blocks : int or None
        Number of blocks of which `minibatch` can choose, of equal numbers of structures; None: blocks of equal work.
    folder : Path or None
        Folder for files with the pairs, of which only the part that is worked on is in memory; None: all are in memory.
    """

    def __init__(
        self,
        potential: Potential,
        structures: StructureSet,
        neighbors: NeighborList | Pairs,
        weights: Weights,
        settings: LossSettings,
        *,
        tables: bool = False,
        threads: int | None = None,
        n_blocks: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self.compiled = compile_potential(potential, tables)
        self.layout = self.compiled.layout
        self.settings = settings
        factors = (1.0 - settings.kappa, settings.kappa, settings.kappa_stress)
        self._batch = build_batch(self.compiled, structures, neighbors, weights, factors, threads, n_blocks, folder)
        self._regularisation = build_regularisation(potential, self.layout)

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector."""
        return self.layout.n_parameters

    @property
    def n_blocks(self) -> int:
        """Number of blocks the structures are divided into."""
        return self._batch.n_blocks

    def __call__(self, x: Floats, with_gradient: bool = True) -> Evaluation:
        """Evaluate at x."""
        x = np.ascontiguousarray(x, dtype=np.float64)
        result, (terms, gradient) = self._batch.evaluate_beside(x, with_gradient, lambda: self._regularise(x))
        terms = {"energy": result.parts[0], "force": result.parts[1], "stress": result.parts[2], **terms}
        terms = {name: float(value) for name, value in terms.items()}
        if result.gradient is not None:
            gradient = gradient + result.gradient
        return Evaluation(
            sum(terms.values()), gradient if with_gradient else None, terms, result.energies, result.forces, result.stresses
        )

    def minibatch(self, x: Floats, blocks: NDArray[np.int64], factor: float) -> Sample:
        """Estimate from some of the blocks: `factor` times their data terms, and the whole regularisation.

        Where the blocks of n minibatches are all blocks, and the factor is n, the mean of the estimates is the loss.
        """
        x = np.ascontiguousarray(x, dtype=np.float64)
        parts, slope = self._batch.evaluate_blocks(x, blocks)
        terms, gradient = self._regularise(x)
        return Sample(factor * float(parts.sum()) + sum(terms.values()), gradient + factor * slope)

    def _regularise(self, x: Floats) -> tuple[dict[str, float], Floats]:
        """Terms that depend on the parameters only, and their gradient."""
        s, n_radial = self.settings, self.layout.n_radial
        gradient, norms = np.zeros_like(x), np.zeros(2)
        norms_into(x, n_radial, s.l1, s.l2, norms, gradient)
        terms = {"l1": s.l1 * float(norms[0]), "l2": s.l2 * float(norms[1])}
        smooth = (s.w0, s.w1, s.w2)
        if any(smooth):
            values, slope = self._regularisation.smoothness(x, smooth)
            gradient += slope
            terms |= {f"w{q}": smooth[q] * float(values[q]) for q in range(3)}
        if s.w_orth:
            value, slope = self._regularisation.orthogonality(x)
            gradient += s.w_orth * slope
            terms["w_orth"] = s.w_orth * value
        return terms, gradient
