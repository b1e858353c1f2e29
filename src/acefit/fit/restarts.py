"""Starting points of fit cycles, and the choice of the best cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acefit.errors import DamagedArtifactError, FitError
from acefit.files import read_sealed, read_yaml

SMALLEST_SCALE = 0.01
"""Relative noise treats smaller coefficients as if they had this size."""


@dataclass(frozen=True)
class Perturbation:
    """What happens to the best potential before the next cycle; the first width that is positive counts.

    Attributes
    ----------
    randomize_func_coeffs : trainable function coefficients are drawn anew from N(0, width)
    noise_relative_sigma : every trainable coefficient c -> c + width max(|c|, 0.01) N(0, 1)
    noise_absolute_sigma : every trainable coefficient c -> c + width N(0, 1)
    """

    randomize_func_coeffs: float = 0.0
    noise_relative_sigma: float = 0.0
    noise_absolute_sigma: float = 0.0

    @classmethod
    def from_settings(cls, fit: Mapping[str, Any]) -> Perturbation:
        """Read the three widths from the `fit` section; missing ones are zero."""
        return cls(*(float(fit.get(name) or 0.0) for name in cls.__dataclass_fields__))

    @property
    def is_random(self) -> bool:
        """Whether anything is changed at all; without that a further cycle continues the optimisation."""
        return max(self.randomize_func_coeffs, self.noise_relative_sigma, self.noise_absolute_sigma) > 0.0


def cycle_generator(seed: int, step: int, cycle: int, *stream: int) -> np.random.Generator:
    """Random generator of one cycle: independent of all other cycles, of the order they run in, and of global state.

    Numbers after the cycle name further generators of it, independent of each other.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, step, cycle], spawn_key=stream))


def perturb(
    x: NDArray[np.float64],
    trainable: NDArray[np.bool_],
    n_radial: int,
    perturbation: Perturbation,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Starting point of a cycle made from the best parameters so far.

    Parameters
    ----------
    x : float64, shape (n,)
        Parameters, radial ones first.
    trainable : bool, shape (n,)
        Parameters that may change.
    n_radial : int
        Number of radial parameters.
    perturbation : Perturbation
        What to do.
    generator : numpy.random.Generator
        From `cycle_generator`. One number is drawn per parameter, frozen or not, so that masks do not move the others' numbers.

    Returns
    -------
    float64, shape (n,)
    """
    draws = generator.standard_normal(len(x))
    moved = np.asarray(trainable, dtype=bool).copy()
    if perturbation.randomize_func_coeffs > 0.0:
        moved[:n_radial] = False
        new = perturbation.randomize_func_coeffs * draws
    elif perturbation.noise_relative_sigma > 0.0:
        new = x + perturbation.noise_relative_sigma * np.maximum(np.abs(x), SMALLEST_SCALE) * draws
    else:
        new = x + perturbation.noise_absolute_sigma * draws
    return np.where(moved, new, x)


def read_result(path_to_result: str | Path, path_to_potential: str | Path) -> dict[str, Any]:
    """Result of a finished cycle, whose potential must be the one that was written with it.

    Raises
    ------
    ArtifactError
        If one of the files cannot be used, or the potential is of another fit.
    """
    result: dict[str, Any] = read_yaml(path_to_result)
    if result["potential_sha256"] != read_sealed(path_to_potential)[1]["content"]:
        raise DamagedArtifactError(path_to_potential, f"is not the potential that {path_to_result} describes")
    return result


def select_best(losses: Sequence[float]) -> int:
    """Position of the smallest loss; the first of equal ones.

    Raises
    ------
    FitError
        If there is none, or none is finite.
    """
    values = np.asarray(losses, dtype=np.float64)
    if not np.isfinite(values).any():
        raise FitError(f"none of the {len(values)} cycles ended with a finite loss; there is no best one to go on with")
    return int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
