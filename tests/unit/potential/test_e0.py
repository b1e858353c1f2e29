import json

import numpy as np
import pytest

from acefit.data.references import Composition, References
from acefit.data.structures import StructureSet
from acefit.errors import PotentialError
from acefit.potential.e0 import e0_of_references, parse_e0, stored_e0
from models import random_potential, random_structures


def test_e0_of_references__gives_back_the_total_energy():
    """What the dataset stage subtracts is what E0 adds, shift included."""
    references = References({"Al": -1.5, "Ni": -0.7}, 0.1, "map")
    structures = StructureSet.from_ase(random_structures(("Al", "Ni")))
    total = np.linspace(-3.0, 5.0, structures.n_structures)
    fitted = references.correct(Composition.of(structures), total)
    e0 = e0_of_references(json.loads(references.to_json()), ("Al", "Ni"))
    assert e0 == {"Al": pytest.approx(-1.6), "Ni": pytest.approx(-0.8)}
    symbols = np.where(structures.numbers == 13, e0["Al"], e0["Ni"])
    added = np.add.reduceat(symbols, structures.offsets[:-1])
    np.testing.assert_allclose(fitted + added, total, atol=1e-12)


def test_e0_of_references__absent_elements_count_as_zero():
    assert e0_of_references({"Al": -1.0, "shift": 0.5}, ("Al", "Cu")) == {"Al": -1.5, "Cu": -0.5}


@pytest.mark.parametrize("value", ["x", None, True, float("nan"), float("inf"), [1]])
def test_e0_of_references__needs_numbers(value):
    with pytest.raises(PotentialError, match="the value of Al must be a number of eV"):
        e0_of_references({"Al": value}, ("Al",))


def test_stored_e0__comes_from_the_metadata():
    potential = random_potential(2).with_metadata(reference_energy='{"Al": -1.0, "Cu": 2.0, "shift": 0.25}')
    assert stored_e0(potential) == {"Al": -1.25, "Cu": 1.75}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "a.yaml: there is no reference_energy"),
        ("{", "is not JSON"),
        ("[" * 100000, "is not JSON"),
        ("[1]", "must be a map"),
    ],
)
def test_stored_e0__refuses(text, message):
    potential = random_potential(1)
    potential = potential if text is None else potential.with_metadata(reference_energy=text)
    with pytest.raises(PotentialError, match=message):
        stored_e0(potential, "a.yaml")


def test_parse_e0__reads_one_energy_for_every_element():
    assert parse_e0("Ni=-0.8, Al = -1.2e0", ("Al", "Ni")) == {"Al": -1.2, "Ni": -0.8}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Al=-1", "exactly the elements Al, Ni, got Al"),
        ("Al=1,Ni=2,Cu=3", "exactly the elements"),
        ("Al,Ni=2", "'Al' is not an element with an energy"),
        ("Al=nan,Ni=1", "must be a number of eV"),
    ],
)
def test_parse_e0__refuses(text, message):
    with pytest.raises(PotentialError, match=message):
        parse_e0(text, ("Al", "Ni"))
