"""Give every structure and atom its weight in the loss."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acefit.artifacts import check_made_from, made_by, read_arrays
from acefit.data.checks import common_structures
from acefit.data.storage import Dataset, read_dataset
from acefit.data.weighting import assign_weights, automatic_kappa
from acefit.data.weights import Weighting, write_weights
from acefit.errors import ArtifactError, DataError
from acefit.files import write_yaml

logger = logging.getLogger(__name__)


def weights(
    *,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_split: str | Path,
    weighting: Mapping[str, Any] | None,
    ignore_weights: bool,
    aug_factor: float,
    path_to_given: str | Path | None = None,
    code: str = "",
    path_to_weights: str | Path,
    path_to_atom_weights: str | Path,
    path_to_summary: str | Path,
) -> None:
    """Write the weights of a run and the reasons for them.

    Parameters
    ----------
    path_to_structures, path_to_atoms : path
        Tables of the dataset stage.
    path_to_split : path
        Table of the split stage.
    weighting : mapping or None
        Policy: its ``type`` and parameters; uniform weights without it.
    ignore_weights : bool
        Apply the policy even if the data bring weights.
    aug_factor : float
        Factor on the weights of augmented structures.
    path_to_given : path or None
        File with weights that `weighting` names, for the provenance.
    code : str
        Digest of the code, for the provenance.
    path_to_weights, path_to_atom_weights : path
        Tables to write (contracts `weights` and `weights_atoms`).
    path_to_summary : path
        YAML to write: where the weights come from, counts per subset, tier and reason, the value of ``kappa: auto``.

    Raises
    ------
    ArtifactError
        If the inputs do not belong together.
    DataError
        If the weights cannot be assigned.
    """
    data = read_dataset(path_to_structures, path_to_atoms)
    division = read_arrays(path_to_split, "split")
    if not np.array_equal(division["structure"], data.structures.ids):
        raise ArtifactError(f"{path_to_split} does not belong to {path_to_structures}; run the split stage again")
    check_made_from(path_to_split, path_to_structures)
    result = assign_weights(data, tuple(division["subset"]), weighting, ignore_weights, aug_factor)
    given = [path_to_given] if path_to_given else []
    provenance = made_by("weights", code, path_to_structures, path_to_atoms, path_to_split, *given)
    write_weights(result, data.structures, path_to_weights, path_to_atom_weights, provenance)
    write_yaml(_summary(data, result), path_to_summary, provenance)


def _summary(data: Dataset, result: Weighting) -> dict[str, Any]:
    subsets = np.array(result.subsets)
    train = data.structures.select(subsets == "train")
    try:
        kappa: float | None = automatic_kappa(train)
    except DataError as error:
        logger.info("%s", error)
        kappa = None
    counts = Counter(result.subsets)
    common = common_structures(data.structures, np.flatnonzero(subsets == "train"), np.flatnonzero(subsets == "test"))
    if len(common):
        logger.warning(
            "%d of %d test structures are also in the training set, so that test errors say too little",
            len(common),
            counts["test"],
        )
    excluded = Counter(reason for reason, subset in zip(result.reasons, result.subsets, strict=True) if subset == "excluded")
    for reason, number in excluded.items():
        logger.warning("%d structures excluded: %s", number, reason)
    logger.info("%s weights: %d structures for training, %d for testing", result.source, counts["train"], counts["test"])
    return {
        "source": result.source,
        "kappa_auto": kappa,
        "n_structures": {subset: counts[subset] for subset in ("train", "test", "excluded")},
        "n_atoms": {s: int(data.structures.atoms_per_structure[subsets == s].sum()) for s in ("train", "test", "excluded")},
        "tiers": {tier: result.tiers.count(tier) for tier in ("lower", "upper") if tier in result.tiers},
        "excluded": dict(sorted(excluded.items())),
    }
