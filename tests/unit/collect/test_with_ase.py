"""What ASE's readers make of real outputs."""

from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.collect.results import UNCONVERGED, read_result
from acefit.collect.search import Output
from acefit.collect.with_ase import energy_of, results_of
from derivatives import predicted_change


def read(outputs, name):
    return read_result(Output(outputs / "gpaw" / name / "gpaw.txt.gz", "gpaw-out"))


def test_read_result__gpaw(outputs):
    result = read(outputs, "relax")
    assert result.problems == []
    first, _, last = result.steps
    assert str(last.atoms.symbols) == "Al2"
    assert last.atoms.pbc.all()
    np.testing.assert_array_equal(last.atoms.cell.array, [[0.041, 2.05, 2.0705], [2.0705, 0.0615, 2.05], [4.223, 4.141, 0.041]])
    np.testing.assert_array_equal(last.atoms.positions[1], [2.173967, 2.144903, -0.048477])
    assert first.energy == pytest.approx(-7.628358, abs=1e-9)  # the line "Free energy"
    np.testing.assert_array_equal(first.forces[1], [0.02460, -0.06211, 0.02575])
    np.testing.assert_array_equal(first.stress, [0.040911, -0.002119, 0.016107, 0.029117, 0.052086, 0.133110])


def test_read_result__gpaw_forces_and_stress_are_derivatives_of_the_energy(outputs):
    """Along the path of the relaxation; of the same crystal half a per cent larger and smaller there were two more runs."""
    first, *_ = steps = read(outputs, "relax").steps
    for a, b in pairwise(steps):
        assert b.energy - a.energy == pytest.approx(predicted_change(a, b), rel=0.05)
    per_strain = (-7.617544893737127 - -7.636181595366641) / 0.01
    assert first.stress[:3].sum() == pytest.approx(per_strain / first.atoms.get_volume(), rel=0.02)


def test_read_result__gpaw_a_molecule(outputs):
    (step,) = read(outputs, "molecule").steps
    assert not step.atoms.pbc.any()
    assert step.energy == -6.27433
    assert np.isnan(step.stress).all()
    bond = step.atoms.positions[1] - step.atoms.positions[0]
    assert step.forces[1] @ bond < 0  # 0.81 Å is longer than the bond of H2, so it pulls
    np.testing.assert_allclose(step.forces[0], -step.forces[1])


def test_read_result__gpaw_that_did_not_converge(outputs):
    (problem,) = read(outputs, "unconverged").problems
    assert problem.reason == UNCONVERGED


@pytest.mark.parametrize(
    ("end", "steps", "reasons"),
    [
        ("\nPositions:\n", 2, []),
        ("\nFree energy:", 0, ["cannot be read"]),
        ("\nForces in eV", 2, ["it has no forces, though others"]),
        ("\n  1 Al ", 0, ["cannot be read (OSError: Malformed GPAW"]),
        ("\nUnit cell:", 0, ["cannot be read"]),
        ("\nspecies:", 0, ["cannot be read"]),
    ],
)
def test_read_result__gpaw_that_was_cut_off(outputs, changed, end, steps, reasons):
    result = read_result(Output(changed(outputs / "gpaw" / "relax" / "gpaw.txt.gz", end=end), "gpaw-out"))
    assert len(result.steps) == steps
    for problem, reason in zip(result.problems, reasons, strict=True):
        assert problem.reason.startswith(reason)


def test_results_of__energies_and_stress_in_one_form():
    atoms = Atoms("H")
    assert energy_of(atoms) is None
    tensor = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, stress=tensor)
    assert energy_of(atoms) == 1.0
    np.testing.assert_array_equal(results_of(atoms)["stress"], [1, 2, 3, 4, 5, 6])
