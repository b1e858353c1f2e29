"""The loss and its gradient; every kind of parameter and term against central differences, relative error below 1e-6."""

import numpy as np
import pytest

import naive
from acefit.basis.expansion import build_target
from acefit.data.weights import Weights
from acefit.evaluation.predict import predict
from acefit.fit.loss import Loss, LossSettings
from acefit.potential.parameters import parameter_vector, with_parameters
from bases import BONDS, section, shape
from gradients import gradient_errors, random_loss, random_weights
from models import EMBEDDINGS, MODES, prepared, random_potential, random_structures, randomized

TOLERANCE = 1e-6
ALL_TERMS = LossSettings(kappa=0.3, l1=1e-3, l2=2e-3, w0=1e-3, w1=2e-3, w2=3e-4, w_orth=0.02, kappa_stress=2.0)
TERMS = {
    "energy": LossSettings(kappa=0.0),
    "force": LossSettings(kappa=1.0),
    "energy and force": LossSettings(kappa=0.4),
    "stress": LossSettings(kappa=1.0, kappa_stress=3.0),
    "l1": LossSettings(l1=0.5),
    "l2": LossSettings(l2=0.5),
    "w0": LossSettings(w0=0.5),
    "w1": LossSettings(w1=0.5),
    "w2": LossSettings(w2=0.5),
    "w_orth": LossSettings(w_orth=0.5),
}


def assert_gradient(loss):
    errors = gradient_errors(loss, loss.layout.vector())
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("npot", EMBEDDINGS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_gradient__all_terms_agree_with_central_differences(n_elements, mode, npot):
    assert_gradient(random_loss(random_potential(n_elements, mode=mode, npot=npot), ALL_TERMS))


@pytest.mark.parametrize("term", TERMS)
def test_gradient__each_term_agrees_with_central_differences(term):
    assert_gradient(random_loss(random_potential(2, orders=((2, 2, 1), (0, 1, 1))), TERMS[term]))


def test_gradient__tables_agree_with_central_differences():
    assert_gradient(random_loss(random_potential(1, orders=((3, 2, 1), (0, 2, 1))), ALL_TERMS, tables=True))


@pytest.mark.parametrize(
    ("orders", "nradbase"), [(((3,), (0,)), 3), (((0, 2, 1), (0, 1, 1)), 2), (((1, 1, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1)), 1)]
)
def test_gradient__orders_apart_agree_with_central_differences(orders, nradbase):
    assert_gradient(random_loss(random_potential(1, orders=orders, nradbase=nradbase), ALL_TERMS))


@pytest.mark.parametrize("nradbase", [None, 6])
@pytest.mark.parametrize("nickel", [{"NiAl": shape([4, 2], [0, 1])}, {}])
def test_gradient__blocks_of_a_pair_may_differ_in_size(nickel, nradbase):
    # fewer functions of order 1 than base functions, or a block around one of the two elements only
    bonds = {"ALL": {**BONDS["ALL"], "nradbase": nradbase}}
    functions = {"UNARY": shape([2, 1], [0, 1]), "AlNi": shape([3, 1], [0, 1]), **nickel}
    potential = build_target(section("Al Ni", functions, bonds=bonds))
    assert potential.bonds["Al", "Ni"].k_max == (nradbase or (4 if nickel else 3))
    assert_gradient(random_loss(randomized(potential), ALL_TERMS))


def test_loss__is_the_sum_of_its_formula():
    potential = random_potential(2)
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff)
    weights = random_weights(structures)
    found = Loss(potential, structures, neighbors, weights, ALL_TERMS)(parameter_vector(potential))
    prediction = predict(potential, structures, neighbors)
    n = structures.atoms_per_structure
    has = structures.has_stress
    voigt_count = np.array([1, 1, 1, 2, 2, 2])
    coefficients = np.concatenate([f.coeffs for f in potential.functions()])
    expected = {
        "energy": 0.7 * np.sum(weights.energy * ((prediction.energies - structures.energies) / n) ** 2),
        "force": 0.3 * np.sum(weights.force * ((prediction.forces - structures.forces) ** 2).sum(axis=1)),
        "stress": 2.0 * np.sum((weights.stress[:, None] * voigt_count * (prediction.stresses - structures.stresses) ** 2)[has]),
        "l1": 1e-3 * np.abs(coefficients).sum(),
        "l2": 2e-3 * (coefficients**2).sum(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found.terms[name], value, rtol=1e-12)
    np.testing.assert_allclose(found.value, sum(found.terms.values()), rtol=1e-14)
    np.testing.assert_allclose(found.energies, prediction.energies, rtol=1e-13)
    np.testing.assert_allclose(found.forces, prediction.forces, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.stresses, prediction.stresses, rtol=0, atol=1e-13)


def test_loss__equals_the_naive_energies():
    potential = random_potential(1, orders=((2, 1, 1), (0, 1, 1)))
    frames = random_structures(potential.elements)
    structures, neighbors = prepared(frames, potential.cutoff)
    weights = random_weights(structures)
    found = Loss(potential, structures, neighbors, weights, LossSettings())(parameter_vector(potential))
    energies = np.array([naive.atomic_energies(potential, atoms).sum() for atoms in frames])
    errors = (energies - structures.energies) / structures.atoms_per_structure
    np.testing.assert_allclose(found.value, (weights.energy * errors**2).sum(), rtol=1e-12)


def test_loss__a_given_vector_counts_instead_of_the_stored_coefficients():
    potential = random_potential(2)
    loss = random_loss(potential, ALL_TERMS)
    x = loss.layout.vector() * 0.9
    one, two = loss(x), random_loss(with_parameters(potential, x), ALL_TERMS)(x)
    assert one.value == two.value
    np.testing.assert_array_equal(one.gradient, two.gradient)


def test_loss__without_gradient_has_the_same_value():
    loss = random_loss(random_potential(2), ALL_TERMS)
    x = loss.layout.vector()
    quick, full = loss(x, with_gradient=False), loss(x)
    assert quick.gradient is None
    assert quick.value == full.value
    assert quick.terms == full.terms


@pytest.mark.parametrize("mode", ["distance", "zbl"])
def test_loss__does_not_depend_on_the_number_of_threads(mode):
    potential = random_potential(2, mode=mode)
    results = []
    for threads in (1, 2, 3, 2):
        loss = random_loss(potential, ALL_TERMS, threads=threads)
        results.append(loss(loss.layout.vector()))
    for result in results[1:]:
        assert result.value == results[0].value
        np.testing.assert_array_equal(result.gradient, results[0].gradient)
        np.testing.assert_array_equal(result.energies, results[0].energies)
        np.testing.assert_array_equal(result.forces, results[0].forces)


def test_loss__repeated_evaluation_is_bitwise_the_same():
    loss = random_loss(random_potential(2), ALL_TERMS)
    x = loss.layout.vector()
    first = loss(x)
    loss(0.5 * x)
    second = loss(x)
    assert second.value == first.value
    np.testing.assert_array_equal(second.gradient, first.gradient)


def test_loss__adds_up_over_parts_of_the_data():
    potential = random_potential(1)
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff)
    weights, settings = random_weights(structures), LossSettings(kappa=0.3, kappa_stress=1.0)
    x = parameter_vector(potential)
    whole = Loss(potential, structures, neighbors, weights, settings)(x)
    parts = []
    for chosen in (np.arange(4), np.arange(4, structures.n_structures)):
        part = structures.select(chosen)
        selected = weights.select(chosen, structures)
        parts.append(Loss(potential, part, neighbors.select(chosen), selected, settings)(x))
    np.testing.assert_allclose(sum(p.value for p in parts), whole.value, rtol=1e-13)
    gradient = parts[0].gradient + parts[1].gradient
    np.testing.assert_allclose(gradient, whole.gradient, rtol=0, atol=1e-12 * np.abs(whole.gradient).max())


