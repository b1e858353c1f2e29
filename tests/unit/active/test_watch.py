import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from ase.units import fs

from acefit.active.watch import GammaWatch
from acefit.calculator import ACECalculator
from acefit.errors import ActiveSetError, ExtrapolationError
from active_sets import alloys, small_set


def watched(**limits):
    potential, _, built = small_set()
    atoms = alloys(1, labels=False)[0]
    atoms.calc = ACECalculator(potential, active_set=built.active_set)
    return atoms, GammaWatch(atoms, **limits)


def test_watch__collects_above_one_limit_and_stops_above_another(tmp_path):
    path = tmp_path / "new.xyz"
    atoms, watch = watched(collect_above=1.5, stop_above=30.0, path=path)
    watch()
    assert watch.structures == []
    atoms.set_cell(atoms.cell * 0.97, scale_atoms=True)
    watch()
    atoms.set_cell(atoms.cell * 0.8, scale_atoms=True)
    with pytest.raises(ExtrapolationError, match="above 30: stopped") as stopped:
        watch()
    assert len(watch.structures) == 2
    assert watch.largest[0] <= 1.01 < 1.5 < watch.largest[1] <= 30 < watch.largest[2] == stopped.value.gamma
    np.testing.assert_allclose(watch.structures[1].arrays["gamma"], atoms.calc.results["gamma"])
    assert watch.structures[1].calc.results["energy"] == atoms.get_potential_energy()
    written = ase.io.read(path, ":")
    assert [frame.info["gamma"] for frame in written] == pytest.approx(watch.largest[1:], rel=1e-6)
    assert written[0].calc is None


def test_watch__is_an_observer_of_dynamics():
    atoms, watch = watched(collect_above=1e-3, stop_above=1e9)
    dynamics = VelocityVerlet(atoms, fs)
    dynamics.attach(watch, interval=2)
    dynamics.run(4)
    assert len(watch.structures) == 3


def test_watch__needs_limits_in_order_and_grades():
    atoms, _ = watched()
    with pytest.raises(ActiveSetError, match="must rise: collect_above 3, stop_above 2"):
        GammaWatch(atoms, 3, 2)
    atoms.calc = EMT()
    with pytest.raises(ActiveSetError, match="gives no gamma; use ACECalculator"):
        GammaWatch(atoms)


def test_watch__needs_a_calculator_with_an_active_set():
    atoms, _ = watched()
    atoms.calc = ACECalculator(small_set()[0])
    with pytest.raises(ActiveSetError, match="gives no gamma"):
        GammaWatch(atoms)
