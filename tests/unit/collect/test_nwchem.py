from itertools import pairwise

import numpy as np
import pytest
from ase.units import Bohr, Hartree

from acefit.collect.nwchem import read_nwchem
from acefit.collect.results import UNCONVERGED, UNFINISHED, read_result
from acefit.collect.search import Output
from acefit.errors import DataError
from derivatives import predicted_change


@pytest.fixture
def path(outputs):
    return lambda name: outputs / "nwchem" / name / "nwchem.out.gz"


def read(path, **options):
    return read_result(Output(path, "nwchem-out"), **options)


def test_read_nwchem__steps_of_an_optimisation_have_gradients(path):
    result = read(path("opt"))
    assert result.problems == []
    first, *_, last = result.steps
    assert len(result.steps) == 4  # of seven energies
    assert str(first.atoms.symbols) == "OH2"
    assert not first.atoms.pbc.any()
    assert first.energy == pytest.approx(-75.246592744769 * Hartree)
    assert last.energy == pytest.approx(-75.254291723366 * Hartree)
    np.testing.assert_allclose(first.atoms.positions[1], [0.09, 0.751, -0.482], atol=1e-6)  # the geometry block, in Å
    np.testing.assert_allclose(first.forces[1], np.array([0.005866, 0.033870, -0.042926]) * Hartree / Bohr)


def test_read_nwchem__forces_are_derivatives_of_the_energy(path):
    """Along the path of the optimisation."""
    steps = read(path("opt")).steps
    for a, b in pairwise(steps):
        assert b.energy - a.energy == pytest.approx(predicted_change(a, b), rel=0.05)


def test_read_nwchem__the_energy_is_of_the_theory_of_the_gradients(path):
    (step,) = read(path("water")).steps
    assert step.energy == pytest.approx(-74.999416766373 * Hartree)  # of MP2, behind one of SCF and before one of SCS-MP2
    assert step.forces[0, 2] == pytest.approx(0.088927 * Hartree / Bohr)


def test_read_nwchem__coordinates_in_atomic_units(path, changed):
    (step,) = read(path("bohr")).steps
    np.testing.assert_allclose(step.atoms.positions[1] / Bohr, [0.2, 1.45, -1.0])
    (energy_only,) = read(changed(path("bohr"), ("ENERGY GRADIENTS", "?"))).steps
    np.testing.assert_allclose(energy_only.atoms.positions, step.atoms.positions)


def test_read_nwchem__a_single_energy(path):
    (step,) = read(path("atom")).steps
    assert str(step.atoms.symbols) == "O"
    assert step.energy == pytest.approx(-73.976427946528 * Hartree)
    assert np.isnan(step.forces).all()


def test_read_nwchem__a_single_energy_is_the_last(path, changed):
    end = " Total times  cpu:"
    later = changed(path("atom"), (end, f" Total SCF energy = -74.0\n Total DFT energy = -75.0\n{end}"))
    assert [step.energy for step in read(later).steps] == [-75.0 * Hartree]


def test_read_nwchem__energies_of_several_geometries_cannot_be_told_apart(path, changed):
    (problem,) = read(changed(path("opt"), ("ENERGY GRADIENTS", "?"))).problems
    assert problem.reason.startswith("it has several geometries and no gradients")


def test_read_nwchem__says_what_did_not_converge(path, changed):
    result = read(path("unconverged"))  # DFT failed, and SCF did not
    assert [step.energy for step in result.steps] == [pytest.approx(-74.963533892472 * Hartree)]
    assert [problem.reason for problem in result.problems] == [f"{UNCONVERGED} in 1 steps without a result"]
    failed = changed(path("bohr"), ("       NWChem SCF Module", "Calculation failed to converge"))
    assert [(problem.step, problem.reason) for problem in read(failed).problems] == [
        (0, UNCONVERGED),
        (None, f"{UNCONVERGED} in 1 steps without a result"),
    ]
    failed = changed(path("atom"), ("       NWChem DFT Module", "Calculation failed to converge"))
    assert [(problem.step, problem.reason) for problem in read(failed).problems] == [(0, UNCONVERGED)]


def test_read_nwchem__without_an_energy(path, changed):
    (problem,) = read(changed(path("water"), ("Total MP2 energy", "?"))).problems
    assert (problem.step, problem.reason) == (0, "it has no energy")


@pytest.mark.parametrize(("end", "n_steps"), [("Geometry", 4), (" DFT ENERGY GRADIENTS", 3), ("NWChem Input Module", 4)])
def test_read_nwchem__that_was_cut_off(path, changed, end, n_steps):
    cut = changed(path("opt"), end=end)
    assert [problem.reason for problem in read(cut).problems] == [f"{UNFINISHED} ({n_steps} steps have results)"]
    assert len(read(cut, keep_unfinished=True).steps) == n_steps


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([(" NWChem SCF Module", "* NWPW PSPW Calculation *")], "plane-wave results of NWChem are not read"),
        ([("in a.u. (", "in nanometers (")], "in nanometers; only angstroms and a.u."),
        ([(" 8.0000 ", " 8.5000 ")], "charges that are none of a nucleus"),
        ([("RHF ENERGY", "TDDFT ENERGY")], "gradients of TDDFT are not read"),
        ([("   3 H       0.00", "cut off")], "2 gradients for 3 atoms"),
        ([("Output coordinates", "?")], "3 gradients for 0 atoms"),
    ],
)
def test_read_nwchem__refuses_what_it_cannot_know(path, changed, changes, reason):
    with pytest.raises(DataError, match=reason):
        read_nwchem(changed(path("bohr"), *changes))


def test_read_nwchem__refuses_several_theories(path, changed):
    both = changed(path("opt"), ("DFT ENERGY GRADIENTS", "RHF ENERGY GRADIENTS"))
    text = both.read_text()
    both.write_text(text.replace("RHF ENERGY GRADIENTS", "DFT ENERGY GRADIENTS", 1))
    with pytest.raises(DataError, match="gradients of DFT and SCF; let each theory write a file"):
        read_nwchem(both)
