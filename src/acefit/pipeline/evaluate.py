"""Predictions of a potential for files of structures, and their errors where there are labels; some structures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from acefit.analysis.predictions import Labels, build_tables, find_low_energy
from acefit.artifacts import open_table, write_table
from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.neighborlists import build
from acefit.data.readers import LeftOut, Piece, ReadingOptions, iterate_files
from acefit.data.references import Composition, References
from acefit.data.storage import Dataset, structure_columns, with_energies
from acefit.data.structures import StructureSet, consecutive_ranges
from acefit.data.writers import ATOMS, STRUCTURES, TEXT, check_target, format_xyz, is_folder_of_tables, open_text, unknown_kind
from acefit.evaluation.predict import Prediction, predict_compiled
from acefit.files import file_digest
from acefit.potential.model import Potential
from acefit.units import EV_PER_A3_IN_GPA

ATOMS_AT_ONCE = 2**12
"""Atoms of a part; with 200 neighbours each it takes some 100 MB while it is evaluated."""

Values = NDArray[np.float64]


@dataclass
class Measure:
    """Number, root mean square, mean and maximum of the absolute values of errors that come in parts."""

    n: int = 0
    squares: float = 0.0
    absolutes: float = 0.0
    largest: float = 0.0

    def add(self, errors: Values) -> None:
        """Add errors; those that are NaN have no reference and do not count."""
        known = np.abs(errors[~np.isnan(errors)])
        self.n += len(known)
        self.squares += float(np.sum(known**2))
        self.absolutes += float(np.sum(known))
        self.largest = max(self.largest, float(known.max(initial=0.0)))

    def values(self, names: Sequence[str]) -> dict[str, float]:
        """The three measures under these names; NaN without errors."""
        if not self.n:
            return dict.fromkeys(names, float("nan"))
        return dict(zip(names, (np.sqrt(self.squares / self.n), self.absolutes / self.n, self.largest), strict=True))


@dataclass
class Errors:
    """Errors of the structures of a group, or of all; named as in `acefit.analysis.metrics`."""

    n_structures: int = 0
    n_atoms: int = 0
    energy: Measure = field(default_factory=Measure)
    force: Measure = field(default_factory=Measure)
    component: Measure = field(default_factory=Measure)
    stress: Measure = field(default_factory=Measure)

    def row(self) -> dict[str, float]:
        """Energies in meV/atom, forces in eV/Angstrom, stresses in GPa."""
        return {
            "n_structures": self.n_structures,
            "n_atoms": self.n_atoms,
            **self.energy.values(("rmse_epa", "mae_epa", "max_abs_epa")),
            **self.force.values(("rmse_f", "mae_f", "max_f")),
            **self.component.values(("rmse_f_comp", "mae_f_comp", "max_abs_f_comp")),
            **self.stress.values(("rmse_stress", "mae_stress", "max_abs_stress")),
        }

    @property
    def has_labels(self) -> bool:
        """Whether there was anything to compare with."""
        return bool(self.energy.n or self.force.n or self.stress.n)


class Evaluated(NamedTuple):
    """What was evaluated.

    Attributes
    ----------
    total, groups : errors of all structures and by group
    scale : how labels were brought to the scale of the predictions
    left_out : structures that could not be used
    """

    total: Errors
    groups: dict[str, Errors]
    scale: str
    left_out: list[LeftOut]


class Part(NamedTuple):
    """Some structures with labels and predictions; offsets (S,), eV, lead from the scale of the fit to that of the calculator."""

    dataset: Dataset
    predicted: Prediction
    nn_distances: Values
    offsets: Values


Sink = Callable[[Part], None]


def evaluate_files(
    potential: Potential,
    sources: Sequence[str | Path],
    target: str | Path | None = None,
    options: ReadingOptions | None = None,
    threads: int | None = None,
    watch: Callable[[Iterable[Piece]], Iterable[Piece]] = iter,
) -> Evaluated:
    """Predict energies, forces and stresses of structures and compare them with labels.

    Parameters
    ----------
    potential : Potential
    sources : files that `acefit.data.readers` reads, or folders with the Parquet tables
    target : extended XYZ (`.xyz`, `.xyz.gz`), or a folder for the tables `structures.parquet` and `atoms.parquet` (contracts
        `predicted_structures` and `predicted_atoms`); None: nothing is written
    options : names of labels, and what is done with structures that cannot be used
    threads : to use; results do not depend on it
    watch : gives back the parts it is given, for a progress bar

    Raises
    ------
    DataError
        If a source cannot be read, holds an element that the potential does not have, or the target is unknown or a source.
    """
    paths = [Path(source) / STRUCTURES if Path(source).is_dir() else Path(source) for source in sources]
    options = options or ReadingOptions(elements=potential.elements, energy_needed=False)
    references, scale = scale_of(potential)
    compiled = compile_potential(potential)
    result = Evaluated(Errors(), {}, scale, [])
    pieces = iterate_files([{"path": str(path)} for path in paths], options)
    first = next(pieces)  # what cannot be read at all leaves no trace
    with _open_sink(target, paths) as write:
        for piece in watch(chain([first], pieces)):
            result.left_out.extend(piece.left_out)
            for part in _predict_piece(compiled, piece.dataset, references, threads):
                _measure(part, result)
                write(part)
    return result


def scale_of(potential: Potential) -> tuple[References | None, str]:
    """What is subtracted from total energies to compare them with the fitted ones, and how it is said."""
    stored = potential.metadata.get("reference_energy")
    if stored is not None:
        return References.from_json(stored), "total energies minus the references that the potential carries"
    if any(potential.e0.values()):
        return References(dict(potential.e0), 0.0, "E0"), "total energies minus E0 of the potential"
    return None, "corrected energies of the data, or total energies where there are none, as they are"


def _predict_piece(compiled: Compiled, dataset: Dataset, references: References | None, threads: int | None) -> Iterator[Part]:
    """Predict the structures of a piece, of which only few neighbours are in memory."""
    bounds = consecutive_ranges(dataset.structures.atoms_per_structure, ATOMS_AT_ONCE)
    e0 = np.array([compiled.potential.e0.get(symbol, 0.0) for symbol in chemical_symbols])
    for first, last in pairwise(bounds):
        given = dataset.select(np.arange(first, last))
        part = with_energies(given, labels_on_scale(given, references))
        structures = part.structures
        neighbors = build(structures, compiled.potential.cutoff)
        predicted = predict_compiled(compiled, compiled.layout.vector(), structures, neighbors, threads)
        weights = e0[structures.numbers]
        offsets = np.bincount(structures.structure_of_atom, weights, structures.n_structures).astype(np.float64)
        yield Part(part, predicted, neighbors.shortest_per_atom(), offsets)


def labels_on_scale(dataset: Dataset, references: References | None) -> Values:
    """Reference energies on the scale of the fit, eV, shape (S,)."""
    raw, corrected = dataset.raw_energies, dataset.structures.energies
    if references is None:
        return np.where(np.isnan(corrected), raw, corrected)
    return np.where(np.isnan(raw), corrected, references.correct(Composition.of(dataset.structures), raw))


def _measure(part: Part, result: Evaluated) -> None:
    """Add the errors of a part to those of all structures and of their groups."""
    structures, predicted = part.dataset.structures, part.predicted
    energies = 1000.0 * _difference(predicted.energies, structures.energies) / structures.atoms_per_structure
    forces = _difference(predicted.forces, structures.forces)
    stresses = EV_PER_A3_IN_GPA * _difference(predicted.stresses, _of_bulk(structures, structures.stresses))
    groups = np.array(structures.groups, dtype=object)
    chosen: list[tuple[Errors, NDArray[np.bool_]]] = [(result.total, np.ones(structures.n_structures, dtype=bool))]
    chosen += [(result.groups.setdefault(group, Errors()), groups == group) for group in sorted(set(structures.groups))]
    for errors, rows in chosen:
        of_atoms = forces[rows[structures.structure_of_atom]]
        errors.n_structures += int(rows.sum())
        errors.n_atoms += len(of_atoms)
        errors.energy.add(energies[rows])
        errors.force.add(np.linalg.norm(of_atoms, axis=1))
        errors.component.add(of_atoms.ravel())
        errors.stress.add(stresses[rows].ravel())


def _difference(predicted: Values, reference: Values) -> Values:
    """Errors: NaN without a reference, infinite where the prediction is not finite."""
    return np.where(np.isnan(reference), np.nan, np.where(np.isfinite(predicted), predicted - reference, np.inf))


def _of_bulk(structures: StructureSet, stresses: Values) -> Values:
    """Stresses of structures that are periodic in three directions; NaN for others, where the cell has no meaning."""
    return np.where(structures.pbc.all(axis=1, keepdims=True), stresses, np.nan)


def _open_sink(target: str | Path | None, sources: Sequence[Path]) -> AbstractContextManager[Sink]:
    if target is None:
        return nullcontext(lambda part: None)
    path = Path(target)
    check_target(path, sources)
    if is_folder_of_tables(path):
        return _tables(path, {"step": "evaluate", "code": "", "inputs": {str(p): file_digest(p) for p in sources}})
    if path.name.lower().endswith(TEXT):
        return _text(path)
    raise unknown_kind(path, "predictions", TEXT)


@contextmanager
def _text(path: Path) -> Iterator[Sink]:
    """Extended XYZ: predictions under the usual names, labels with REF_ before them, as readers of datasets take them."""
    with open_text(path) as file:

        def write(part: Part) -> None:
            for atoms, columns in _rows(part):
                file.write(format_xyz(atoms, columns).encode())

        yield write


def _rows(part: Part) -> Iterator[tuple[Atoms, dict[str, Any]]]:
    structures, predicted = part.dataset.structures, part.predicted
    stresses = _of_bulk(structures, predicted.stresses)
    for s in range(structures.n_structures):
        rows = slice(structures.offsets[s], structures.offsets[s + 1])
        columns: dict[str, Any] = {
            "energy": predicted.energies[s] + part.offsets[s],
            "forces": predicted.forces[rows],
            "energies": predicted.atomic_energies[rows],
            "stress": stresses[s],
            "REF_energy": structures.energies[s] + part.offsets[s],
            "REF_forces": structures.forces[rows],
            "REF_stress": structures.stresses[s],
        }
        known = {key: value for key, value in columns.items() if not np.all(np.isnan(value))}
        bare = Atoms(structures.numbers[rows], structures.positions[rows], cell=structures.cells[s], pbc=structures.pbc[s])
        yield bare, {**known, "name": structures.names[s], "config_type": structures.groups[s]}


@contextmanager
def _tables(folder: Path, provenance: dict[str, Any]) -> Iterator[Sink]:
    """Both tables as the stage `predict` writes them; all structures are of the subset test."""
    kept: list[dict[str, Any]] = []
    n_before = [0, 0]
    with ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        atoms = stack.enter_context(open_table(folder / ATOMS, "predicted_atoms", provenance))

        def write(part: Part) -> None:
            of_structures, of_atoms = build_tables(
                part.dataset.structures, part.predicted, _labels(part.dataset), part.nn_distances, n_before[1]
            )
            numbers = n_before[0] + np.arange(part.dataset.structures.n_structures)
            atoms.write({**of_atoms, "structure": numbers[part.dataset.structures.structure_of_atom]})
            kept.append({**of_structures, "structure": numbers})
            n_before[:] = n_before[0] + len(numbers), n_before[1] + part.dataset.structures.n_atoms

        yield write
        columns = {name: np.concatenate([np.asarray(part[name]) for part in kept]) for name in kept[0]}
        subsets = np.asarray(columns["subset"], dtype=object)
        columns["is_low_energy"] = find_low_energy(columns["energy_per_atom"], np.full(len(subsets), np.nan), subsets)
        write_table(columns, folder / STRUCTURES, "predicted_structures", provenance)


def _labels(dataset: Dataset) -> Labels:
    n = dataset.structures.n_structures
    return Labels(
        formulas=np.array(structure_columns(dataset)["formula"], dtype=object),
        subsets=np.full(n, "test", dtype=object),
        reasons=np.full(n, "evaluated", dtype=object),
        w_energy=np.zeros(n),
        w_stress=np.zeros(n),
        is_low_energy=np.zeros(n, dtype=bool),
        w_force=np.zeros(dataset.structures.n_atoms),
    )
