"""What a running fit says: a line per iteration, and a table now and then."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

TERMINAL_SECONDS = 0.5
MEV = 1000.0
CONTRIBUTIONS = {
    "Energy": "e_loss_contrib",
    "Force": "f_loss_contrib",
    "Stress": "s_loss_contrib",
    "L1": "l1_reg_contrib",
    "L2": "l2_reg_contrib",
    "Smooth_w0": "smooth_w1",
    "Smooth_w1": "smooth_w2",
    "Smooth_w2": "smooth_w3",
    "Orthogonality": "smooth_orth",
}
TABLE_WIDTH = 79


class Progress:
    """Reports of one minimisation; everything goes to the log, the terminal hears at most two lines per second.

    Parameters
    ----------
    n_atoms : int
        Atoms of the training set, for times per atom.
    maxiter : int
        Largest number of iterations, for the time left.
    """

    def __init__(self, n_atoms: int, maxiter: int) -> None:
        self._n_atoms = max(n_atoms, 1)
        self._maxiter = maxiter
        self._said = -math.inf
        self._first: tuple[int, float] | None = None

    def report(self, title: str, row: Mapping[str, Any], seconds_per_evaluation: float) -> None:
        """Log one line for a row of the metrics table; `title` as in `Iteration`."""
        now = time.monotonic()
        is_quiet = now - self._said < TERMINAL_SECONDS
        if not is_quiet:
            self._said = now
        line = format_line(title, row, seconds_per_evaluation / self._n_atoms) + self._time_left(row)
        log.info("%s", line, extra={"file_only": is_quiet})

    def report_table(self, title: str, row: Mapping[str, Any], seconds_per_evaluation: float) -> None:
        """Log the boxed table of a row, to the file only."""
        log.info("\n%s", format_table(title, row, seconds_per_evaluation / self._n_atoms), extra={"file_only": True})

    def _time_left(self, row: Mapping[str, Any]) -> str:
        """Upper estimate of the time left: all iterations are made, each taking as long as those of this run so far."""
        iteration, elapsed = int(row["iter_num"]), float(row["time"])
        if self._first is None:
            self._first = (iteration, elapsed)
            return ""
        n_done = iteration - self._first[0]
        if n_done < 1 or iteration >= self._maxiter:
            return ""
        return f" | Left: < {format_duration((self._maxiter - iteration) * (elapsed - self._first[1]) / n_done)}"


def format_line(title: str, row: Mapping[str, Any], seconds_per_atom: float) -> str:
    """One line in pacemaker's shape: loss, errors of energies (meV/atom) and forces (meV/Angstrom), time per evaluation.

    Errors of the low-energy set are in brackets; the time is in microseconds per atom.
    """
    return (
        f"{title:<12}{'#' + str(row['iter_num']):<6}{'(' + str(row['evaluations']) + ' evals):':<15}"
        f"Loss: {row['loss']:.4e} | RMSE Energy(low): {MEV * row['rmse_epa']:.2f} ({MEV * row['low_rmse_epa']:.2f}) meV/at | "
        f"Forces(low): {MEV * row['rmse_f_comp']:.2f} ({MEV * row['low_rmse_f_comp']:.2f}) meV/A | "
        f"Time/eval: {1e6 * seconds_per_atom:.2f} mcs/at"
    )


def format_table(title: str, row: Mapping[str, Any], seconds_per_atom: float) -> str:
    """Boxed table: parts of the loss with their shares, size of the potential, errors (meV/atom, meV/Angstrom per component)."""
    inner = TABLE_WIDTH - 4
    rule = "+" + "-" * (TABLE_WIDTH - 2) + "+"
    lines = [
        f"Iteration {row['iter_num']}, {row['evaluations']} evaluations, {1e6 * seconds_per_atom:.2f} mcs/at per evaluation",
        f"{row['nfuncs']} functions, {row['ncoefs']} parameters",
        f"{'Loss':<16}{row['loss']:>14.6e}",
    ]
    for label, name in CONTRIBUTIONS.items():
        value = float(row[name])
        if value != 0.0 or label in ("Energy", "Force"):
            share = 100.0 * value / row["loss"] if row["loss"] else 0.0
            lines.append(f"  {label:<14}{value:>14.6e}{share:>8.2f} %")
    lines.append(f"{'':<24}{'RMSE':>14}{'MAE':>14}{'MAX_AE':>14}")
    for label, prefix, suffix in (
        ("Energy, meV/at", "", "epa"),
        ("Low energy, meV/at", "low_", "epa"),
        ("Force, meV/A", "", "f_comp"),
        ("Low force, meV/A", "low_", "f_comp"),
    ):
        values = (MEV * row[f"{prefix}{kind}_{suffix}"] for kind in ("rmse", "mae", "max_abs"))
        lines.append(f"{label:<24}" + "".join(f"{value:>14.2f}" for value in values))
    body = [f"| {line:<{inner}} |" for line in lines]
    return "\n".join([f"+{' ' + title + ' ':-^{TABLE_WIDTH - 2}}+", *body, rule])


def format_duration(seconds: float) -> str:
    """Duration with one or two units, such as `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
