"""Coupling coefficients. Tolerance 1e-12; published values to their digits."""

import ast
from itertools import product
from math import sqrt

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import naive
from acefit.basis.couplings import (
    clebsch_gordan,
    clebsch_gordan_tensor,
    complex_to_real,
    coupling_tensor,
    coupling_tree,
    is_admissible,
    real_coupling_tensor,
)

CASES = [
    ((1, 1), ()),
    ((3, 3), ()),
    ((1, 1, 2), (2,)),
    ((2, 3, 3), (3,)),
    ((1, 1, 1, 1), (0, 0)),
    ((1, 2, 2, 1), (2, 2)),
    ((1, 1, 2, 1, 1), (2, 2, 1)),
    ((1, 1, 1, 1, 2), (1, 2, 2)),
    ((1, 1, 1, 1, 1, 1), (2, 1, 1, 1)),
    ((2, 1, 1, 1, 1, 0), (1, 2, 1, 1)),
]


@pytest.mark.parametrize(
    ("momenta", "value"),
    [
        ((1, 0, 1, 0, 2, 0), 0.816496580928),
        ((1, 1, 1, -1, 0, 0), 0.577350269190),
        ((2, 1, 1, -1, 2, 0), 0.707106781187),
        ((2, 2, 2, -1, 3, 1), 0.547722557505),
        ((1, 1, 1, 1, 1, 2), 0.0),
        ((1, 0, 1, 0, 1, 0), 0.0),
        ((1, 0, 1, 0, 3, 0), 0.0),
        ((1, 1, 1, 0, 2, 0), 0.0),
    ],
)
def test_clebsch_gordan__has_the_published_values(momenta, value):
    np.testing.assert_allclose(clebsch_gordan(*momenta), value, rtol=1e-11)


@pytest.mark.parametrize(("j1", "j2"), [(0, 0), (1, 0), (1, 1), (2, 1), (2, 3), (4, 4), (6, 5)])
def test_clebsch_gordan__equals_the_ladder_construction_and_is_unitary(j1, j2):
    columns = []
    for j in range(abs(j1 - j2), j1 + j2 + 1):
        expected = naive.clebsch_gordan(j1, j2, j)
        for m1, m2 in product(range(-j1, j1 + 1), range(-j2, j2 + 1)):
            for m in range(-j, j + 1):
                value = clebsch_gordan(j1, m1, j2, m2, j, m)
                np.testing.assert_allclose(value, expected.get((m1, m2, m), 0.0), atol=1e-12)
                assert clebsch_gordan_tensor(j1, j2, j)[m1 + j1, m2 + j2, m + j] == value
        columns.append(clebsch_gordan_tensor(j1, j2, j).reshape(-1, 2 * j + 1))
    matrix = np.concatenate(columns, axis=1)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(len(matrix)), atol=1e-13)


def test_clebsch_gordan__zeros_that_are_not_selection_rules_are_exact():
    assert clebsch_gordan(3, 2, 3, -2, 2, 0) == 0.0
    assert clebsch_gordan(5, -1, 6, 0, 3, -1) == 0.0


def test_coupling_tree__follows_the_published_orders():
    assert coupling_tree(1) == ()
    for order in range(2, 7):
        assert list(coupling_tree(order)) == naive.tree(order)
    # Order 7: pairs, then the two oldest intermediates, the odd l last
    assert coupling_tree(7) == ((0, 1), (2, 3), (4, 5), (7, 8), (9, 10), (11, 6))


@pytest.mark.parametrize(
    ("ls", "lint", "expected"),
    [
        ((0,), (), True),
        ((1,), (), False),
        ((2, 2), (), True),
        ((1, 2), (), False),
        ((1, 1, 2), (2,), True),
        ((1, 1, 2), (1,), False),
        ((1, 1, 1), (1,), False),  # odd sum
        ((1, 1, 3), (3,), False),
        ((1, 1, 1, 1), (2, 2), True),
        ((1, 1, 1, 1), (0, 2), False),
        ((1, 1, 1, 1), (2,), False),
        ((1, 1, 1, 1, 2), (1, 2, 2), True),
        ((1, 1, 1, 1, 2), (0, 0, 2), False),
        ((1, 1, 1, 1, 1, 1), (2, 1, 1, 1), True),
        ((1, 1, 1, 1, 1, 1), (2, 1, 1, 2), False),
    ],
)
def test_is_admissible__knows_parity_triangles_and_total_zero(ls, lint, expected):
    assert is_admissible(ls, lint) is expected


