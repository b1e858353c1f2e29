"""Files of augmented structures, in the formats that the dataset stage reads."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms

from acefit.data.readers import PICKLED, TEXT
from acefit.errors import DataError
from acefit.files import atomic_path
from acefit.shortrange.augment import Augmented


def to_frame(augmented: Augmented) -> pd.DataFrame:
    """Data frame with the columns of pacemaker's augmented data, one row per structure."""
    structures, rows = augmented.structures, []
    for s in range(structures.n_structures):
        atoms = slice(structures.offsets[s], structures.offsets[s + 1])
        energy = float(structures.energies[s])
        rows.append(
            {
                "name": structures.names[s],
                "ase_atoms": Atoms(
                    structures.numbers[atoms], structures.positions[atoms], cell=structures.cells[s], pbc=structures.pbc[s]
                ),
                "energy_corrected": energy,
                "energy_corrected_per_atom": energy / len(structures.numbers[atoms]),
                "z": float(augmented.distances[s]),
                "forces": structures.forces[atoms].copy(),
                "w_forces_mask": augmented.mask[atoms].copy(),
            }
        )
    return pd.DataFrame(rows)


def write_augmented(augmented: Augmented, path: str | Path) -> None:
    """Write augmented structures, atomically.

    Parameters
    ----------
    augmented : Augmented
    path : path
        `.xyz` or `.extxyz` (also with `.gz`): extended XYZ; `.pckl.gzip`, `.pkl.gz` and the like: pacemaker's data frame. Either
        way the energies are `energy_corrected`, from which no references are subtracted, and `w_forces_mask` holds the mask.

    Raises
    ------
    DataError
        If the name ends otherwise.
    """
    path, name = Path(path), Path(path).name.lower()
    check_name(path)
    frame = to_frame(augmented)
    content = _pickled(frame) if name.endswith(PICKLED) else _extended_xyz(frame)
    with atomic_path(path) as temporary:
        # without time and name, so that equal data give equal files
        temporary.write_bytes(gzip.compress(content, mtime=0) if name.endswith((".gz", ".gzip")) else content)


def check_name(path: Path) -> None:
    """Refuse names of files that `write_augmented` does not write."""
    if not path.name.lower().endswith((*TEXT, *PICKLED)):
        raise DataError(f"{path}: augmented data are written as {', '.join((*TEXT, *PICKLED))}; give such a name")


def _labelled(row: Mapping[Any, Any]) -> Atoms:
    """Atoms with everything that is known of them."""
    atoms: Atoms = row["ase_atoms"]
    atoms.info = {"name": row["name"], "config_type": "augmented", "energy_corrected": row["energy_corrected"], "z": row["z"]}
    atoms.arrays["forces"] = np.asarray(row["forces"])
    atoms.arrays["w_forces_mask"] = np.asarray(row["w_forces_mask"])
    return atoms


def _pickled(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.to_pickle(content, compression=None, protocol=4)
    return content.getvalue()


def _extended_xyz(frame: pd.DataFrame) -> bytes:
    content = io.StringIO()
    ase.io.write(content, [_labelled(row) for row in frame.to_dict("records")], format="extxyz")
    return content.getvalue().encode()
