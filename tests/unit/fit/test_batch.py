import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.errors import DataError
from acefit.evaluation.predict import predict_compiled
from acefit.fit.batch import N_SHARES, build_batch, build_targets
from gradients import random_weights
from models import prepared, random_potential, random_structures


@pytest.fixture(scope="module")
def frames():
    return random_structures(("Al",))


def without(frames, key):
    """Structures whose first member lacks one kind of reference value."""
    copies = [atoms.copy() for atoms in frames]
    for copy, atoms in zip(copies, frames, strict=True):
        copy.calc = type(atoms.calc)(copy, **atoms.calc.results)
    del copies[0].calc.results[key]
    return StructureSet.from_ase(copies)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("energy", "1 structures have a weight but no reference value"),
        ("forces", "4 atoms have a weight but no reference value"),
        ("stress", r"1 structures \(stress\) have a weight but no reference value"),
    ],
)
def test_build_targets__a_weight_needs_a_reference_value(frames, key, message):
    structures = without(frames, key)
    ones = Weights(
        np.ones(structures.n_structures), np.ones(structures.n_atoms), random_weights(StructureSet.from_ase(frames)).stress
    )
    with pytest.raises(DataError, match=message):
        build_targets(structures, ones, (0.5, 0.5, 1.0))


@pytest.mark.parametrize("key", ["energy", "forces", "stress"])
def test_build_targets__missing_values_without_weight_are_fine(frames, key):
    structures = without(frames, key)
    weights = random_weights(StructureSet.from_ase(frames))
    weights.energy[0] = weights.force[:4] = weights.stress[0] = 0.0
    compiled = compile_potential(random_potential(1))
    batch = build_batch(compiled, structures, prepared(frames, 4.6)[1], weights, (0.5, 0.5, 1.0))
    found = batch.evaluate(compiled.layout.vector())
    assert np.isfinite(found.parts).all()
    assert np.isfinite(found.gradient).all()


def test_build_targets__stresses_do_not_matter_where_their_term_is_off(frames):
    structures = without(frames, "stress")
    weights = Weights(np.ones(structures.n_structures), np.ones(structures.n_atoms), np.ones(structures.n_structures))
    assert not build_targets(structures, weights, (0.5, 0.5, 0.0)).stress_weight.any()


def test_build_targets__stresses_do_not_matter_without_a_cell(frames):
    atoms = frames[0].copy()
    atoms.calc = type(frames[0].calc)(atoms, **frames[0].calc.results)
    atoms.set_cell(np.zeros((3, 3)))
    atoms.pbc = False
    structures = StructureSet.from_ase([atoms])
    weights = Weights(np.ones(1), np.ones(structures.n_atoms), np.ones(1))
    compiled = compile_potential(random_potential(1))
    batch = build_batch(compiled, structures, prepared(atoms, 4.6)[1], weights, (0.5, 0.5, 1.0))
    found = batch.evaluate(compiled.layout.vector())
    assert structures.has_stress.all()
    assert found.parts[2] == 0.0
    assert np.isnan(found.stresses).all()
    assert np.isfinite(found.gradient).all()


def test_evaluate__equals_the_prediction(frames):
    compiled = compile_potential(random_potential(1))
    structures, neighbors = prepared(frames, compiled.potential.cutoff)
    batch = build_batch(compiled, structures, neighbors, random_weights(structures), (0.5, 0.5, 1.0))
    x = compiled.layout.vector()
    found, expected = batch.evaluate(x), predict_compiled(compiled, x, structures, neighbors)
    np.testing.assert_allclose(found.energies, expected.energies, rtol=1e-13)
    np.testing.assert_allclose(found.forces, expected.forces, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.stresses, expected.stresses, rtol=0, atol=1e-13)
    assert batch.evaluate(x, with_gradient=False).gradient is None


def test_evaluate__many_blocks_in_few_shares_and_do_not_depend_on_threads():
    compiled = compile_potential(random_potential(1))
    frames = [atoms for seed in range(15) for atoms in random_structures(("Al",), seed)]
    structures, neighbors = prepared(frames, compiled.potential.cutoff)
    assert structures.n_structures > N_SHARES
    x, weights = compiled.layout.vector(), random_weights(structures)
    few = build_batch(compiled, structures, neighbors, weights, (0.5, 0.5, 1.0), 1).evaluate(x)
    found = []
    for threads in (1, 2, 3):
        batch = build_batch(compiled, structures, neighbors, weights, (0.5, 0.5, 1.0), threads, n_blocks=10**6)
        assert batch.n_blocks == structures.n_structures
        found.append(batch.evaluate(x))
    for result in found:
        np.testing.assert_array_equal(result.gradient, found[0].gradient)
        np.testing.assert_array_equal(result.parts, found[0].parts)
        np.testing.assert_allclose(result.gradient, few.gradient, rtol=0, atol=1e-12 * np.abs(few.gradient).max())
        np.testing.assert_allclose(result.forces, few.forces, rtol=0, atol=1e-13)


def test_evaluate_blocks__add_up_to_the_whole(frames):
    compiled = compile_potential(random_potential(1))
    structures, neighbors = prepared(frames, compiled.potential.cutoff)
    batch = build_batch(compiled, structures, neighbors, random_weights(structures), (0.5, 0.5, 1.0), n_blocks=5)
    x = compiled.layout.vector()
    whole = batch.evaluate(x)
    parts, gradients = zip(*(batch.evaluate_blocks(x, blocks) for blocks in (np.array([1, 4]), np.array([0, 2, 3]))), strict=True)
    np.testing.assert_allclose(sum(parts), whole.parts, rtol=1e-13)
    np.testing.assert_allclose(sum(gradients), whole.gradient, rtol=0, atol=1e-12 * np.abs(whole.gradient).max())


def test_build_batch__unknown_elements_and_coinciding_atoms_are_errors(frames):
    compiled = compile_potential(random_potential(1))
    structures, neighbors = prepared(random_structures(("Cu",)), 4.6)
    with pytest.raises(DataError, match="elements Cu are not in the potential"):
        build_batch(compiled, structures, neighbors, random_weights(structures), (1.0, 0.0, 0.0))
    twice = frames[0].copy()
    twice.positions[1] = twice.positions[0]
    structures, neighbors = prepared(twice, 4.6)
    weights = Weights(np.zeros(1), np.zeros(len(twice)), np.zeros(1))
    with pytest.raises(DataError, match=r"two atoms are 0 A apart"):
        build_batch(compiled, structures, neighbors, weights, (1.0, 0.0, 0.0))
