"""Divide a dataset into training and test structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acefit.errors import DataError


@dataclass(frozen=True)
class Split:
    """Subset (``train`` or ``test``) of each structure and the reason for it."""

    subsets: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def train(self) -> NDArray[np.int64]:
        """Rows of the training structures, ascending."""
        return np.flatnonzero(np.array(self.subsets) == "train")

    @property
    def test(self) -> NDArray[np.int64]:
        """Rows of the test structures, ascending."""
        return np.flatnonzero(np.array(self.subsets) == "test")


def split_structures(
    roles: Sequence[str], groups: Sequence[str], test_size: float | None = None, seed: int | None = None, stratify: bool = False
) -> Split:
    """Divide structures into training and test set.

    Structures from files given for training or testing stay there. If there are test files, `test_size` has no effect;
    otherwise test structures are drawn from those with the role ``data``.

    Parameters
    ----------
    roles : sequence of str, length S
        ``data``, ``train`` or ``test``.
    groups : sequence of str, length S
        Labels for stratification.
    test_size : float, optional
        Below 1 the fraction, otherwise the number of test structures.
    seed : int, optional
        Seed of the draw; None draws differently each time.
    stratify : bool
        False: shuffle all indices with a legacy Mersenne Twister seeded with `seed`, which gives the split pacemaker makes with
        the same seed when it drew nothing before. True: draw from each group in proportion to its size (largest remainders),
        with NumPy's default generator.

    Returns
    -------
    split : Split

    Raises
    ------
    DataError
        If test_size is not positive, not a whole number from 1 on, or leaves no training structure.
    """
    drawn_from = np.flatnonzero(np.array(roles) == "data")
    has_test_file = "test" in roles
    subsets = ["test" if role == "test" else "train" for role in roles]
    reasons = ["test file" if role == "test" else "training file" if role == "train" else "data file" for role in roles]
    if test_size is not None and not has_test_file:
        n_test = count_test(len(drawn_from), test_size)
        if stratify:
            chosen = _draw_stratified(drawn_from, groups, n_test, seed)
        else:
            chosen = drawn_from[_draw_legacy(len(drawn_from), n_test, seed)]
        for s in drawn_from:
            reasons[s] = "not drawn for testing"
        for s in chosen:
            subsets[s], reasons[s] = "test", f"drawn for testing from group {groups[s]!r}" if stratify else "drawn for testing"
    if "train" not in subsets:
        raise DataError("no structure is left for training; give data.filename or a smaller data.test_size")
    return Split(tuple(subsets), tuple(reasons))


def count_test(n_structures: int, test_size: float) -> int:
    """Number of test structures that `test_size` means: int(n * test_size) below 1, else test_size itself."""
    if not (np.isfinite(test_size) and test_size > 0):
        raise DataError(f"data.test_size must be positive, not {test_size}")
    if test_size >= 1 and test_size != int(test_size):
        raise DataError(f"data.test_size must be a fraction below 1 or a whole number, not {test_size}")
    n_test = int(n_structures * test_size) if test_size < 1 else int(test_size)
    if n_test >= n_structures:
        raise DataError(f"data.test_size {test_size} leaves no training structure of {n_structures}; make it smaller")
    return n_test


def _draw_legacy(n_structures: int, n_test: int, seed: int | None) -> NDArray[np.int64]:
    indices = np.arange(n_structures)
    np.random.RandomState(seed).shuffle(indices)
    return np.sort(indices[n_structures - n_test :])


def _draw_stratified(rows: NDArray[np.int64], groups: Sequence[str], n_test: int, seed: int | None) -> NDArray[np.int64]:
    """Draw from each group in proportion to its size; remaining places go to the largest remainders, then alphabetically."""
    generator = np.random.default_rng(seed)
    members = {group: [s for s in rows if groups[s] == group] for group in sorted({groups[s] for s in rows})}
    shares = {group: n_test * len(rows_of) / max(len(rows), 1) for group, rows_of in members.items()}
    counts = {group: int(share) for group, share in shares.items()}
    by_remainder = sorted(shares, key=lambda group: (counts[group] - shares[group], group))
    for group in by_remainder[: n_test - sum(counts.values())]:
        counts[group] += 1
    drawn = [generator.choice(rows_of, counts[group], replace=False) for group, rows_of in members.items()]
    return np.sort(np.concatenate([*drawn, np.empty(0, np.int64)]).astype(np.int64))
