import io
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.lammps import check_dump, without_labels
from acefit.errors import DataError

HEADER = (
    "ITEM: UNITS\nmetal\nITEM: TIME\n0.5\nITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
)
FRAME = HEADER + "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 0 0 2\n"


def check(text, elements=("Al", "Ni")):
    file = io.StringIO(text)
    check_dump(file, Path("md.dump"), elements)
    return file


def test_check_dump__accepts_frames_and_goes_back_to_the_beginning():
    assert check(FRAME * 3).tell() == 0
    check(FRAME.replace("id type", "id element").replace("1 1 0", "1 Al 0").replace("2 2 0", "2 Ni 0"), elements=())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no text dump of LAMMPS"),
        ("\n\n", "is no text dump of LAMMPS"),
        ("# LAMMPS data file\n", "line 1: '# LAMMPS data file' is not what a text dump"),
        (FRAME[:-9], "2 columns|columns are expected|lines follow"),
        (FRAME[:-10], "2 atoms are announced, but 1 lines follow; is it cut off"),
        (FRAME[:-1], "5 columns are expected, 5 found; is it cut off"),
        (
            FRAME.replace("ITEM: BOX", "ITEM: NUMBER OF ATOMS\n999999999\nITEM: BOX"),
            "'ITEM: BOX BOUNDS' and three lines are expected",
        ),
        (
            FRAME.replace("0 4\nITEM", "0 4\nITEM: NUMBER OF ATOMS\n9\nITEM"),
            "line 13: 'ITEM: ATOMS' is expected, not 'ITEM: NUMBER",
        ),
        (
            FRAME.replace("ITEM: BOX BOUNDS", "ITEM: BOXITEM: NUMBER OF ATOMS"),
            "'ITEM:' stands within the line; is the file damaged",
        ),
        (FRAME.replace("ITEM: BOX BOUNDS", "ITEM: BOX"), "'ITEM: BOX BOUNDS' and three lines are expected"),
        (HEADER[:-6], "three lines are expected"),
        (HEADER, "the atoms of a structure are missing"),
        (FRAME.replace("ATOMS\n2", "ATOMS\n-2"), "line 8: a number of atoms is expected, not '-2'"),
        (FRAME.replace("ATOMS\n2", "ATOMS\n" + "9" * 30), "9{30} atoms are announced, but 2 lines follow"),
        (FRAME.replace("ATOMS\n2", "ATOMS\n1"), "line 15: '2 2 0 0 2' is not what a text dump"),
        (FRAME.replace("2 2 0", "2 3 0"), "line 15: type 3 has no element; 2 are given"),
        (FRAME.replace("2 2 0", "2 0 0"), "type 0 has no element"),
        (FRAME.replace("2 2 0", "2 x 0"), "type x has no element"),
        (FRAME.replace("id type x", "id x x"), "has no column element; say which elements its types are"),
    ],
)
def test_check_dump__one_error_for_what_is_damaged_or_unclear(text, message):
    with pytest.raises(DataError, match=message):
        check(text)


def test_check_dump__types_need_elements():
    with pytest.raises(DataError, match=r"md\.dump, line 13: the dump has no column element"):
        check(FRAME, elements=())


def test_without_labels__keeps_the_structure_alone():
    atoms = bulk("Cu")
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((1, 3)))
    bare = without_labels(atoms)
    assert bare == atoms
    assert bare.calc is None
