"""Early stopping: end a minimisation whose loss has changed too slowly over a window of iterations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

DEFAULT_PATIENCE = 200


@dataclass
class EarlyStopping:
    """Window on one list of losses (train or test).

    The relative change per iteration is rel_t = (loss_t - loss_{t-1}) / loss_{t-1} / interval. The minimisation is to stop if
    ceil(patience / interval) changes are known and the fastest decrease among the last `depth` losses is slower than the
    threshold.

    Attributes
    ----------
    threshold : relative change per iteration, its sign does not matter; None switches the criterion off
    patience : window in iterations
    interval : iterations between two losses (1 for train, display_step for test)
    subset : name used in the message
    losses : losses so far, the initial state first
    """

    threshold: float | None
    patience: int = DEFAULT_PATIENCE
    interval: int = 1
    subset: str = "train"
    losses: list[float] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """Number of losses in the window, at least two."""
        return max(2, math.ceil(self.patience / self.interval))

    def relative_changes(self) -> list[float]:
        """Relative changes per iteration between the losses of the window, oldest first."""
        window = self.losses[-self.depth :]
        return [_relative(new, old) / self.interval for old, new in pairwise(window)]

    def add(self, loss: float) -> str | None:
        """Append a loss.

        Parameters
        ----------
        loss : float
            Next loss of the list, the initial state first.

        Returns
        -------
        str or None
            Reason to stop, None to go on.
        """
        self.losses.append(loss)
        if self.threshold is None or len(self.losses) - 1 < max(1, math.ceil(self.patience / self.interval)):
            return None
        fastest = min(self.relative_changes())
        if fastest > -abs(self.threshold):
            return (
                f"early stopping: {self.subset} loss changed by at most {fastest:+.2e} per iteration over the last "
                f"{self.depth} values (threshold {-abs(self.threshold):.2e}, patience {self.patience})"
            )
        return None


def _relative(new: float, old: float) -> float:
    """Relative change; a loss that is already zero can only have stayed or risen."""
    if old == 0.0:
        return 0.0 if new == 0.0 else math.inf
    return (new - old) / old
