import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.labels import Keys, as_numbers, find_keys, labels_of_atoms
from acefit.errors import DataError

NONE = {"energy": None, "forces": None, "stress": None}
KEYS = Keys("energy", "forces", "stress", "virial")


def atoms_with(info=None, arrays=None, **results):
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]], cell=[2, 4, 5], pbc=True, info=info or {})
    for name, values in (arrays or {}).items():
        atoms.set_array(name, np.array(values))
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def find(*atoms, **wanted):
    return find_keys([(a, {}) for a in atoms], {**NONE, **wanted}, "f.xyz")


def test_find_keys__prefers_reference_names_then_the_free_energy():
    assert find(atoms_with({"REF_energy": 1, "energy": 2})).energy == "REF_energy"
    assert find(atoms_with(energy=1.0, free_energy=2.0)).energy == "free_energy"
    assert find(atoms_with(energy=1.0)).energy == "energy"
    assert find(atoms_with(arrays={"force": np.zeros((2, 3))})).forces == "force"
    assert find(atoms_with()) == Keys(None, None, None, None)


def test_find_keys__takes_the_name_that_most_structures_have():
    assert find(atoms_with({"REF_energy": 1}), atoms_with(energy=1.0), atoms_with(energy=2.0)).energy == "energy"


def test_find_keys__a_given_name_is_the_only_one():
    assert find(atoms_with({"dft": 1}, energy=1.0), energy="dft").energy == "dft"
    assert find(atoms_with(energy=1.0), energy="auto").energy == "energy"
    with pytest.raises(DataError, match=r"f\.xyz: no structure has stress under the name 'sigma'; mend stress_key"):
        find(atoms_with(energy=1.0), stress="sigma")


def test_find_keys__a_frame_with_corrected_energies_needs_no_energy():
    assert find_keys([(atoms_with(), {"energy_corrected": 1.0})], {**NONE, "energy": "energy"}, "f").energy is None


def test_labels__come_from_columns_info_arrays_and_results_in_this_order():
    atoms = atoms_with({"energy": 2.0}, {"forces": np.ones((2, 3))}, energy=3.0, stress=np.arange(6.0))
    labels = labels_of_atoms(atoms, {"energy": np.array([1.0])}, KEYS)
    assert labels.energy == 1.0
    assert np.array_equal(labels.forces, np.ones((2, 3)))
    assert np.array_equal(labels.stress, np.arange(6.0))
    assert labels_of_atoms(atoms, {}, KEYS).energy == 2.0
    assert labels.problem is None


def test_labels__calculators_that_would_compute_are_not_asked():
    atoms = atoms_with()
    atoms.calc = EMT()
    assert np.isnan(labels_of_atoms(atoms, {}, KEYS).energy)


def test_labels__a_virial_becomes_minus_itself_over_the_volume():
    virial = np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]])
    labels = labels_of_atoms(atoms_with({"virial": virial}), {}, KEYS)
    assert labels.stress == pytest.approx(-np.array([1, 4, 6, 5, 3, 2]) / 40.0, rel=1e-14)


def test_labels__stress_wins_over_virial():
    labels = labels_of_atoms(atoms_with({"virial": np.eye(3), "stress": np.eye(3).ravel()}), {}, KEYS)
    assert np.array_equal(labels.stress, [1, 1, 1, 0, 0, 0])


def test_labels__weights_are_read_from_info_and_arrays():
    atoms = atoms_with({"w_energy": 2, "w_factor": 3}, {"w_forces": [[1], [2]], "w_forces_mask": [0, 1]})
    labels = labels_of_atoms(atoms, {}, KEYS)
    assert (labels.w_energy, labels.w_factor) == (2.0, 3.0)
    assert labels.w_forces.tolist() == [1, 2]
    assert labels.w_forces_mask.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"energy": "low"}, r"energy \(energy\) is not made of numbers"),
        ({"energy": [1.0, 2.0]}, r"energy \(energy\) has shape \(2,\)"),
        ({"forces": np.zeros((3, 3))}, r"forces \(forces\) has shape \(3, 3\) where \(2, 3\)"),
        ({"forces": np.zeros((3, 2))}, r"forces \(forces\) has shape \(3, 2\) where \(2, 3\)"),
        ({"w_forces": [1.0]}, r"weights of atoms \(w_forces\) has shape \(1,\)"),
        ({"w_energy": -1.0}, r"weights \(w_energy\) are negative"),
        ({"stress": "high"}, "stress is not made of numbers"),
        ({"stress": np.zeros(5)}, r"stress has shape \(5,\)"),
        ({"stress": np.arange(9.0)}, "stress is not symmetric"),
    ],
)
def test_labels__describe_what_is_wrong(columns, message):
    labels = labels_of_atoms(atoms_with(), columns, KEYS)
    assert re.search(message, labels.problem)


def test_labels__a_virial_needs_a_volume():
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]], info={"virial": np.eye(3)})
    assert labels_of_atoms(atoms, {}, KEYS).problem == "it has a virial but no volume"


@pytest.mark.parametrize("value", [10**400, float("inf")])
def test_labels_of_atoms__energies_beyond_floats_are_a_problem(value):
    keys = Keys(energy="energy", forces=None, stress=None, virial=None)
    assert labels_of_atoms(Atoms("Cu"), {"energy": value}, keys).problem in (
        "energy (energy) is not made of numbers",
        "the energy is infinite",
    )


def test_as_numbers__does_not_unfold_lists_without_end():
    value = [0.0]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(ValueError, match="nested too deep"):
        as_numbers(value)
    assert as_numbers([[[1]]]).shape == (1, 1, 1)


def test_find_keys__names_what_looks_like_labels_where_there_are_none(caplog):
    find(atoms_with({"DFT_energy": 1.0, "config": "a"}, {"my_force": np.zeros((2, 3))}))
    assert (
        "f.xyz: no energies under the usual names (REF_energy, free_energy, energy); there are DFT_energy, my_force"
        in caplog.text
    )
    caplog.clear()
    find(atoms_with({"DFT_energy": 1.0, "energy": 2.0}))
    find(atoms_with({"DFT_energy": 1.0, "dft": 2.0}), energy="dft")
    find(atoms_with({"config": "a"}))
    assert caplog.text == ""
