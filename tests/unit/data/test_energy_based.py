import logging

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.energy_based import EnergyBasedPolicy, select_and_weight
from acefit.data.structures import StructureSet
from acefit.errors import DataError


def make_set(per_atom, forces=None, pbc=None, symbol="Cu"):
    frames = []
    for s, energy in enumerate(per_atom):
        periodic = True if pbc is None else pbc[s]
        atoms = Atoms(f"{symbol}2", [[0, 0, 0], [0, 0, 2.5]], cell=[5, 5, 5], pbc=periodic)
        if np.isfinite(energy):
            force = 0.0 if forces is None else forces[s]
            atoms.calc = SinglePointCalculator(atoms, energy=2 * energy, forces=[[force, 0, 0], [0, 0, 0]])
        frames.append(atoms)
    return StructureSet.from_ase(frames)


def apply(structures, subsets=None, **parameters):
    subsets = subsets or ["train"] * structures.n_structures
    return select_and_weight(structures, subsets, EnergyBasedPolicy.from_mapping(parameters))


def test_policy__weights_follow_the_formulas():
    structures = make_set([-3.0, -2.5, -1.0], forces=[0.0, 2.0, 1.0])
    result = apply(structures, DElow=1.0, DE=-0.5, DF=3.0)
    effective = np.array([0.0, 0.5, 2.0])
    assert result.effective == pytest.approx(effective, abs=1e-14)
    energy = 1 / (effective + 0.5) ** 2
    assert result.energy == pytest.approx(energy / energy.sum(), rel=1e-14)
    force = np.repeat(result.energy, 2) / (np.array([0, 0, 2, 0, 1, 0]) ** 2 + 3.0)
    assert result.force == pytest.approx(force, rel=1e-14)
    assert result.tiers == ["lower", "lower", "upper"]
    assert result.reasons[2] == "energy-based weight, upper tier"


def test_policy__wlow_fixes_the_share_of_the_lower_tier():
    result = apply(make_set([-3.0, -2.5, -1.0, -0.5]), DElow=1.0, wlow=0.25)
    assert result.energy[:2].sum() == pytest.approx(0.25, rel=1e-14)
    assert result.energy.sum() == pytest.approx(1.0, rel=1e-14)


def test_policy__wlow_without_an_upper_tier_is_taken_for_one(caplog):
    with caplog.at_level(logging.WARNING):
        result = apply(make_set([-3.0, -2.9]), wlow=0.25)
    assert "wlow 0.25 is taken for 1" in caplog.text
    assert result.energy.sum() == pytest.approx(1.0, rel=1e-14)


def test_policy__filters_give_reasons():
    structures = make_set([-3.0, -2.0, 9.0, -2.5, np.nan], forces=[0, 5.0, 0, 0, 0], pbc=[True, True, True, False, True])
    result = apply(structures, DEup=10.0, DFup=4.9, reftype="bulk")
    assert result.subsets == ["train", "excluded", "excluded", "excluded", "excluded"]
    assert result.reasons[1:] == [
        "a force is larger than DFup 4.9 eV/Å",
        "the effective energy reaches DEup 10 eV/atom",
        "reftype bulk",
        "no energy, which the energy-based policy needs",
    ]
    assert np.isnan(result.energy[1:]).all()


def test_policy__clusters_only():
    result = apply(make_set([-3.0, -2.0, -1.0], pbc=[True, False, (True, True, False)]), reftype="cluster")
    assert result.subsets == ["excluded", "train", "train"]
    assert result.effective[1:] == pytest.approx([0, 1], abs=1e-14)


def test_policy__draws_are_those_of_the_legacy_generator():
    per_atom = np.linspace(-3, -1, 20)
    result = apply(make_set(per_atom), DElow=1.0, n_lower=4, n_upper=3, seed=5)
    generator = np.random.RandomState(5)
    lower, upper = np.arange(10), np.arange(10, 20)
    expected = [*generator.choice(lower, 4, replace=False), *generator.choice(upper, 3, replace=False)]
    assert [s for s, subset in enumerate(result.subsets) if subset == "train"] == sorted(expected)
    assert result.reasons.count("not drawn (nfit, n_lower, n_upper)") == 13


