"""Automatic core repulsion."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import PotentialError
from acefit.evaluation.predict import predict
from acefit.fit.repulsion import shortest_distances, with_automatic_repulsion
from models import random_potential


def prepared(*frames):
    structures = StructureSet.from_ase(list(frames))
    return structures, build(structures, 6.0)


def test_shortest_distances__are_assigned_by_symbol_even_if_elements_are_missing():
    # the data lack Al, the first element of the potential: numbers counted among the data would be off by one
    potential = random_potential(3)
    structures, neighbors = prepared(
        Atoms("Ni2", [[0, 0, 0], [0, 0, 2.5]]), Atoms("CuNi", [[0, 0, 0], [0, 0, 2.3]]), Atoms("NiCu", [[0, 0, 0], [0, 0, 2.2]])
    )
    found = shortest_distances(potential, structures, neighbors)
    assert found == {("Ni", "Ni"): 2.5, ("Cu", "Ni"): 2.2}


def test_shortest_distances__count_only_within_the_cutoff_of_the_bond():
    potential = random_potential(1)
    structures, neighbors = prepared(Atoms("Al2", [[0, 0, 0], [0, 0, 5.5]]))
    assert shortest_distances(potential, structures, neighbors) == {}


def test_with_automatic_repulsion__sets_all_bonds_and_core_cuts(caplog):
    potential = random_potential(2)
    with caplog.at_level(logging.INFO):
        found = with_automatic_repulsion(potential, {("Al", "Cu"): 2.2, ("Cu", "Cu"): 2.1})
    assert {bond.inner_cutoff_type for bond in found.bonds.values()} == {"zbl"}
    assert {(bond.core_repulsion, bond.dcut_in) for bond in found.bonds.values()} == {((1.0, 1.0), 0.1)}
    assert {(e.rho_core_cut, e.drho_core_cut) for e in found.embeddings.values()} == {(1.0, 1.0)}
    assert found.bonds["Al", "Cu"].rcut_in == 2.2
    assert found.bonds["Al", "Al"].rcut_in == pytest.approx(2 * covalent_radii[atomic_numbers["Al"]])
    assert "Al-Al never occurs within its cutoff" in caplog.text


def test_with_automatic_repulsion__leaves_training_structures_as_they_were():
    potential = random_potential(1, mode="distance", core=False)
    bonds = {pair: replace(bond, rcut_in=0.0, dcut_in=0.0) for pair, bond in potential.bonds.items()}
    potential = replace(potential, bonds=bonds)
    structures, neighbors = prepared(
        Atoms("Al3", [[0, 0, 0], [0, 0, 2.5], [0, 2.9, 0.4]]), Atoms("Al2", [[0, 0, 0], [0.3, 0.1, 2.4637]])
    )
    changed = with_automatic_repulsion(potential, shortest_distances(potential, structures, neighbors))
    before, after = predict(potential, structures, neighbors), predict(changed, structures, neighbors)
    # the shortest pair stands exactly at the edge of the transition, where value and slope are those of the ACE
    np.testing.assert_allclose(after.energies, before.energies, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(after.forces, before.forces, rtol=1e-9, atol=1e-11)
    closer, its_neighbors = prepared(Atoms("Al2", [[0, 0, 0], [0, 0, 1.5]]))
    assert predict(changed, closer, its_neighbors).energies[0] > 5.0


def test_with_automatic_repulsion__needs_an_outer_window():
    potential = random_potential(1)
    bonds = {pair: replace(bond, dcut=0.0) for pair, bond in potential.bonds.items()}
    with pytest.raises(PotentialError, match="needs dcut > 0 for the bond Al-Al"):
        with_automatic_repulsion(replace(potential, bonds=bonds), {})
