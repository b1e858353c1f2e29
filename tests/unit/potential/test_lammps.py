from dataclasses import replace

import pytest

from acefit.potential.lammps import lammps_input, portability_notes
from models import random_potential


def commands(text):
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_lammps_input__names_file_and_elements_in_order():
    text = lammps_input(random_potential(2), "potential.yace")
    assert ["pair_style", "pace"] in commands(text)
    assert commands(text)[-1] == ["pair_coeff", "*", "*", "potential.yace", "Al", "Cu"]
    assert ["units", "metal"] in commands(text)
    assert "`pair_style pace product`" in text


def test_lammps_input__says_the_scale_of_energies():
    potential = random_potential(2)
    assert "on the scale of the fit: E0 is zero" in lammps_input(potential, "a.yace")
    assert "Energies include E0 per atom: Al -1.5 eV, Cu 0 eV." in lammps_input(potential.with_e0({"Al": -1.5}), "a.yace")


def test_lammps_input__comments_are_comments():
    for line in lammps_input(random_potential(3, radbases=("ChebLinear",), mode="zbl", delta_in=0.0), "a.yace").splitlines():
        assert len(line) <= 130
        assert not line.endswith("&")


@pytest.mark.parametrize(
    ("potential", "expected"),
    [
        (random_potential(1, mode="zbl"), "inner_cutoff_type is zbl"),
        (random_potential(1, mode="distance"), "inner_cutoff_type is distance"),
        (random_potential(1, mode="zbl", delta_in=0.0), "Bond Al-Al: zbl with delta_in = 0"),
        (random_potential(1, radbases=("ChebLinear",)), "Bond Al-Al: ChebLinear does not vanish"),
        (random_potential(2), "different numbers of densities"),
        (replace(random_potential(1), delta_spline_bins=0.02), "in bins of 0.02 Angstrom"),
    ],
)
def test_portability_notes__name_what_is_different(potential, expected):
    assert any(expected in note for note in portability_notes(potential))


def test_portability_notes__are_few_for_a_plain_potential():
    assert len(list(portability_notes(random_potential(1, mode="density", core=False, radbases=("SBessel",))))) == 1


def test_lammps_input__quotes_names_with_blanks():
    assert 'pair_coeff      * * "my pot.yace" Al Cu' in lammps_input(random_potential(2), "my pot.yace")
