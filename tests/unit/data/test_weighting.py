from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet
from acefit.data.weighting import assign_weights, automatic_kappa
from acefit.data.weights import Weights
from acefit.errors import DataError


def make_data(names=("a", "b", "c", "d"), **changes):
    frames = []
    for s, name in enumerate(names):
        atoms = Atoms(f"Cu{s + 1}", np.arange(3 * (s + 1)).reshape(-1, 3) * 1.5, cell=[20, 20, 20], pbc=True, info={"name": name})
        stress = {"stress": np.ones(6)} if s % 2 else {}
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0 * (s + 1) + s, forces=np.full((s + 1, 3), 0.1 * s), **stress)
        frames.append(atoms)
    return replace(Dataset.from_structures(StructureSet.from_ase(frames)), **changes)


TRAIN = ("train",) * 4


def test_uniform__every_structure_and_every_atom_count_the_same():
    result = assign_weights(make_data(), TRAIN)
    assert result.weights.energy.tolist() == [0.25] * 4
    assert result.weights.force == pytest.approx(0.1, rel=1e-15)
    assert result.weights.stress.tolist() == [0, 0.5, 0, 0.5]
    assert (result.source, result.subsets, result.tiers) == ("uniform", TRAIN, ("",) * 4)
    uniform = Weights.uniform(make_data().structures)
    assert np.array_equal(uniform.energy, result.weights.energy)
    assert np.array_equal(uniform.force, result.weights.force)


def test_uniform__train_and_test_are_normalised_separately():
    weights = assign_weights(make_data(), ("train", "test", "train", "excluded"), {"type": "UniformWeightingPolicy"}).weights
    assert weights.energy.tolist() == [0.5, 1.0, 0.5, 0.0]
    assert weights.force.tolist() == [0.25, 0.5, 0.5, 0.25, 0.25, 0.25, 0, 0, 0, 0]
    assert weights.stress.tolist() == [0, 1, 0, 0]


def test_dataset_weights__are_kept_unless_ignored():
    data = make_data(energy_weights=np.array([1.0, 2, 3, 4]), force_weights=np.arange(10.0))
    result = assign_weights(data, TRAIN)
    assert result.source == "dataset"
    assert result.weights.energy == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert result.weights.force == pytest.approx(np.arange(10) / 45)
    assert result.weights.stress == pytest.approx([0, 1 / 3, 0, 2 / 3])
    assert assign_weights(data, TRAIN, ignore_weights=True).weights.energy.tolist() == [0.25] * 4


def test_dataset_weights__must_be_complete():
    data = make_data(energy_weights=np.array([1.0, 2, np.nan, 4]), force_weights=np.arange(10.0))
    with pytest.raises(DataError, match=r"1 structures have no weights although others do, the first is 'c'.*ignore_weights"):
        assign_weights(data, TRAIN)


def test_w_factor__multiplies_both_weights_and_is_one_where_absent():
    result = assign_weights(make_data(weight_factors=np.array([np.nan, 3.0, 1.0, np.nan])), TRAIN)
    assert result.weights.energy == pytest.approx(np.array([1, 3, 1, 1]) / 6)
    assert result.weights.force == pytest.approx(np.repeat([1, 3, 1, 1], [1, 2, 3, 4]) / 14)
    assert result.reasons[1] == "uniform weights, w_factor 3"


def test_augmented__without_weights_get_reduced_medians_and_their_mask():
    names = ("a", "augmented-1", "c", "d")
    force = np.array([1.0, np.nan, np.nan, 2, 2, 2, 3, 3, 3, 3])
    masks = np.array([np.nan, 0.0, 1.0] + [np.nan] * 7)
    data = make_data(names, energy_weights=np.array([1, np.nan, 2, 6.0]), force_weights=force, force_masks=masks)
    result = assign_weights(data, TRAIN, aug_factor=0.5)
    assert result.weights.energy == pytest.approx(np.array([1, 1, 2, 6]) / 10)
    expected = np.array([1, 0, 1.25, 2, 2, 2, 3, 3, 3, 3])
    assert result.weights.force == pytest.approx(expected / expected.sum())
    assert result.reasons[1] == "weights of the dataset, augmented: times 0.5"


def test_augmented__uniform_weights_are_reduced():
    result = assign_weights(make_data(("a", "augmented-1", "c", "d")), TRAIN, aug_factor=0.1)
    assert result.weights.energy == pytest.approx(np.array([1, 0.1, 1, 1]) / 3.1)


def test_augmented__factor_without_a_weight_is_not_claimed():
    weights, factors = np.array([1, np.nan, 1, 1]), np.array([np.nan, 100.0, 2.0, np.nan])
    data = make_data(("a", "augmented", "c", "d"), energy_weights=weights, force_weights=np.ones(10), weight_factors=factors)
    result = assign_weights(data, TRAIN)
    assert "w_factor" not in result.reasons[1]
    assert "w_factor 2" in result.reasons[2]


def test_augmented__masks_count_under_a_policy_too():
    masks = np.array([np.nan, 0.0, 1.0] + [0.0] * 7)
    result = assign_weights(make_data(("a", "augmented-1", "c", "d"), force_masks=masks), TRAIN, aug_factor=0.5)
    # masks of real structures have no effect
    expected = np.array([1, 0, 0.5] + [1] * 7)
    assert result.weights.force == pytest.approx(expected / expected.sum())


