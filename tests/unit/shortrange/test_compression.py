from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from acefit.basis.compiled import compile_potential
from acefit.data.structures import StructureSet
from acefit.shortrange.compression import compress, first_barrier, reliable_sizes, scale
from acefit.shortrange.zbl import pair_energies
from compressed import DISTANCES, NATURAL, TRIMER, bare_potential, curve_of

# sizes 0 .. 9 have distances 1.0, 1.2 .. 2.8; the structure as given is size 5


def test_scale__multiplies_positions_and_cell():
    one = StructureSet.from_ase([bulk("Si"), bulk("Cu", cubic=True)])
    scaled = scale(one, 1, np.array([0.5, 2.0]))
    np.testing.assert_allclose(scaled.cells[1], 2.0 * one.cells[1])
    np.testing.assert_allclose(scaled.positions[:4], 0.5 * one.positions[2:])
    assert np.isnan(scaled.energies).all()


def test_compress__evaluates_each_size():
    potential = bare_potential()
    graded = []

    def gamma_of(structures, neighbors):
        graded.append(neighbors.cutoff)
        return np.arange(structures.n_atoms, dtype=float)

    curve = compress(compile_potential(potential), TRIMER, 0, NATURAL, DISTANCES, gamma_of)
    np.testing.assert_allclose(curve.neighbors.shortest_per_structure(), DISTANCES)
    assert graded == [max(potential.cutoff, 4.0)]
    assert curve.largest_gamma.tolist() == [3 * k + 2 for k in range(len(DISTANCES))]
    at, n = 2, curve.n_atoms
    positions = curve.structures.positions[at * n : (at + 1) * n]
    pairs = [(0, 1, 13, 13), (0, 2, 13, 29), (1, 2, 13, 29)]
    expected = sum(float(pair_energies(np.linalg.norm(positions[i] - positions[j]), a, b)[0]) for i, j, a, b in pairs)
    assert curve.repulsion.energies[at] == pytest.approx(expected)


def test_compress__reaches_as_far_as_zbl_where_the_potential_does_not():
    potential = bare_potential()
    short = replace(potential, bonds={pair: replace(bond, rcut=3.0) for pair, bond in potential.bonds.items()})
    curves = [compress(compile_potential(p), TRIMER, 0, NATURAL, DISTANCES) for p in (potential, short)]
    np.testing.assert_allclose(curves[1].repulsion.energies, curves[0].repulsion.energies, rtol=1e-12)


@pytest.mark.parametrize(
    ("energies", "expected"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 0),
        ([1, 2, 9, 7, 5, 4, 3, 2, 1, 0], 2),
        # the given structure is beyond the minimum: falling to it is no failure
        ([1, 9, 4, 2, 3, 4, 5, 6, 7, 8], 1),
        # a maximum beyond the given structure is none either
        ([9, 8, 7, 6, 5, 4, 5, 6, 5, 4], 0),
        # no barrier at all: nothing below the given structure is sound
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5),
        ([0] * 10, 5),
        # ripples of a meV for each of the three atoms are no barriers, on the way down to a minimum or up from it
        ([1, 9, 4, 2, 0.002, 0, 0, 0, 0, 0], 1),
        ([1, 9, 4, 3.998, 4, 3, 0, 0, 0, 0], 1),
        ([1, 9, 4, 3.99, 4, 3, 0, 0, 0, 0], 4),
    ],
)
def test_first_barrier__is_looked_for_inwards_from_the_given_structure(energies, expected):
    assert first_barrier(curve_of(energies)) == expected


def test_reliable_sizes__are_those_of_small_grades_if_there_are_grades():
    energies = [1, 2, 9, 7, 5, 4, 3, 2, 1, 0]
    assert reliable_sizes(curve_of(energies), 10.0).tolist() == [False] * 2 + [True] * 8
    grades = np.ones((10, 3))
    grades[:4, 1] = 10.0
    assert reliable_sizes(curve_of(energies, grades), 10.0).tolist() == [False] * 4 + [True] * 6
