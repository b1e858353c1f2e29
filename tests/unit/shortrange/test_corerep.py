from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit.data.structures import StructureSet
from acefit.errors import DataError, PotentialError
from acefit.fit.repulsion import with_inner_cutoffs
from acefit.shortrange.corerep import (
    CorerepSettings,
    automatic_cutoffs,
    find_failures,
    given_cutoffs,
    parse_inner_cutoffs,
    without_repulsion,
)
from acefit.shortrange.distances import covalent_distance
from compressed import bare_potential, curve_of
from models import random_potential

RISING = 1e5 * np.linspace(1, 0, 10)  # above ZBL everywhere
BARRIER = np.array([0.0, 1, 9, 7, 5, 4, 3, 2, 1, 0])  # at 1.4 Å, far below ZBL


def test_parse_inner_cutoffs__knows_both_forms():
    assert parse_inner_cutoffs(["Al:1.9", "Ni-Al:1.85", "Ni=2"]) == {("Al", "Al"): 1.9, ("Al", "Ni"): 1.85, ("Ni", "Ni"): 2.0}


@pytest.mark.parametrize("text", ["Al", "Al:", "Al:x", "Al:-1", "Al:nan", "Al:inf", "Xx:1", "Al-Ni-Al:2", "Al-Ni:", ""])
def test_parse_inner_cutoffs__refuses_others(text):
    with pytest.raises(DataError, match="cannot be understood"):
        parse_inner_cutoffs([text])


def test_parse_inner_cutoffs__refuses_a_pair_twice():
    with pytest.raises(DataError, match="Al-Ni is given twice"):
        parse_inner_cutoffs(["Al-Ni:1", "Ni-Al:2"])


def test_given_cutoffs__are_zero_where_not_given():
    found = given_cutoffs(bare_potential(), {("Al", "Cu"): 1.5})
    assert [(c.pair, c.distance) for c in found] == [(("Al", "Al"), 0.0), (("Al", "Cu"), 1.5), (("Cu", "Cu"), 0.0)]
    with pytest.raises(PotentialError, match="no bond Al-Ni; its elements are Al Cu"):
        given_cutoffs(bare_potential(), {("Al", "Ni"): 1.5})
    with pytest.raises(PotentialError, match=r"inner cutoff of Al-Al, 9\.0 Å, must be below the outer one"):
        given_cutoffs(bare_potential(), {("Al", "Al"): 9.0})
    with pytest.raises(PotentialError, match="must be below the outer one"):
        given_cutoffs(bare_potential(), {("Al", "Al"): bare_potential().bonds["Al", "Al"].rcut})


def test_without_repulsion__is_the_bare_potential():
    bonds = without_repulsion(random_potential(2, mode="zbl")).bonds.values()
    assert {(bond.core_repulsion, bond.rcut_in, bond.dcut_in) for bond in bonds} == {((0.0, 0.0), 0.0, 0.0)}


def test_find_failures__without_grades_is_the_shortest_pair_at_the_barrier():
    assert find_failures(curve_of(BARRIER), 10.0) == {("Al", "Al"): pytest.approx(1.4)}


def test_find_failures__where_zbl_is_lower_the_repulsion_begins():
    # the potential is above ZBL below 1.8 Å
    energies = np.where(np.arange(10) < 4, 1e5, 1.0) + RISING * 1e-5
    assert find_failures(curve_of(energies), 10.0) == {("Al", "Al"): pytest.approx(1.8)}
    assert find_failures(curve_of(RISING), 10.0) == {}


def test_find_failures__with_grades_are_the_nearest_pairs_of_extrapolating_atoms():
    grades = np.ones((10, 3))
    grades[:2, 2] = 10.0  # the copper atom up to 1.2 Å
    found = find_failures(curve_of(BARRIER, grades), 10.0)
    assert found == {("Al", "Cu"): pytest.approx(1.2 * 1.3)}
    # only up to the barrier at 1.4 Å, beyond which it may extrapolate
    grades[:6, 2] = 50.0
    assert find_failures(curve_of(BARRIER, grades), 10.0) == {("Al", "Cu"): pytest.approx(1.4 * 1.3)}


