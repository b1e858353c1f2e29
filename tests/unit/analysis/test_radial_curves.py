import numpy as np
import pytest

from acefit.analysis.radial_curves import compute_radial_curves, evaluate_base
from acefit.potential.model import Bond, Potential

# Values at 1.0 and 2.5 Å of the model's documentation, cutoff 5 Å
KNOWN = {
    ("ChebExpCos", 5.25, 0.01): [
        [0.904508497187, 0.31341991937, 0.819268961988, 0.816423073658],
        [0.5, 0.0337733455698, 0.125968271311, 0.25167492853],
    ],
    ("ChebPow", 2.0, 0.01): [[0.64, 0.9216, 0.123904, 0.28901376]],
    ("SBessel", 5.25, 0.01): [[0.601500955008, -0.657527099088, 0.443911005727, -0.0632374101137]],
}  # fmt: skip


def make_bond(radbase="ChebPow", parameter=2.0, dcut=0.01):
    return Bond(radbase, (parameter,), 5.0, dcut, np.arange(24.0).reshape(2, 3, 4))


@pytest.mark.parametrize("key", KNOWN)
def test_evaluate_base__has_the_documented_values(key):
    expected = np.array(KNOWN[key])
    base = evaluate_base(make_bond(*key), ("Si", "Si"), np.array([1.0, 2.5])[: len(expected)])
    assert np.allclose(base, expected, rtol=0, atol=1e-9)


def test_radial_curves__are_sums_of_base_functions():
    potential = Potential(("Si",), {}, {("Si", "Si"): make_bond()}, ())
    (curves,) = compute_radial_curves(potential, n_points=50)
    assert curves.radial.shape == (50, 2, 3)
    by_hand = sum(curves.base[:, k] * (4.0 + k) for k in range(4))
    assert np.allclose(curves.radial[:, 0, 1], by_hand, rtol=1e-12)
    assert curves.r[-1] == 5.0


def test_radial_curves__of_a_placeholder_basis_are_zero():
    assert not evaluate_base(make_bond("TEST_nothing"), ("Si", "Si"), np.array([1.0, 2.0])).any()
