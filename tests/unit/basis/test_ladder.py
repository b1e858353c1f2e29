from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from acefit.basis.expansion import build_target
from acefit.basis.ladder import (
    body_order,
    build_plan,
    choose_functions,
    empty_basis,
    extend,
    ladder_key,
    missing_functions,
    needed_shapes,
    power_order,
    step_size,
    unused_settings,
)
from acefit.errors import ConfigError
from acefit.potential.bbasis import format_potential, parse_potential
from acefit.potential.model import Function
from acefit.potential.parameters import parameter_vector, with_parameters
from acefit.potential.shapes import shape_of
from bases import BONDS, section, shape

BOTH = {"ALL": shape([5, 2, 1], [0, 2, 1])}


@pytest.fixture(scope="module")
def target():
    return build_target(section("Al Ni", BOTH, bonds={"ALL": {**BONDS["ALL"], "core-repulsion": [10, 2]}}))


@pytest.mark.parametrize(
    ("ladder_step", "n_current", "n_remaining", "expected"),
    [
        (10, 0, 100, 10),
        (0.1, 0, 100, 1),
        (0.1, 57, 100, 6),
        ([10, 0.02], 600, 100, 12),
        (10, 95, 5, 5),
        (0.5, 7, 100, 4),
        (0.5, 5, 100, 2),
        (None, 7, 33, 33),
        ("1e1", 0, 100, 10),
    ],
)
def test_step_size__follows_the_rules(ladder_step, n_current, n_remaining, expected):
    assert step_size(ladder_step, n_current, n_remaining) == expected


@pytest.mark.parametrize("ladder_step", [0, -3, 2.5, "many", True, [10, -1]])
def test_step_size__refuses_what_is_neither_count_nor_fraction(ladder_step):
    with pytest.raises(ConfigError, match="ladder_step must be a positive integer or a fraction between 0 and 1"):
        step_size(ladder_step, 10, 10)


def test_step_size__refuses_an_empty_list():
    with pytest.raises(ConfigError, match="ladder_step is an empty list"):
        step_size([], 10, 10)


def test_sort_keys__are_those_of_the_ladder_types():
    function = Function(("Al", "Al", "Ni"), (2, 1), (1, 1), (), (0.0,))
    assert power_order(function) == 2 + 3 + 2
    assert body_order(function) == (2, (2, 1), (1, 1), (), ("Al", "Al", "Ni"))
    with pytest.raises(ConfigError, match="ladder_type must be one of body_order, power_order, got 'size'"):
        ladder_key("size")


def test_build_plan__takes_the_step_from_every_block(target):
    plan = build_plan(target, ladder_step=10)
    assert plan.start.n_functions == 0
    assert [step.potential.n_functions for step in plan.steps] == [40, 72, 92, 100]
    assert {len(functions) for functions in plan.steps[0].added.values()} == {10}


def test_build_plan__takes_the_step_from_all_blocks_together(target):
    plan = build_plan(target, ladder_step=30, ladder_type="power_order", mode="total")
    assert [step.potential.n_functions for step in plan.steps] == [30, 60, 90, 100]
    powers = [[power_order(f) for functions in step.added.values() for f in functions] for step in plan.steps]
    assert all(max(a) <= min(b) for a, b in pairwise(powers))


@pytest.mark.parametrize("ladder_type", ["power_order", "body_order"])
def test_build_plan__steps_are_loadable_and_grow(target, ladder_type):
    previous = set()
    for step in build_plan(target, ladder_step=[7, 0.3], ladder_type=ladder_type).steps:
        potential = parse_potential(format_potential(step.potential))
        identities = {f.identity for f in potential.functions()}
        assert previous < identities
        previous = identities
        needed = needed_shapes(step.potential.blocks)
        assert all(shape_of(bond) == needed[pair] for pair, bond in step.potential.bonds.items())
    assert previous == {f.identity for f in target.functions()}


def test_build_plan__earlier_steps_do_not_depend_on_later_ones(target):
    shorter = replace(
        target,
        blocks=tuple(replace(block, functions=tuple(sorted(block.functions, key=body_order)[:20])) for block in target.blocks),
    )
    long = build_plan(target, ladder_step=5, ladder_type="body_order").steps
    short = build_plan(shorter, ladder_step=5, ladder_type="body_order").steps
    assert len(short) < len(long)
    for a, b in zip(long, short[:-1], strict=False):
        assert format_potential(a.potential) == format_potential(b.potential)


def test_build_plan__without_ladder_is_the_target_in_one_step(target):
    plan = build_plan(target)
    assert len(plan.steps) == 1
    assert plan.start is target
    assert plan.steps[0].added == {}
    assert format_potential(plan.steps[0].potential) == format_potential(target)


def test_build_plan__always_has_a_step(target):
    plan = build_plan(target, initial=target, ladder_step=5)
    assert len(plan.steps) == 1
    assert plan.steps[0].potential.n_functions == target.n_functions


def test_build_plan__of_an_initial_potential_adds_everything_at_once(target):
    initial = build_plan(target, ladder_step=10).steps[0].potential
    plan = build_plan(target, initial=initial)
    assert len(plan.steps) == 1
    assert sum(map(len, plan.steps[0].added.values())) == 60