def test_automatic_cutoffs__stay_below_what_the_data_know():
    frames = [bulk("Al", a=a) for a in np.linspace(3.8, 4.4, 6)] + [bulk("Al", a=4.0) * (2, 2, 1)]
    shortest = 3.8 / np.sqrt(2)
    structures = StructureSet.from_ase(frames)
    watched = []

    def watch(items):
        for item in items:
            watched.append(item)
            yield item

    found = automatic_cutoffs(bare_potential(), structures, CorerepSettings(n_structures=3, step=0.2), watch=watch)
    assert [c.pair for c in found] == [("Al", "Al"), ("Al", "Cu"), ("Cu", "Cu")]
    assert 0.0 < found[0].distance <= shortest * (1 + 1e-12)
    assert found[2].distance == covalent_distance(("Cu", "Cu"))
    assert found[2].source == "sum of covalent radii"
    assert len(watched) == 3
    assert 6 not in watched  # larger than the median


def test_automatic_cutoffs__count_failures_of_the_structures():
    structures = StructureSet.from_ase([bulk("Al", a=a) for a in (4.0, 4.05, 4.1)])
    settings = CorerepSettings(step=0.25)

    def all_fail_below_two(scaled, neighbors):
        return np.where(neighbors.shortest_per_atom() < 2.0 - 1e-9, 99.0, 1.0)

    found = automatic_cutoffs(bare_potential(1), structures, settings, all_fail_below_two)
    assert found[0].source == "3 compressed structures"
    assert found[0].distance == pytest.approx(1.75)


def test_automatic_cutoffs__look_up_to_the_distances_of_the_structures():
    structures = StructureSet.from_ase([bulk("Al", a=a) for a in (4.0, 4.05, 4.1)])

    def all_fail_below_two(scaled, neighbors):
        return np.where(neighbors.shortest_per_atom() < 2.0 - 1e-9, 99.0, 1.0)

    found = automatic_cutoffs(bare_potential(1), structures, CorerepSettings(step=0.25, longest=1.0), all_fail_below_two)
    assert found[0].distance == pytest.approx(1.75)


def test_automatic_cutoffs__are_not_beyond_the_outer_one():
    potential = bare_potential()
    bond = replace(potential.bonds["Cu", "Cu"], rcut=1.5)
    potential = replace(potential, bonds={**potential.bonds, ("Cu", "Cu"): bond})
    found = automatic_cutoffs(potential, StructureSet.from_ase([bulk("Al")]), CorerepSettings(step=0.5))
    assert (found[2].distance, found[2].source) == (1.5, "outer cutoff")


def test_automatic_cutoffs__do_not_depend_on_the_core_that_is_there():
    structures, settings = StructureSet.from_ase([bulk("Al", a=a) for a in (4.0, 4.3)]), CorerepSettings(step=0.1)
    bare = bare_potential(1)
    found = [automatic_cutoffs(p, structures, settings) for p in (bare, with_inner_cutoffs(bare, {("Al", "Al"): 2.7}))]
    assert found[0] == found[1]


def test_automatic_cutoffs__draw_by_the_seed():
    structures = StructureSet.from_ase([bulk("Al", a=a) for a in np.linspace(3.8, 4.4, 9)])
    drawn = []
    for seed in (1, 1, 2, 3):
        chosen = []
        settings = CorerepSettings(n_structures=3, step=1.0, seed=seed)
        automatic_cutoffs(bare_potential(1), structures, settings, watch=lambda rows, to=chosen: to.extend(rows) or rows)
        drawn.append(tuple(chosen))
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_automatic_cutoffs__need_something_to_compress():
    with pytest.raises(DataError, match="none can be compressed"):
        automatic_cutoffs(bare_potential(1), StructureSet.from_ase([Atoms("Al")]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_structures": 0}, "at least one structure"),
        ({"quantile": 2.0}, "quantile between 0 and 1"),
        ({"shortest": 3.0}, "shortest < longest"),
        ({"step": 0.0}, r"step of at least 0\.001 Å"),
        ({"shortest": 0.05}, r"shortest distance of 0\.3 Å or more"),
        ({"largest_gamma": -1.0}, "grade above 0"),
        ({"seed": -1}, "seed of 0 or more"),
    ],
)
def test_settings__are_checked(settings, message):
    with pytest.raises(DataError, match=message):
        CorerepSettings(**settings)


def test_with_inner_cutoffs__zero_leaves_a_pair_without_repulsion():
    bond = with_inner_cutoffs(bare_potential(), {("Al", "Al"): 2.0}).bonds["Cu", "Cu"]
    assert (bond.rcut_in, bond.inner_cutoff_type) == (0.0, "zbl")
