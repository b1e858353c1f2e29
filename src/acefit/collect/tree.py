"""Collect the results below folders into one dataset; of the structures only some are in memory at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols

from acefit.collect.free_atoms import FreeAtoms
from acefit.collect.results import Problem, Result, Step, read_result
from acefit.collect.search import Output, find_outputs
from acefit.collect.selection import parse_selection, select_steps
from acefit.collect.statistics import Statistics
from acefit.data.checks import MINIMUM_DISTANCE, find_problems
from acefit.data.references import Composition, References
from acefit.data.storage import Dataset, concatenate, with_energies
from acefit.data.stored import open_dataset
from acefit.data.structures import StructureSet, consecutive_ranges
from acefit.data.writers import ATOMS, STRUCTURES, open_writer
from acefit.errors import DataError

ATOMS_AT_ONCE = 2**13

Watch = Callable[[Sequence[Output]], Iterable[Output]]


@dataclass(frozen=True)
class CollectOptions:
    """What is collected, and what problems do.

    Parameters
    ----------
    patterns, kind : see `acefit.collect.search.find_outputs`
    selection : see `acefit.collect.selection.parse_selection`
    free_atoms : element -> eV or ``auto``, see `acefit.collect.free_atoms.parse_free_atoms`; none: no energies are subtracted
    stop : the first problem is an error
    keep_unfinished : use the complete steps of calculations that did not come to their end
    group_depth : names of so many folders below the root are the group of a structure
    """

    patterns: Sequence[str] = ()
    kind: str | None = None
    selection: str = "last"
    free_atoms: Mapping[str, float | str] | None = None
    stop: bool = False
    keep_unfinished: bool = False
    group_depth: int = 1


class Collected(NamedTuple):
    """What was collected.

    Attributes
    ----------
    n_files : results that were read
    unknown : text files that are no result of a known program
    problems : what was left out and why
    statistics : of the dataset that was written
    references : energies of free atoms that were subtracted, eV, and where they come from; empty without
    """

    n_files: int
    unknown: list[Path]
    problems: list[Problem]
    statistics: Statistics
    references: dict[str, tuple[float, str]]


def collect_results(
    roots: Sequence[str | Path], target: str | Path, options: CollectOptions | None = None, watch: Watch = iter
) -> Collected:
    """Collect results and write them as a dataset.

    Parameters
    ----------
    roots : folders and files
    target : see `acefit.data.writers.open_writer`
    options : CollectOptions
    watch : gives back the files it is given, for a progress bar

    Raises
    ------
    DataError
        If nothing usable is found, the target is unknown, an energy of a free atom is missing, or there is a problem and the
        options say to stop.
    """
    options, places = options or CollectOptions(), [Path(root) for root in roots]
    selection = parse_selection(options.selection)
    found = find_outputs(places, options.patterns, options.kind)
    if not found.outputs:
        names = ", ".join(map(str, places))
        raise DataError(f"no results of a known program below {names}; name the files (--glob '*.xyz') and, if need be, --format")
    reader = _Reader(places, options, selection)
    with tempfile.TemporaryDirectory(prefix="acefit-") as folder:
        with open_writer(Path(folder) / "tables") as write:
            for part in reader.parts(watch(found.outputs)):
                write(part)
            if not reader.elements:
                raise DataError(_nothing(reader.problems, len(found.outputs)))
        references, origins = _references(reader, options)
        statistics = Statistics()
        with open_writer(target) as write:
            for part in _stored_parts(Path(folder) / "tables", references):
                statistics.add(part)
                write(part)
    energies = references.energies if references else {}
    subtracted = {element: (energies[element], origins[element]) for element in energies}
    return Collected(len(found.outputs), found.unknown, reader.problems, statistics, subtracted)


def _nothing(problems: Sequence[Problem], n_files: int) -> str:
    listed = "".join(f"\n  {problem}" for problem in problems[:20])
    return f"nothing of {n_files} results can be used:{listed}"


def _references(reader: _Reader, options: CollectOptions) -> tuple[References | None, dict[str, str]]:
    if not options.free_atoms:
        return None, {}
    return reader.free_atoms.references(options.free_atoms, sorted(reader.elements))


def _stored_parts(folder: Path, references: References | None) -> Iterator[Dataset]:
    """The dataset in a folder, some structures at a time, with corrected energies."""
    stored = open_dataset(folder / STRUCTURES, folder / ATOMS)
    for part in stored.parts(consecutive_ranges(stored.atoms_per_structure, ATOMS_AT_ONCE)):
        if references is None:
            yield part
        else:
            yield with_energies(part, references.correct(Composition.of(part.structures), part.raw_energies))


class _Reader:
    """Reads outputs one after the other; remembers problems, elements and single atoms."""

    def __init__(self, roots: Sequence[Path], options: CollectOptions, selection: slice | str) -> None:
        self.roots, self.options, self.selection = roots, options, selection
        self.problems: list[Problem] = []
        self.elements: set[str] = set()
        self.free_atoms = FreeAtoms()

    def parts(self, outputs: Iterable[Output]) -> Iterator[Dataset]:
        """Datasets of some structures, at least one of them."""
        waiting: list[Dataset] = [Dataset.from_structures(StructureSet.from_ase([]))]
        n_atoms = 0
        for output in outputs:
            part = self._read(output)
            waiting.append(part)
            n_atoms += part.structures.n_atoms
            if n_atoms >= ATOMS_AT_ONCE:
                yield concatenate(waiting)
                waiting, n_atoms = [], 0
        if waiting:
            yield concatenate(waiting)

    def _read(self, output: Output) -> Dataset:
        result = read_result(output, self.options.keep_unfinished)
        name = self._name(output.path)
        dataset = self._checked(output, _dataset_of(result, self.selection, name, self._group(output.path)))
        self._complain(result.problems)
        self._look_at(dataset)
        return dataset

    def _complain(self, problems: Sequence[Problem]) -> None:
        if problems and self.options.stop:
            raise DataError(f"{problems[0]}; mend it, or let what cannot be used be left out")
        self.problems += problems

    def _checked(self, output: Output, dataset: Dataset) -> Dataset:
        """The structures that can be used."""
        bad = find_problems(dataset.structures, None, MINIMUM_DISTANCE)
        self._complain([Problem(output.path, int(dataset.rows[s]), what) for s, what in sorted(bad.items())])
        return dataset.select([s for s in range(dataset.structures.n_structures) if s not in bad])

    def _look_at(self, dataset: Dataset) -> None:
        structures = dataset.structures
        self.elements |= {chemical_symbols[z] for z in np.unique(structures.numbers)}
        for s in np.flatnonzero(structures.atoms_per_structure == 1):
            volume = float(structures.volumes[s]) if structures.pbc[s].any() else np.inf
            element = chemical_symbols[structures.numbers[structures.offsets[s]]]
            self.free_atoms.note(element, volume, float(dataset.raw_energies[s]), structures.names[s])

    def _below(self, path: Path) -> Path:
        """The path as seen from its root."""
        root = next((root for root in self.roots if root.is_dir() and path.is_relative_to(root)), path.parent)
        return path.relative_to(root)

    def _name(self, path: Path) -> str:
        below = self._below(path)
        name = below.as_posix() if len(self.roots) == 1 or below == path else path.as_posix()
        # names that begin with this word mark synthetic data, which count little (acefit.data.weighting.find_augmented)
        return f"./{name}" if name.startswith("augmented") else name

    def _group(self, path: Path) -> str:
        return "/".join(self._below(path).parts[:-1][: self.options.group_depth])


def _dataset_of(result: Result, selection: slice | str, name: str, group: str) -> Dataset:
    """The selected steps of a result."""
    steps: list[Step] = select_steps(result.steps, selection)
    bare = StructureSet.from_ase([step.atoms for step in steps])
    structures = replace(
        bare,
        forces=np.concatenate([step.forces for step in steps] or [np.empty((0, 3))]),
        stresses=np.array([step.stress for step in steps]).reshape(-1, 6),
        names=tuple(name if len(result.steps) == 1 else f"{name}:{step.number}" for step in steps),
        groups=(group,) * len(steps),
    )
    dataset = Dataset.from_structures(structures, source=name)
    energies, rows = np.array([step.energy for step in steps]), np.array([step.number for step in steps], dtype=np.int64)
    return replace(dataset, raw_energies=energies.astype(np.float64), rows=rows)