@pytest.mark.parametrize(
    ("options", "message"),
    [({"mode": "sum"}, "ladder_mode must be one of block, total"), ({"ladder_type": "size"}, "ladder_type must be one of")],
)
def test_build_plan__refuses_unknown_options(target, options, message):
    with pytest.raises(ConfigError, match=message):
        build_plan(target, **options)


def test_choose_functions__refuses_an_unknown_mode(target):
    with pytest.raises(ConfigError, match="ladder_mode must be one of"):
        choose_functions(missing_functions(empty_basis(target), target), 3, "body_order", "sum")


def test_extend__keeps_fitted_values_and_starts_new_ones(target):
    steps = build_plan(target, ladder_step=[10, 0.5], ladder_type="power_order").steps
    first = steps[0].potential
    rng = np.random.default_rng(1)
    fitted = with_parameters(first, rng.normal(size=parameter_vector(first).size))
    extended = extend(fitted, steps[1].potential)
    assert {f.identity for f in extended.functions()} == {f.identity for f in steps[1].potential.functions()}
    values = {f.identity: f.coeffs for f in fitted.functions()}
    assert all(f.coeffs == values.get(f.identity, (0.0, 0.0)) for f in extended.functions())
    for pair, bond in extended.bonds.items():
        n, l, k = fitted.bonds[pair].crad.shape
        np.testing.assert_array_equal(bond.crad[:n, :l, :k], fitted.bonds[pair].crad)
        assert bond.crad.shape == steps[1].potential.bonds[pair].crad.shape
        new = bond.crad.copy()
        new[:n, :l, :k] = 0
        assert set(np.unique(new)) <= {0.0, 1.0}


def test_extend__takes_the_core_from_the_target_only_where_functions_are_added(target):
    step = build_plan(target, ladder_step=10).steps[0].potential
    without = replace(step, bonds={pair: replace(bond, core_repulsion=(0.0, 0.0), rcut=4.0) for pair, bond in step.bonds.items()})
    added = {("Al",): tuple(missing_functions(without, target)["Al",])}
    extended = extend(without, target, added)
    assert extended.bonds["Al", "Al"].core_repulsion == (10.0, 2.0)
    assert extended.bonds["Al", "Ni"].core_repulsion == (0.0, 0.0)
    assert extended.bonds["Al", "Al"].rcut == 4.0


def test_extend__takes_core_cuts_but_not_the_embedding_from_the_target(target):
    step = build_plan(target, ladder_step=10).steps[0].potential
    old = {"Al": replace(step.embeddings["Al"], npot="FinnisSinclair", rho_core_cut=1.0), "Ni": step.embeddings["Ni"]}
    extended = extend(replace(step, embeddings=old), target)
    assert extended.embeddings["Al"].npot == "FinnisSinclair"
    assert extended.embeddings["Al"].rho_core_cut == target.embeddings["Al"].rho_core_cut


def test_extend__keeps_what_only_the_current_potential_has_and_never_shrinks(target):
    small = build_target(section("Al Ni", {"UNARY": shape([2], [0])}))
    extended = extend(target, small)
    assert extended.n_functions == target.n_functions
    assert all(shape_of(extended.bonds[pair]) == shape_of(bond) for pair, bond in target.bonds.items())


def test_extend__adds_elements_blocks_and_bonds_of_the_target(target):
    alone = build_target(section("Al", {"UNARY": shape([2, 1], [0, 1])}))
    extended = extend(alone, target)
    assert extended.elements == ("Al", "Ni")
    assert {block.elements for block in extended.blocks} == {block.elements for block in target.blocks}
    assert parse_potential(format_potential(extended)).n_functions == target.n_functions


def test_build_plan__ends_with_the_explicit_sizes_of_the_target():
    bonds = {"ALL": {**BONDS["ALL"], "nradbase": 7, "nradmax": 3, "lmax": 3}}
    target = build_target(section("Cu", {"ALL": shape([4, 2], [0, 1])}, bonds=bonds))
    last = build_plan(target, ladder_step=4).steps[-1].potential
    assert shape_of(last.bonds["Cu", "Cu"]) == (3, 3, 7)


def test_unused_settings__are_those_that_an_initial_potential_keeps(target):
    initial = build_plan(target, ladder_step=10).steps[0].potential
    assert list(unused_settings(target, build_plan(target, initial, ladder_step=10))) == []
    old = {**initial.embeddings, "Ni": replace(initial.embeddings["Ni"], npot="FinnisSinclair")}
    bonds = {**initial.bonds, ("Al", "Ni"): replace(initial.bonds["Al", "Ni"], rcut=4.0)}
    plan = build_plan(target, replace(initial, bonds=bonds, embeddings=old), ladder_step=10)
    assert list(unused_settings(target, plan)) == [
        "bond Al-Ni: rcut stays 4.0 of the initial potential; 5.0 is not used",
        "embedding of Ni: npot stays FinnisSinclair of the initial potential; FinnisSinclairShiftedScaled is not used",
    ]
