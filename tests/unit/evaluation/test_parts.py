import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.evaluation import parts
from acefit.evaluation.grouping import N_BLOCKS, blocks_of_structures
from acefit.evaluation.parts import plan_parts
from acefit.evaluation.predict import build_prediction_layout, predict, predict_layout
from models import prepared, random_potential, random_structures


def sizes(n, most_pairs=4000, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, most_pairs, n), generator.integers(1, 100, n)


def test_plan_parts__a_small_set_is_one_part_with_the_usual_blocks():
    structures, neighbors = prepared(random_structures(("Al", "Cu")), 5.0)
    counts = np.diff(neighbors.offsets)
    (part,) = plan_parts(np.diff(neighbors.offsets[structures.offsets]), structures.atoms_per_structure)
    assert (part.first, part.last) == (0, structures.n_structures)
    np.testing.assert_array_equal(part.blocks, blocks_of_structures(counts, structures, None))


def test_plan_parts__parts_of_a_large_set_are_of_limited_size_and_cover_it():
    pairs, atoms = sizes(5000)
    found = plan_parts(pairs, atoms)
    assert [part.first for part in found] == [0, *(part.last for part in found[:-1])]
    assert found[-1].last == 5000
    assert len(found) > 1
    for part in found:
        assert len(part.blocks) <= N_BLOCKS + 1
        assert (part.blocks[0], part.blocks[-1]) == (0, part.last - part.first)
        assert pairs[part.first : part.last].sum() <= N_BLOCKS * parts.BLOCK_COST + pairs.max()


def test_plan_parts__blocks_do_not_depend_on_how_many_are_evaluated_at_once(monkeypatch):
    whole = plan_parts(*sizes(700))
    monkeypatch.setattr(parts, "BLOCKS_AT_ONCE", 3)
    divided = plan_parts(*sizes(700))
    assert len(divided) > len(whole)
    bounds = [sorted({int(part.first + b) for part in found for b in part.blocks}) for found in (whole, divided)]
    assert bounds[0] == bounds[1]


def test_plan_parts__few_large_structures_are_parts_of_their_own_where_they_are_too_large_together():
    assert [part[:2] for part in plan_parts(np.array([10, 20]), np.array([300, 300]))] == [(0, 2)]
    large = N_BLOCKS * parts.BLOCK_COST
    found = plan_parts(np.array([large, 5, 5, 2 * large]), np.array([300, 20, 20, 300]))
    assert [part[:2] for part in found] == [(0, 1), (1, 3), (3, 4)]
    assert all(part.blocks is None for part in found)


@pytest.mark.parametrize("at_once", [1, 2])
def test_plan_parts__predictions_of_parts_are_bitwise_those_of_the_set(monkeypatch, at_once):
    for name, value in {"LEAST_ATOMS": 1, "BLOCKS_AT_ONCE": at_once}.items():
        monkeypatch.setattr(parts, name, value)
    monkeypatch.setattr("acefit.evaluation.grouping.LEAST_ATOMS", 1)
    potential = random_potential(2)
    structures, neighbors = prepared(random_structures(("Al", "Cu")), potential.cutoff)
    compiled = compile_potential(potential)
    coefficients, whole = compiled.coefficients(compiled.layout.vector()), predict(potential, structures, neighbors)
    plan = plan_parts(np.diff(neighbors.offsets[structures.offsets]), structures.atoms_per_structure)
    assert len(plan) > 2
    for part in plan:
        rows = np.arange(part.first, part.last)
        some, pairs = structures.select(rows), neighbors.select(rows)
        layout = build_prediction_layout(compiled, some, pairs, blocks=part.blocks)
        found = predict_layout(compiled, coefficients, some, layout)
        atoms = slice(structures.offsets[part.first], structures.offsets[part.last])
        np.testing.assert_array_equal(found.energies, whole.energies[rows])
        np.testing.assert_array_equal(found.stresses, whole.stresses[rows])
        np.testing.assert_array_equal(found.forces, whole.forces[atoms])
        np.testing.assert_array_equal(found.atomic_energies, whole.atomic_energies[atoms])


def test_plan_parts__without_structures_has_no_part():
    empty = np.zeros(0, dtype=np.int64)
    assert plan_parts(empty, empty) == []
