"""Divide the dataset into training and test structures."""

from __future__ import annotations

import logging
from pathlib import Path

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
    path_to_split : path
        Table to write (contract `split`).

    Raises
    ------
    DataError
        If test_size is impossible or no training structure is left.
    """
    structures = read_arrays(path_to_structures, "structures")
    result = split_structures(list(structures["role"]), list(structures["group"]), test_size, seed, stratify)
    if test_size is not None and not len(result.test):
        logger.warning("data.test_size %g of %d structures is less than one: no test set", test_size, len(result.subsets))
    provenance = made_by("split", code, path_to_structures)
    columns = {"structure": structures["structure"], "subset": list(result.subsets), "reason": list(result.reasons)}
    write_table(columns, path_to_split, "split", provenance)
    logger.info("%d structures for training, %d for testing", len(result.train), len(result.test))
