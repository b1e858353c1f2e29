import ase.units
import pytest

from acefit.units import EV_PER_A3_IN_GPA


def test_stress_unit__agrees_with_ase():
    assert pytest.approx(1.0 / ase.units.GPa, rel=1e-7) == EV_PER_A3_IN_GPA
