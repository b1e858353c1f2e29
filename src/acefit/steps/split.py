"""Divide the dataset into training and test structures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acefit.artifacts import made_by, read_arrays, write_table
from acefit.data.split import split_structures

logger = logging.getLogger(__name__)


def split(
    *,
    path_to_structures: str | Path,
    test_size: float | None,
    stratify: bool,
    seed: int | None,
    code: str = "",
    has_isolated_references: bool = False,
    path_to_split: str | Path,
) -> None:
    """Write which structures are for training and which for testing.

    Parameters
    ----------
    path_to_structures : path
        Table of the dataset stage.
    test_size, stratify, seed
        See `acefit.data.split.split_structures`.
    code : str
        Digest of the code, for the provenance.
    has_isolated_references : bool
        Whether single atoms of the data give the reference energies, so that it is worth a warning when an element's only one
        is for testing.
    path_to_split : path
        Table to write (contract `split`).

    Raises
    ------
    DataError
        If test_size is impossible or no training structure is left.
    """
    structures = read_arrays(path_to_structures, "structures")
    # synthetic structures say nothing about how good a potential is
    is_augmented = [
        role == "data" and name.startswith("augmented") for role, name in zip(structures["role"], structures["name"], strict=True)
    ]
    roles = ["train" if synthetic else role for role, synthetic in zip(structures["role"], is_augmented, strict=True)]
    result = split_structures(roles, list(structures["group"]), test_size, seed, stratify)
    if test_size is not None and not len(result.test):
        logger.warning("data.test_size %g of %d structures is less than one: no test set", test_size, len(result.subsets))
    for element in _tested_atoms(structures, result.subsets) if has_isolated_references else ():
        logger.warning("the only single atom of %s is in the test set; it gives the reference energy all the same", element)
    provenance = made_by("split", code, path_to_structures)
    reasons = ["augmented, for training only" if a else reason for a, reason in zip(is_augmented, result.reasons, strict=True)]
    columns = {"structure": structures["structure"], "subset": list(result.subsets), "reason": reasons}
    write_table(columns, path_to_split, "split", provenance)
    logger.info("%d structures for training, %d for testing", len(result.train), len(result.test))


def _tested_atoms(structures: Mapping[str, Any], subsets: Sequence[str]) -> list[str]:
    """Elements that have single atoms among the data, but none of them for training."""
    atoms = [s for s, n in enumerate(structures["n_atoms"]) if n == 1 and structures["role"][s] == "data"]
    found = {kind: {structures["formula"][s] for s in atoms if subsets[s] == kind} for kind in ("train", "test")}
    return sorted(found["test"] - found["train"])
