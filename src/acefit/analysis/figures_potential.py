"""Figures of a potential: radial functions, radial base functions, coefficient magnitudes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from acefit.analysis.canvas import GREY, LINE_STYLES, PALETTE, new_figure, padded_limits, styled
from acefit.analysis.radial_curves import RadialCurves
from acefit.potential.model import Potential

MAX_COLUMNS = 3
LIMITS_FROM = 0.22
"""Vertical limits are those of the values beyond this fraction of the cutoff."""


def _panels(figure: Figure, n: int) -> list[Axes]:
    columns = min(n, MAX_COLUMNS)
    rows = -(-n // columns)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for empty in axes[n:]:
        empty.set_axis_off()
    return list(axes[:n])


def _figure_for(n: int) -> Figure:
    columns = min(n, MAX_COLUMNS)
    return new_figure({1: 7.0, 2: 9.0}.get(columns, 10.5), 0.7 + 3.0 * -(-n // columns))


@styled
def draw_radial_functions(bonds: list[RadialCurves]) -> Figure:
    """R_nl(r) of each bond: colour n, line style l; a vertical scale that ignores the shortest distances' huge values."""
    figure = _figure_for(len(bonds))
    for axes, bond in zip(_panels(figure, len(bonds)), bonds, strict=True):
        for n in range(bond.radial.shape[1]):
            for l in range(bond.radial.shape[2]):
                axes.plot(
                    bond.r, bond.radial[:, n, l], color=_n_colour(n), linestyle=LINE_STYLES[l % len(LINE_STYLES)], linewidth=1.2
                )
        _finish(axes, bond, "radial function R$_{nl}$")
        # At distances that no atoms reach the functions may be huge, which would flatten all the rest
        axes.set_ylim(padded_limits(bond.radial[bond.r >= LIMITS_FROM * bond.r[-1]], np.zeros(1), pad=0.08))
    n_max = max(bond.radial.shape[1] for bond in bonds)
    l_max = max(bond.radial.shape[2] for bond in bonds)
    handles = [Line2D([], [], color=_n_colour(n), linewidth=2.5, label=f"n = {n + 1}") for n in range(n_max)]
    handles += [Line2D([], [], color=GREY, linestyle=LINE_STYLES[l % len(LINE_STYLES)], label=f"l = {l}") for l in range(l_max)]
    figure.legend(handles=handles, loc="outside right center", handlelength=2.6)
    return figure


def _n_colour(n: int) -> str:
    return PALETTE[n % len(PALETTE)]


@styled
def draw_radial_basis(bonds: list[RadialCurves]) -> Figure:
    """g_k(r) of each bond."""
    figure = _figure_for(len(bonds))
    for axes, bond in zip(_panels(figure, len(bonds)), bonds, strict=True):
        for k in range(bond.base.shape[1]):
            axes.plot(
                bond.r,
                bond.base[:, k],
                color=_n_colour(k),
                linestyle=LINE_STYLES[k // len(PALETTE) % len(LINE_STYLES)],
                linewidth=1.2,
            )
        _finish(axes, bond, "base function g$_k$")
    k_max = max(bond.base.shape[1] for bond in bonds)
    handles = [
        Line2D([], [], color=_n_colour(k), linestyle=LINE_STYLES[k // len(PALETTE) % len(LINE_STYLES)], label=f"k = {k + 1}")
        for k in range(k_max)
    ]
    figure.legend(handles=handles, loc="outside right center", handlelength=2.6)
    return figure


def _finish(axes: Axes, bond: RadialCurves, label: str) -> None:
    axes.axhline(0.0, color=GREY, linewidth=0.8, zorder=0.5)
    axes.set(xlim=(bond.r[0], bond.r[-1]), xlabel="distance (Å)", ylabel=label, title=bond.label)


@styled
def draw_coefficients(potential: Potential) -> Figure:
    """Magnitudes of the function coefficients by order, one column of points per density and element."""
    figure = new_figure(8.0, 3.8)
    axes = figure.subplots()
    points: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for function in potential.functions():
        for p, value in enumerate(function.coeffs):
            points.setdefault((function.elements[0], p), []).append((function.order, abs(value)))
    keys = sorted(points)
    width = 0.8 / max(len(keys), 1)
    n_zero = 0
    for k, key in enumerate(keys):
        order, size = (np.array(column, dtype=float) for column in zip(*points[key], strict=True))
        shown = size > 1e-30  # exact zeros, and what stands for zero at the start of a fit, have no place on a logarithmic axis
        n_zero += int((~shown).sum())
        # A fixed spread within the column by rank, so that the figure is the same every time
        spread = (np.argsort(np.argsort(size, kind="stable"), kind="stable") * 0.618034 % 1.0 - 0.5) * width * 0.75
        at = order + (k - (len(keys) - 1) / 2) * width + spread
        label = f"{key[0]}, density {key[1] + 1}" if len(keys) > 1 else key[0]
        axes.scatter(at[shown], size[shown], s=10, alpha=0.65, color=PALETTE[k % len(PALETTE)], linewidths=0, label=label)
        for o in np.unique(order[shown]):
            middle = o + (k - (len(keys) - 1) / 2) * width
            axes.hlines(
                np.median(size[shown & (order == o)]), middle - width * 0.45, middle + width * 0.45, color="black", linewidth=1.6
            )
    orders = sorted({int(o) for rows in points.values() for o, _ in rows})
    axes.set(yscale="log", xlabel="order (number of neighbours in the product)", ylabel="magnitude of coefficient", xticks=orders)
    axes.grid(axis="x", visible=False)
    figure.legend(
        loc="outside right center", title="line: median" + (f"\n{n_zero} zeros not shown" if n_zero else ""), title_fontsize=9
    )
    return figure
