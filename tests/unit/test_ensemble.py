import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError

import acefit
from acefit import ACECalculator, ACEEnsemble
from acefit.basis.compiled import compile_potential
from acefit.ensemble import group_members
from acefit.errors import PotentialError
from acefit.potential.bbasis import write_potential
from acefit.potential.files import write_any
from models import random_potential

MEMBERS = [random_potential(2, seed=seed) for seed in (1, 2, 3)]


def alloy():
    atoms = bulk("Al", cubic=True) * (2, 1, 1)
    atoms.numbers[::3] = 29
    atoms.rattle(0.1, seed=4)
    return atoms


def single_results(potential, atoms):
    atoms = atoms.copy()
    atoms.calc = ACECalculator(potential)
    atoms.get_potential_energy()
    return atoms.calc.results


def test_ensemble__gives_mean_deviation_and_spread():
    atoms = alloy()
    atoms.calc = ACEEnsemble(MEMBERS)
    atoms.get_potential_energy()
    found, singles = atoms.calc.results, [single_results(potential, atoms) for potential in MEMBERS]
    for name in ("energy", "energies", "forces", "stress", "stresses"):
        values = np.array([single[name] for single in singles])
        np.testing.assert_allclose(found[name], values.mean(axis=0), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(found[f"{name}_std"], values.std(axis=0), rtol=1e-9, atol=1e-13)
        if name != "forces":
            deviations = np.abs(values - values.mean(axis=0)).max(axis=0)
            np.testing.assert_allclose(found[f"{name}_dev"], deviations, rtol=1e-9, atol=1e-13)
    lengths = np.linalg.norm(np.array([s["forces"] for s in singles]) - found["forces"], axis=2)
    np.testing.assert_allclose(found["forces_dev"], lengths.max(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found["forces_spread"], np.sqrt((lengths**2).mean(axis=0)), rtol=1e-9)
    assert found["free_energy"] == found["energy"]
    assert isinstance(found["energy_std"], float)
    assert found["forces_dev"].shape == found["forces_spread"].shape == (len(atoms),)


def test_ensemble__of_equal_members_has_no_spread(tmp_path):
    write_potential(MEMBERS[0], tmp_path / "p.yaml")
    atoms = alloy()
    atoms.calc = ACEEnsemble([tmp_path / "p.yaml", str(tmp_path / "p.yaml"), MEMBERS[0]], threads=1)
    assert atoms.get_potential_energy() == pytest.approx(single_results(MEMBERS[0], atoms)["energy"], rel=1e-13)
    assert atoms.calc.results["energy_dev"] < 1e-12
    assert atoms.calc.results["forces_spread"].max() < 1e-12


def test_ensemble__members_with_equal_cutoffs_share_the_search():
    other = random_potential(2, seed=5, rcut=4.3)
    assert group_members([compile_potential(p) for p in (*MEMBERS, other)]) == [[0, 1, 2], [3]]
    atoms = alloy()
    atoms.calc = ACEEnsemble([MEMBERS[0], other, MEMBERS[1], MEMBERS[2]])
    mean = atoms.get_potential_energy()
    assert atoms.calc.n_searches == 2
    singles = [single_results(p, atoms)["energy"] for p in (MEMBERS[0], other, MEMBERS[1], MEMBERS[2])]
    assert mean == pytest.approx(np.mean(singles), rel=1e-12)
    assert [float(member.energies[0]) for member in atoms.calc.members] == pytest.approx(singles, rel=1e-12)
    atoms.positions[0] += 0.05
    assert atoms.get_potential_energy() != mean
    assert atoms.calc.n_searches == 2  # within the skin


def test_ensemble__without_a_cell_has_no_stress():
    atoms = Atoms("AlCu", [[0, 0, 0], [0, 0, 2.4]], calculator=ACEEnsemble(MEMBERS))
    atoms.get_forces()
    assert not any(name.startswith("stress") for name in atoms.calc.results)
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


@pytest.mark.parametrize(
    ("potentials", "options", "message"),
    [
        (MEMBERS[:1], {}, "at least two potentials"),
        ("p.yaml", {}, "at least two potentials"),
        (MEMBERS[0], {}, "at least two potentials"),
        ([MEMBERS[0], random_potential(1)], {}, "potential 2 of the ensemble has the elements Al, the first one Al Cu"),
        (MEMBERS, {"threads": 0}, "threads must be at least 1"),
        (MEMBERS, {"skin": -1.0}, "skin must be a length"),
        (MEMBERS, {"skin": np.nan}, "skin must be a length"),
    ],
)
def test_ensemble__refuses_what_makes_no_sense(potentials, options, message):
    with pytest.raises(PotentialError, match=message):
        ACEEnsemble(potentials, **options)


def test_package__offers_it_lazily():
    assert "ACEEnsemble" in acefit.__all__


def test_ensemble__adds_e0_as_the_calculator_does(tmp_path):
    members = [MEMBERS[0].with_e0({"Al": -2.0}), MEMBERS[1].with_e0({"Cu": -3.0})]
    write_any(members[1], tmp_path / "second.yace")
    atoms = Atoms("AlCu", [[0, 0, 0], [0, 0, 2.6]])
    ensemble = ACEEnsemble([members[0], tmp_path / "second.yace"])
    energies = [ACECalculator(member).get_potential_energy(atoms) for member in members]
    assert ensemble.get_potential_energy(atoms) == pytest.approx(np.mean(energies), rel=1e-12)
    assert ensemble.results["energy_std"] == pytest.approx(np.std(energies), rel=1e-12)
