import numpy as np
import pytest

from acefit.errors import DataError
from acefit.evaluation.timing import CRYSTALS, TimingSettings, build_prototype, element_sets, measure_timings
from models import random_potential


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_build_prototype__has_enough_disordered_atoms_of_all_elements(crystal):
    atoms = build_prototype(crystal, ("Al", "Cu", "Ni"), 27, np.random.default_rng(1))
    assert len(atoms) >= 27
    assert set(atoms.symbols) == {"Al", "Cu", "Ni"}
    assert atoms.pbc.all()
    volume = atoms.get_volume() / len(atoms)
    assert 3.5**3 / 4 <= volume <= 4.5**3 / 2
    assert atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)].min() > 1.0


def test_element_sets__are_the_elements_and_their_mixture():
    assert element_sets(("Al",)) == [("Al",)]
    assert element_sets(("Al", "Ni")) == [("Al",), ("Ni",), ("Al", "Ni")]


def test_measure_timings__has_a_row_for_each_structure_and_set_of_elements():
    settings = TimingSettings(n_structures=2, repeats=2, n_atoms=4, crystals=("fcc", "sc"), threads=None)
    seen = []
    rows = measure_timings(random_potential(2), settings, watch=lambda items: seen.extend(items) or items)
    assert [(row.structure, row.elements) for row in rows] == [(c, e) for c in ("fcc", "sc") for e in ("Al", "Cu", "Al Cu")]
    assert len(seen) == 6
    for row in rows:
        assert row.microseconds > 0.0
        assert row.search > 0.0
        assert row.neighbors > 10
    again = measure_timings(random_potential(2), settings)
    assert [row.neighbors for row in again] == [row.neighbors for row in rows]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"repeats": 0}, "at least one structure, repeat"),
        ({"threads": 0}, "and thread"),
        ({"crystals": ("hexagonal",)}, "unknown type of structure hexagonal; there are fcc, bcc"),
        ({"crystals": ()}, r"unknown type of structure \(none\)"),
    ],
)
def test_settings__are_checked(settings, message):
    with pytest.raises(DataError, match=message):
        TimingSettings(**settings)
