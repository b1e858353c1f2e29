from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit.data.readers import read_files
from acefit.data.structures import StructureSet
from acefit.data.writers import open_writer
from acefit.errors import DataError
from acefit.shortrange.augment import Augmented, AugmentSettings, augment, augmented_sizes, draw_seeds
from acefit.shortrange.zbl import ZBLCalculator
from compressed import bare_potential, curve_of

BARRIER = np.array([0.0, 1, 9, 7, 5, 4, 3, 2, 1, 0])
FRAMES = [bulk("Al", a=a) for a in np.linspace(3.9, 4.3, 5)] + [
    bulk("Cu", a=3.6),
    Atoms("Al"),
    bulk("Al", cubic=True) * (3, 3, 1),
]
SETTINGS = AugmentSettings(shortest=1.2, step=0.3, highest=1e4)


def below_two_fails(structures, neighbors):
    return np.where(neighbors.shortest_per_atom() < 2.0, 99.0, 1.0)


def test_draw_seeds__takes_from_every_composition():
    structures = StructureSet.from_ase(FRAMES)
    usable = structures.atoms_per_structure > 0
    usable[6] = False
    seeds = draw_seeds(structures, usable, AugmentSettings(n_seeds=2))
    assert 5 in seeds
    assert len(seeds) == 2
    assert draw_seeds(structures, usable, AugmentSettings(n_seeds=2)).tolist() == seeds.tolist()
    everything = draw_seeds(structures, usable, AugmentSettings(largest_seed=100))
    assert set(everything) >= {5}
    # all are larger than allowed: the smallest ones are taken
    large = np.arange(len(FRAMES)) == 7
    assert draw_seeds(structures, large, AugmentSettings(largest_seed=1)).tolist() == [7]


def test_draw_seeds__cells_of_any_size_are_one_composition():
    structures = StructureSet.from_ase([bulk("Al"), bulk("Al", cubic=True), bulk("Al") * (2, 1, 1), bulk("Cu")])
    usable = np.ones(4, dtype=bool)
    assert all(3 in draw_seeds(structures, usable, AugmentSettings(n_seeds=2, seed=seed)) for seed in range(10))


def test_draw_seeds__draws_compositions_where_there_are_more_than_seeds():
    structures = StructureSet.from_ase([bulk("Al"), bulk("Cu"), bulk("Al") * (2, 1, 1), Atoms("AlCu", [[0, 0, 0], [0, 0, 2.5]])])
    usable = np.array([True, True, False, True])
    drawn = [draw_seeds(structures, usable, AugmentSettings(n_seeds=2, seed=seed)).tolist() for seed in range(20)]
    assert {tuple(seeds) for seeds in drawn} == {(0, 1), (0, 3), (1, 3)}


def test_augmented_sizes__the_highest_reliable_energy_is_one_of_an_atom():
    # 6 eV of three atoms: the potential is relied on from 1.8 Å on
    settings = AugmentSettings(highest=1e6, highest_reliable=2.0)
    assert augmented_sizes(curve_of(BARRIER), settings).tolist() == [0, 1, 2, 3]


def test_augmented_sizes__are_below_the_reliable_ones_and_higher():
    curve = curve_of(BARRIER)
    assert augmented_sizes(curve, AugmentSettings(highest=1e6)).tolist() == [0, 1]
    per_atom = curve.repulsion.energies / 3
    assert augmented_sizes(curve, AugmentSettings(highest=per_atom[1])).tolist() == [1]
    assert augmented_sizes(curve, AugmentSettings(highest=1e6, lowest=per_atom[1])).tolist() == [0, 1]
    assert augmented_sizes(curve, AugmentSettings(highest=1e6, lowest=per_atom[0])).tolist() == [0]
    # the highest reliable energy must be reached
    high = np.where(np.arange(10) == 2, curve.repulsion.energies[1] + 1e-6, BARRIER)
    assert augmented_sizes(curve_of(high), AugmentSettings(highest=1e6)).tolist() == [0]


def test_augmented_sizes__without_anything_reliable_are_none():
    assert augmented_sizes(curve_of(BARRIER, np.full((10, 3), 99.0)), AugmentSettings()) is None
    assert augmented_sizes(curve_of(BARRIER), AugmentSettings(highest_reliable=-1.0)) is None


def test_augment__gives_zbl_with_names_and_masks():
    structures = StructureSet.from_ase(FRAMES)
    watched = []
    found = augment(bare_potential(), structures, SETTINGS, below_two_fails, watch=lambda seeds: watched.extend(seeds) or seeds)
    assert found.n_seeds == len(watched) == 3 + 1  # half of the seven that are small enough for each of two compositions
    assert found.n_unreliable == 0
    assert found.n_candidates == found.structures.n_structures > 0
    assert set(found.structures.names) <= {"augmented/zbl/Al", "augmented/zbl/Cu"}
    assert set(found.structures.groups) == {"augmented"}
    assert (found.distances < 2.0).all()
    assert (found.mask == 1.0).all()
    atoms = found.structures.to_ase(0)
    reference = atoms.copy()
    reference.calc = ZBLCalculator()
    assert atoms.get_potential_energy() == pytest.approx(reference.get_potential_energy())
    np.testing.assert_allclose(atoms.get_forces(), reference.get_forces(), atol=1e-9)


