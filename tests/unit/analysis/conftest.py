"""A small made-up set of predictions with known errors."""

import numpy as np
import pytest

from acefit.analysis.predictions import Predictions

SUBSETS = ["train"] * 4 + ["test"] * 2 + ["excluded"]
COUNTS = [1, 2, 2, 3, 2, 1, 2]


def build_predictions(has_stress: bool = True, subsets=SUBSETS, counts=COUNTS) -> Predictions:
    """Energies off by 1, 2, ... meV/atom; forces off by 0.1 eV/Å along x; stresses off by 0.01 eV/Å^3 in xx."""
    n, counts = len(subsets), np.array(counts)
    rng = np.random.default_rng(1)
    epa = rng.uniform(-5, -3, n)
    epa_predicted = epa + 0.001 * np.arange(1, n + 1)
    stress = rng.normal(0, 0.02, (n, 6)) if has_stress else np.full((n, 6), np.nan)
    of_structures = {
        "structure": np.arange(n),
        "name": np.array([f"s{k}" for k in range(n)], dtype=object),
        "group": np.array(["a" if k % 2 else "" for k in range(n)], dtype=object),
        "subset": np.array(subsets, dtype=object),
        "reason": np.array(["" if s != "excluded" else "energy too high" for s in subsets], dtype=object),
        "n_atoms": counts,
        "formula": np.array(["Si"] * n, dtype=object),
        "energy": epa * counts,
        "energy_predicted": epa_predicted * counts,
        "energy_per_atom": epa,
        "energy_per_atom_predicted": epa_predicted,
        "is_low_energy": np.arange(n) < 2,
        "force_error_max": np.full(n, 0.1),
        "nn_min": rng.uniform(2.2, 2.5, n),
        "volume": np.full(n, 20.0),
        "stress": stress,
        "stress_predicted": np.nan_to_num(stress) + np.array([0.01, 0, 0, 0, 0, 0]),
        "w_energy": np.full(n, 1 / n),
        "w_stress": np.zeros(n),
    }
    n_atoms = int(counts.sum())
    force = rng.normal(0, 1, (n_atoms, 3))
    of_atoms = {
        "structure": np.repeat(np.arange(n), counts),
        "atom": np.arange(n_atoms),
        "element": np.array(["Al" if k % 2 else "Ni" for k in range(n_atoms)], dtype=object),
        "force": force,
        "force_predicted": force + np.array([0.1, 0.0, 0.0]),
        "energy_predicted": np.zeros(n_atoms),
        "nn_distance": np.full(n_atoms, 2.3),
        "w_force": np.full(n_atoms, 1 / n_atoms),
    }
    return Predictions.from_columns(of_structures, of_atoms)


@pytest.fixture(scope="session")
def make_predictions():
    """Function that builds predictions, with or without stresses, for given subsets."""
    return build_predictions


@pytest.fixture
def predictions() -> Predictions:
    return build_predictions()
