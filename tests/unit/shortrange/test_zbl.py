import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.shortrange.zbl import ZBLCalculator, evaluate, pair_energies, screened


def test_pair_energies__are_twice_the_published_check_values():
    # halves of the pair energy Al-Ni at 1.5 Å with an outer cutoff of 5 Å, shifted from 4.99 Å and from 4 Å on
    assert pair_energies(1.5, 13, 28, 4.99, 5.0)[0] / 2 == pytest.approx(6.80785184124, rel=1e-11)
    energy, slope = pair_energies(1.5, 28, 13, 4.0, 5.0)
    assert energy / 2 == pytest.approx(6.80413465932, rel=1e-11)
    assert slope / 2 == pytest.approx(-21.2300106452, rel=1e-10)


@pytest.mark.parametrize(("inner", "outer"), [(0.0, 4.0), (3.0, 3.5)])
def test_pair_energies__vanish_smoothly_at_the_outer_cutoff(inner, outer):
    r = np.array([outer - 1e-3, outer, outer + 1.0])
    energies, slopes = pair_energies(r, 14, 14, inner, outer)
    assert 0 < energies[0] < 1e-6
    assert abs(slopes[0]) < 1e-3
    assert not energies[1:].any()
    assert not slopes[1:].any()


def test_pair_energies__slopes_and_curvatures_agree_with_central_differences():
    r, step = np.linspace(0.3, 3.9, 40), 1e-5
    low, high = (pair_energies(r + d, 14, 29)[0] for d in (-step, step))
    np.testing.assert_allclose(pair_energies(r, 14, 29)[1], (high - low) / (2 * step), rtol=1e-6, atol=1e-6)
    a = np.array(0.1)
    low, high = (screened(r + d, a)[1] for d in (-step, step))
    np.testing.assert_allclose(screened(r, a)[2], (high - low) / (2 * step), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("cutoffs", [(4.0, 4.0), (-1.0, 4.0), (0.0, np.inf), (0.0, np.nan)])
def test_pair_energies__refuse_cutoffs_that_make_no_sense(cutoffs):
    with pytest.raises(DataError, match="must satisfy 0 <= inner < outer"):
        ZBLCalculator(*cutoffs)


def test_calculator__forces_and_stress_are_those_of_the_energy():
    atoms = bulk("NaCl", "rocksalt", a=4.6)
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.05, 0], [0, 0.97, 0.02], [0, 0, 1.03]]), scale_atoms=True)
    atoms.rattle(0.1, seed=2)
    atoms.calc = ZBLCalculator()
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, eps=1e-4), atol=1e-5)
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-6)
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())


def test_calculator__of_a_cluster_has_no_stress():
    atoms = Atoms("AlNi", [[0, 0, 0], [0, 0, 1.5]], calculator=ZBLCalculator())
    assert atoms.get_potential_energy() == pytest.approx(float(pair_energies(1.5, 13, 28)[0]))
    assert "stress" not in atoms.calc.results


def test_evaluate__refuses_what_it_cannot_do():
    one = StructureSet.from_ase([Atoms("Al2", [[0, 0, 0], [0, 0, 2.0]])])
    with pytest.raises(DataError, match=r"reaches to 3\.0 Å, but ZBL needs 4\.0 Å"):
        evaluate(one, build(one, 3.0))
    heavy = StructureSet.from_ase([Atoms("Rf2", [[0, 0, 0], [0, 0, 2.0]])])
    with pytest.raises(DataError, match="from H to Lr"):
        evaluate(heavy, build(heavy, 4.0))
    same = StructureSet.from_ase([Atoms("Al2", [[0, 0, 0], [0, 0, 0]])])
    with pytest.raises(DataError, match="in the same place"):
        evaluate(same, build(same, 4.0))