@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz.gz", "a.db", "a.pkl.gz", "tables"])
def test_augmented__as_data_has_corrected_energies_masked_forces_and_no_stresses(tmp_path, name):
    structures = replace(
        StructureSet.from_ase([bulk("Al", cubic=True), bulk("Cu")]),
        energies=np.array([100.0, 50.1]),
        forces=np.arange(15.0).reshape(5, 3) / 3.0,
        stresses=np.ones((2, 6)),
        names=("augmented/zbl/Al4", "augmented/zbl/Cu"),
    )
    augmented = Augmented(structures, np.array([1.0, 0, 1, 1, 0]), np.array([1.0, 2.0]), {}, 2, 0, 2)
    with open_writer(tmp_path / name) as write:
        write(augmented.dataset())
    path = tmp_path / name / "structures.parquet" if name == "tables" else tmp_path / name
    data = read_files([{"path": str(path)}]).dataset
    assert data.structures.energies.tolist() == [100.0, 50.1]
    assert np.isnan(data.raw_energies).all()
    assert data.structures.forces.tolist() == structures.forces.tolist()
    assert data.force_masks.tolist() == augmented.mask.tolist()
    assert data.structures.names == structures.names
    # a mask is known of forces only
    assert not data.structures.has_stress.any()


def test_augment__counts_seeds_that_are_reliable_nowhere():
    def copper_fails(structures, neighbors):
        return np.where(structures.numbers == 29, 99.0, below_two_fails(structures, neighbors))

    found = augment(bare_potential(), StructureSet.from_ase(FRAMES[4:6]), SETTINGS, copper_fails)
    assert (found.n_seeds, found.n_unreliable) == (2, 1)


def test_augment__leaves_out_what_has_no_distance_shorter_than_the_data():
    def fails_far_out(structures, neighbors):
        return np.where(neighbors.shortest_per_atom() < 3.5, 99.0, 1.0)

    found = augment(bare_potential(), StructureSet.from_ase(FRAMES[:5]), SETTINGS, fails_far_out)
    assert found.structures.n_structures > 0
    assert found.mask.all()
    assert (found.distances < found.thresholds["Al", "Al"]).all()


def test_augment__keeps_what_is_ranked_first():
    structures = StructureSet.from_ase(FRAMES[:2])
    everything = augment(bare_potential(), structures, SETTINGS, below_two_fails)
    settings = AugmentSettings(shortest=1.2, step=0.3, highest=1e4, n_selected=2)
    found = augment(bare_potential(), structures, settings, below_two_fails, lambda s, n: np.arange(s.n_structures)[::-1])
    assert found.n_candidates == everything.n_candidates
    assert found.structures.energies.tolist() == everything.structures.energies[::-1][:2].tolist()
    assert found.structures.ids.tolist() == [0, 1]
    assert len(found.mask) == 2


def test_augment__without_a_choice_keeps_some_of_all_seeds():
    structures = StructureSet.from_ase([FRAMES[0], FRAMES[5]])
    found = augment(bare_potential(), structures, replace(SETTINGS, n_selected=2), below_two_fails)
    assert found.structures.numbers.tolist() == [13, 29]


@pytest.mark.parametrize(
    ("frames", "settings", "message"),
    [
        ([Atoms("Al")], {}, "none can be compressed"),
        (FRAMES[:1], {"shortest": 9.0}, r"shortest distance, 9\.0 Å, must be below the cutoff"),
        (FRAMES[:1], {"highest": 1e-3, "lowest": 0.0}, "none of 1 compressed structures is both beyond"),
    ],
)
def test_augment__says_why_nothing_is_made(frames, settings, message):
    with pytest.raises(DataError, match=message):
        augment(bare_potential(), StructureSet.from_ase(frames), AugmentSettings(**settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_seeds": 0}, "at least one seed"),
        ({"n_selected": 0}, "one structure to select"),
        ({"step": -1.0}, "step of at least"),
        ({"shortest": np.inf}, "or more, not inf"),
        ({"lowest": 200.0}, "no energy is above"),
        ({"shortest": 0.29}, r"shortest distance of 0\.3 Å or more"),
        ({"step": 1e-4}, r"step of at least 0\.001 Å"),
        ({"largest_gamma": 0.0}, "grade above 0"),
        ({"largest_gamma": np.nan}, "grade above 0"),
        ({"seed": -1}, "seed of 0 or more"),
    ],
)
def test_settings__are_checked(settings, message):
    with pytest.raises(DataError, match=message):
        AugmentSettings(**settings)
