import inspect
import pydoc
import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

import acefit
from acefit.active.grade import grade_structures
from acefit.calculator import ACECalculator
from acefit.errors import ActiveSetError, PotentialError
from acefit.evaluation.predict import predict, predict_layout
from acefit.potential.bbasis import read_potential
from active_sets import small_set
from bases import DATA
from models import prepared, random_potential, random_structures

DEMO = DATA / "demo.yaml"


def test_calculator__documents_its_own_parameters():
    text = pydoc.plain(pydoc.render_doc(ACECalculator))
    for name in [*list(inspect.signature(ACECalculator).parameters)[:-1], "Examples"]:
        assert re.search(rf"^ \|  {name}( :|$)", text, re.MULTILINE), name
    assert "parameters as described for the class" in text


def test_calculator__equals_the_prediction():
    potential = random_potential(2)
    calculator = ACECalculator(potential, skin=0.0)
    frames = random_structures(potential.elements)
    for atoms, copy in zip(frames, [a.copy() for a in frames], strict=True):
        copy.calc = calculator
        expected = predict(potential, *prepared(atoms, potential.cutoff))
        assert copy.get_potential_energy() == expected.energies[0]
        assert copy.get_potential_energy(force_consistent=True) == expected.energies[0]
        np.testing.assert_array_equal(copy.get_forces(), expected.forces)
        np.testing.assert_array_equal(copy.get_potential_energies(), expected.atomic_energies)
        if copy.cell.rank == 3:
            np.testing.assert_array_equal(copy.get_stress(), expected.stresses[0])


def test_calculator__with_a_skin_equals_the_prediction_along_a_path():
    potential = random_potential(2)
    calculator, rng = ACECalculator(potential, skin=0.5), np.random.default_rng(0)
    atoms = random_structures(potential.elements)[0].copy()
    atoms.calc = calculator
    for _ in range(5):
        expected = predict(potential, *prepared(atoms, potential.cutoff))
        assert atoms.get_potential_energy() == pytest.approx(expected.energies[0], rel=1e-12)
        np.testing.assert_allclose(atoms.get_forces(), expected.forces, rtol=0, atol=1e-12 * (1 + np.abs(expected.forces).max()))
        np.testing.assert_allclose(atoms.get_stress(), expected.stresses[0], rtol=0, atol=1e-12)
        atoms.positions += rng.normal(0.0, 0.03, atoms.positions.shape)


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_calculator__needs_a_skin_that_is_a_length(skin):
    with pytest.raises(PotentialError, match="skin must be a length of at least 0 Angstrom"):
        ACECalculator(random_potential(1), skin=skin)


def test_calculator__forces_and_stress_are_those_of_ase_differences():
    atoms = random_structures(("Al", "Cu"))[0].copy()
    atoms.calc = ACECalculator(random_potential(2), threads=1)
    scale = 1 + np.abs(atoms.get_forces()).max()
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, eps=1e-5), rtol=0, atol=1e-7 * scale)
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), rtol=0, atol=1e-7 * scale)


def test_calculator__reads_a_potential_file_and_follows_changes_of_the_atoms():
    atoms = Atoms("AlNi", [[0, 0, 0], [0.5, 0.8, 2.2]], calculator=ACECalculator(DEMO, tables=True))
    assert atoms.get_potential_energy() == pytest.approx(0.2400959673796 + 0.0377185296432, abs=2e-12)
    atoms.positions[1, 2] += 3.0
    assert atoms.get_potential_energy() == 0.0


def test_calculator__without_a_cell_has_no_stress():
    atoms = Atoms("AlNi", [[0, 0, 0], [0.5, 0.8, 2.2]], calculator=ACECalculator(str(DEMO)))
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_calculator__stresses_of_atoms_add_up_to_the_stress():
    atoms = random_structures(("Al", "Cu"))[0].copy()
    atoms.calc = ACECalculator(random_potential(2))
    np.testing.assert_allclose(atoms.get_stresses().sum(axis=0), atoms.get_stress(), rtol=0, atol=1e-13)


