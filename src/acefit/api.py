"""The Python interface: what `import acefit` offers, on top of the functions that the pipeline uses.

Names of this module are names of the package, such as `acefit.fit_potential`; they are loaded when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from ase import Atoms
from matplotlib.figure import Figure

from acefit.analysis.errors import tabulate_groups, tabulate_overall
from acefit.analysis.figure_set import draw_parity
from acefit.analysis.figures_fit import draw_convergence_loss
from acefit.analysis.predictions import Predictions
from acefit.config import stages
from acefit.config.loading import load_config, validate_config
from acefit.errors import DataError
from acefit.pipeline.in_memory import FitResult, evaluate_potential, fit_in_memory
from acefit.potential.bbasis import import_potential
from acefit.potential.bbasis import write_potential as write_bbasis
from acefit.potential.combine import resolve_potential
from acefit.potential.model import Potential

__all__ = [
    "FitResult",
    "build_potential",
    "evaluate",
    "fit_potential",
    "metrics",
    "plot_learning_curve",
    "plot_parity",
    "read_potential",
    "write_potential",
]


def read_potential(path: str | Path) -> Potential:
    """Read a potential file of acefit or pacemaker.

    Raises
    ------
    PotentialError
        If it is none.
    """
    return import_potential(path)


def write_potential(potential: Potential, path: str | Path) -> None:
    """Write a potential in pacemaker's B-basis format; the file appears only when it is complete."""
    write_bbasis(potential, path)


def build_potential(config: Mapping[str, Any] | str | Path) -> Potential:
    """Build the complete unfitted potential of a configuration.

    Parameters
    ----------
    config : mapping or path
        Configuration with the section `potential`, as a mapping with the keys of the file, or the file. Of a mapping the other
        sections may be absent.

    Raises
    ------
    ConfigError
        One listing of all problems.
    """
    # The data are not read; a configuration without any could not be checked
    checked = load_config(config) if isinstance(config, str | Path) else validate_config({"data": "none", **config})
    settings = stages.basis_params(checked)
    return resolve_potential(settings["potential"], settings["seed"])[0]


def fit_potential(
    config: Mapping[str, Any] | str | Path,
    data: str | Path | Iterable[Atoms] | None = None,
    test: str | Path | Iterable[Atoms] | None = None,
    *,
    folder: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> FitResult:
    """Fit a potential in this process, without Snakemake; the result is that of the pipeline with the same configuration.

    Nothing is kept from one call to the next: long fits, interrupted ones and several runs are for the pipeline.

    Parameters
    ----------
    config : mapping or path
        The configuration, as a mapping with the keys of the YAML file, or the file.
    data, test : path or ASE atoms, optional
        Training data (of which `data.test_size` may be set aside) and separate test data; they replace `data.filename` and
        `data.test_filename`. Energies in eV, forces in eV/Angstrom, stresses in eV/Angstrom^3.
    folder : path, optional
        Where the files of all stages stay, laid out as in the folder of a pipeline; default: a temporary folder.
    say : callable, optional
        Called with a line of text before each stage, for example `print`.

    Returns
    -------
    FitResult
        Potential, loss, metrics and predictions.

    Raises
    ------
    ConfigError, DataError, FitError, PotentialError
        If the configuration or the data cannot be used; the message says what, where and how to mend it.

    Examples
    --------
    >>> import acefit
    >>> result = acefit.fit_potential("config/config.yaml")
    >>> result.errors
    >>> atoms.calc = acefit.ACECalculator(result.potential)
    """
    return fit_in_memory(config, data, test, folder=folder, say=say or (lambda text: None))


def evaluate(potential: Potential | str | Path, data: str | Path | Iterable[Atoms], **reading: Any) -> Predictions:
    """Predict labelled structures and put the predictions beside the labels.

    Parameters
    ----------
    potential : Potential or path
    data : path or ASE atoms
        Reference energies that the potential carries are subtracted from the total energies.
    reading : keyword arguments
        How the labels are found, such as `energy_key`; see `acefit.data.readers.ReadingOptions`.

    Returns
    -------
    Predictions
        Tables `structures` and `atoms`, arrays `force` and `force_predicted` (A, 3), `stress` and `stress_predicted` (S, 6).

    Raises
    ------
    DataError, PotentialError
        If the data or the potential cannot be used.
    """
    return evaluate_potential(potential, data, **reading)


def metrics(predictions: Predictions | FitResult, by: str = "subset") -> pd.DataFrame:
    """Error measures: energies in meV/atom, forces in eV/Angstrom, stresses in GPa.

    Parameters
    ----------
    predictions : Predictions or FitResult
    by : `subset`, or `group` for every group of structures (config_type) and subset

    Raises
    ------
    DataError
        If `by` is something else.
    """
    tabulate = {"subset": tabulate_overall, "group": tabulate_groups}.get(by)
    if tabulate is None:
        raise DataError(f"metrics by {by!r} are not known; give 'subset' or 'group'")
    return tabulate(_predictions(predictions))


def plot_learning_curve(result: FitResult | pd.DataFrame) -> Figure:
    """Loss against iterations, all ladder steps and cycles, train and test; of a fit or of a table of metrics."""
    return draw_convergence_loss(result.metrics if isinstance(result, FitResult) else result)


def plot_parity(predictions: Predictions | FitResult, subset: str = "test") -> Figure:
    """Predicted against reference energies and forces of a subset (train or test).

    Raises
    ------
    DataError
        If there is no such structure.
    """
    found = draw_parity(_predictions(predictions), subset)
    if isinstance(found, str):
        raise DataError(f"nothing to plot: {found}")
    return found


def _predictions(given: Predictions | FitResult) -> Predictions:
    return given.predictions if isinstance(given, FitResult) else given
