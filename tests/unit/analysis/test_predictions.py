import numpy as np
import pytest

from acefit.analysis.predictions import Labels, Predictions, build_tables, find_low_energy
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import Prediction


def names(*values):
    return np.array(values, dtype=object)


def make_set():
    """A periodic atom and a dimer without cell."""
    return StructureSet(
        numbers=[14, 14, 14],
        positions=[[0, 0, 0], [0, 0, 0], [0, 0, 2.3]],
        offsets=[0, 1, 3],
        cells=[np.eye(3) * 2.5, np.zeros((3, 3))],
        pbc=[[True] * 3, [False] * 3],
        energies=[-4.0, -6.0],
        forces=np.zeros((3, 3)),
        stresses=[[0.01] * 6, [np.nan] * 6],
        names=("bulk", "dimer"),
        groups=("", "dimer"),
        ids=[0, 1],
    )


def make_labels():
    two = np.array([0.5, 0.5])
    return Labels(names("Si", "Si2"), names("train", "test"), names("", ""), two, two, np.full(2, True), np.full(3, 1 / 3))


def make_prediction():
    forces = np.array([[0.0, 0, 0], [0, 0.3, 0.4], [0, 0, 0.1]])
    stresses = np.array([[0.02] * 6, [np.nan] * 6])
    return Prediction(np.array([-4.1, -6.2]), np.array([-4.1, -3.1, -3.1]), forces, stresses, np.zeros((3, 6)))


def test_build_tables__puts_predictions_beside_references():
    of_structures, of_atoms = build_tables(make_set(), make_prediction(), make_labels(), np.array([np.inf, 2.3, 2.3]))
    assert np.allclose(of_structures["energy_per_atom"], [-4.0, -3.0])
    assert np.allclose(of_structures["energy_per_atom_predicted"], [-4.1, -3.1])
    assert np.allclose(of_structures["force_error_max"], [0.0, 0.5])
    assert np.allclose(of_structures["nn_min"], [np.nan, 2.3], equal_nan=True)
    assert np.allclose(of_structures["volume"], [15.625, np.nan], equal_nan=True)
    assert np.isnan(of_structures["stress_predicted"][1]).all()
    assert list(of_atoms["element"]) == ["Si"] * 3
    assert list(of_atoms["structure"]) == [0, 1, 1]
    assert list(of_atoms["atom"]) == [0, 1, 2]


def test_build_tables__refuses_predictions_that_are_not_finite():
    bad = make_prediction()._replace(energies=np.array([-4.0, np.nan]))
    with pytest.raises(DataError, match=r"prediction for structure 1 \(dimer\) is not a finite number; the fit has diverged"):
        build_tables(make_set(), bad, make_labels(), np.full(3, 2.3))


def test_predictions__errors_are_predicted_minus_reference():
    of_structures, of_atoms = build_tables(make_set(), make_prediction(), make_labels(), np.full(3, 2.3))
    columns = [{key: np.asarray(value) for key, value in table.items()} for table in (of_structures, of_atoms)]
    predictions = Predictions.from_columns(*columns)
    assert np.allclose(predictions.energy_errors(), -0.1)
    assert np.allclose(predictions.force_errors()[2], [0, 0, 0.1])
    assert np.allclose(predictions.stress_errors()[0], 0.01)
    assert list(predictions.atoms["subset"]) == ["train", "test", "test"]


def test_find_low_energy__uses_the_lowest_energy_of_each_subset():
    low = find_low_energy(np.array([-5.0, -3.9, -4.1, -3.0, np.nan]), np.full(5, np.nan), names("a", "a", "a", "b", "b"))
    assert list(low) == [True, False, True, True, False]


def test_find_low_energy__uses_the_hull_where_known():
    low = find_low_energy(np.array([-5.0, -3.9]), np.array([1.2, 0.9]), names("a", "a"))
    assert list(low) == [False, True]
