from dataclasses import replace

import pytest

from acefit.errors import PotentialError
from acefit.potential.bbasis import read_potential
from acefit.potential.checks import check_bond, check_element, check_embedding, check_function, check_potential, check_reach
from acefit.potential.model import Function
from bases import TWO_ELEMENTS


@pytest.fixture
def potential():
    return read_potential(TWO_ELEMENTS)


def test_check_potential__accepts_a_good_one_and_names_the_block_of_a_bad_one(potential):
    check_potential(potential, "file")
    bonds = {**potential.bonds, ("Cu", "O"): replace(potential.bonds["Cu", "O"], rcut=0.0)}
    with pytest.raises(PotentialError, match="file: block `Cu O`: the outer cutoff must be positive"):
        check_potential(replace(potential, bonds=bonds), "file")


def test_check_potential__does_not_apply_the_reach_to_skipped_functions(potential):
    far = Function(("O", "O"), (9,), (0,), (), (0.0,))
    blocks = list(potential.blocks)
    blocks[1] = replace(blocks[1], functions=(far._replace(skip=True),))
    check_potential(replace(potential, blocks=tuple(blocks)), "file")
    blocks[1] = replace(blocks[1], functions=(far,))
    with pytest.raises(PotentialError, match="block `O`, function 1: nr 9 exceeds nradbaseij"):
        check_potential(replace(potential, blocks=tuple(blocks)), "file")


def test_check_element__wants_a_symbol():
    check_element("Al", "here")
    with pytest.raises(PotentialError, match="here: 'AL' is not an element symbol"):
        check_element("AL", "here")


def test_check_bond__accepts_placeholders(potential):
    check_bond(replace(potential.bonds["O", "O"], radbase="TEST_zero"), "here")
    with pytest.raises(PotentialError, match="unknown radial basis"):
        check_bond(replace(potential.bonds["O", "O"], radbase="zero"), "here")


def test_check_embedding__wants_a_known_name(potential):
    with pytest.raises(PotentialError, match="unknown embedding 'x'; possible are FinnisSinclair"):
        check_embedding(replace(potential.embeddings["O"], npot="x"), "here")


@pytest.mark.parametrize(
    ("ls", "lint"),
    [((0,), ()), ((2, 2), ()), ((1, 1, 2), (2,)), ((1, 1, 1, 1), (2, 2)), ((1, 1, 1, 1, 2), (0, 2, 2)), ((1,) * 6, (0, 1, 1, 1))],
)
def test_check_function__accepts_every_order(ls, lint):
    check_function(Function(("Al",) * (len(ls) + 1), (1,) * len(ls), ls, lint, (0.0,)), "here")


def test_check_function__uses_the_rule_of_the_tree_beyond_order_six():
    seventh = Function(("Al",) * 8, (1,) * 7, (1, 1, 1, 1, 1, 1, 0), (0, 0, 0, 0, 0), (0.0,))
    check_function(seventh, "here")
    with pytest.raises(PotentialError, match="does not reach total momentum 0"):
        check_function(seventh._replace(lint=(0, 0, 2, 0, 2)), "here")


def test_check_reach__names_the_missing_bond(potential):
    function = Function(("Cu", "O"), (1,), (0,), (), (0.0, 0.0))
    without = replace(potential, bonds={pair: bond for pair, bond in potential.bonds.items() if pair != ("Cu", "O")})
    with pytest.raises(PotentialError, match="the pair Cu-O has no bond"):
        check_reach(function, without, "here")
