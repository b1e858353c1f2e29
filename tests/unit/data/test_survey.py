import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.survey import survey_data
from acefit.errors import DataError


@pytest.fixture
def path(tmp_path):
    frames = []
    for k, atoms in enumerate([bulk("AlNi", "cesiumchloride", a=2.9), bulk("Al", a=4.0), Atoms("Al", [[0, 0, 0]])]):
        atoms.info["config_type"] = "abc"[k]
        results = {
            "energy": float(3 * k * (2 - k) - 7 * list(atoms.symbols).count("Ni")),
            **({"forces": np.zeros((len(atoms), 3)), "stress": np.ones(6)} if k < 2 else {}),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    frames.append(Atoms("Ni2", [[0, 0, 0], [0, 0, 0.01]]))
    ase.io.write(tmp_path / "data.xyz", frames, format="extxyz")
    return tmp_path / "data.xyz"


def test_survey_data__counts_what_settings_depend_on(path):
    survey = survey_data([path])
    assert (survey.elements, survey.isolated, survey.groups) == (("Al", "Ni"), ("Al",), ("a", "b", "c"))
    assert (survey.n_structures, survey.n_atoms, survey.n_periodic) == (3, 4, 2)
    assert (survey.n_energies, survey.n_corrected, survey.n_forces, survey.n_stresses, survey.n_weights) == (3, 0, 2, 2, 0)
    assert survey.spread == pytest.approx(3.0)  # the energy of Ni explains the alloy's
    distances = [2.9 * np.sqrt(3) / 2, 4.0 / np.sqrt(2)]
    assert survey.shortest == pytest.approx(min(distances))
    assert survey.typical == pytest.approx(np.mean(distances))
    assert len(survey.left_out) == 1
    assert not survey.is_molecular


def test_survey_data__several_files(path):
    assert survey_data([path, path]).n_atoms == 8


def test_survey_data__molecules_without_labels(tmp_path):
    ase.io.write(tmp_path / "h2.xyz", Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), format="extxyz")
    survey = survey_data([tmp_path / "h2.xyz"])
    assert survey.is_molecular
    assert survey.spread == 0.0
    assert survey.n_energies == 0


def test_survey_data__refuses_what_is_no_data(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        survey_data([tmp_path / "nothing.xyz"])
