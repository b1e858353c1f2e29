import numpy as np
import pytest
from scipy.optimize import linprog

from acefit.data.hull import build_hull


def compositions(*rows):
    return np.array(rows, dtype=float)


def test_hull__binary_by_hand():
    c = compositions([1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5], [0.75, 0.25], [1, 0])
    energies = np.array([-3.0, -5.0, -4.5, -4.2, -3.6, -2.5])
    hull = build_hull(c, energies)
    assert hull.references.tolist() == [-3.0, -5.0]
    assert hull.formation_energies(c, energies) == pytest.approx([0, 0, -0.5, -0.2, -0.1, 0.5], abs=1e-14)
    assert hull.distances(c, energies) == pytest.approx([0, 0, 0, 0.3, 0.15, 0.5], abs=1e-14)


def test_hull__one_composition_is_the_distance_from_the_lowest():
    energies = np.array([-1.0, -3.0, -2.5])
    assert build_hull(np.ones((3, 1)), energies).distances(np.ones((3, 1)), energies).tolist() == [2, 0, 0.5]
    c = np.full((3, 2), 0.5)
    assert build_hull(c, energies).distances(c, energies).tolist() == [2, 0, 0.5]


def test_hull__ternary_agrees_with_linear_programming():
    rng = np.random.default_rng(3)
    c = np.vstack([np.eye(3), rng.dirichlet(np.ones(3), 40)])
    energies = rng.normal(size=43) - 2
    hull = build_hull(c, energies)
    distances = hull.distances(c, energies)
    for point, energy, distance in zip(c, energies, distances, strict=True):
        best = linprog(energies, A_eq=np.vstack([c.T, np.ones(43)]), b_eq=[*point, 1]).fun
        assert distance == pytest.approx(energy - best, abs=1e-9)


def test_hull__elements_without_pure_structures_have_the_reference_zero():
    c = compositions([0.25, 0.75], [0.75, 0.25], [0.5, 0.5])
    hull = build_hull(c, np.array([-2.0, -4.0, -2.5]))
    assert hull.references.tolist() == [0, 0]
    assert hull.distances(c, np.array([-2.0, -4.0, -2.5])) == pytest.approx([0, 0, 0.5], abs=1e-14)


def test_hull__collinear_compositions_of_three_elements():
    share = np.array([0.0, 0.25, 0.5, 0.5, 1.0])
    c = np.column_stack([share, (1 - share) / 2, (1 - share) / 2])
    energies = np.array([-1.0, -1.5, -2.5, -2.0, -2.0])
    distances = build_hull(c, energies).distances(c, energies)
    assert distances == pytest.approx([0, 0.25, 0, 0.5, 0], abs=1e-12)


@pytest.mark.parametrize("extra", [0.0, 0.4])
def test_hull__few_or_coplanar_points(extra):
    c = compositions([1, 0], [0, 1], [0.5, 0.5])
    energies = np.array([-1.0, -3.0, -2.0 + extra])
    assert build_hull(c, energies).distances(c, energies) == pytest.approx([0, 0, extra], abs=1e-12)
    assert build_hull(c[:2], energies[:2]).distances(c, energies) == pytest.approx([0, 0, extra], abs=1e-12)


def test_hull__distances_of_new_points_are_never_negative():
    c = compositions([1, 0], [0.5, 0.5])
    hull = build_hull(c, np.array([-1.0, -2.0]))
    assert hull.distances(compositions([0.75, 0.25], [0, 1]), np.array([-9.0, -2.5])) == pytest.approx([0, 0.5], abs=1e-14)


@pytest.mark.parametrize(
    "concentrations",
    [
        np.tile([0.5, 0.5], (4, 1)),
        np.tile([0.5, 0.5], (4, 1)) + 1e-12 * np.array([[0, 0], [1, -1], [2, -2], [3, -3]]),
        np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]),
        np.array([[0.2, 0.3, 0.5], [0.4, 0.1, 0.5], [0.3, 0.2, 0.5], [0.3, 0.2, 0.5]]),
    ],
    ids=["one composition", "nearly one", "all energies equal", "on a line"],
)
def test_hull__singular_systems_have_finite_distances(concentrations):
    energies = np.full(len(concentrations), -3.0)
    distances = build_hull(concentrations, energies).distances(concentrations, energies)
    np.testing.assert_allclose(distances, 0.0, atol=1e-9)
