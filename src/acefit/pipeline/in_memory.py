"""A whole fit as a function call, and the judgement of a potential on labelled structures; for notebooks and scripts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from matplotlib.figure import Figure

from acefit.analysis.catalog import FIGURES
from acefit.analysis.errors import tabulate_overall
from acefit.analysis.figure_set import RunData, draw
from acefit.analysis.predictions import Labels, Predictions, build_tables, find_low_energy
from acefit.config.model import Config
from acefit.config.problems import nearest
from acefit.config.runs import Runs, load_runs
from acefit.config.source import read_source
from acefit.data.given_atoms import write_atoms
from acefit.data.neighborlists import build
from acefit.data.readers import ReadingOptions, read_files
from acefit.data.storage import structure_columns, with_energies
from acefit.errors import ConfigError
from acefit.evaluation.predict import predict
from acefit.pipeline.configuration import load_configuration
from acefit.pipeline.evaluate import labels_on_scale, scale_of
from acefit.pipeline.stepwise import Run, Say, read_finished, run_stages
from acefit.potential.files import read_any
from acefit.potential.model import Potential

Data = str | Path | Iterable[Atoms]


@dataclass(frozen=True, eq=False)
class FitResult:
    """A finished fit.

    Attributes
    ----------
    potential : the final potential, with core repulsion and metadata
    loss : of the last ladder step's best cycle
    metrics : a row per iteration and subset of all cycles (contract `metrics`)
    cycles : a row per cycle and subset at its best point
    predictions : of the final potential for all structures
    config : the checked configuration, with all defaults
    """

    potential: Potential
    loss: float
    metrics: pd.DataFrame
    cycles: pd.DataFrame
    predictions: Predictions
    config: Config
    _data: RunData

    @property
    def errors(self) -> pd.DataFrame:
        """Errors by subset: energies in meV/atom, forces in eV/Angstrom, stresses in GPa."""
        return tabulate_overall(self.predictions)

    def figure(self, name: str) -> Figure:
        """A figure of the report by its name, see `acefit.analysis.catalog.FIGURES`.

        Raises
        ------
        ConfigError
            If there is no such figure, or the data have nothing that it could show.
        """
        return named_figure(self._data, name)


def named_figure(data: RunData, name: str) -> Figure:
    """A figure of the report.

    Raises
    ------
    ConfigError
        If there is no such figure, or the data have nothing that it could show.
    """
    if name not in FIGURES:
        raise ConfigError(f"there is no figure '{name}'{nearest(name, FIGURES)}; there are {', '.join(FIGURES)}")
    found = draw(data, name)
    if isinstance(found, str):
        raise ConfigError(f"the figure '{name}' would be empty: {found}")
    return found


def fit_in_memory(
    config: Mapping[str, Any] | str | Path,
    data: Data | None = None,
    test: Data | None = None,
    *,
    folder: str | Path | None = None,
    say: Say = lambda text: None,
) -> FitResult:
    """Fit a potential with the stages of the pipeline, one after the other in this process.

    Parameters
    ----------
    config : the configuration, as a file or as a mapping with the keys of such a file
    data, test : replace `data.filename` and `data.test_filename`: a file, or ASE atoms
    folder : where the files of the stages stay, as the pipeline would leave them; default: a temporary one
    say : is told what is done

    Raises
    ------
    AcefitError
        As the stages do.
    """
    with _workplace(folder) as root:
        table = _load(config, data, test, root)
        if not table.is_single:
            raise ConfigError("runs and sweep are for the pipeline (acefit run); a fit in memory makes one run: take them away")
        run = Run.of(root, table.name, table.configs[table.name])
        run_stages(run, say)
        finished = read_finished(run)
    best = finished.cycles[finished.cycles["is_selected"] & (finished.cycles["subset"] == "train")]
    loss = float(best.sort_values("ladder_step")["loss"].iloc[-1])
    return FitResult(finished.potential, loss, finished.metrics, finished.cycles, finished.predictions, run.config, finished)


@contextmanager
def _workplace(folder: str | Path | None) -> Iterator[Path]:
    """Folder for the files of a fit."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="acefit-") as temporary:
            yield Path(temporary)
        return
    root = Path(folder)
    if (root / ".snakemake").exists():
        raise ConfigError(f"{root} holds results of the pipeline, which a fit in memory must not change; give another folder")
    root.mkdir(parents=True, exist_ok=True)
    yield root


def _load(config: Mapping[str, Any] | str | Path, data: Data | None, test: Data | None, root: Path) -> Runs:
    """The checked configuration with the given data in it."""
    if isinstance(config, str | Path):
        if data is None and test is None:
            return load_configuration(config)
        return load_runs(_with_data(read_source(config).data, data, test, root), config)
    return load_runs({"name": "fit", **_with_data(config, data, test, root)})


def _with_data(config: Mapping[str, Any], data: Data | None, test: Data | None, root: Path) -> dict[str, Any]:
    section = config.get("data") or {}
    section = dict(section) if isinstance(section, Mapping) else {"filename": section}
    for key, given in (("filename", data), ("test_filename", test)):
        if given is not None:
            section[key] = str(_as_file(given, root / f"{key}.db"))
    return {**config, "data": section}


def _as_file(data: Data, path: Path) -> Path:
    """The file of the data; atoms are written to the path."""
    if isinstance(data, str | Path):
        return Path(data)
    path.unlink(missing_ok=True)
    write_atoms([data] if isinstance(data, Atoms) else data, path)
    return path


def evaluate_potential(potential: str | Path | Potential, data: Data, **reading: Any) -> Predictions:
    """Compare predictions of a potential with the labels of structures; all of them count as a test set.

    Parameters
    ----------
    potential : file, or a potential in memory
    data : file of a dataset, or ASE atoms with labels
    reading : fields of `acefit.data.readers.ReadingOptions`, such as `energy_key`

    Returns
    -------
    predictions : Predictions
        On the scale of the fit: the reference energies in the metadata of the potential, or its E0, are subtracted from total
        energies; a potential without them is compared with corrected energies if the data have some, else with the energies as
        they are.

    Raises
    ------
    DataError, PotentialError
        If the data or the potential cannot be used.
    """
    if not isinstance(potential, Potential):
        potential = read_any(potential)
    options = ReadingOptions(**{"elements": potential.elements, **reading})
    with tempfile.TemporaryDirectory(prefix="acefit-") as temporary:
        path = _as_file(data, Path(temporary) / "given.db")
        dataset = read_files([{"path": str(path), "subset": "test"}], options).dataset
    energies = labels_on_scale(dataset, scale_of(potential)[0])
    structures = with_energies(dataset, energies).structures
    neighbors = build(structures, potential.cutoff)
    n, per_atom = structures.n_structures, energies / structures.atoms_per_structure
    subsets = np.full(n, "test", dtype=object)
    labels = Labels(
        formulas=np.array(structure_columns(dataset)["formula"], dtype=object),
        subsets=subsets,
        reasons=np.full(n, "evaluated", dtype=object),
        w_energy=np.zeros(n),
        w_stress=np.zeros(n),
        is_low_energy=find_low_energy(per_atom, np.full(n, np.nan), subsets),
        w_force=np.zeros(structures.n_atoms),
    )
    predicted = predict(potential, structures, neighbors)
    tables: Any = build_tables(structures, predicted, labels, neighbors.shortest_per_atom())
    return Predictions.from_columns(*tables)
