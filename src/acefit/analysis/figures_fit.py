"""Figures of the course of a fit: convergence, errors along the ladder, time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from acefit.analysis.canvas import GREY, LINE_STYLES, PALETTE, SUBSET_COLOURS, new_figure, plain_log_ticks, styled

# Parts of the loss in the order of their colours; columns of the metrics table
LOSS_PARTS = {
    "e_loss_contrib": "energies",
    "f_loss_contrib": "forces",
    "s_loss_contrib": "stresses",
    "l1_reg_contrib": "L1",
    "l2_reg_contrib": "L2",
    "smooth_w1": "smoothness w0",
    "smooth_w2": "smoothness w1",
    "smooth_w3": "smoothness w2",
    "smooth_orth": "orthogonality",
}
Colour = tuple[float, float, float, float]
MAX_STEP_LABELS = 12
MAX_CYCLE_COLOURS = 8


def _groups(table: pd.DataFrame, column: str) -> Iterator[tuple[int, pd.DataFrame]]:
    """Parts of a table by the values of an integer column, ascending."""
    for value in sorted(table[column].unique()):
        yield int(value), table[table[column] == value]


def step_offsets(metrics: pd.DataFrame) -> dict[int, int]:
    """Iteration at which each ladder step starts when the steps follow each other and the cycles of a step overlap."""
    offsets, start = {}, 0
    for step, rows in _groups(metrics, "ladder_step"):
        offsets[step] = start
        start += max(int(rows["iter_num"].max()), 1)
    return offsets


def _draw_steps(axes: Sequence[Axes], offsets: dict[int, int], end: int) -> None:
    """Vertical lines between ladder steps, and their numbers above the first panel where there is room for them."""
    for panel in axes:
        for start in list(offsets.values())[1:]:
            panel.axvline(start, color="#999999", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0.6)
        panel.set_xlim(0, max(end, 1))
    if 1 < len(offsets) <= MAX_STEP_LABELS:
        starts = [*offsets.values(), end]
        for k, step in enumerate(offsets):
            middle = 0.5 * (starts[k] + starts[k + 1])
            label = f"step {step}" if len(offsets) <= 6 else str(step)
            place = axes[0].get_xaxis_transform()
            axes[0].text(middle, 1.01, label, ha="center", va="bottom", fontsize=8.5, color=GREY, transform=place)


def cycle_colour(cycle: int, n_cycles: int) -> Colour:
    """Colour of a cycle: the palette for few, a perceptually uniform map for many."""
    if n_cycles <= MAX_CYCLE_COLOURS:
        return mpl.colors.to_rgba(PALETTE[cycle % len(PALETTE)])
    return mpl.colormaps["viridis"](0.9 * cycle / (n_cycles - 1))


def _draw_curves(axes: Axes, metrics: pd.DataFrame, column: str, offsets: dict[int, int], scale: float = 1.0) -> None:
    """One line per step, cycle and subset: colours are cycles, test sets are dashed with marks."""
    n_cycles = int(metrics["cycle_step"].max()) + 1
    for step, of_step in _groups(metrics, "ladder_step"):
        for cycle, of_cycle in _groups(of_step, "cycle_step"):
            for subset in ("train", "test"):
                rows = of_cycle[of_cycle["subset"] == subset].sort_values("iter_num")
                values = scale * rows[column].to_numpy(float)
                if np.isfinite(values).any():
                    _draw_curve(axes, rows["iter_num"] + offsets[step], values, cycle_colour(cycle, n_cycles), subset == "test")


def _draw_curve(axes: Axes, x: pd.Series, y: NDArray[np.float64], colour: Colour, is_test: bool) -> None:
    axes.plot(
        x,
        y,
        color=colour,
        linestyle="--" if is_test else "-",
        linewidth=1.1 if is_test else 1.5,
        marker="o" if is_test or len(x) == 1 else None,
        markersize=3,
        markerfacecolor="white" if is_test else None,
        alpha=0.9,
    )


def _curve_legend(figure: Figure, metrics: pd.DataFrame) -> None:
    """Explain line styles by subset and colours by cycle, outside the panels."""
    handles = [Line2D([], [], color=GREY, label="train")]
    if (metrics["subset"] == "test").any():
        handles.append(
            Line2D([], [], color=GREY, linestyle="--", marker="o", markersize=3, markerfacecolor="white", label="test")
        )
    n_cycles = int(metrics["cycle_step"].max()) + 1
    shown = range(n_cycles) if n_cycles <= MAX_CYCLE_COLOURS else (0, n_cycles // 2, n_cycles - 1)
    if n_cycles > 1:
        handles += [Line2D([], [], color=cycle_colour(c, n_cycles), linewidth=2, label=f"cycle {c}") for c in shown]
    if len(handles) > 1:
        figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 7))


@styled
def draw_convergence_loss(metrics: pd.DataFrame) -> Figure:
    """Total loss of train and test, and below the parts of the training loss.

    Parameters
    ----------
    metrics : columns ladder_step, cycle_step, iter_num, subset, loss and any of `LOSS_PARTS`; a row per recorded iteration
    """
    figure = new_figure(8.4, 6.2)
    top, bottom = figure.subplots(2, 1, sharex=True)
    offsets = step_offsets(metrics)
    _draw_curves(top, metrics, "loss", offsets)
    top.set(yscale="log", ylabel="loss")
    train = metrics[metrics["subset"] == "train"]
    best = train.loc[train.groupby(["ladder_step", "cycle_step"])["loss"].idxmin()]
    best = best.loc[best.groupby("ladder_step")["loss"].idxmin(), ["ladder_step", "cycle_step"]]
    # The parts of one cycle per step, the one that ended lowest, keep the panel readable
    chosen = train.merge(best, on=["ladder_step", "cycle_step"])
    parts = {c: label for c, label in LOSS_PARTS.items() if c in chosen and (chosen[c].abs() > 0).any()}
    for k, (column, label) in enumerate(parts.items()):
        for n, (step, part) in enumerate(_groups(chosen, "ladder_step")):
            rows = part.sort_values("iter_num")
            bottom.plot(
                rows["iter_num"] + offsets[step],
                rows[column].abs().where(rows[column] != 0),
                color=PALETTE[k % len(PALETTE)],
                linestyle=LINE_STYLES[k // len(PALETTE)],
                marker="o" if len(rows) == 1 else None,
                markersize=3,
                label=label if n == 0 else None,
            )
    bottom.set(yscale="log", ylabel="parts of the training loss", xlabel="iteration")
    if parts:
        bottom.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    _draw_steps((top, bottom), offsets, _end(metrics, offsets))
    _curve_legend(figure, metrics)
    return figure


def _end(metrics: pd.DataFrame, offsets: dict[int, int]) -> int:
    return int((metrics["iter_num"] + metrics["ladder_step"].map(offsets)).max())


@styled
def draw_convergence_errors(metrics: pd.DataFrame) -> Figure:
    """Root mean square errors against iterations; columns as in `draw_convergence_loss`, rmse_epa and rmse_f_comp in eV."""
    figure = new_figure(8.0, 6.2)
    panels = figure.subplots(2, 1, sharex=True)
    offsets = step_offsets(metrics)
    columns = (("rmse_epa", "energy RMSE (meV/atom)"), ("rmse_f_comp", "force component RMSE (meV/Å)"))
    for axes, (column, label) in zip(panels, columns, strict=True):
        _draw_curves(axes, metrics, column, offsets, scale=1000.0)
        axes.set(yscale="log", ylabel=label)
        plain_log_ticks(axes.yaxis)
    panels[1].set_xlabel("iteration")
    figure.align_ylabels()
    _draw_steps(panels, offsets, _end(metrics, offsets))
    _curve_legend(figure, metrics)
    return figure


@styled
def draw_ladder(cycles: pd.DataFrame) -> Figure:
    """Errors at the end of each cycle against the size of the basis.

    Parameters
    ----------
    cycles : columns ladder_step, subset, n_functions, rmse_epa, rmse_f_comp (eV), is_selected; a row per cycle and subset
    """
    figure = new_figure(8.6, 3.6)
    panels = figure.subplots(1, 2)
    columns = (("rmse_epa", "energy RMSE (meV/atom)"), ("rmse_f_comp", "force component RMSE (meV/Å)"))
    for axes, (column, label) in zip(panels, columns, strict=True):
        for subset, rows in cycles.groupby("subset", sort=False):
            colour = SUBSET_COLOURS[str(subset)]
            others, best = rows[~rows["is_selected"]], rows[rows["is_selected"]].sort_values("n_functions")
            axes.scatter(others["n_functions"], 1000 * others[column], s=18, facecolor="none", edgecolor=colour, linewidth=0.9)
            axes.plot(best["n_functions"], 1000 * best[column], color=colour, marker="o", markersize=5, label=str(subset))
        axes.set(yscale="log", xlabel="number of functions", ylabel=label)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=7))
        plain_log_ticks(axes.yaxis)
    panels[0].legend()
    return figure


@styled
def draw_timing_stages(timing: pd.DataFrame) -> Figure:
    """Wall time by stage, its jobs one beside the other, and the largest memory of any of them.

    Parameters
    ----------
    timing : columns stage, job, seconds, memory_mb (NaN when it was too short to be measured); in the order of the pipeline
    """
    stages = list(dict.fromkeys(timing["stage"]))
    figure = new_figure(8.6, 0.9 + 0.32 * len(stages))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    for row, stage in enumerate(stages):
        jobs = timing[timing["stage"] == stage]
        seconds = jobs["seconds"].to_numpy(float)
        starts = np.concatenate([[0.0], np.cumsum(seconds)[:-1]])
        left.barh(row, seconds, left=starts, height=0.7, color=PALETTE[0], edgecolor="white", linewidth=0.5)
        note = f" {duration(seconds.sum())}" + (f" in {len(jobs)} jobs" if len(jobs) > 1 else "")
        left.text(seconds.sum(), row, note, va="center", fontsize=8.5, color=GREY)
        memory = jobs["memory_mb"].to_numpy(float)
        if np.isfinite(memory).any():
            right.barh(row, np.nanmax(memory), height=0.7, color=PALETTE[2])
    left.set_yticks(np.arange(len(stages)), stages)
    left.set(ylim=(len(stages) - 0.5, -0.5), xlabel="wall time, summed over jobs (s)")
    left.set_xlim(0, 1.35 * max(timing.groupby("stage")["seconds"].sum().max(), 0.1))
    right.set(xlabel="peak memory of a job (MB)", xlim=(0, None))
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    return figure


def duration(seconds: float) -> str:
    """Human form of a time span."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


@styled
def draw_timing_evaluations(cycles: pd.DataFrame) -> Figure:
    """Time per evaluation and atom of each cycle against the number of functions.

    Parameters
    ----------
    cycles : columns n_functions, cycle_step, microseconds_per_atom, n_evaluations; a row per cycle
    """
    figure = new_figure(8.6, 3.4)
    left, right = figure.subplots(1, 2)
    n_cycles = int(cycles["cycle_step"].max()) + 1
    for cycle, part in _groups(cycles, "cycle_step"):
        rows = part.sort_values("n_functions")
        colour = cycle_colour(cycle, n_cycles)
        left.plot(
            rows["n_functions"], rows["microseconds_per_atom"], color=colour, marker="o", markersize=4, label=f"cycle {cycle}"
        )
        right.plot(rows["n_functions"], rows["n_evaluations"], color=colour, marker="o", markersize=4)
    left.set(xlabel="number of functions", ylabel="time per evaluation (µs/atom)", ylim=(0, None))
    right.set(xlabel="number of functions", ylabel="evaluations in the cycle", ylim=(0, None))
    for axes in (left, right):
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=7))
    if 1 < n_cycles <= MAX_CYCLE_COLOURS:
        left.legend()
    return figure
