"""What a `potential:` setting stands for: files, reset files, constructed bases, and initial potentials to start from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acefit.basis.expansion import build_target
from acefit.basis.keys import as_float, check_keys
from acefit.errors import ConfigError, PotentialError
from acefit.potential.checks import check_potential
from acefit.potential.files import read_any
from acefit.potential.model import Block, Bond, Potential
from acefit.potential.shapes import delta_crad, shape_of

log = logging.getLogger(__name__)

FILE_KEYS = ("filename", "reset", "deltaSplineBins", "initial_potential", "overwrite_blocks_from_initial_bbasis")


def resolve_potential(
    setting: str | Mapping[str, Any] | Potential,
    seed: int | None = None,
    initial_potential: str | Sequence[str] | Potential | None = None,
) -> tuple[Potential, Potential | None]:
    """Target and initial potential of a `potential:` setting.

    Parameters
    ----------
    setting : file name; map with `filename` and the other `FILE_KEYS`; section to build from; or a potential
    seed : for random initial coefficients
    initial_potential : replaces the one of the setting

    Returns
    -------
    target, initial
        initial is None unless one is given.

    Raises
    ------
    ConfigError, PotentialError
        If the setting is unknown, a file cannot be used, or the parts do not fit together.
    """
    if isinstance(setting, Potential):
        return setting, _initial(initial_potential)
    if isinstance(setting, str | Path):
        return _read(setting), _initial(initial_potential)
    if not isinstance(setting, Mapping):
        raise ConfigError(f"potential: expected a file name or a map of settings, got {setting!r}")
    initial = _initial(initial_potential or setting.get("initial_potential"))
    if "filename" not in setting:
        return build_target(setting, seed, initial), initial
    check_keys(setting, FILE_KEYS, "potential")
    target = _read(str(setting["filename"]))
    if setting.get("deltaSplineBins") is not None:
        target = replace(target, delta_spline_bins=as_float(setting["deltaSplineBins"], "potential.deltaSplineBins"))
    return (reset_coefficients(target) if setting.get("reset") else target), initial


def _read(path: str | Path) -> Potential:
    """Potential of a file without its E0: a fit has references of its own, and energies on their scale."""
    potential = read_any(path)
    if any(potential.e0.values()):
        log.warning("%s: its E0 is not used, energies are fitted relative to data.reference_energy", path)
    return potential.with_e0({})


def _initial(setting: Any) -> Potential | None:
    """Initial potential from one file, several files or a ready one."""
    if isinstance(setting, Potential):
        return setting
    if not setting:
        return None
    names = [setting] if isinstance(setting, str | Path) else setting
    if not isinstance(names, list | tuple) or not all(isinstance(name, str | Path) for name in names):
        raise ConfigError(f"potential.initial_potential: expected a file name or a list of file names, got {setting!r}")
    return concatenate([_read(name) for name in names], [str(name) for name in names])


def concatenate(potentials: Sequence[Potential], names: Sequence[str]) -> Potential:
    """One potential with the blocks of all, for example of several one-element potentials.

    Raises
    ------
    PotentialError
        If two of them have the same block, or different settings for the same element or bond.
    """
    first, *others = potentials
    for potential, name in zip(others, names[1:], strict=True):
        twice = {block.elements for block in first.blocks} & {block.elements for block in potential.blocks}
        if twice:
            raise PotentialError(
                f"{name}: block `{' '.join(min(twice))}` is already in another initial potential; keep one of them"
            )
        for pair in set(first.bonds) & set(potential.bonds):
            if not _is_same_bond(first.bonds[pair], potential.bonds[pair]):
                raise PotentialError(f"{name}: the bond {'-'.join(pair)} differs from that of another initial potential")
        for element in set(first.embeddings) & set(potential.embeddings):
            if first.embeddings[element] != potential.embeddings[element]:
                raise PotentialError(f"{name}: the embedding of {element} differs from that of another initial potential")
        embeddings = {**first.embeddings, **potential.embeddings}
        first = replace(
            first,
            elements=tuple(sorted(embeddings)),
            embeddings={element: embeddings[element] for element in sorted(embeddings)},
            bonds=dict(sorted({**first.bonds, **potential.bonds}.items())),
            blocks=first.blocks + potential.blocks,
            delta_spline_bins=min(first.delta_spline_bins, potential.delta_spline_bins),
            metadata={**potential.metadata, **first.metadata},
        )
    if others:
        check_potential(first, " + ".join(names))
    return first


def _is_same_bond(a: Bond, b: Bond) -> bool:
    """Whether two bonds agree in everything, coefficients included."""
    settings = [replace(bond, crad=np.zeros((0, 1, 0))).__dict__ | {"crad": None} for bond in (a, b)]
    return settings[0] == settings[1] and np.array_equal(a.crad, b.crad)


def reset_coefficients(potential: Potential) -> Potential:
    """Same shape with function coefficients 0 and radial coefficients c_nlk = delta_nk."""
    return replace(
        potential,
        bonds={pair: replace(bond, crad=delta_crad(shape_of(bond))) for pair, bond in potential.bonds.items()},
        blocks=tuple(
            Block(block.elements, tuple(f._replace(coeffs=(0.0,) * len(f.coeffs)) for f in block.functions))
            for block in potential.blocks
        ),
    )
