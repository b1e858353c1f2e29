"""Weights from a file of their own: an index into the dataset, one energy weight and the atoms' force weights per structure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acefit.artifacts import unpacked_problem
from acefit.data.labels import as_numbers
from acefit.data.structures import StructureSet
from acefit.data.unpickle import read_pickled_frame
from acefit.errors import DataError
from acefit.untrusted import bounded_memory


@dataclass(frozen=True, eq=False)
class ExternalWeights:
    """Rows of the dataset, shape (n,), their energy weights, shape (n,), and one array of force weights each."""

    source: str
    rows: NDArray[np.int64]
    energy: NDArray[np.float64]
    forces: list[NDArray[np.float64]]


def read_external(path: str | Path) -> ExternalWeights:
    """Read a weight file.

    Parameters
    ----------
    path : path
        ``.parquet``, ``.csv`` or a pickled frame (``.pckl.gzip`` ...) with the columns ``w_energy`` and ``w_forces``. A column
        ``structure`` (or the frame's index; the position in CSV files) refers to rows of the dataset. ``w_forces`` holds a
        list per structure, in CSV files as ``"[1, 2]"``; a single number counts for each atom.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, or has an index twice.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"weight file {path} does not exist; mend fit.weighting.filename")
    # Arrow may not start its threads under a limit of memory; what a file announces is limited instead
    frame = _read_frame(path) if path.suffix == ".parquet" else None
    with bounded_memory(path, DataError):
        return _weights_of_frame(_read_frame(path) if frame is None else frame, path)


def _read_frame(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                _look_at_columns(file)
                if problem := unpacked_problem(file, path):
                    raise DataError(f"weight file {path} {problem}")
                return file.read(use_threads=False).to_pandas(use_threads=False)
        if path.suffix == ".csv":
            return pd.read_csv(path)
        return read_pickled_frame(path)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # whatever a damaged file leads to inside of pandas
        raise DataError(f"weight file {path} cannot be read ({error}); give a .parquet, .csv or .pckl.gzip file") from error


def _look_at_columns(file: pq.ParquetFile) -> None:
    """Begin to read each column: where its statistics are damaged that raises an error, but asking for its metadata aborts."""
    for group in range(file.metadata.num_row_groups):
        for name in file.schema_arrow.names:
            next(file.iter_batches(1, [group], columns=[name], use_threads=False), None)


def _weights_of_frame(frame: pd.DataFrame, path: Path) -> ExternalWeights:
    missing = [name for name in ("w_energy", "w_forces") if name not in frame.columns]
    if missing:
        raise DataError(f"weight file {path} lacks the columns {', '.join(missing)}")
    try:
        if "structure" in frame.columns:
            frame = frame.set_index("structure")
        rows = frame.index.to_numpy().astype(np.int64)
        energy = frame["w_energy"].to_numpy(dtype=np.float64)
        forces = [_force_weights(value) for value in frame["w_forces"]]
    except MemoryError:
        raise
    except Exception as error:  # a hostile frame may hold anything
        raise DataError(f"weight file {path}: index and weights must be numbers ({error})") from error
    if len(np.unique(rows)) < len(rows):
        raise DataError(f"weight file {path} names a structure twice")
    if any(not np.all(np.isfinite(values) & (values >= 0)) for values in [energy, *forces]):
        raise DataError(f"weight file {path} has weights that are negative or not finite")
    return ExternalWeights(path.name, rows, energy, forces)


def _force_weights(value: Any) -> NDArray[np.float64]:
    weights = np.atleast_1d(as_numbers(json.loads(value) if isinstance(value, str) else value))
    if weights.ndim > 1:
        raise ValueError(f"force weights of a structure have shape {weights.shape}, not one number per atom")
    return weights


def join_external(
    external: ExternalWeights, structures: StructureSet, subsets: list[str], joint: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Look up the weights of a dataset.

    Parameters
    ----------
    external : ExternalWeights
    structures : StructureSet
        The complete dataset.
    subsets : list of str, length S
        train, test or excluded.
    joint : bool
        False: the file's index refers to rows of the dataset (all files one after the other). True: it refers to the training
        structures followed by the test structures, as pacemaker numbers them after a split with test_size.

    Returns
    -------
    energy, force : float64, shapes (S,) and (A,)
        NaN for structures that the file does not name.

    Raises
    ------
    DataError
        If the file names rows that do not exist or has a wrong number of force weights.
    """
    labels = np.array(subsets)
    order = np.concatenate([np.flatnonzero(labels == "train"), np.flatnonzero(labels == "test")])
    numbering = order if joint else np.arange(structures.n_structures)
    bad = (external.rows < 0) | (external.rows >= len(numbering))
    if bad.any():
        raise DataError(
            f"{external.source} names structure {external.rows[bad][0]}, but the dataset has rows 0 .. {len(numbering) - 1}"
        )
    energy, force = np.full(structures.n_structures, np.nan), np.full(structures.n_atoms, np.nan)
    for row, w_energy, w_forces in zip(external.rows, external.energy, external.forces, strict=True):
        s = numbering[row]
        first, last = structures.offsets[s], structures.offsets[s + 1]
        if len(w_forces) not in (1, last - first):
            raise DataError(f"{external.source}, structure {row}: {len(w_forces)} force weights for {last - first} atoms")
        energy[s], force[first:last] = w_energy, w_forces
    return energy, force
