"""Read the user's files into one dataset and subtract the reference energies."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from acefit.data.readers import ReadingOptions, ReadResult, read_files
from acefit.data.references import References, determine_references
from acefit.data.storage import Dataset, with_energies, write_dataset
from acefit.errors import DataError
from acefit.files import file_digest, write_yaml

USUAL_RANGE = (-20.0, 250.0)
"""eV/atom; corrected energies outside it suggest that reference energies are missing."""

logger = logging.getLogger(__name__)


def dataset(
    *,
    files: Sequence[Mapping[str, str]],
    reading: Mapping[str, Any],
    reference_energy: Any,
    code: str = "",
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_references: str | Path,
) -> None:
    """Make the dataset of a run.

    Parameters
    ----------
    files : sequence of mappings
        ``path`` and ``subset`` (data, train or test) of each file, in order.
    reading : mapping
        Fields of `acefit.data.readers.ReadingOptions`.
    reference_energy : mapping, number, str or None
        See `acefit.data.references.determine_references`; None: the files have corrected energies.
    code : str
        Digest of the code, for the provenance.
    path_to_structures, path_to_atoms : path
        Tables to write (contracts `structures` and `atoms`).
    path_to_references : path
        YAML to write: references and their origin, files with digests and counts, structures left out and why.

    Raises
    ------
    DataError
        If files or structures cannot be used, or there is no energy to fit.
    """
    result = read_files(files, ReadingOptions(**reading))
    data, references = _subtract_references(result.dataset, reference_energy)
    warnings = _find_oddities(result, data, references)
    for text in warnings:
        logger.warning("%s", text)
    inputs = [{"path": str(file["path"]), "sha256": file_digest(file["path"])} for file in files]
    tables = [reference_energy] if references is not None and references.mode == "table" else []
    digests = {entry["path"]: entry["sha256"] for entry in inputs} | {str(path): file_digest(path) for path in tables}
    provenance = {"step": "dataset", "code": code, "inputs": digests}
    write_dataset(data, path_to_structures, path_to_atoms, provenance)
    write_yaml(
        {
            "mode": references.mode if references else "corrected",
            "energies": references.energies if references else {},
            "shift": references.shift if references else 0.0,
            "reference_energy": references.to_json() if references else None,
            "n_structures": data.structures.n_structures,
            "n_atoms": data.structures.n_atoms,
            "files": [{**asdict(report), "sha256": file["sha256"]} for report, file in zip(result.files, inputs, strict=True)],
            "left_out": [asdict(item) for item in result.left_out],
            "warnings": warnings,
        },
        path_to_references,
        provenance,
    )
    logger.info(
        "%d structures, %d atoms, %d left out", data.structures.n_structures, data.structures.n_atoms, len(result.left_out)
    )


def _subtract_references(data: Dataset, setting: Any) -> tuple[Dataset, References | None]:
    """Corrected energies; rows that only have a corrected energy keep it as it is."""
    if setting is None:
        if not np.isfinite(data.structures.energies).any():
            raise DataError(
                "the data have no corrected energies and data.reference_energy is not given; give a map of reference energies, "
                "'auto', 'isolated', or 0 to fit total energies as they are"
            )
        return data, None
    rows = [s for s, role in enumerate(data.roles) if role != "test"]
    reference_rows = data.select(rows)
    references = determine_references(setting, reference_rows.structures, reference_rows.raw_energies)
    corrected = references.correct(data.structures, data.raw_energies)
    energies = np.where(np.isnan(data.raw_energies), data.structures.energies, corrected)
    return with_energies(data, energies), references


def _find_oddities(result: ReadResult, data: Dataset, references: References | None) -> list[str]:
    """Describe what the user should know about the data although it can be used."""
    warnings = [f"left out: {item}" for item in result.left_out]
    warnings += [references.note] if references and references.note else []
    for report in result.files:
        missing = {"energy": report.n_without_energy, "forces": report.n_without_forces}
        warnings += [f"{report.source}: {n} structures without {what}" for what, n in missing.items() if n]
    structures = data.structures
    per_atom = structures.energies / structures.atoms_per_structure
    known = per_atom[np.isfinite(per_atom)]
    if len(known) and (known.min() < USUAL_RANGE[0] or known.max() > USUAL_RANGE[1]):
        cure = "check data.reference_energy" if references else "give data.reference_energy, e.g. auto"
        warnings.append(f"corrected energies reach from {known.min():.3f} to {known.max():.3f} eV/atom; {cure}")
    n_mixed = int(np.count_nonzero(np.isnan(structures.energies) & np.isfinite(data.raw_energies)))
    if n_mixed:
        warnings.append(f"{n_mixed} structures have an energy but no corrected energy: their energies are not fitted")
    return warnings
