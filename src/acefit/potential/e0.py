"""E0, the energy per atom that makes fitted energies total energies, from the references that were subtracted before the fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from acefit.errors import PotentialError
from acefit.potential.model import Potential

KEY = "reference_energy"
SHIFT = "shift"


def e0_of_references(references: Mapping[str, Any], elements: tuple[str, ...]) -> dict[str, float]:
    """E0 of each element, eV: what was subtracted for an atom of it.

    Corrected energies are E - sum of e_el + shift * N, therefore E0 = e_el - shift, and E_total = E_fit + sum of E0.

    Parameters
    ----------
    references : element -> energy per atom, with an optional entry ``shift``; absent elements count as 0, as in the fit
    elements : of the potential

    Raises
    ------
    PotentialError
        If a value is not a finite number.
    """
    numbers = {}
    for name in (*elements, SHIFT):
        value = references.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            raise PotentialError(f"{KEY}: the value of {name} must be a number of eV, not {value!r}")
        numbers[name] = float(value)
    return {element: numbers[element] - numbers[SHIFT] for element in elements}


def stored_e0(potential: Potential, source: str = "potential") -> dict[str, float]:
    """E0 from the reference energies in the metadata of a potential.

    Raises
    ------
    PotentialError
        If there are none, or they cannot be read.
    """
    text = potential.metadata.get(KEY)
    if text is None:
        raise PotentialError(
            f"{source}: there is no {KEY} in its metadata to take E0 from; the data of the fit had corrected energies already. "
            "Give the energies of the atoms instead, for example Al=-1.2,Ni=-0.8"
        )
    try:
        references = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PotentialError(f"{source}: {KEY} in its metadata is not JSON: {error}") from None
    if not isinstance(references, dict):
        raise PotentialError(f"{source}: {KEY} in its metadata must be a map element -> energy")
    return e0_of_references(references, potential.elements)


def parse_e0(text: str, elements: tuple[str, ...]) -> dict[str, float]:
    """E0 from a text such as `Al=-1.2,Ni=-0.8`; every element of the potential must be there.

    Raises
    ------
    PotentialError
    """
    energies = {}
    for part in text.split(","):
        element, _, number = part.partition("=")
        try:
            energies[element.strip()] = float(number)
        except ValueError:
            raise PotentialError(f"E0: {part!r} is not an element with an energy, such as Al=-1.2") from None
    if set(energies) != set(elements):
        raise PotentialError(f"E0 must be given for exactly the elements {', '.join(elements)}, got {', '.join(energies)}")
    return e0_of_references(energies, elements)