def test_loss__without_structures_is_the_regularisation():
    potential = random_potential(1)
    structures, neighbors = prepared([], potential.cutoff)
    nothing = Weights(np.zeros(0), np.zeros(0), np.zeros(0))
    loss = Loss(potential, structures, neighbors, nothing, LossSettings(kappa=0.3, l2=1.0))
    found = loss(loss.layout.vector())
    coefficients = loss.layout.vector()[loss.layout.n_radial :]
    np.testing.assert_allclose(found.value, coefficients @ coefficients, rtol=1e-14)
    np.testing.assert_allclose(found.gradient[loss.layout.n_radial :], 2 * coefficients, rtol=1e-14)


def test_loss__stress_term_is_off_by_default():
    assert LossSettings().kappa_stress == 0.0
    loss = random_loss(random_potential(1), LossSettings(kappa=0.5))
    assert loss(loss.layout.vector()).terms["stress"] == 0.0


def test_n_parameters__is_the_length_of_the_vector():
    loss = random_loss(random_potential(2), LossSettings())
    assert loss.n_parameters == len(loss.layout.vector())


def test_gradient__bonds_without_data_have_zero_gradient():
    potential = random_potential(2)
    frames = [atoms for atoms in random_structures(("Al",)) if len(atoms) > 1]
    structures, neighbors = prepared(frames, potential.cutoff)
    loss = Loss(potential, structures, neighbors, random_weights(structures), LossSettings(kappa=0.5))
    x = loss.layout.vector()
    gradient = loss(x).gradient
    for pair, part in loss.layout.bond_slices.items():
        assert gradient[part].any() == (pair == ("Al", "Al"))
    assert np.isfinite(gradient).all()
