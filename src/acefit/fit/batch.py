"""Structures, neighbour lists, reference values and weights of one set, laid out for the loss kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.neighborlists import NeighborList
from acefit.data.pairs import Pairs, as_pairs
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.errors import DataError
from acefit.evaluation.grouping import Layout, equal_ranges, writable
from acefit.evaluation.threads import run_blocks, run_blocks_beside
from acefit.fit.layout import Pages, lay_out, slot_range
from acefit.kernels.gradient import loss_and_gradient
from acefit.kernels.model import Coefficients
from acefit.kernels.states import make_room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
T = TypeVar("T")

N_SHARES = 64
"""Buffers for partial gradients; there may be many more blocks, and one buffer for each would take too much memory."""


COLUMNS = 16384
"""Entries of the gradient that one thread adds up over the shares at a time."""


class Targets(NamedTuple):
    """Reference values and the factors of their squared errors; a factor of zero means the value is not used.

    Attributes
    ----------
    energy : (S,) eV; energy_weight : (S,) of the squared error of the total energy
    force : (A, 3); force_weight : (A,)
    stress : (S, 6) eV/Angstrom^3; stress_weight : (S,); volume : (S,) Angstrom^3, NaN without a cell
    """

    energy: Floats
    energy_weight: Floats
    force: Floats
    force_weight: Floats
    stress: Floats
    stress_weight: Floats
    volume: Floats


class Slopes(NamedTuple):
    """Derivatives of the loss: energy (S,), force (A, 3), virial (S, 3, 3)."""

    energy: Floats
    force: Floats
    virial: Floats


class BatchResult(NamedTuple):
    """Loss parts (energy, force, stress), predictions, and the gradient of the kernel coefficients (None if not asked for).

    Attributes
    ----------
    parts : (3,) weighted squared errors without kappa
    energies : (S,); forces : (A, 3); stresses : (S, 6), NaN without a cell
    gradient : (n_parameters,) of the combined loss
    """

    parts: Floats
    energies: Floats
    forces: Floats
    stresses: Floats
    gradient: Floats | None


def _usable(weights: Floats, values: Floats, what: str) -> Floats:
    """Weights of the values that exist; a positive weight on a missing value is an error."""
    missing = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if (weights[missing] > 0.0).any():
        raise DataError(f"{int((weights[missing] > 0).sum())} {what} have a weight but no reference value")
    return np.where(missing, 0.0, weights)


def build_targets(structures: StructureSet, weights: Weights, factors: tuple[float, float, float]) -> Targets:
    """Fold the factors of energy, force and stress terms into the weights; energies count per atom, stresses with a cell."""
    n = np.diff(structures.offsets)
    energy = _usable(np.asarray(weights.energy, dtype=float), structures.energies, "structures")
    force = _usable(np.asarray(weights.force, dtype=float), structures.forces, "atoms")
    has_volume = structures.volumes > 0.0
    stress_weight = np.where(has_volume, weights.stress, 0.0) if factors[2] else np.zeros(len(n))
    stress = _usable(stress_weight, structures.stresses, "structures (stress)")
    return Targets(
        energy=np.nan_to_num(structures.energies),
        energy_weight=factors[0] * energy / n**2,
        force=np.nan_to_num(structures.forces),
        force_weight=factors[1] * force,
        stress=np.nan_to_num(structures.stresses),
        stress_weight=factors[2] * stress,
        volume=np.where(has_volume, structures.volumes, np.nan),
    )


@dataclass(frozen=True, eq=False)
class Batch:
    """One set of structures ready for repeated evaluation with one compiled potential.

    Parameters
    ----------
    factors : weights of the energy, force and stress terms: (1 - kappa, kappa, kappa_stress)
    pages : files of the layout's slots, None where they are in memory
    """

    compiled: Compiled
    structures: StructureSet
    layout: Layout
    targets: Targets
    factors: tuple[float, float, float]
    threads: int | None = None
    pages: Pages | None = None

    @property
    def n_blocks(self) -> int:
        """Number of blocks of work."""
        return len(self.layout.block_groups) - 1

    @cached_property
    def _order(self) -> Ints:
        """Blocks by falling work, since threads that take the long ones first end together; those in files as they come."""
        if self.pages is not None:
            return np.arange(self.n_blocks, dtype=np.int64)
        slots = self.layout.groups.slots
        work = np.concatenate([[0], np.cumsum(slots[:, -1] - slots[:, 0])])[self.layout.block_groups]
        return np.argsort(-np.diff(work), kind="stable").astype(np.int64)

    @cached_property
    def _gradients(self) -> Coefficients:
        """Buffers of the shares, which the kernel sets; kept, since the system takes long to hand out new memory."""
        like = self.compiled.coefficients(np.zeros(self.compiled.layout.n_parameters))
        return Coefficients(*(np.empty((min(N_SHARES, self.n_blocks), *part.shape)) for part in like))

    @cached_property
    def _rooms(self) -> list[Floats]:
        """Rooms of `acefit.kernels.states` that no thread is using; kept for the same reason."""
        return []

    def _room(self) -> Floats:
        """Room that no other thread has."""
        try:
            return self._rooms.pop()
        except IndexError:
            return make_room(self.compiled.shape, int(np.diff(self.layout.block_groups).max(initial=1)))

    def evaluate(self, x: Floats, with_gradient: bool = True) -> BatchResult:
        """Loss parts, predictions and, if asked for, the gradient at the parameters x."""
        return self.evaluate_beside(x, with_gradient, lambda: None)[0]

    def evaluate_beside(self, x: Floats, with_gradient: bool, other: Callable[[], T]) -> tuple[BatchResult, T]:
        """`evaluate`, and the result of some other work, which is done while other threads are still at the last blocks."""
        return self._run(x, np.arange(self.n_blocks, dtype=np.int64), with_gradient, other)

    def evaluate_blocks(self, x: Floats, blocks: Ints) -> tuple[Floats, Floats]:
        """Loss parts (3,) and gradient (n_parameters,) of the structures in some of the blocks."""
        # A writable copy, because a read-only view would compile a second kernel
        sums, _ = self._run(x, np.array(blocks, dtype=np.int64), True, lambda: None)
        assert sums.gradient is not None
        return sums.parts, sums.gradient

    def _run(self, x: Floats, blocks: Ints, with_gradient: bool, other: Callable[[], T]) -> tuple[BatchResult, T]:
        """Run the kernel over some blocks; predictions of the rest are zero."""
        compiled, layout, structures = self.compiled, self.layout, self.structures
        coefficients = compiled.coefficients(x)
        n_atoms, n_structures = structures.n_atoms, structures.n_structures
        slopes = Slopes(np.zeros(n_structures), np.zeros((n_atoms, 3)), np.zeros((n_structures, 3, 3)))
        energies, forces, stresses = np.zeros(n_structures), np.zeros((n_atoms, 3)), np.zeros((n_structures, 6))
        atomic_energies, losses = np.zeros(n_atoms), np.zeros((self.n_blocks, 3))
        offsets = writable(structures.offsets)
        # Threads divide the shares, which depend on the blocks only, so no sum depends on the number of threads
        n_shares = min(N_SHARES, len(blocks))
        share_start = equal_ranges(len(blocks), max(n_shares, 1))
        order = self._order if len(blocks) == self.n_blocks == n_shares else np.arange(n_shares, dtype=np.int64)
        n = n_shares if with_gradient else 0
        gradients = Coefficients(*(part[:n] for part in self._gradients))

        def run(turns: Ints) -> None:
            room = self._room()
            loss_and_gradient(
                turns,
                order,
                share_start,
                blocks,
                compiled.shape,
                coefficients,
                layout.groups,
                layout.block_groups,
                layout.block_structures,
                offsets,
                layout.structure,
                self.targets,
                slopes,
                atomic_energies,
                forces,
                stresses,
                energies,
                losses,
                gradients,
                room,
            )
            self._rooms.append(room)

        left = iter(range(n_shares))

        def run_paged(_: Ints) -> None:
            for share in left:
                of_share = blocks[share_start[share] : share_start[share + 1]]
                self._expect(blocks[share_start[share + 1] : share_start[min(share + 2, n_shares)]])
                run(np.array([share, share + 1]))
                self._release(of_share)

        of_other = run_blocks_beside(run if self.pages is None else run_paged, n_shares, other, self.threads)
        gradient = None
        if with_gradient:
            if sum(part[0].size for part in gradients) > COLUMNS:
                gradients = Coefficients(*(_sum_of_shares(part, self.threads)[None] for part in gradients))
            gradient = compiled.parameter_gradient(gradients)
        return BatchResult(losses[blocks].sum(axis=0), energies, forces, stresses, gradient), of_other

    def _expect(self, blocks: Ints) -> None:
        """Have the slots of some blocks read, while other work is done."""
        assert self.pages is not None
        for block in blocks:
            self.pages.expect(*slot_range(self.layout, block))

    def _release(self, blocks: Ints) -> None:
        """Let the memory of the slots of some blocks go."""
        assert self.pages is not None
        for block in blocks:
            self.pages.release(*slot_range(self.layout, block))


def _sum_of_shares(shares: Floats, threads: int | None) -> Floats:
    """Sum over the first axis, in the order of the shares, by several threads."""
    flat, result = shares.reshape(len(shares), -1), np.empty(shares.shape[1:])
    starts = range(0, flat.shape[1], COLUMNS)
    left = iter(starts)

    def run(_: Ints) -> None:
        for start in left:
            columns = slice(start, start + COLUMNS)
            np.add.reduce(flat[:, columns], axis=0, out=result.reshape(-1)[columns])

    run_blocks(run, len(starts), threads)
    return result


def build_batch(
    compiled: Compiled,
    structures: StructureSet,
    neighbors: NeighborList | Pairs,
    weights: Weights,
    factors: tuple[float, float, float],
    threads: int | None = None,
    n_blocks: int | None = None,
    folder: Path | None = None,
) -> Batch:
    """Lay out a set of structures for repeated evaluation; `n_blocks` and `folder` as in `acefit.fit.layout.lay_out`."""
    layout, pages = lay_out(compiled, structures, as_pairs(neighbors), n_blocks, folder)
    return Batch(compiled, structures, layout, build_targets(structures, weights, factors), factors, threads, pages)
