"""Real harmonics against the complex ones of the definition. Tolerances 1e-12, gradients 1e-8 (central differences)."""

import numpy as np
import pytest

from acefit.kernels._jit import LANES, kernel
from acefit.kernels.harmonics import along_into, backwards, harmonics_into, harmonics_tables
from acefit.kernels.radial import INVERSE, N_PAIR, UX, UY, UZ
from acefit.kernels.vectors import load, store
from naive import harmonic

L_MAX = 7


@kernel
def backwards_into(l_max, sector, climb, pairs, values, adjoint, gradients):
    for slot in range(len(pairs)):
        x, y, z = load(pairs, slot * N_PAIR + UX), load(pairs, slot * N_PAIR + UY), load(pairs, slot * N_PAIR + UZ)
        gx, gy, gz = backwards(l_max, sector, climb, x, y, z, values, slot * values.shape[1], adjoint, slot * values.shape[1])
        store(gradients, 3 * slot, gx)
        store(gradients, 3 * slot + 1, gy)
        store(gradients, 3 * slot + 2, gz)


def in_slots(vectors):
    """Pair arrays of vectors (3, n), the last one repeated in unused lanes."""
    n_slots = -(-vectors.shape[1] // LANES)
    padded = np.pad(vectors, ((0, 0), (0, n_slots * LANES - vectors.shape[1])), mode="edge")
    pairs = np.zeros((n_slots, N_PAIR, LANES))
    inverse = 1.0 / np.sqrt((padded**2).sum(axis=0))
    pairs[:, UX : UZ + 1] = (padded * inverse).reshape(3, n_slots, LANES).transpose(1, 0, 2)
    pairs[:, INVERSE] = inverse.reshape(n_slots, LANES)
    return pairs


def flat(values, n):
    """From slots (n_slots, rows, LANES) to (rows, n)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)[:, :n]


def evaluate(pairs, l_max):
    values = np.full((len(pairs), (l_max + 1) ** 2, LANES), np.nan)
    harmonics_into(l_max, *harmonics_tables(l_max), pairs, 0, len(pairs), values.shape[1], values)
    return values


def real_harmonics(vectors, l_max=L_MAX):
    """Values (n_lm, n) and gradients (3, n_lm, n) for vectors (3, n), by the changes along the three axes."""
    pairs = in_slots(vectors)
    values, gradients = evaluate(pairs, l_max), []
    for axis in range(3):
        turn = np.zeros((len(pairs), 3, LANES))
        unit = pairs[:, UX : UZ + 1]
        turn[:] = (np.eye(3)[axis][None, :, None] - unit * unit[:, axis : axis + 1]) * pairs[:, INVERSE : INVERSE + 1]
        along = np.full_like(values, np.nan)
        along_into(l_max, *harmonics_tables(l_max), pairs, 0, len(pairs), values.shape[1], values, turn, along)
        gradients.append(flat(along, vectors.shape[1]))
    return flat(values, vectors.shape[1]), np.array(gradients)


def complex_harmonic(values, l, m):
    """Y_lm from the real ones."""
    if m == 0:
        return values[l * l + l] + 0j
    real, imaginary = values[l * l + l + abs(m)], values[l * l + l - abs(m)]
    positive = (-1) ** m * (real + 1j * imaginary) / np.sqrt(2)
    return positive if m > 0 else (-1) ** m * positive.conj()


@pytest.fixture(scope="module")
def vectors():
    random = np.random.default_rng(3).normal(size=(3, 12))
    return np.ascontiguousarray(np.concatenate([random, np.eye(3), -2 * np.eye(3), [[0.0], [1e-3], [1.0]]], axis=1))


def test_harmonics_into__has_the_published_values():
    values, _ = real_harmonics(np.array([[1.0], [2.0], [3.0]]))
    expected = {
        (0, 0): 1.0,
        (1, 0): 1.38873014966,
        (1, 1): -0.327326835354 - 0.654653670708j,
        (1, -1): 0.327326835354 - 0.654653670708j,
        (2, 1): -0.586845597327 - 1.17369119465j,
        (2, 2): -0.293422798663 + 0.391230398218j,
        (3, 3): 0.310580841624 + 0.0564692439316j,
    }
    for (l, m), value in expected.items():
        np.testing.assert_allclose(complex_harmonic(values, l, m)[0], value, rtol=1e-10)


def test_harmonics_into__equals_associated_legendre_functions(vectors):
    values, _ = real_harmonics(vectors)
    unit = vectors / np.linalg.norm(vectors, axis=0)
    for l in range(L_MAX + 1):
        for m in range(-l, l + 1):
            expected = [harmonic(l, m, u) for u in unit.T]
            np.testing.assert_allclose(complex_harmonic(values, l, m), expected, rtol=1e-12, atol=1e-12)


def test_harmonics_into__squares_of_one_l_add_up_to_a_constant(vectors):
    values, _ = real_harmonics(vectors)
    for l in range(L_MAX + 1):
        np.testing.assert_allclose((values[l * l : (l + 1) ** 2] ** 2).sum(axis=0), 2 * l + 1, rtol=1e-12)


def test_harmonics_into__gradient_is_the_derivative(vectors):
    _, gradients = real_harmonics(vectors)
    h = 1e-5
    for axis in range(3):
        step = h * np.eye(3)[:, axis : axis + 1]
        difference = (real_harmonics(vectors + step)[0] - real_harmonics(vectors - step)[0]) / (2 * h)
        np.testing.assert_allclose(gradients[axis], difference, atol=1e-8 * max(1, np.abs(difference).max()))


def test_harmonics_into__gradient_has_no_radial_component(vectors):
    _, gradients = real_harmonics(vectors)
    np.testing.assert_allclose(np.einsum("xj,xlj->lj", vectors, gradients), 0.0, atol=1e-12)


def test_harmonics_into__inversion_gives_the_parity_of_l(vectors):
    values, gradients = real_harmonics(vectors)
    opposite, opposite_gradients = real_harmonics(-vectors)
    parity = np.repeat([(-1.0) ** l for l in range(L_MAX + 1)], [2 * l + 1 for l in range(L_MAX + 1)])[:, None]
    np.testing.assert_array_equal(opposite, parity * values)
    np.testing.assert_array_equal(opposite_gradients, -parity * gradients)


@pytest.mark.parametrize("l_max", [0, 1, 2])
def test_harmonics_into__small_l_max_are_the_first_rows_of_large_ones(vectors, l_max):
    values, gradients = real_harmonics(vectors, l_max)
    more, more_gradients = real_harmonics(vectors)
    np.testing.assert_allclose(values, more[: len(values)], rtol=1e-14)
    np.testing.assert_allclose(gradients, more_gradients[:, : len(values)], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("l_max", [0, 1, 2, 3, L_MAX])
def test_backwards__is_the_adjoint_of_the_changes(vectors, l_max):
    """sum_lm a_lm dS_lm along a displacement equals the gradient of sum_lm a_lm S_lm times the displacement."""
    rng, pairs = np.random.default_rng(4), in_slots(vectors)
    values = evaluate(pairs, l_max)
    turn, adjoint = rng.normal(size=(len(pairs), 3, LANES)), rng.normal(size=values.shape)
    along, gradients = np.empty_like(values), np.empty((len(pairs), 3, LANES))
    along_into(l_max, *harmonics_tables(l_max), pairs, 0, len(pairs), values.shape[1], values, turn, along)
    expected = (adjoint * along).sum(axis=1)
    backwards_into(l_max, *harmonics_tables(l_max), pairs, values, adjoint, gradients)
    found = (gradients * turn).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))
