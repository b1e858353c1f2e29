import re
from dataclasses import replace

import pytest

from acefit.errors import PotentialError
from acefit.potential.bbasis import read_potential
from acefit.potential.checks import (
    check_bond,
    check_element,
    check_embedding,
    check_function,
    check_potential,
    check_reach,
    doubts,
)
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


SOUND = {"radbase": "SBessel", "core_repulsion": (0.0, 0.0), "rcut_in": 0.0, "dcut_in": 0.0, "inner_cutoff_type": "distance"}


def sound(potential, **bond_settings):
    """The potential with a smooth embedding, and bonds about which nothing is to be said but for the settings."""
    embeddings = {e: replace(old, npot="FinnisSinclairShiftedScaled") for e, old in potential.embeddings.items()}
    bonds = {pair: replace(bond, **SOUND | bond_settings) for pair, bond in potential.bonds.items()}
    return replace(potential, embeddings=embeddings, bonds=bonds)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"radbase": "ChebLinear"}, "bond Cu-O: ChebLinear does not vanish at the cutoff"),
        ({"inner_cutoff_type": "density", "rcut_in": 1.5, "dcut_in": 0.1}, "bond Cu-O: .* end abruptly at r_in - delta_in"),
        ({"inner_cutoff_type": "zbl", "rcut_in": 1.5}, "bond Cu-O: zbl without delta_in switches in one step"),
        ({"core_repulsion": (10.0, 1.0)}, "its errors may be larger than its fit reported, because of core repulsion"),
        ({"radbase": "ChebExpCos", "dcut": 0.5}, "because of ChebExpCos with dcut above 0.1"),
    ],
)
def test_doubts__tell_what_its_maker_may_not_know(potential, settings, words):
    assert list(doubts(sound(potential))) == []
    assert re.search(words, "\n".join(doubts(sound(potential, **settings))))


def test_doubts__about_the_trained_model_do_not_concern_own_fits(potential):
    (doubt,) = doubts(replace(sound(potential), embeddings=potential.embeddings))
    assert "because of FinnisSinclair with an exponent other than 1" in doubt
    assert list(doubts(replace(sound(potential), embeddings=potential.embeddings).with_metadata(acefit_version="1.0"))) == []
    linear = {e: replace(old, parameters=(1.0, 1.0)) for e, old in potential.embeddings.items()}
    assert list(doubts(replace(sound(potential), embeddings=linear))) == []
