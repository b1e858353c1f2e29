"""Read the user's files into one dataset and subtract the reference energies."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from acefit.artifacts import TableWriter, open_table, write_table
from acefit.data.readers import FileReport, LeftOut, ReadingOptions, iterate_files, join_reports
from acefit.data.references import Composition, References, determine_references, join_compositions
from acefit.data.storage import atom_columns, structure_columns
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
    inputs = [{"path": str(file["path"]), "sha256": file_digest(file["path"])} for file in files]
    tables = [reference_energy] if isinstance(reference_energy, str) and Path(reference_energy).is_file() else []
    digests = {entry["path"]: entry["sha256"] for entry in inputs} | {path: file_digest(path) for path in tables}
    provenance = {"step": "dataset", "code": code, "inputs": digests}
    with open_table(path_to_atoms, "atoms", provenance) as table_of_atoms:
        found = _read(files, ReadingOptions(**reading), table_of_atoms)
        columns, references = _subtract_references(found, reference_energy)
        write_table(columns, path_to_structures, "structures", provenance)
    warnings = _find_oddities(found, columns, references)
    for text in warnings:
        logger.warning("%s", text)
    n_structures, n_atoms = len(columns["n_atoms"]), int(columns["n_atoms"].sum())
    write_yaml(
        {
            "mode": references.mode if references else "corrected",
            "energies": references.energies if references else {},
            "shift": references.shift if references else 0.0,
            "reference_energy": references.to_json() if references else None,
            "n_structures": n_structures,
            "n_atoms": n_atoms,
            "files": [{**asdict(report), "sha256": file["sha256"]} for report, file in zip(found.files, inputs, strict=True)],
            "left_out": [asdict(item) for item in found.left_out],
            "warnings": warnings,
        },
        path_to_references,
        provenance,
    )
    logger.info("%d structures, %d atoms, %d left out", n_structures, n_atoms, len(found.left_out))


class _Found(NamedTuple):
    """What has one entry per structure or file: columns of the table of structures, reports, structures left out."""

    columns: dict[str, Any]
    composition: Composition
    files: list[FileReport]
    left_out: list[LeftOut]


def _read(files: Sequence[Mapping[str, str]], options: ReadingOptions, table_of_atoms: TableWriter) -> _Found:
    """Read all files and store their atoms, some structures at a time."""
    columns, compositions, reports, left_out = [], [], [], []
    n_structures = n_atoms = 0
    for piece in iterate_files(files, options):
        structures = piece.dataset.structures
        table_of_atoms.write(atom_columns(piece.dataset, n_structures))
        columns.append(structure_columns(piece.dataset, n_structures, n_atoms))
        compositions.append(Composition.of(structures))
        reports.append((piece.file, piece.report))
        left_out += piece.left_out
        n_structures, n_atoms = n_structures + structures.n_structures, n_atoms + structures.n_atoms
    joined: dict[str, Any] = {
        name: [text for part in columns for text in part[name]]
        if isinstance(values, list)
        else np.concatenate([part[name] for part in columns])
        for name, values in columns[0].items()
    }
    return _Found(joined, join_compositions(compositions), join_reports(reports), left_out)


def _subtract_references(found: _Found, setting: Any) -> tuple[dict[str, Any], References | None]:
    """Columns with corrected energies; rows that only have a corrected energy keep it as it is."""
    columns, raw = found.columns, found.columns["energy"]
    if setting is None:
        if not np.isfinite(columns["energy_corrected"]).any():
            raise DataError(
                "the data have no corrected energies and data.reference_energy is not given; give a map of reference energies, "
                "'auto', 'isolated', or 0 to fit total energies as they are"
            )
        return columns, None
    rows = np.flatnonzero(np.array(columns["role"]) != "test")
    references = determine_references(setting, found.composition.select(rows), raw[rows])
    corrected = references.correct(found.composition, raw)
    return {**columns, "energy_corrected": np.where(np.isnan(raw), columns["energy_corrected"], corrected)}, references


def _find_oddities(found: _Found, columns: Mapping[str, Any], references: References | None) -> list[str]:
    """Describe what the user should know about the data although it can be used."""
    warnings = [f"left out: {item}" for item in found.left_out]
    warnings += [references.note] if references and references.note else []
    for report in found.files:
        missing = {"energy": report.n_without_energy, "forces": report.n_without_forces}
        warnings += [f"{report.source}: {n} structures without {what}" for what, n in missing.items() if n]
    energies = columns["energy_corrected"]
    per_atom = energies / columns["n_atoms"]
    known = per_atom[np.isfinite(per_atom)]
    if len(known) and (known.min() < USUAL_RANGE[0] or known.max() > USUAL_RANGE[1]):
        cure = "check data.reference_energy" if references else "give data.reference_energy, e.g. auto"
        warnings.append(f"corrected energies reach from {known.min():.3f} to {known.max():.3f} eV/atom; {cure}")
    n_mixed = int(np.count_nonzero(np.isnan(energies) & np.isfinite(columns["energy"])))
    if n_mixed:
        warnings.append(f"{n_mixed} structures have an energy but no corrected energy: their energies are not fitted")
    return warnings
