from dataclasses import replace

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.fit.repulsion import with_automatic_repulsion
from acefit.shortrange.check import SHORTEST, PairCurve, check_walls, compute_pair_curve, examine_curve
from acefit.shortrange.zbl import pair_energies
from compressed import bare_potential

R = np.linspace(0.35, 2.4, 206)
MORSE = 2.0 * ((1 - np.exp(-2.0 * (R - 2.2))) ** 2 - 1)


def test_examine_curve__passes_a_bond_with_its_wall():
    wall = examine_curve(PairCurve(("Si", "Si"), R, MORSE))
    assert wall.is_sound
    assert wall.begins == pytest.approx(2.2, abs=0.011)
    assert wall.rise == pytest.approx(MORSE[0] - MORSE.min(), rel=1e-3)
    assert "the energy rises from 2.20 Å down to 0.35 Å" in str(wall)


def test_examine_curve__finds_a_hole_behind_a_barrier():
    hole = MORSE - 400.0 * np.exp(-(((R - 0.8) / 0.3) ** 2))
    wall = examine_curve(PairCurve(("Si", "Si"), R, hole))
    barrier = R[R > 1.2][np.argmax(hole[R > 1.2])]
    assert wall.barrier == pytest.approx(barrier)
    assert wall.drop == pytest.approx(hole[R > 1.2].max() - hole[R < 1.2].min(), rel=1e-6)
    assert f"Si-Si: the energy falls by up to {wall.drop:.4g} eV at distances below {barrier:.2f} Å" in str(wall)


@pytest.mark.parametrize("curve", [0.0 * R, 3.0 * R, 0.1 * (R - 2.0) ** 2])
def test_examine_curve__finds_that_there_is_no_wall(curve):
    # flat; falling all the way inwards; rising by less than an eV
    wall = examine_curve(PairCurve(("Si", "Si"), R, curve))
    assert not wall.is_sound
    assert "where atoms may stay" in str(wall)


def test_examine_curve__rounding_in_a_flat_place_is_no_rise():
    # flat up to 2.0 Å but for rounding, then a minimum of 2 eV at 1.8 Å and a wall
    noise = 1e-9 * (-1.0) ** np.arange(len(R))
    curve = np.where(R < 2.0, 50.0 * (R - 1.8) ** 2 - 2.0, 0.0) + noise
    wall = examine_curve(PairCurve(("Si", "Si"), R, curve))
    assert wall.is_sound
    assert wall.begins == pytest.approx(1.8, abs=0.011)


def test_examine_curve__tells_by_how_little_the_energy_rises():
    assert "rises by 0.2722 eV only from 2.00 Å down to 0.35 Å" in str(
        examine_curve(PairCurve(("Si", "Si"), R, 0.1 * (R - 2.0) ** 2))
    )
    assert "rises by 0 eV only" in str(examine_curve(PairCurve(("Si", "Si"), R, 0.0 * R)))


def test_examine_curve__does_not_take_a_fall_to_absurdly_short_distances_for_a_bond():
    wall = examine_curve(PairCurve(("Si", "Si"), R, 100.0 * (R - 0.9) ** 2))
    assert not wall.is_sound
    assert wall.barrier == pytest.approx(0.6 * 2.22, abs=0.011)


def test_check_walls__tells_a_potential_with_a_hole_from_one_without():
    bare = bare_potential(2)
    assert [wall.pair for wall in check_walls(bare)] == [("Al", "Al"), ("Al", "Cu"), ("Cu", "Cu")]
    assert not any(wall.is_sound for wall in check_walls(bare))
    mended = with_automatic_repulsion(bare, {("Al", "Al"): 2.0, ("Al", "Cu"): 1.8, ("Cu", "Cu"): 1.7})
    assert all(wall.is_sound for wall in check_walls(mended))


def test_check_walls__begin_at_the_inner_cutoff_and_within_the_outer_one():
    bare = bare_potential(1)
    far = with_automatic_repulsion(bare, {("Al", "Al"): 3.5})
    assert check_walls(far)[0].begins > 3.0
    near = replace(bare, bonds={("Al", "Al"): replace(bare.bonds["Al", "Al"], rcut=2.0)})
    assert check_walls(near)[0].begins <= 2.0


@pytest.mark.parametrize(("factor", "is_sound"), [(0.36, False), (0.37, True)])
def test_examine_curve__a_rise_of_an_ev_is_needed(factor, is_sound):
    # by 0.98 eV and by 1.01 eV
    assert examine_curve(PairCurve(("Si", "Si"), R, factor * (R - 2.0) ** 2)).is_sound == is_sound


def test_compute_pair_curve__is_zbl_at_short_distances():
    mended = with_automatic_repulsion(bare_potential(), {("Al", "Al"): 2.0})
    bond = mended.bonds["Al", "Al"]
    curve = compute_pair_curve(compile_potential(mended), ("Al", "Al"), np.array([SHORTEST, 1.0]))
    expected, _ = pair_energies(curve.distances, 13, 13, bond.rcut - bond.dcut, bond.rcut)
    np.testing.assert_allclose(curve.energies, expected, rtol=1e-10)
