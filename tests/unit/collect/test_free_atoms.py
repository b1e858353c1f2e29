import pytest

from acefit.collect.free_atoms import FreeAtoms, parse_free_atoms
from acefit.errors import DataError


def test_parse_free_atoms__takes_words_in_any_form():
    assert parse_free_atoms(["Al:-0.1 Cu:auto"]) == parse_free_atoms(["Al:-0.1", "Cu:auto"]) == {"Al": -0.1, "Cu": "auto"}
    assert parse_free_atoms(["auto"]) == {"": "auto"}


@pytest.mark.parametrize("word", ["Xx:1", "Al", "Al:", "Al:nan", "Al:x", "-0.1", "Al:1 Al:2"])
def test_parse_free_atoms__refuses_what_is_none(word):
    with pytest.raises(DataError, match="free atom"):
        parse_free_atoms([word])


def test_references__the_largest_box_counts():
    atoms = FreeAtoms()
    atoms.note("Al", 400.0, -5.0, "dense")
    atoms.note("Al", 600.0, -0.2, "small box")
    atoms.note("Al", 1000.0, -0.3, "large box")
    references, origins = atoms.references({"": "auto", "Ni": -0.7}, ["Al", "Ni"])
    assert references.energies == {"Al": -0.3, "Ni": -0.7}
    assert origins == {"Al": "large box", "Ni": "given"}


def test_references__no_atom_is_an_error():
    atoms = FreeAtoms()
    atoms.note("Al", 400.0, -5.0, "dense")
    with pytest.raises(DataError, match="no calculation of a single atom of Al"):
        atoms.references({"": "auto"}, ["Al"])
    with pytest.raises(DataError, match="no energy of a free atom is given for Ni"):
        atoms.references({"Al": 0.0}, ["Al", "Ni"])