def test_calculator__projections_are_arrays_where_all_have_one_length():
    calculator = ACECalculator(DEMO)
    mixed = calculator.projections(Atoms("AlNi", [[0, 0, 0], [0.5, 0.8, 2.2]]))
    functions = list(read_potential(DEMO).functions())
    assert [len(b) for b in mixed] == [sum(f.elements[0] == e for f in functions) for e in ("Al", "Ni")]
    alike = calculator.projections(Atoms("Al2", [[0, 0, 0], [0.5, 0.8, 2.2]]))
    assert alike.shape == (2, len(mixed[0]))
    np.testing.assert_allclose(alike[0], alike[1], rtol=1e-12)


def test_calculator__number_of_threads_must_be_positive():
    with pytest.raises(PotentialError, match="threads must be at least 1, got 0"):
        ACECalculator(DEMO, threads=0)


def test_package__offers_the_calculator():
    assert acefit.ACECalculator is ACECalculator


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_calculator__gives_grades_with_an_active_set(tmp_path, kind):
    potential, structures, built = small_set(kind)
    built.active_set.write(tmp_path / "x.asi")
    expected = grade_structures(potential, built.active_set, structures)
    for active_set in (built.active_set, tmp_path / "x.asi", str(tmp_path / "x.asi")):
        atoms = structures.to_ase(3)
        atoms.calc = ACECalculator(potential, active_set=active_set)
        atoms.get_forces()
        found = atoms.calc.results["gamma"]
        np.testing.assert_allclose(found, expected[structures.structure_of_atom == 3], rtol=1e-6)
        assert np.array_equal(atoms.calc.get_property("gamma", atoms), found)
        before = found.max()
        atoms.positions[0] += 0.4
        atoms.get_potential_energy()
        assert atoms.calc.results["gamma"].max() > before


def test_calculator__without_an_active_set_has_no_grades():
    atoms = small_set()[1].to_ase(0)
    atoms.calc = ACECalculator(small_set()[0])
    atoms.get_forces()
    assert "gamma" not in atoms.calc.results
    with pytest.raises(PropertyNotImplementedError):
        atoms.calc.get_property("gamma", atoms)


def test_calculator__refuses_an_active_set_of_another_potential_or_of_merged_functions(tmp_path):
    active_set = small_set()[2].active_set
    with pytest.raises(ActiveSetError, match="does not belong to a potential of Al Ni"):
        ACECalculator(DEMO, active_set=active_set)
    active_set.write(tmp_path / "x.asi")
    with pytest.raises(ActiveSetError, match="does not belong to a potential of Al Ni"):
        ACECalculator(DEMO, active_set=tmp_path / "x.asi")
    with pytest.raises(ActiveSetError, match="functions are merged"):
        ACECalculator(tmp_path / "x.yace", active_set=active_set)


def test_calculator__computes_grades_on_request_without_another_evaluation(monkeypatch):
    potential, structures, built = small_set()
    calls = []
    monkeypatch.setattr("acefit.calculator.predict_layout", lambda *args: calls.append(1) or predict_layout(*args))
    atoms = structures.to_ase(3)
    atoms.calc = ACECalculator(potential, active_set=built.active_set, gamma_on_request=True)
    forces = atoms.get_forces()
    assert "gamma" not in atoms.calc.results
    gamma = atoms.calc.get_property("gamma", atoms)
    assert len(calls) == 1
    assert np.array_equal(atoms.get_forces(), forces)
    np.testing.assert_allclose(gamma, grade_structures(potential, built.active_set, structures.select([3])), rtol=1e-6)
    atoms.positions[0] += 0.4
    assert atoms.calc.get_property("gamma", atoms).max() > gamma.max()
    atoms.get_potential_energy()
    assert len(calls) == 2