PUBLISHED = {
    ((1, 1), ()): {"1,-1": 1.15470053838, "0,0": -0.57735026919},
    ((2, 2), ()): {"2,-2": 0.894427191, "1,-1": -0.894427191, "0,0": 0.4472135955},
    ((1, 1, 2), (2,)): {
        "1,1,-2": 0.894427191,
        "1,0,-1": -0.632455532034,
        "0,1,-1": -0.632455532034,
        "1,-1,0": 0.36514837167,
        "0,0,0": 0.36514837167,
    },
    ((1, 1, 1, 1), (0, 0)): {
        "1,-1,1,-1": 2 / 3,
        "0,0,1,-1": -2 / 3,
        "1,-1,0,0": -2 / 3,
        "0,0,0,0": 1 / 3,
        "1,-1,-1,1": 2 / 3,
    },
    ((1, 1, 1, 1), (1, 1)): {
        "1,0,0,-1": 1 / sqrt(3),
        "0,1,0,-1": -1 / sqrt(3),
        "1,-1,1,-1": -1 / sqrt(3),
        "1,0,-1,0": -1 / sqrt(3),
        "0,1,-1,0": 1 / sqrt(3),
        "1,-1,-1,1": 1 / sqrt(3),
    },
}


def half_space(tensor, ls):
    """Non-zero entries with a positive first non-zero m, doubled, and the one of zeros."""
    result = {}
    for index in np.argwhere(np.abs(tensor) > 1e-14):
        ms = tuple(int(i) - l for i, l in zip(index, ls, strict=True))
        leading = next((m for m in ms if m), 0)
        if leading >= 0:
            result[ms] = tensor[tuple(index)] * (2 if leading else 1)
    return result


@pytest.mark.parametrize(("ls", "lint"), PUBLISHED)
def test_coupling_tensor__has_the_published_values(ls, lint):
    expected = {ast.literal_eval(key): value for key, value in PUBLISHED[ls, lint].items()}
    found = half_space(coupling_tensor(ls, lint), ls)
    assert found.keys() == expected.keys()
    for ms, value in expected.items():
        np.testing.assert_allclose(found[ms], value, rtol=1e-9)


@pytest.mark.parametrize(("ls", "lint"), CASES)
def test_coupling_tensor__equals_the_naive_twin_and_is_even(ls, lint):
    tensor = coupling_tensor(ls, lint)
    expected = naive.couplings(ls, lint)
    found = half_space(tensor, ls)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[ms] for ms in expected], list(expected.values()), rtol=1e-12)
    np.testing.assert_allclose(tensor, np.flip(tensor), atol=1e-14)


def test_coupling_tensor__order_one_and_violated_triangles():
    np.testing.assert_array_equal(coupling_tensor((0,), ()), [1.0])
    assert not coupling_tensor((1, 1, 3), (3,)).any()


@pytest.mark.parametrize("l", range(6))
def test_complex_to_real__is_unitary(l):
    u = complex_to_real(l)
    np.testing.assert_allclose(u @ u.conj().T, np.eye(2 * l + 1), atol=1e-14)


def real_a(vectors, l):
    """Sum over vectors of the real harmonics of degree l, an A component with constant radial part that varies by weights."""
    ylm = np.array([sum(w * naive.harmonic(l, m, v) for w, v in vectors) for m in range(-l, l + 1)])
    real = np.zeros(2 * l + 1)
    real[l] = ylm[l].real
    for m in range(1, l + 1):
        real[l + m], real[l - m] = sqrt(2) * (-1) ** m * np.array([ylm[l + m].real, ylm[l + m].imag])
    return real


def invariant(tensor, ls, environments):
    for l, vectors in zip(ls, environments, strict=True):
        tensor = np.tensordot(tensor, real_a(vectors, l), axes=([0], [0]))
    return float(tensor)


@pytest.mark.parametrize(("ls", "lint"), CASES)
def test_real_coupling_tensor__gives_rotation_and_inversion_invariants(ls, lint):
    rng = np.random.default_rng(5)
    tensor = real_coupling_tensor(ls, lint)
    environments = []
    for _ in ls:
        vectors = rng.normal(size=(4, 3))
        environments.append([(w, v / np.linalg.norm(v)) for w, v in zip(rng.normal(size=4), vectors, strict=True)])
    rotation = Rotation.random(random_state=2).as_matrix()
    value = invariant(tensor, ls, environments)
    assert abs(value) > 1e-3
    for turn in (rotation, -rotation):
        turned = [[(w, turn @ v) for w, v in environment] for environment in environments]
        np.testing.assert_allclose(invariant(tensor, ls, turned), value, rtol=1e-10)


@pytest.mark.parametrize(("ls", "lint"), CASES)
def test_real_coupling_tensor__equals_the_complex_sum_and_keeps_its_norm(ls, lint):
    rng = np.random.default_rng(6)
    tensor, real = coupling_tensor(ls, lint), real_coupling_tensor(ls, lint)
    # The transformation is unitary, so nothing is lost in an imaginary part
    np.testing.assert_allclose((real**2).sum(), (tensor**2).sum(), rtol=1e-12)
    environments = [
        [(w, v / np.linalg.norm(v)) for w, v in zip(rng.normal(size=3), rng.normal(size=(3, 3)), strict=True)] for _ in ls
    ]
    total = 0.0
    for ms, value in naive.couplings(ls, lint).items():
        factors = [sum(w * naive.harmonic(l, m, v) for w, v in e) for l, m, e in zip(ls, ms, environments, strict=True)]
        total += value * np.prod(factors).real
    np.testing.assert_allclose(invariant(real, ls, environments), total, rtol=1e-10)
