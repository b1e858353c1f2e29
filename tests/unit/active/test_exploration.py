import numpy as np
import pytest
from ase import Atoms

from acefit.active.exploration import Walk, check_start, explore_from
from acefit.calculator import ACECalculator
from acefit.errors import ActiveSetError
from active_sets import alloys, small_set


def explored(**options):
    potential, _, built = small_set()
    atoms = alloys(1, labels=False)[0]
    settings = {"temperature": 300.0, "steps": 6, "interval": 2, "collect_above": 1e-6, "stop_above": 1e9, **options}
    return atoms, explore_from(atoms, ACECalculator(potential, active_set=built.active_set), Walk(**settings))


def test_explore_from__looks_at_gamma_and_collects_bare_structures():
    atoms, found = explored()
    assert found.step.tolist() == [0, 2, 4, 6]
    assert found.gamma.shape == (4,)
    assert len(found.structures) == 4
    assert found.end == "all 6 steps are done"
    assert all(frame.calc is None and not frame.has("momenta") for frame in found.structures)
    assert [frame.info["gamma"] for frame in found.structures] == found.gamma.tolist()
    assert not np.array_equal(found.structures[-1].positions, atoms.positions)


def test_explore_from__is_the_same_for_the_same_seed():
    one, two, other = (explored(seed=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(one.gamma, two.gamma)
    assert not np.array_equal(one.gamma, other.gamma)


def test_explore_from__ends_where_the_grade_is_too_large():
    _, found = explored(temperature=1e5, steps=200, timestep=2.0, collect_above=2.0, stop_above=3.0)
    assert "above 3: stopped" in found.end
    assert found.gamma[-1] > 3.0
    assert found.step[-1] < 200


def test_explore_from__at_a_pressure_the_cell_changes():
    for pressure, changes in ((None, False), (50.0, True)):
        atoms, found = explored(pressure=pressure)
        assert (found.structures[-1].get_volume() != pytest.approx(atoms.get_volume(), rel=1e-9)) == changes


def test_explore_from__atoms_that_meet_end_the_walk():
    potential, _, built = small_set()
    calculator = ACECalculator(potential, active_set=built.active_set, tables=True)
    atoms = Atoms("Al2", [[0, 0, 0], [0, 0, 5e-4]])
    found = explore_from(atoms, calculator, Walk(300.0, steps=5))
    assert found.end.startswith("stopped at step 0: two atoms are")
    assert found.structures == []


def test_check_start__needs_a_structure():
    check_start([Atoms("Al")])
    with pytest.raises(ActiveSetError, match="no structure to explore from"):
        check_start([])
