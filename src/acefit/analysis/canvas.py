"""Look and file format of all figures: fonts, colour-blind-safe palette, dense scatter plots, deterministic PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from acefit.files import atomic_path

DPI = 150
# Okabe and Ito (2008), distinguishable with every common form of colour blindness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
SUBSET_COLOURS = {"train": PALETTE[0], "test": PALETTE[1], "excluded": "#888888"}
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 3)), (0, (3, 3)))
GREY = "#555555"
MANY_POINTS = 2000

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "mathtext.default": "regular",
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": cycler(color=PALETTE),
}
# mpl.rc_context is a context manager and a decorator; every function that draws is wrapped in it
styled = mpl.rc_context(_STYLE)


@styled
def new_figure(width: float = 7.2, height: float = 3.6) -> Figure:
    """Empty figure of a size in inches; belongs to no global state."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.05, wspace=0.03)  # type: ignore[union-attr, call-arg]
    return figure


@styled
def write_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG without time or program in it, under its final name only when complete."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


@styled
def draw_note(text: str) -> Figure:
    """Small figure that says why there is nothing to show."""
    figure = new_figure(5.0, 0.9)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY, wrap=True)
    return figure


def density_map(colour: str) -> LinearSegmentedColormap:
    """Colour map from a light tint to a dark shade of one colour, never white, so that single points stay visible."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    return LinearSegmentedColormap.from_list("density", [tuple(1 - 0.3 * (1 - rgb)), tuple(rgb), tuple(rgb * 0.25)])


def draw_points(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, has_bar: bool = True) -> None:
    """Scatter few points; count many of them in hexagons with a logarithmic colour scale, explained by a bar.

    The limits of the axes must have been set before, since hexagons cover the visible part only.
    """
    if len(x) <= MANY_POINTS:
        axes.scatter(x, y, s=14 if len(x) < 300 else 7, color=colour, alpha=0.6, linewidths=0)
        return
    extent = (*axes.get_xlim(), *axes.get_ylim())
    # Square axes of about 3 inches: hexagons of some 3 points
    hexagons = axes.hexbin(
        x, y, gridsize=110, extent=extent, cmap=density_map(colour), norm=LogNorm(vmin=1), mincnt=1, linewidths=0
    )
    axes.set(xlim=extent[:2], ylim=extent[2:])
    if not has_bar:
        return
    bar = axes.figure.colorbar(hexagons, ax=axes, pad=0.02, shrink=0.75, aspect=25)
    bar.set_label("points", fontsize=9)
    bar.outline.set_visible(False)


def padded_limits(*arrays: NDArray[np.float64], pad: float = 0.04) -> tuple[float, float]:
    """Common limits of finite values with a margin; a unit range around a single value."""
    values = np.concatenate([np.ravel(a) for a in arrays])
    values = values[np.isfinite(values)]
    if not len(values):
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = pad * (high - low) or max(abs(high), 1.0) * pad
    return low - margin, high + margin


def outlier_limit(errors: NDArray[np.float64]) -> float:
    """Half width of an error axis: the largest error, unless a few of them would squeeze all others into a line."""
    largest = float(np.abs(errors).max())
    usual = float(np.quantile(np.abs(errors), 0.995))
    if largest == 0:
        return 1.0
    return 1.05 * largest if largest < 4 * usual or usual == 0 else 2.0 * usual


def plain_log_ticks(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, also between decades when the axis spans few of them."""
    low, high = axis.get_view_interval()
    axis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    if high / low < 8:
        axis.set_major_locator(mpl.ticker.MaxNLocator(nbins=8, steps=(1, 2, 2.5, 5, 10)))
        axis.set_minor_locator(mpl.ticker.NullLocator())
    elif high / low < 100:
        axis.set_minor_locator(mpl.ticker.LogLocator(subs=(2.0, 5.0)))
        axis.set_minor_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_tick_params(which="minor", labelsize=8.5)
    else:
        axis.set_minor_formatter(mpl.ticker.NullFormatter())


def draw_box(axes: Axes, lines: Sequence[str], corner: str = "upper left") -> None:
    """Few lines of text in a corner of the axes, on a white ground."""
    vertical, horizontal = corner.split()
    axes.text(
        0.03 if horizontal == "left" else 0.97,
        0.97 if vertical == "upper" else 0.03,
        "\n".join(lines),
        transform=axes.transAxes,
        ha=horizontal,
        va="top" if vertical == "upper" else "bottom",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
    )
