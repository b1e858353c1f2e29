"""Active sets: environments that span the largest volume, whose inverse tells interpolation from extrapolation.

References
----------
Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017); Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.active.asi import FULL, LINEAR, Contents, functions_digest, read_asi, write_asi
from acefit.active.memory import atoms_of_batch
from acefit.active.search import Found, SearchSettings, search
from acefit.active.vectors import Environments, Rows, Track, vector_widths
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.potential.bbasis import import_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout

log = logging.getLogger(__name__)

KINDS = (LINEAR, FULL)
BUILDING = SearchSettings()


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """Inverse of the active set of each element of a potential.

    Parameters
    ----------
    kind : str
        ``linear`` (of projections B) or ``full`` (of dE/dc, density slow).
    inverses : mapping
        Element -> float64 (D, D); rows follow the canonical order of functions, columns are environments.
    functions : mapping
        Element -> labels of its functions in that order, see `function_labels`.
    """

    kind: str
    inverses: Mapping[str, NDArray[np.float64]]
    functions: Mapping[str, list[str]]

    def write(self, path: str | Path) -> None:
        """Write a `.asi` file."""
        write_asi(path, self.inverses, self.kind, self.functions)

    def check(self, potential: Potential) -> None:
        """Compare functions and order with those of a potential.

        Raises
        ------
        ActiveSetError
            If they differ.
        """
        labels = function_labels(potential)
        if set(labels) != set(self.functions):
            raise ActiveSetError(_elements_differ(self.functions, labels))
        for symbol, functions in self.functions.items():
            if functions != labels[symbol]:
                raise ActiveSetError(_functions_differ(symbol, functions, labels[symbol]))


def function_labels(potential: Potential) -> dict[str, list[str]]:
    """Element -> labels of its functions in canonical order, such as ``Al Al Ni nr=1,2 nl=1,1``."""
    labels: dict[str, list[str]] = {symbol: [] for symbol in potential.elements}
    for function in parameter_layout(potential).functions():
        numbers = (("nr", function.ns), ("nl", function.ls), ("lint", function.lint))
        text = " ".join([" ".join(function.elements), *(f"{key}={','.join(map(str, v))}" for key, v in numbers if v)])
        labels[function.elements[0]].append(text)
    return labels


def read_active_set(path: str | Path, potential: Potential) -> ActiveSet:
    """Read an active set of a potential.

    Files of acefit know their functions; of others the sizes are compared.

    Raises
    ------
    ActiveSetError
        If the file cannot be read or is not of this potential.
    """
    contents, labels = read_asi(path), function_labels(potential)
    if set(contents.matrices) != set(labels):
        raise ActiveSetError(f"{path}: {_elements_differ(contents.matrices, labels)}")
    for symbol, digest in (contents.digests or {}).items():
        if digest != functions_digest(labels.get(symbol, [])):
            stored = (contents.functions or {}).get(symbol, [])
            raise ActiveSetError(f"{path}: {_functions_differ(symbol, stored, labels[symbol])}")
    kind = _kind_of(path, contents, potential)
    return ActiveSet(kind, {symbol: contents.matrices[symbol] for symbol in potential.elements}, labels)


def _kind_of(path: str | Path, contents: Contents, potential: Potential) -> str:
    """The kind whose sizes are those of the file."""
    found = {symbol: len(matrix) for symbol, matrix in contents.matrices.items()}
    possible = {LINEAR: vector_widths(potential, LINEAR)}
    if any(embedding.ndensity > 1 for embedding in potential.embeddings.values()):
        possible[FULL] = vector_widths(potential, FULL)
    for kind, widths in possible.items():
        if found == widths and contents.kind in (None, kind):
            return kind
    sizes = "; or ".join(f"{kind} {_sizes(widths)}" for kind, widths in possible.items())
    raise ActiveSetError(f"{path} holds matrices of {_sizes(found)}, the potential needs {sizes}: it is of another potential")


def _sizes(widths: Mapping[str, int]) -> str:
    return ", ".join(f"{symbol} {width}" for symbol, width in sorted(widths.items()))


def _elements_differ(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    return f"an active set of {' '.join(sorted(found))} does not belong to a potential of {' '.join(sorted(expected))}"


def _functions_differ(symbol: str, found: list[str], expected: list[str]) -> str:
    what = f"the active set of {symbol} was made with other functions than the potential has"
    for number, (a, b) in enumerate(zip(found, expected, strict=False)):
        if a != b:
            return f"{what}: number {number + 1} is {a!r}, not {b!r}; make one for this potential with `acefit activeset`"
    return f"{what}: {len(found) or 'others'} instead of {len(expected)}; make one for this potential with `acefit activeset`"


def import_functions(path: str | Path) -> Potential:
    """Read the potential of an active set.

    Raises
    ------
    ActiveSetError
        If the file is of a format that has lost the single functions.
    PotentialError
        If it cannot be used.
    """
    refuse_without_functions(path)
    return import_potential(path)


def refuse_without_functions(path: str | Path) -> None:
    """Refuse files of the C-tilde form, in which functions are merged.

    Raises
    ------
    ActiveSetError
    """
    if Path(path).suffix.lower() in (".yace", ".ace"):
        raise ActiveSetError(
            f"{path}: potentials in this form have no active set, functions are merged; give the .yaml file it was made from"
        )


class ElementSummary(NamedTuple):
    """What is to be known about the active set of one element.

    Attributes
    ----------
    element : symbol
    environments : atoms that took part
    functions : columns D
    rank : environments in the set; where fewer than D, the others have nothing in some directions
    max_gamma : largest grade of the atoms that took part
    condition, scaled_condition : condition number of the set, as it is and with scaled columns
    log_det : log |det|, -inf where the rank is too small
    """

    element: str
    environments: int
    functions: int
    rank: int
    max_gamma: float
    condition: float
    scaled_condition: float
    log_det: float


class BuiltSet(NamedTuple):
    """A new active set, the environments it is made of, and a summary of each element."""

    active_set: ActiveSet
    environments: dict[str, Rows]
    summaries: list[ElementSummary]


def build_active_set(
    potential: Potential,
    structures: StructureSet,
    kind: str = LINEAR,
    *,
    settings: SearchSettings = BUILDING,
    memory: int | None = None,
    used: NDArray[np.bool_] | None = None,
    tables: bool = False,
    threads: int | None = None,
    track: Track | None = None,
) -> BuiltSet:
    """Choose an active set among all atoms of some structures.

    Parameters
    ----------
    potential : Potential
    structures : StructureSet
    kind : str
        ``linear`` or ``full``.
    settings : SearchSettings
    memory : int, optional
        Bytes that may be used; more data are gone through in batches. Default 80 % of what is free.
    used : bool, shape (n_atoms,), optional
        Atoms that may be chosen; default all.
    tables : bool
        Interpolate radial functions in tables as the reference evaluator, and LAMMPS, do.
    threads : int, optional
    track : callable, optional
        Shows progress, see `acefit.active.vectors.Track`.

    Raises
    ------
    ActiveSetError
        If the kind makes no sense, or no atom can be used.
    DataError
        If the structures have other elements, or atoms too close to each other.
    """
    if kind not in KINDS:
        raise ActiveSetError(f"kind of active set {kind!r} is not one of {', '.join(KINDS)}")
    widths = vector_widths(potential, kind)
    environments = Environments(
        potential, structures, kind, atoms_of_batch(max(widths.values()), memory), used, tables, threads, track
    )
    if not environments.used.any():
        raise ActiveSetError("no atom is left to make an active set of; give structures, or a larger limit of force errors")
    if (
        kind == FULL
        and 1 in (densities := {embedding.ndensity for embedding in potential.embeddings.values()})
        and len(densities) > 1
    ):
        log.warning("some elements have one density and others more: pacemaker and LAMMPS cannot load this full active set")
    start = {symbol: Rows.empty(width) for symbol, width in widths.items()}
    found = search(environments.batches, environments.n_batches, start, settings)
    inverses = {symbol: element.inverse.matrix for symbol, element in found.items()}
    active_set = ActiveSet(kind, inverses, function_labels(potential))
    return BuiltSet(active_set, {s: f.rows for s, f in found.items()}, [_summary(s, f) for s, f in found.items()])


def _summary(symbol: str, found: Found) -> ElementSummary:
    inverse = found.inverse
    return ElementSummary(
        symbol,
        found.n_environments,
        len(inverse.matrix),
        inverse.rank,
        found.largest,
        inverse.condition,
        inverse.scaled_condition,
        inverse.log_determinant,
    )
