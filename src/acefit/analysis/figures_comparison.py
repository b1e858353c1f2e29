"""Figure of the errors of several runs against their cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from acefit.analysis.canvas import GREY, PALETTE, new_figure, plain_log_ticks, styled
from acefit.analysis.catalog import SUBSET_WORDS
from acefit.analysis.comparison import COSTS, ERRORS

MAX_LABELS = 12
COST_AXES = {"time": "processor time of an evaluation (µs/atom)", "functions": "number of functions"}
ERROR_AXES = {"energy": ("energy RMSE, {} (meV/atom)", 1.0), "force": ("force component RMSE, {} (meV/Å)", 1000.0)}
"""Label of an axis, and the factor from the unit of the table to its own."""


@styled
def draw_comparison(table: pd.DataFrame, labels: Mapping[str, str], heading: str = "") -> Figure:
    """Energy errors (top) and force errors (bottom) against measured time (left) and number of functions (right).

    Parameters
    ----------
    table : of the contract `runs`
    labels : name of a run -> text beside its mark
    heading : what the labels are
    """
    subset = str(table["subset"].iloc[0])
    figure = new_figure(9.4, 7.2)
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for row, (error, column) in enumerate(ERRORS.items()):
        label, factor = ERROR_AXES[error]
        errors = factor * table[f"{column}_{subset}"]
        for axes, (cost, of_cost) in zip(panels[row], COSTS.items(), strict=True):
            _draw_runs(axes, table[of_cost], errors, table[f"optimal_{error}_{cost}"], table["run"].map(labels))
        panels[row, 0].set_ylabel(label.format(SUBSET_WORDS[subset]))
    for axes, text in zip(panels[1], COST_AXES.values(), strict=True):
        axes.set_xlabel(text)
    for axes in panels.flat:
        plain_log_ticks(axes.xaxis)
        plain_log_ticks(axes.yaxis)
    _keep_whole_numbers(panels[1, 1])
    figure.align_ylabels()
    handles = [
        Line2D([], [], color=PALETTE[0], marker="o", drawstyle="steps-post", label="Pareto-optimal"),
        Line2D([], [], color=GREY, linestyle="none", marker="o", markerfacecolor="none", label="beaten by another run"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, title=heading or None, title_fontsize=9)
    return figure


def _keep_whole_numbers(axes: Axes) -> None:
    """No fractions of functions where their numbers are close to each other."""
    if isinstance(axes.xaxis.get_major_locator(), MaxNLocator):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def _draw_runs(axes: Axes, costs: pd.Series, errors: pd.Series, optimal: pd.Series, labels: pd.Series) -> None:
    """One panel: the front as a staircase, since whatever lies above and to the right of it is beaten."""
    front = pd.DataFrame({"cost": costs, "error": errors})[optimal].sort_values("cost")
    axes.scatter(costs[~optimal], errors[~optimal], s=26, facecolor="none", edgecolor=GREY, linewidth=0.9, zorder=3)
    axes.plot(front["cost"], front["error"], color=PALETTE[0], marker="o", markersize=6, drawstyle="steps-post", zorder=3)
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.15, y=0.12)
    shown = np.isfinite(errors) & (optimal | (len(costs) <= MAX_LABELS))
    if shown.sum() > MAX_LABELS:
        return
    for row in np.flatnonzero(shown):
        place = (costs.iloc[row], errors.iloc[row])
        # text of the marks on the right would leave the panel
        is_right = axes.transAxes.inverted().transform(axes.transData.transform(place))[0] > 0.7
        axes.annotate(
            labels.iloc[row],
            place,
            xytext=(-5 if is_right else 5, 4),
            textcoords="offset points",
            ha="right" if is_right else "left",
            fontsize=8,
            color="black" if optimal.iloc[row] else GREY,
            zorder=2,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
