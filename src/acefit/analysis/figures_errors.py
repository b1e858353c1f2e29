"""Figures of prediction errors: pair plots, error distributions, errors against distances and by group."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from acefit.analysis.canvas import (
    GREY,
    PALETTE,
    SUBSET_COLOURS,
    draw_box,
    draw_points,
    new_figure,
    outlier_limit,
    padded_limits,
    styled,
)

Values = NDArray[np.float64]
ERROR_BINS = 100
POINTS_PER_BIN = 4
"""Sets with fewer points than this per bin get fewer, wider bins."""
MAX_GROUPS = 40


def n_bins(n_points: int, most: int = ERROR_BINS) -> int:
    """Number of bins of a histogram: the given one, or fewer for few points."""
    return int(np.clip(n_points // POINTS_PER_BIN, 10, most))


def rms(errors: Values) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))


def _draw_pairs(
    axes: Axes, reference: Values, predicted: Values, colour: str, quantity: str, unit: str, scale: float, error_unit: str
) -> None:
    """One square panel of predicted against reference values; errors are quoted in their own unit, scale times larger."""
    errors = (predicted - reference) * scale
    limits = padded_limits(reference, predicted)
    axes.set(
        xlim=limits, ylim=limits, aspect="equal", xlabel=f"reference {quantity} ({unit})", ylabel=f"predicted {quantity} ({unit})"
    )
    axes.plot(limits, limits, color=GREY, linewidth=0.8, zorder=0.5)
    draw_points(axes, reference, predicted, colour)
    draw_box(
        axes, [f"RMSE {rms(errors):.4g} {error_unit}", f"MAE {np.mean(np.abs(errors)):.4g} {error_unit}", f"{len(errors)} points"]
    )


@styled
def draw_ef_pairs(energies: tuple[Values, Values], forces: tuple[Values, Values], subset: str) -> Figure:
    """Pair plots of energies per atom (eV) and of force components (eV/Angstrom); each a pair (reference, predicted)."""
    figure = new_figure(9.0, 4.0)
    left, right = figure.subplots(1, 2)
    colour = SUBSET_COLOURS[subset]
    if len(energies[0]):
        _draw_pairs(left, *energies, colour, "energy", "eV/atom", 1000.0, "meV/atom")
    else:
        _draw_absent(left, "no reference energies")
    if len(forces[0]):
        _draw_pairs(right, *forces, colour, "force component", "eV/Å", 1000.0, "meV/Å")
    else:
        _draw_absent(right, "no reference forces")
    return figure


def _draw_absent(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)


@styled
def draw_stress_pairs(reference: Values, predicted: Values, subset: str) -> Figure:
    """Pair plots of stress components in GPa, arrays of shape (n, 6) in Voigt order: diagonal and off-diagonal."""
    figure = new_figure(9.0, 4.0)
    for axes, part, name in zip(
        figure.subplots(1, 2), (slice(0, 3), slice(3, 6)), ("diagonal stress", "shear stress"), strict=True
    ):
        _draw_pairs(axes, reference[:, part].ravel(), predicted[:, part].ravel(), SUBSET_COLOURS[subset], name, "GPa", 1.0, "GPa")
    return figure


class ErrorAxes(NamedTuple):
    """What stands on the axes of an error distribution: texts, the number of bins above, errors that cannot be negative."""

    x_label: str
    y_label: str
    unit: str
    top_bins: int
    is_norm: bool = False


ENERGY_AXES = ErrorAxes("reference energy (eV/atom)", "energy error (meV/atom)", "meV/atom", 100)
COMPONENT_AXES = ErrorAxes("reference force component (eV/Å)", "force component error (meV/Å)", "meV/Å", 150)
NORM_AXES = ErrorAxes("norm of reference force (eV/Å)", "norm of force error (meV/Å)", "meV/Å", 150, is_norm=True)


def binned_rmse(x: Values, errors: Values) -> tuple[Values, Values]:
    """Root mean square error in equal bins of x: bin edges, and values that are NaN where a bin is empty."""
    bins = n_bins(len(x))
    edges = np.histogram_bin_edges(x, bins)
    which = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    squares = np.bincount(which, weights=errors**2, minlength=bins)
    values = np.full(bins, np.nan)
    np.divide(squares, counts, out=values, where=counts > 0)
    return edges, np.sqrt(values)


def _draw_outliers(axes: Axes, x: Values, errors: Values, limit: float) -> list[str]:
    """Mark errors beyond the axis by triangles at its edge; lines of text that say so."""
    beyond = np.abs(errors) > limit
    if not beyond.any():
        return []
    for sign, marker in ((1, "^"), (-1, "v")):
        at = x[beyond & (errors * sign > 0)]
        axes.scatter(at, np.full(len(at), sign * limit * 0.985), marker=marker, s=18, color="black", linewidths=0, zorder=4)
    return [
        f"{int(beyond.sum())} of {len(x)} are beyond",
        f"the axis ({'▲' if (errors > limit).any() else '▼'}), largest",
        f"{np.abs(errors).max():.4g}",
    ]


@styled
def draw_error_distribution(x: Values, errors: Values, what: ErrorAxes, subset: str) -> Figure:
    """Errors against reference values with marginal distributions; errors in the unit of their axis."""
    figure = new_figure(7.6, 5.4)
    panels = figure.subplot_mosaic([["top", "text"], ["main", "side"]], width_ratios=[4, 1.35], height_ratios=[1, 3.4])
    main = panels["main"]
    colour = SUBSET_COLOURS[subset]
    limit = outlier_limit(errors)
    y_limits = (0.0, limit) if what.is_norm else (-limit, limit)
    main.set(xlim=padded_limits(x), ylim=y_limits, xlabel=what.x_label, ylabel=what.y_label)
    main.axhline(0.0, color=GREY, linewidth=0.8, zorder=0.5)
    inside = np.abs(errors) <= limit
    draw_points(main, x[inside], errors[inside], colour, has_bar=False)
    edges, binned = binned_rmse(x, errors)
    line = main.stairs(binned, edges, baseline=None, color="black", linewidth=1.1, label="RMSE in bins")
    lines = [f"{len(x)} points", f"RMSE {rms(errors):.4g} {what.unit}", f"MAE {np.mean(np.abs(errors)):.4g} {what.unit}"]
    lines += _draw_outliers(main, x, errors, limit)
    panels["text"].set_axis_off()
    panels["text"].legend(handles=[line], loc="lower left", borderaxespad=0, handlelength=1.5)
    panels["text"].text(0.0, 1.0, "\n".join(lines), va="top", fontsize=9, transform=panels["text"].transAxes)
    _draw_marginals(panels["top"], panels["side"], (x, errors), what, (main.get_xlim(), y_limits), colour)
    return figure


def _scale_counts(axes: Axes, largest: float) -> None:
    """Logarithmic axis for counts that span decades."""
    if largest > 30:
        axes.set(yscale="log", ylim=(0.7, None))


def _draw_marginals(
    top: Axes,
    side: Axes,
    data: tuple[Values, Values],
    what: ErrorAxes,
    limits: tuple[tuple[float, float], tuple[float, float]],
    colour: str,
) -> None:
    """Histogram of the reference values above, normalised histogram of the errors with a normal curve at the side."""
    x, errors = data
    counts, _, _ = top.hist(x, bins=n_bins(len(x), what.top_bins), color=colour)
    _scale_counts(top, float(np.max(counts)))
    top.set(ylabel="count", xlim=limits[0])
    top.tick_params(labelbottom=False)
    side.hist(errors, bins=n_bins(len(errors)), range=limits[1], density=True, orientation="horizontal", color=colour)
    mean, deviation = float(errors.mean()), float(errors.std())
    if deviation > 0:
        grid = np.linspace(*limits[1], 400)
        side.plot(
            np.exp(-0.5 * ((grid - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi)), grid, color="black", linewidth=1.1
        )
    side.set(ylim=limits[1], xlabel="density")
    side.tick_params(labelleft=False, labelbottom=False)


@styled
def draw_nearest(nearest: Values, energies: Values, errors: Values, subset: str) -> Figure:
    """Energy (eV/atom) and its error (meV/atom) against the shortest distance of each structure (Angstrom)."""
    figure = new_figure(7.2, 5.4)
    top, bottom = figure.subplots(2, 1, sharex=True)
    limit = outlier_limit(errors)
    limits = padded_limits(nearest)
    top.set(xlim=limits, ylim=padded_limits(energies), ylabel="reference energy (eV/atom)")
    bottom.set(
        xlim=limits, ylim=(-limit, limit), ylabel="energy error (meV/atom)", xlabel="shortest distance in the structure (Å)"
    )
    bottom.axhline(0.0, color=GREY, linewidth=0.8, zorder=0.5)
    inside = np.abs(errors) <= limit
    draw_points(top, nearest, energies, SUBSET_COLOURS[subset], has_bar=False)
    draw_points(bottom, nearest[inside], errors[inside], SUBSET_COLOURS[subset], has_bar=False)
    lines = _draw_outliers(bottom, nearest, errors, limit)
    if lines:
        draw_box(bottom, [" ".join(lines)], "lower right")
    figure.align_ylabels()
    return figure


@styled
def draw_group_errors(table: pd.DataFrame) -> Figure:
    """Bars of energy and force errors by group.

    Parameters
    ----------
    table : columns group, subset, n_structures, rmse_epa (meV/atom), rmse_f_comp (eV/Angstrom); a row per group and subset
    """
    names = sorted(table["group"].unique())
    if len(names) > MAX_GROUPS:
        worst = table.groupby("group")["rmse_epa"].max().sort_values(ascending=False, kind="stable")
        names = sorted(worst.index[:MAX_GROUPS])
    subsets = [s for s in ("train", "test") if (table["subset"] == s).any()]
    figure = new_figure(9.0, max(2.6, 0.9 + 0.32 * len(names)))
    panels = figure.subplots(1, 2, sharey=True)
    height = 0.8 / max(len(subsets), 1)
    columns = (("rmse_epa", "energy RMSE (meV/atom)", 1.0), ("rmse_f_comp", "force component RMSE (meV/Å)", 1000.0))
    for axes, (column, label, scale) in zip(panels, columns, strict=True):
        for k, subset in enumerate(subsets):
            rows = table[table["subset"] == subset].set_index("group").reindex(names)
            at = np.arange(len(names)) + (k - (len(subsets) - 1) / 2) * height
            axes.barh(at, scale * rows[column].to_numpy(float), height * 0.92, color=SUBSET_COLOURS[subset], label=subset)
        axes.set(xlabel=label)
        axes.grid(axis="y", visible=False)
    counts = table.groupby("group")["n_structures"].sum()
    panels[0].set_yticks(np.arange(len(names)), [f"{name} ({counts[name]})" for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    panels[0].tick_params(axis="y", length=0)
    if len(subsets) > 1:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@styled
def draw_ef_distributions(energies: Values, force_norms: Values, subset: str) -> Figure:
    """Histograms of energies per atom (eV) and force norms (eV/Angstrom); logarithmic where counts span decades."""
    figure = new_figure(9.0, 3.4)
    left, right = figure.subplots(1, 2)
    for axes, values, label, noun in (
        (left, energies, "energy (eV/atom)", "structures"),
        (right, force_norms, "norm of force (eV/Å)", "atoms"),
    ):
        if not len(values):
            _draw_absent(axes, f"no reference values: {label}")
            continue
        counts, _, _ = axes.hist(values, bins=n_bins(len(values)), color=SUBSET_COLOURS[subset])
        _scale_counts(axes, float(np.max(counts)))
        axes.set(xlabel=label, ylabel=f"number of {noun}")
    return figure


@styled
def draw_weights(structures: pd.DataFrame, atoms: pd.DataFrame) -> Figure:
    """Weights of the training set.

    Parameters
    ----------
    structures : columns energy_per_atom (eV), w_energy
    atoms : columns force_norm (eV/Angstrom), w_force
    """
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2)
    energy = structures["energy_per_atom"].to_numpy(float)
    lowest = np.min(energy, initial=np.inf, where=np.isfinite(energy))
    panels = (
        (
            left,
            energy - lowest,
            structures["w_energy"].to_numpy(float),
            "energy above the lowest (eV/atom)",
            "energy weight",
        ),
        (
            right,
            atoms["force_norm"].to_numpy(float),
            atoms["w_force"].to_numpy(float),
            "norm of reference force (eV/Å)",
            "force weight",
        ),
    )
    for (axes, x, weights, x_label, y_label), colour in zip(panels, (PALETTE[0], PALETTE[2]), strict=True):
        shown = np.isfinite(x) & (weights > 0)
        if not shown.any():
            _draw_absent(axes, f"no {y_label}s")
            continue
        low, high = weights[shown].min(), weights[shown].max()
        axes.set(yscale="log", xlabel=x_label, ylabel=y_label, xlim=padded_limits(x[shown]), ylim=(low / 2, high * 2))
        if high > 100 * low:
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.scatter(
            x[shown], weights[shown], s=7, alpha=0.5 if shown.sum() < 5000 else 0.15, color=colour, linewidths=0, rasterized=True
        )
        draw_box(axes, [f"sum {weights[shown].sum():.4g}"], "upper right")
    return figure