def test_augmented__take_no_part_in_the_energy_based_policy():
    policy = {"type": "EnergyBasedWeightingPolicy", "DEup": 0.6, "seed": 1}
    without = assign_weights(make_data(), ("train", "train", "train", "excluded"), policy)
    with_it = assign_weights(make_data(("a", "b", "c", "augmented/zbl/Cu4")), TRAIN, policy, aug_factor=0.5)
    # the last one is far above DEup
    assert with_it.subsets == ("train", "train", "excluded", "train")
    assert with_it.reasons[3] == "median weight of the real structures, augmented: times 0.5"
    share = with_it.weights.energy[0] / without.weights.energy[0]
    assert with_it.weights.energy[:2] == pytest.approx(share * without.weights.energy[:2])
    assert with_it.weights.energy[3] == pytest.approx(0.5 * np.median(with_it.weights.energy[:2]))
    assert with_it.weights.force[6:] == pytest.approx(0.5 * np.median(with_it.weights.force[:3]))


def test_augmented__need_real_structures_in_their_subset():
    data = make_data(("a", "augmented", "c", "d"), energy_weights=np.array([1, np.nan, 1, 1]), force_weights=np.ones(10))
    with pytest.raises(DataError, match="the test set has augmented structures without weights and no real ones"):
        assign_weights(data, ("train", "test", "train", "train"))


def test_energy_based__excluded_structures_weigh_nothing():
    policy = {"type": "EnergyBasedWeightingPolicy", "DEup": 0.6, "seed": 1}
    result = assign_weights(make_data(), TRAIN, policy)
    assert result.source == "energy-based"
    assert result.subsets == ("train", "train", "excluded", "excluded")
    assert result.weights.energy[:2].sum() == pytest.approx(1.0, rel=1e-15)
    assert result.weights.force[:3].sum() == pytest.approx(1.0, rel=1e-15)
    assert not result.weights.energy[2:].any()
    assert not result.weights.force[3:].any()
    assert result.weights.stress.tolist() == [0, 1, 0, 0]


def test_external__structures_without_weights_are_excluded(tmp_path):
    pd.DataFrame({"w_energy": [1.0, 3.0], "w_forces": [[1.0], [2.0, 2.0]]}).to_parquet(tmp_path / "w.parquet")
    for key in ("filename", "filename_or_df"):
        result = assign_weights(make_data(), TRAIN, {"type": "ExternalWeightingPolicy", key: str(tmp_path / "w.parquet")})
        assert result.weights.energy.tolist() == [0.25, 0.75, 0, 0]
        assert result.subsets == ("train", "train", "excluded", "excluded")
        assert result.reasons[0] == "weight from w.parquet"
        assert result.reasons[3] == "no weight in w.parquet"


def test_assign_weights__synthetic_structures_need_no_weight_in_the_file(tmp_path):
    pd.DataFrame({"w_energy": [1.0, 3.0], "w_forces": [[1.0], [1.0, 1.0]]}).to_parquet(tmp_path / "w.parquet")
    data = make_data(("a", "b", "augmented/zbl/Cu", "d"))
    result = assign_weights(
        data, TRAIN, {"type": "ExternalWeightingPolicy", "filename": str(tmp_path / "w.parquet")}, aug_factor=0.5
    )
    assert result.subsets == ("train", "train", "train", "excluded")
    assert result.weights.energy.tolist() == pytest.approx([0.2, 0.6, 0.2, 0])
    assert "median weight of the real structures" in result.reasons[2]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"type": "Other"}, "unknown weighting type 'Other'"),
        ({"type": "UniformWeightingPolicy", "DE": 1}, "has no parameters, but DE is given"),
        ({"type": "ExternalWeightingPolicy"}, "needs 'filename'"),
        ({"type": "ExternalWeightingPolicy", "filename": "f", "DE": 1}, "takes 'joint', not DE"),
        ({"type": "EnergyBasedWeightingPolicy", "DEup": 0.0}, "the weighting leaves no training structure"),
    ],
)
def test_assign_weights__refuses(policy, message):
    with pytest.raises(DataError, match=message):
        assign_weights(make_data(), TRAIN, policy)


def test_automatic_kappa__by_the_formula():
    structures = make_data().structures
    energies = structures.energies / [1, 2, 3, 4]
    norms = np.repeat(np.arange(4) * 0.1 * np.sqrt(3), [1, 2, 3, 4])
    expected = energies.var(ddof=1) / (energies.var(ddof=1) + norms.var())
    assert automatic_kappa(structures) == pytest.approx(expected, rel=1e-13)


def test_automatic_kappa__needs_numbers_that_differ():
    structures = make_data().structures
    with pytest.raises(DataError, match="at least two energies and one force"):
        automatic_kappa(structures.select([0]))
    same = replace(structures, energies=structures.atoms_per_structure, forces=np.zeros((10, 3)))
    with pytest.raises(DataError, match="energies or forces that differ"):
        automatic_kappa(same)


def test_weights__all_zero_are_an_error():
    data = make_data(weight_factors=np.array([0.0, 0.0, 1.0, 1.0]))
    assert assign_weights(data, ("train", "train", "train", "test")).weights.energy.tolist() == [0, 0, 1, 1]
    with pytest.raises(DataError, match="all weights of the training set are 0"):
        assign_weights(data, ("train", "train", "test", "test"))
