import pickle
from dataclasses import replace

import numpy as np
import pytest

from acefit.errors import PotentialError
from acefit.potential.bbasis import format_potential, read_potential
from acefit.potential.model import Block, Bond, Embedding, Function, Potential, e0_entries, pair_key
from bases import TWO_ELEMENTS
from models import random_potential


def bond(crad):
    return Bond("SBessel", (5.25,), 5.0, 0.01, crad)


def test_function__knows_its_order_and_identity():
    function = Function(("Al", "Al", "Ni"), (2, 1), (1, 1), (), (0.5,))
    assert function.order == 2
    assert function.identity == function._replace(coeffs=(1.0,), skip=True).identity
    assert function.identity != function._replace(ns=(1, 2)).identity


def test_embedding__counts_densities():
    assert Embedding("FinnisSinclair", (1.0, 1.0, 1.0, 0.5)).ndensity == 2


def test_bond__copies_and_freezes_its_coefficients():
    crad = np.ones((3, 2, 4))
    frozen = bond(crad)
    crad[:] = 0
    assert (frozen.n_max, frozen.l_max, frozen.k_max) == (3, 1, 4)
    assert frozen.crad.all()
    with pytest.raises(ValueError, match="read-only"):
        frozen.crad[0, 0, 0] = 2


def test_bond__wants_three_axes():
    with pytest.raises(PotentialError, match=r"must have three axes \(n, l, k\), got shape \(3, 2\)"):
        bond(np.ones((3, 2)))


def test_block__counts_distinct_elements():
    assert Block(("Al", "Cu", "Ni")).arity == 3


def test_pair_key__is_the_same_in_both_orders():
    assert pair_key("Ni", "Al") == pair_key("Al", "Ni") == ("Al", "Ni")


def test_potential__gives_cutoff_bonds_and_functions():
    potential = read_potential(TWO_ELEMENTS)
    assert potential.cutoff == 5.5
    assert potential.bond("O", "Cu") is potential.bonds["Cu", "O"]
    assert potential.bond("O", "Ni") is None
    assert len(list(potential.functions())) == potential.n_functions == 11
    assert Potential(("Al",), {}, {}, ()).cutoff == 0.0


def test_with_metadata__adds_and_replaces():
    potential = Potential(("Al",), {}, {}, (), metadata={"a": "1", "b": "2"})
    assert potential.with_metadata(b="3", c="4").metadata == {"a": "1", "b": "3", "c": "4"}
    assert potential.metadata == {"a": "1", "b": "2"}


def test_potential__is_complete_after_pickling():
    potential = read_potential(TWO_ELEMENTS)
    copy = pickle.loads(pickle.dumps(potential))
    assert format_potential(copy, canonical=False) == format_potential(potential, canonical=False)
    bond = copy.bonds["Cu", "O"]
    assert (bond.rcut_in, bond.dcut_in, bond.inner_cutoff_type) == (1.75, 0.2, "distance")


def test_potential__keeps_e0_in_its_auxdata():
    potential = replace(random_potential(2), auxdata={"_double": {"mine": 1.0}, "_int": {"n": 2}})
    assert potential.e0 == {}
    with_e0 = potential.with_e0({"Al": -1.5})
    assert with_e0.e0 == {"Al": -1.5}
    assert with_e0.auxdata == {"_double": {"mine": 1.0, "E0_Al": -1.5}, "_int": {"n": 2}}
    assert with_e0.with_e0({"Cu": 2.0}).e0 == {"Cu": 2.0}
    assert with_e0.with_e0({}).auxdata == potential.auxdata
    assert random_potential(1).with_e0({}).auxdata == {}
    assert e0_entries({}) == {}