@pytest.mark.parametrize(("nfit", "n_lower", "n_upper"), [(5, 5, 0), (12, 10, 2), (40, 10, 10)])
def test_policy__nfit_takes_the_lower_tier_first(nfit, n_lower, n_upper):
    result = apply(make_set(np.linspace(-3, -1, 20)), DElow=1.0, nfit=nfit, seed=1)
    used = [tier for tier, subset in zip(result.tiers, result.subsets, strict=True) if subset == "train"]
    assert (used.count("lower"), used.count("upper")) == (n_lower, n_upper)


def test_policy__test_structures_change_nothing_and_are_kept():
    train = make_set([-3.0, -2.5, -1.0])
    both = make_set([-3.0, -9.0, -2.5, -1.0, 20.0])
    alone, joined = apply(train, wlow=0.5), apply(both, ["train", "test", "train", "train", "test"], wlow=0.5)
    assert np.array_equal(alone.energy, joined.energy[[0, 2, 3]])
    assert joined.subsets == ["train", "test", "train", "train", "test"]
    assert joined.effective[[1, 4]] == pytest.approx([0.0, 23.0], abs=1e-13)
    assert "test structures are all kept" in joined.reasons[4]


def test_policy__joint_filters_and_measures_all():
    result = apply(make_set([-3.0, -9.0, -2.5, 20.0]), ["train", "test", "train", "test"], joint=True, DEup=10.0)
    assert result.subsets == ["train", "test", "train", "excluded"]
    assert result.effective == pytest.approx([6.0, 0.0, 6.5, 29.0], abs=1e-13)


def test_policy__excluded_structures_stay_excluded():
    result = apply(make_set([-3.0, -2.0]), ["excluded", "train"])
    assert result.subsets == ["excluded", "train"]
    assert result.effective[1] == 0.0


def test_policy__nothing_left_by_reftype():
    assert apply(make_set([-3.0]), reftype="cluster").subsets == ["excluded"]


def test_policy__cohesive_ignores_composition():
    frames = [make_set([-3.0]).to_ase(0), make_set([-5.0], symbol="Al").to_ase(0)]
    structures = StructureSet.from_ase(frames)
    assert apply(structures, energy="cohesive").effective == pytest.approx([2, 0], abs=1e-14)
    assert apply(structures, energy="convex_hull").effective == pytest.approx([0, 0], abs=1e-14)


def test_policy__missing_forces_count_as_zero():
    structures = StructureSet.from_ase([Atoms("Cu"), Atoms("Cu")])
    object.__setattr__(structures, "energies", np.array([-1.0, -2.0]))
    assert np.isfinite(apply(structures, DFup=1.0).force).all()


def test_policy__accepts_none_and_the_unused_cutoff():
    assert EnergyBasedPolicy.from_mapping({"wlow": "none", "nfit": None, "cutoff": 7}) == EnergyBasedPolicy()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"energy": "total"}, "energy is 'total'"),
        ({"reftype": "surface"}, "reftype is 'surface'"),
        ({"n_lower": 3}, "both n_lower and n_upper"),
        ({"n_lower": 3, "n_upper": 3, "nfit": 6}, "give nfit or n_lower and n_upper"),
        ({"wlow": 1.5}, r"wlow is 1\.5"),
        ({"DE": 0}, "DE and DF must not be 0"),
        ({"DF": 0.0}, "DE and DF must not be 0"),
        ({"DElo": 1.5}, "has no parameter DElo; it has DE, DElow"),
    ],
)
def test_policy__refuses(parameters, message):
    with pytest.raises(DataError, match=message):
        EnergyBasedPolicy.from_mapping(parameters)


def test_policy__leaves_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    apply(make_set(np.linspace(-3, -1, 20)), nfit=5, seed=1)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
