import numpy as np

from acefit.potential.bbasis import read_potential
from acefit.potential.model import Block, Function
from acefit.potential.shapes import Shape, delta_crad, needed_by_block_rule, needed_by_slots, resize_bond, shape_of
from bases import TWO_ELEMENTS

FIRST = Function(("Al", "Ni"), (7,), (0,), (), (0.0,))
THIRD = Function(("Al", "Al", "Ni", "Ni"), (4, 1, 2), (1, 2, 3), (3,), (0.0,))


def test_needed_by_slots__counts_every_slot_for_its_bond():
    assert needed_by_slots([FIRST, THIRD]) == {("Al", "Al"): (4, 1, 0), ("Al", "Ni"): (2, 3, 7)}


def test_needed_by_block_rule__counts_every_slot_for_the_bond_of_the_block():
    mirror = Block(("Ni", "Al"), (Function(("Ni", "Al"), (9,), (0,), (), (0.0,)),))
    other = Block(("Al", "Cu", "Ni"), (FIRST,))
    tall = THIRD._replace(ns=(9, 9, 9), skip=True)
    assert needed_by_block_rule([Block(("Al", "Ni"), (FIRST, THIRD, tall)), mirror, other]) == {("Al", "Ni"): (4, 3, 9)}


def test_needed_by_block_rule__counts_half_of_an_intermediate_momentum():
    function = Function(("Al", "Ni") + ("Ni",) * 3, (1,) * 4, (1, 1, 1, 1), (5, 5), (0.0,))
    assert needed_by_block_rule([Block(("Al", "Ni"), (function,))]) == {("Al", "Ni"): (1, 3, 0)}


def test_delta_crad__is_one_where_n_equals_k():
    np.testing.assert_array_equal(delta_crad(Shape(2, 1, 3)), [[[1, 0, 0]] * 2, [[0, 1, 0]] * 2])
    assert delta_crad(Shape()).shape == (0, 1, 0)


def test_resize_bond__keeps_the_common_part():
    bond = read_potential(TWO_ELEMENTS).bonds["Cu", "Cu"]
    assert resize_bond(bond, shape_of(bond)) is bond
    grown = resize_bond(bond, Shape(4, 3, 5))
    np.testing.assert_array_equal(grown.crad[:2, :3, :3], bond.crad)
    assert grown.crad[3, 0, 3] == grown.crad[1, 3, 1] == 1.0
    assert grown.crad[0, 0, 3] == 0.0
    assert not resize_bond(bond, Shape(4, 3, 5), delta=False).crad[2:].any()
    np.testing.assert_array_equal(resize_bond(bond, Shape(1, 0, 2)).crad, bond.crad[:1, :1, :2])
