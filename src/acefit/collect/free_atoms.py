"""Energies of free atoms: given, or those of single atoms among the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from ase.data import atomic_numbers

from acefit.data.references import References
from acefit.errors import DataError

AUTO = "auto"
LEAST_VOLUME = 500.0
"""Å^3; a periodic cell with one atom counts as a free atom if it is larger."""


def parse_free_atoms(words: Iterable[str]) -> dict[str, float | str]:
    """Settings from words such as `Al:-0.1` and `Cu:auto`; `auto` alone stands for all elements (key "").

    Raises
    ------
    DataError
        If a word is none of these, or an element is named twice.
    """
    settings: dict[str, float | str] = {}
    for word in (part for text in words for part in text.replace(",", " ").split()):
        element, _, value = word.rpartition(":")
        if (element and element not in atomic_numbers) or (not element and word != AUTO):
            raise DataError(f"free atom {word!r} is not understood; give auto, or words such as Al:-0.1 Cu:auto")
        if element in settings:
            raise DataError(f"the free atom {element or AUTO} is given twice")
        try:
            settings[element] = AUTO if value == AUTO else float(value)
        except ValueError:
            settings[element] = np.nan
        number = settings[element]
        if isinstance(number, float) and not np.isfinite(number):
            raise DataError(f"the energy of the free atom in {word!r} is not a number of eV")
    return settings


class FreeAtoms:
    """The single atoms among the results, of which the one with most space counts for each element."""

    def __init__(self) -> None:
        self._best: dict[str, tuple[float, float, str]] = {}

    def note(self, element: str, volume: float, energy: float, name: str) -> None:
        """Take note of a single atom; the volume (Å^3) is infinite where it is not periodic."""
        if volume > LEAST_VOLUME and volume > self._best.get(element, (0.0,))[0]:
            self._best[element] = (volume, energy, name)

    def references(self, settings: Mapping[str, float | str], elements: Sequence[str]) -> tuple[References, dict[str, str]]:
        """Reference energies for these elements, and for each where it comes from.

        Raises
        ------
        DataError
            If there is none for an element.
        """
        wanted = {element: settings.get(element, settings.get("")) for element in elements}
        missing = [element for element, value in wanted.items() if value is None]
        if missing:
            raise DataError(f"no energy of a free atom is given for {', '.join(missing)}; add for example {missing[0]}:auto")
        absent = [element for element, value in wanted.items() if value == AUTO and element not in self._best]
        if absent:
            raise DataError(
                f"no calculation of a single atom of {', '.join(absent)} (not periodic, or in a cell of more than "
                f"{LEAST_VOLUME:g} Å^3) is among the results; add one, or give its energy: {absent[0]}:-0.1"
            )
        energies = {e: self._best[e][1] if value == AUTO else float(value) for e, value in wanted.items() if value is not None}
        origins = {e: self._best[e][2] if value == AUTO else "given" for e, value in wanted.items()}
        return References.from_mapping(energies), origins
