"""Write C-tilde potential files (`.yace`), the format that LAMMPS reads.

Functions with the same slots become one, the intermediate momenta are lost. All elements get the same number of densities, padded
with zero coefficients and zero weights: the recursive evaluator of LAMMPS is wrong for elements with different numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acefit.basis.ctilde import ProductSum, sum_products
from acefit.errors import PotentialError
from acefit.files import write_sealed
from acefit.potential.model import Bond, Embedding, Potential
from acefit.potential.yaml_text import quote

PADDING = (0.0, 1.0)
"""Weight and exponent of a density that is there only because another element has it."""


def write_yace(
    potential: Potential,
    path: str | Path,
    e0: Mapping[str, float] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write atomically and sealed (`write_sealed`); parameters and errors as in `format_yace`."""
    write_sealed(format_yace(potential, e0), path, provenance)


def format_yace(potential: Potential, e0: Mapping[str, float] | None = None) -> str:
    """Text of the file.

    Parameters
    ----------
    potential : what to write; functions that are skipped take no part in it
    e0 : energy added to every atom of an element, eV; default what the potential has (`Potential.e0`), else zero

    Returns
    -------
    str
        Floats with up to 17 significant digits, so that reading gives every number back exactly.

    Raises
    ------
    PotentialError
        If two elements have no bond, which the format cannot say, or e0 names a strange element.
    """
    energies = {**dict.fromkeys(potential.elements, 0.0), **(potential.e0 if e0 is None else e0)}
    strangers = sorted(set(energies) - set(potential.elements))
    if strangers:
        raise PotentialError(f"E0 is given for {', '.join(strangers)}, but the potential has {', '.join(potential.elements)}")
    lines = []
    if potential.metadata:
        lines.append("metadata:")
        lines += [f"  {quote(key)}: {quote(value)}" for key, value in sorted(potential.metadata.items())]
    lines += [
        f"elements: [{', '.join(quote(element) for element in potential.elements)}]",
        f"E0: {_numbers(energies[element] for element in potential.elements)}",
        f"deltaSplineBins: {potential.delta_spline_bins:.17g}",
        "embeddings:",
    ]
    n_densities = max(embedding.ndensity for embedding in potential.embeddings.values())
    for mu, element in enumerate(potential.elements):
        lines.append(f"  {mu}: {_embedding(potential.embeddings[element], n_densities)}")
    lines.append("bonds:")
    for i, a in enumerate(potential.elements):
        for j, b in enumerate(potential.elements):
            lines.append(f"  [{i}, {j}]: {_bond(_bond_of(potential, a, b))}")
    lines.append("functions:")
    number = {element: mu for mu, element in enumerate(potential.elements)}
    for element, mu in number.items():
        sums = sum_products(f for f in potential.functions() if f.elements[0] == element)
        lines.append(f"  {mu}:" if sums else f"  {mu}: []")
        lines += [f"    - {_function(item, mu, number, n_densities)}" for item in sums]
    return "\n".join(lines) + "\n"


def _bond_of(potential: Potential, a: str, b: str) -> Bond:
    bond = potential.bond(a, b)
    if bond is None:
        raise PotentialError(
            f"the pair {a}-{b} has no bond, and the C-tilde format needs one for every pair: LAMMPS would make one of its own; "
            f"add a block `{a} {b}` with a bond and `nbody: []`"
        )
    return bond


def _embedding(embedding: Embedding, n_densities: int) -> str:
    """Embedding with so many densities."""
    parameters = embedding.parameters + PADDING * (n_densities - embedding.ndensity)
    return (
        f"{{ndensity: {n_densities}, FS_parameters: {_numbers(parameters)}, npoti: {quote(embedding.npot)}, "
        f"rho_core_cutoff: {embedding.rho_core_cut:.17g}, drho_core_cutoff: {embedding.drho_core_cut:.17g}}}"
    )


def _bond(bond: Bond) -> str:
    rows = ", ".join("[" + ", ".join(_numbers(numbers) for numbers in row) + "]" for row in bond.crad.tolist())
    pre, lam = bond.core_repulsion
    return (
        f"{{nradmax: {bond.n_max}, lmax: {bond.l_max}, nradbasemax: {bond.k_max}, radbasename: {quote(bond.radbase)}, "
        f"radparameters: {_numbers(bond.radparameters)}, radcoefficients: [{rows}], prehc: {pre:.17g}, lambdahc: {lam:.17g}, "
        f"rcut: {bond.rcut:.17g}, dcut: {bond.dcut:.17g}, rcut_in: {bond.rcut_in:.17g}, dcut_in: {bond.dcut_in:.17g}, "
        f"inner_cutoff_type: {quote(bond.inner_cutoff_type)}}}"
    )


def _function(item: ProductSum, mu0: int, number: Mapping[str, int], n_densities: int) -> str:
    elements, ns, ls = (list(values) for values in zip(*item.slots, strict=True))
    coeffs = np.zeros((len(item.coeffs), n_densities))
    coeffs[:, : item.coeffs.shape[1]] = item.coeffs
    return (
        f"{{mu0: {mu0}, rank: {len(ls)}, ndensity: {n_densities}, num_ms_combs: {len(item.ms)}, "
        f"mus: {[number[element] for element in elements]}, ns: {ns}, ls: {ls}, ms_combs: {item.ms.ravel().tolist()}, "
        f"ctildes: {_numbers(coeffs.ravel().tolist())}}}"
    )


def _numbers(values: Iterable[float]) -> str:
    return "[" + ", ".join([f"{value:.17g}" for value in values]) + "]"
