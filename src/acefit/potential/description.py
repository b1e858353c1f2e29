"""What a potential consists of, as tables of plain values."""

from __future__ import annotations

from collections import Counter
from typing import Any

from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout


def describe(potential: Potential) -> dict[str, Any]:
    """Tables of a potential.

    Returns
    -------
    dict
        ``potential``: totals and provenance; ``embeddings``: one row per element; ``bonds``: one row per pair (Angstrom);
        ``functions``: one row per element and order with the largest n and l.
    """
    layout = parameter_layout(potential)
    totals: dict[str, Any] = {
        "elements": list(potential.elements),
        "cutoff": potential.cutoff,
        "functions": potential.n_functions,
        "parameters": layout.n_parameters,
        "radial parameters": layout.n_radial,
        "deltaSplineBins": potential.delta_spline_bins,
        **{f"metadata {key}": value for key, value in potential.metadata.items()},
    }
    return {
        "potential": totals,
        "embeddings": _embeddings(potential),
        "bonds": _bonds(potential),
        "functions": _functions(potential),
    }


def _embeddings(potential: Potential) -> list[dict[str, Any]]:
    """One row per element."""
    return [
        {
            "element": element,
            "densities": embedding.ndensity,
            "npot": embedding.npot,
            "parameters": list(embedding.parameters),
            "rho_core_cut": embedding.rho_core_cut,
            "drho_core_cut": embedding.drho_core_cut,
        }
        for element, embedding in sorted(potential.embeddings.items())
    ]


def _bonds(potential: Potential) -> list[dict[str, Any]]:
    """One row per pair of elements."""
    return [
        {
            "pair": "-".join(pair),
            "radbase": bond.radbase,
            "radparameters": list(bond.radparameters),
            "rcut": bond.rcut,
            "dcut": bond.dcut,
            "n": bond.n_max,
            "l": bond.l_max,
            "k": bond.k_max,
            "core-repulsion": list(bond.core_repulsion),
            "r_in": bond.rcut_in,
            "delta_in": bond.dcut_in,
            "inner_cutoff_type": bond.inner_cutoff_type,
        }
        for pair, bond in sorted(potential.bonds.items())
    ]


def _functions(potential: Potential) -> list[dict[str, Any]]:
    """One row per element and order."""
    functions = list(potential.functions())
    numbers = Counter((function.elements[0], function.order) for function in functions)
    rows = []
    for (element, order), number in sorted(numbers.items()):
        alike = [function for function in functions if (function.elements[0], function.order) == (element, order)]
        n_max, l_max = max(max(function.ns) for function in alike), max(max(function.ls) for function in alike)
        rows.append({"element": element, "order": order, "functions": number, "n max": n_max, "l max": l_max})
    return rows
