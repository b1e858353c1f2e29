import numpy as np
import pytest
from ase.units import Bohr, GPa, Hartree

from acefit.collect.abinit import read_abinit
from acefit.collect.results import UNCONVERGED, UNFINISHED, read_result
from acefit.collect.search import Output
from acefit.errors import DataError
from derivatives import predicted_change


@pytest.fixture
def relax(outputs):
    return outputs / "abinit" / "relax" / "si.abo.gz"


@pytest.fixture
def bulk(outputs):
    return outputs / "abinit" / "bulk" / "si.abo.gz"


def read(path, **options):
    return read_result(Output(path, "abinit-out"), **options)


def test_read_abinit__cell_and_positions(relax):
    first, second = read(relax).steps
    assert str(first.atoms.symbols) == "Si2"
    assert first.atoms.pbc.all()
    lengths = 10.18 * Bohr * np.array([[0, 0.5, 0.5], [0.51, 0, 0.5], [0.5, 0.5, 0.01]])  # acell times rprim
    np.testing.assert_allclose(first.atoms.cell.array, lengths, rtol=1e-8)
    np.testing.assert_allclose(first.atoms.get_scaled_positions()[1], [0.26, 0.25, 0.24], rtol=1e-9)
    # as in the last tables, which are in Å: "length scales" and "cartesian coordinates"
    np.testing.assert_allclose(second.atoms.cell.lengths(), [3.774592577867, 3.791128564299, 3.764902700317], rtol=1e-7)
    np.testing.assert_allclose(second.atoms.positions[0], [-0.00161023814652, 0.00295901200990, 0.00150941222326], rtol=1e-7)


def test_read_abinit__energies_forces_and_stress(relax):
    second = read(relax).steps[1]
    assert second.energy == pytest.approx(-241.277850831979, abs=1e-4)  # "total_energy_eV", which contains the entropy
    np.testing.assert_allclose(second.forces[0], [-0.28188078471054, -0.12210815452718, -0.12274939799542], rtol=1e-7)
    printed = [-2.05431634, -2.44563666, -1.87267927, 3.15593746, 4.10182146, 3.70997301]  # xx, yy, zz, yz, xz, xy
    np.testing.assert_allclose(second.stress / GPa, printed, rtol=1e-6)


def test_read_abinit__stress_is_the_derivative_of_the_energy(relax, bulk):
    """Energies of the same crystal half a per cent larger and smaller, from two more runs of ABINIT; and along a relaxation."""
    (step,) = read(bulk).steps
    per_strain = (-8.86257768585500 + 8.86188784480403) * Hartree / 0.01
    assert step.stress[:3].sum() == pytest.approx(per_strain / step.atoms.get_volume(), rel=0.005)
    first, second = read(relax).steps
    assert second.energy - first.energy == pytest.approx(predicted_change(first, second), rel=0.01)


def test_read_abinit__a_single_point_has_no_other_table_of_coordinates(bulk):
    (step,) = read(bulk).steps
    np.testing.assert_allclose(step.atoms.positions[1], [1.33328843590293, 1.34675599586155, 1.38661997333905])


def test_read_abinit__without_forces_and_stress(bulk, changed):
    path = changed(bulk, ("cartesian_forces:", "cartesian_forces: null\nx:"), ("cartesian_stress_tensor:", "y:"))
    (step,) = read(path).steps
    assert np.isnan(step.forces).all()
    assert np.isnan(step.stress).all()


def test_read_abinit__says_what_did_not_converge(outputs, relax, changed):
    (problem,) = read(outputs / "abinit" / "unconverged" / "si.abo.gz").problems
    assert (problem.step, problem.reason) == (0, UNCONVERGED)
    failing = (" At SCF step    7, forces are converged", "  nstep=    7 was not enough SCF cycles to converge;")
    result = read(changed(relax, failing))
    assert [step.number for step in result.steps] == [0]
    assert [problem.step for problem in result.problems] == [1]
    result = read(changed(relax, failing, end="--- !ResultsGS"), keep_unfinished=True)
    assert len(result.steps) == 1
    assert [problem.reason for problem in result.problems] == [f"{UNCONVERGED} in 1 steps without a result"]


@pytest.mark.parametrize(
    ("end", "n_steps"),
    [
        ("\n Cartesian coordinates (xcart)", 1),
        ("2.44784875080814E+00", 1),
        ("force_length", 1),
        ("\n Cartesian forces (fcart)", 2),
    ],
)
def test_read_abinit__that_was_cut_off(relax, changed, end, n_steps):
    path = changed(relax, end=end)
    assert [problem.reason for problem in read(path).problems] == [f"{UNFINISHED} ({n_steps} steps have results)"]
    assert len(read(path, keep_unfinished=True).steps) == n_steps


def test_read_abinit__refuses_what_it_cannot_know(bulk, changed):
    with pytest.raises(DataError, match="version 8 of ABINIT prints too little"):
        read_abinit(changed(bulk, ("Version 9.6.2 of", "Version 8.10.3 of")))
    with pytest.raises(DataError, match="1 forces for 2 atoms"):
        read_abinit(changed(bulk, ("- [  2.90", "x")))
